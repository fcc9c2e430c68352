//! Pages projects, and each deployment in the real Pages runtime: one `wrangler pages dev` on an origin of its own.

use serde_json::{Value, json};

mod deployment;
mod runtime;
mod script;

pub(crate) use deployment::{Deployment, Parts, uuid};
pub(crate) use runtime::serve;
pub(crate) use script::Script;

const COMPATIBILITY_DATE: &str = "2026-01-01";

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) production_branch: String,
    created_on: String,
    /// Oldest first.
    deployments: Vec<Deployment>,
    /// The deployment that the project was rolled back to, until a newer one is made.
    put_back: Option<String>,
}

/// Why a deployment stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotRemove {
    /// There is none of this id.
    Unknown,
    /// The project's own host name leads to it.
    Live,
    /// A branch's host name leads to it, which `force` overrides.
    Aliased,
}

impl Project {
    pub(crate) fn new(name: &str, production_branch: &str) -> Self {
        Self {
            name: name.to_owned(),
            production_branch: production_branch.to_owned(),
            created_on: jiff::Timestamp::now().to_string(),
            deployments: Vec::new(),
            put_back: None,
        }
    }

    pub(crate) fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter()
    }

    pub(crate) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    pub(crate) fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// Makes the project's own host name serve an earlier production deployment.
    pub(crate) fn put_back(&mut self, id: &str) -> Option<&Deployment> {
        self.deployment(id).filter(|deployment| deployment.is_production() && deployment.is_live())?;
        self.put_back = Some(id.to_owned());
        self.deployment(id)
    }

    pub(crate) fn add(&mut self, deployment: Deployment) {
        if deployment.is_production() {
            self.put_back = None;
        }
        self.deployments.push(deployment);
    }

    /// Takes a deployment away; the live production deployment never, an aliased one only with `force`.
    pub(crate) fn remove(&mut self, id: &str, force: bool) -> Result<Deployment, CannotRemove> {
        let index = self.deployments.iter().position(|deployment| deployment.id == id);
        let index = index.ok_or(CannotRemove::Unknown)?;
        let deployment = &self.deployments[index];
        if self.live_production().is_some_and(|live| live.id == id) {
            return Err(CannotRemove::Live);
        }
        if self.alias(deployment).is_some() && !force {
            return Err(CannotRemove::Aliased);
        }
        Ok(self.deployments.remove(index))
    }

    /// The port of what the project's own host name serves.
    pub(crate) fn port(&self) -> Option<u16> {
        self.live_production()?.url.rsplit(':').next()?.parse().ok()
    }

    /// The production deployment that the project's own host name serves.
    fn live_production(&self) -> Option<&Deployment> {
        let is_live = |deployment: &&Deployment| deployment.is_production() && deployment.is_live();
        let put_back = self.put_back.as_deref().and_then(|id| self.deployment(id)).filter(is_live);
        put_back.or_else(|| self.deployments.iter().rev().find(is_live))
    }

    /// The host name of its branch, which leads to a branch's newest preview.
    fn alias(&self, deployment: &Deployment) -> Option<String> {
        let newest = self.deployments.iter().rev().find(|other| {
            other.is_live() && !other.is_production() && other.branch() == deployment.branch()
        })?;
        let label: String = deployment
            .branch()?
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        (newest.id == deployment.id).then(|| format!("https://{label}.{}.pages.dev", self.name))
    }

    /// A deployment as the API shows it.
    pub(crate) fn describe_deployment(&self, deployment: &Deployment) -> Value {
        let mut description = deployment.describe(&self.production_branch);
        description["aliases"] = self.alias(deployment).map_or(Value::Null, |alias| json!([alias]));
        description
    }

    /// The project as the API shows it.
    pub(crate) fn describe(&self) -> Value {
        let latest = self.deployments.last().map(|deployment| self.describe_deployment(deployment));
        let canonical = self.live_production().map(|deployment| self.describe_deployment(deployment));
        let config = json!({
            "compatibility_date": COMPATIBILITY_DATE, "compatibility_flags": [], "env_vars": {}, "fail_open": false,
            "always_use_latest_compatibility_date": false, "build_image_major_version": 3, "usage_model": "standard",
        });
        json!({
            "id": format!("project-{}", self.name),
            "name": self.name,
            "subdomain": format!("{}.pages.dev", self.name),
            "domains": [format!("{}.pages.dev", self.name)],
            "production_branch": self.production_branch,
            "production_script_name": format!("pages-worker--{}-production", self.name),
            "preview_script_name": format!("pages-worker--{}-preview", self.name),
            "framework": "",
            "framework_version": "",
            "uses_functions": self.deployments.last().map(|deployment| deployment.uses_functions),
            "build_config": { "build_command": null, "destination_dir": null, "root_dir": null, "build_caching": null,
                              "web_analytics_tag": null, "web_analytics_token": null },
            "deployment_configs": { "production": config, "preview": config },
            "canonical_deployment": canonical,
            "latest_deployment": latest,
            "created_on": self.created_on,
        })
    }
}
