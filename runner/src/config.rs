//! `crossfade.toml` in, what to deploy, check and shift out. Unknown fields are errors that name line and column.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crossfade_core::rollout::PlanError;

use crate::error::Error;
use crate::health::HealthCheck;
use crate::smoke::SmokeTest;

mod analysis;
mod balancer;
mod deploy;
mod hooks;
mod instances;
mod monitor;
mod notifications;
mod requests;
mod rollout;
mod router;
mod source;
mod value;
mod worker;

pub use analysis::{AnalysisConfig, JudgeKind, MetricConfig};
pub use balancer::LoadBalancerConfig;
pub use crossfade_core::Span;
pub use deploy::DeployConfig;
pub use hooks::{Action, Command, Hook, Hooks, Webhook};
pub use instances::{Commands, InstanceConfig, Place};
pub use monitor::MonitorConfig;
pub use notifications::{Notification, To};
pub use rollout::{HookGates, RolloutConfig, Second, StepConfig, Strategy};
pub use router::RouterConfig;
pub use source::{AnalyticsEngine, Json, Probe, Prometheus, Source};
pub(crate) use value::check_project;
pub use value::{Percent, check_site_url, check_url};
pub(crate) use worker::check_name;
pub use worker::{Entry, WorkerConfig};

pub(crate) use hooks::{check_hook_url, from_environment};
use requests::{check_health, check_not_zero, check_smoke};

/// The whole file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Cloudflare Pages project that versions are uploaded to. Needed unless `[deploy]` brings them elsewhere.
    #[serde(default)]
    pub project: Option<String>,
    /// What brings a version elsewhere.
    #[serde(default)]
    pub deploy: Option<DeployConfig>,
    /// The build's output, relative to this file. Default: `dist`.
    #[serde(default = "default_directory")]
    pub directory: std::path::PathBuf,
    /// Where the site is public, one table an environment.
    pub environments: BTreeMap<String, EnvironmentConfig>,
    /// How a deployment tells which version it is.
    #[serde(default)]
    pub version: Option<VersionConfig>,
    /// Commands and webhooks around a release.
    #[serde(default)]
    pub hooks: Hooks,
    /// How traffic is shifted.
    #[serde(default)]
    pub rollout: RolloutConfig,
    /// Who judges what visitors meet. Without it: the sequential judge, where the router has counters; what too few requests
    /// leave undecided is then left to the probes.
    #[serde(default)]
    pub analysis: Option<AnalysisConfig>,
    /// The fleet that is replaced a few at a time with `strategy = "rolling"`, at most 16.
    #[serde(default)]
    pub instances: Vec<InstanceConfig>,
    /// How visitors are recognised, and what the router does beyond splitting them.
    #[serde(default)]
    pub router: RouterConfig,
    /// Probes that must hold, all at once.
    #[serde(default)]
    pub health: Vec<HealthCheck>,
    /// Scenarios that must work, one after the other.
    #[serde(default)]
    pub smoke: Vec<SmokeTest>,
    /// Who is told of releases, beside whoever runs them.
    #[serde(default)]
    pub notifications: Vec<Notification>,
    /// What is watched, and what is alarming.
    #[serde(default)]
    pub monitor: MonitorConfig,
    /// What happens to old deployments.
    #[serde(default)]
    pub cleanup: Cleanup,
}

/// One environment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// The public URL, where the router answers, or the load balancer.
    pub url: String,
    /// The id of the KV namespace bound to the router as ROUTING: 32 hexadecimal digits. `crossfade router deploy` finds or
    /// makes it and writes it here. With a load balancer, any namespace.
    #[serde(default)]
    pub kv_namespace: String,
    /// What visitors meet instead of the router: Cloudflare Load Balancing, as
    /// `{ zone = "…", id = "…", pools = { blue = "…", green = "…" } }`.
    #[serde(default)]
    pub load_balancer: Option<LoadBalancerConfig>,
    /// The Pages project of this environment, when it is not the file's.
    #[serde(default)]
    pub project: Option<String>,
    /// The branch that uploads are labelled with. Default: the project's production branch, so that a new version runs
    /// with production's variables and bindings.
    #[serde(default)]
    pub branch: Option<String>,
    /// The fleet of this environment, when it is not the file's.
    #[serde(default)]
    pub instances: Option<Vec<InstanceConfig>>,
    /// The router itself, as `crossfade router deploy` installs it.
    #[serde(default)]
    pub worker: WorkerConfig,
}

impl EnvironmentConfig {
    /// The namespace's id; `None` as long as there is none, or one of zeros in its place.
    pub fn namespace(&self) -> Option<&str> {
        let id = self.kv_namespace.as_str();
        if id.bytes().all(|byte| byte == b'0') { None } else { Some(id) }
    }
}

/// How a deployment tells which version it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionConfig {
    /// The path that is asked until it names the new version.
    pub path: String,
    /// Where in the JSON answer the version stands, as a JSON pointer. Default: `/version`.
    #[serde(default = "default_pointer")]
    pub json: String,
    /// How long a fresh deployment may take to answer. Default: `2m`.
    #[serde(default = "two_minutes")]
    pub within: Span,
}

/// What happens to old deployments.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cleanup {
    /// How many of this environment's releases keep their deployments. Those in the routing table always do. Default: 5.
    pub keep: usize,
    /// How long a release's deployments stay after another one took its place, whatever `keep` says. Default: `1h`.
    pub grace: Span,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self { keep: 5, grace: Span(Duration::from_secs(3_600)) }
    }
}

impl VersionConfig {
    fn check(&self) -> Result<(), String> {
        let Self { json, within, .. } = self;
        if !json.starts_with('/') {
            return Err(format!("`version.json` is `{json}`: it must be a JSON pointer such as /version"));
        }
        check_not_zero("`version.within`", *within)
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has a field that is unknown, or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_text(path).map(|(config, _)| config)
    }

    /// The same, and the file's text.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_text(path: &Path) -> Result<(Self, String), Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::ConfigUnreadable { path: path.into(), source })?;
        let config = Self::parse(&text).map_err(|why| Error::Config { path: path.into(), why })?;
        Ok((config, text))
    }

    /// Reads a text. The error says line, column, field and value.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        config.check()?;
        Ok(config)
    }

    /// What no single field can say.
    fn check(&self) -> Result<(), String> {
        self.check_deploy()?;
        self.project.iter().try_for_each(|project| check_project("project", project))?;
        if self.environments.is_empty() {
            return Err("`environments` is empty: add a table such as [environments.production]".into());
        }
        for (name, environment) in &self.environments {
            let at = format!("environments.{name}");
            crossfade_core::table::Environment::new(&at, name.as_str())
                .map_err(|error| error.problem.to_string())
                .map_err(|why| format!("`{at}`: {why}"))?;
            check_site_url(&environment.url).map_err(|why| format!("`{at}.url` is {why}"))?;
            if let Some(project) = &environment.project {
                check_project(&format!("{at}.project"), project)?;
            }
            let namespace = &environment.kv_namespace;
            environment.worker.check(&format!("{at}.worker"))?;
            // Without one there is no router yet, which the commands that need it say.
            if !namespace.is_empty()
                && (namespace.len() != 32 || !namespace.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                return Err(format!(
                    "`{at}.kv_namespace` is `{namespace}`: it must be a namespace id, 32 hexadecimal digits \
                     (`wrangler kv namespace list` shows them)"
                ));
            }
        }
        let [one, other] = &self.rollout.slots;
        for slot in [one, other] {
            crossfade_core::table::VariantName::new("rollout.slots", slot.as_str())
                .map_err(|error| format!("`rollout.slots` has {}: {}", error.value, error.problem))?;
        }
        if one == other {
            return Err(format!("`rollout.slots` names `{one}` twice: the two slots need different names"));
        }
        if self.rollout.strategy != Strategy::Rolling {
            self.router.parts(&self.rollout.slots)?;
        }
        let mut names: Vec<&str> = Vec::new();
        for (list, name) in (self.health.iter().map(|check| ("health", check.name.as_str())))
            .chain(self.smoke.iter().map(|test| ("smoke", test.name.as_str())))
        {
            if names.contains(&name) {
                return Err(format!("[[{list}]] `{name}` exists twice: reports need different names"));
            }
            names.push(name);
        }
        self.health.iter().try_for_each(check_health)?;
        self.smoke.iter().try_for_each(check_smoke)?;
        self.hooks.check()?;
        self.notifications.iter().try_for_each(Notification::check)?;
        self.monitor.check()?;
        if let Some(version) = &self.version {
            version.check()?;
        }
        self.rollout.check()?;
        if let Some(analysis) = &self.analysis {
            analysis.check()?;
        }
        self.check_balancers()?;
        self.check_instances()?;
        for environment in self.environments.values() {
            let instances = self.instances(environment).len();
            self.plan(instances, false).map_err(|error| format!("`rollout`: {error}"))?;
        }
        Ok(())
    }

    /// What a release is going to do, for so many instances when they are replaced one after the other.
    ///
    /// # Errors
    /// When the settings make no plan.
    pub fn plan(
        &self,
        instances: usize,
        first_release: bool,
    ) -> Result<crossfade_core::rollout::Plan, PlanError> {
        let hooks = HookGates {
            traffic_increase: !self.hooks.confirm_traffic_increase.is_empty(),
            promotion: !self.hooks.confirm_promotion.is_empty(),
        };
        self.rollout.plan(self.analysis.as_ref(), hooks, instances, first_release)
    }

    /// The texts that may name environment variables.
    pub(crate) fn templates(&self) -> impl Iterator<Item = String> {
        let health = self.health.iter().flat_map(HealthCheck::templates);
        let smoke = self.smoke.iter().flat_map(SmokeTest::templates);
        let analysis = self.analysis.iter().flat_map(AnalysisConfig::templates);
        health.chain(smoke).chain(self.all_hooks().flat_map(Hook::templates)).chain(analysis)
    }

    /// Hooks, and the webhooks among the notifications.
    pub(crate) fn all_hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.all().chain(self.notifications.iter().filter_map(Notification::hook))
    }

    /// The JSON Schema of the file.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

fn default_directory() -> std::path::PathBuf {
    "dist".into()
}

fn default_pointer() -> String {
    "/version".into()
}

const fn ten_minutes() -> Span {
    Span(Duration::from_secs(600))
}

const fn two_minutes() -> Span {
    Span(Duration::from_secs(120))
}
