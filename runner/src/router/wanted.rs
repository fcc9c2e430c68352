//! What should be there. In: the configuration and the secrets. Out: names, bindings, the metadata of an upload.

use std::collections::BTreeSet;

use crossfade_core::table::Environment;
use serde_json::{Value, json};

use super::step::DOOR;
use super::{Bundle, Found};
use crate::config::{Config, Entry, EnvironmentConfig, check_name};
use crate::edge::CONTROL_TOKEN;
use crate::error::Error;

/// What the router is compiled against; `wrangler.toml` has the same.
const COMPATIBILITY_DATE: &str = "2026-01-01";
/// The binding that says which router a version is.
pub(super) const BUNDLE: &str = "CROSSFADE_BUNDLE";
/// The binding that says whose router it is: another site's may have the same name.
pub(super) const HOST: &str = "CROSSFADE_HOST";
/// The one migration of the counters' object; `wrangler.toml` has the same.
const MIGRATION: &str = "counters";
/// The router of an environment.
pub(crate) struct Wanted {
    /// The Worker's name, and its namespace's title.
    pub(crate) worker: String,
    pub(crate) environment: Environment,
    /// The Pages project; without one the configuration says where the site is.
    pub(crate) project: Option<String>,
    /// Where visitors go, without scheme and port.
    pub(crate) host: String,
    pub(crate) entry: Entry,
    /// The site without Crossfade, as the configuration says.
    pub(crate) origin: Option<String>,
    /// The namespace's id, as the configuration says.
    pub(crate) namespace: Option<String>,
    /// Those of the other environments, by their names.
    others: Vec<(String, String)>,
    /// The first of the slots.
    pub(crate) slot: String,
    /// But for `DEFAULT_ORIGIN`, which is found ([`Found::variables`]).
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) dataset: Option<String>,
    pub(crate) secrets: Vec<Secret>,
}

/// A secret of the router. Its value is sent in an upload and shown nowhere.
pub(crate) struct Secret {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

impl Wanted {
    pub(crate) fn new(
        config: &Config,
        settings: &EnvironmentConfig,
        environment: Environment,
        secrets: Vec<Secret>,
    ) -> Result<Self, Error> {
        let project = settings.project.as_ref().or(config.project.as_ref());
        let worker = settings.worker.name.clone();
        let worker = worker.unwrap_or_else(|| match project {
            Some(project) => format!("crossfade-{project}-{environment}"),
            None => format!("crossfade-{environment}"),
        });
        check_name(&worker).map_err(|why| {
            Error::Usage(format!(
                "the Worker would be called `{worker}`: {why}; give it a name with `environments.{environment}.worker.name`"
            ))
        })?;
        let authority = settings.url.split("://").nth(1).unwrap_or_default().trim_end_matches('/');
        let host = authority.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let origin = settings.worker.origin.clone();
        if origin.as_deref().is_some_and(|it| {
            it.trim_end_matches('/').eq_ignore_ascii_case(settings.url.trim_end_matches('/'))
        }) {
            return Err(Error::Usage(format!(
                "`environments.{environment}.worker.origin` is the public URL: the router would ask itself; name what answers \
                 behind it"
            )));
        }
        if origin.is_none() && project.is_none() {
            return Err(Error::Usage(format!(
                "crossfade.toml names no `project` at Pages: name what answers behind the router with \
                 `environments.{environment}.worker.origin`"
            )));
        }
        let mut variables = vec![
            ("ENVIRONMENT", environment.to_string()),
            ("REFRESH_SECONDS", settings.worker.refresh.0.as_secs().to_string()),
        ];
        let allowed = settings.worker.allowed_origins.clone();
        variables.extend(allowed.map(|origins| ("ALLOWED_ORIGINS", origins)));
        let namespace = settings.namespace().map(str::to_owned);
        let others = config.environments.iter().filter(|(name, _)| name.as_str() != environment.as_str());
        let others =
            others.filter_map(|(name, it)| Some((name.clone(), it.namespace()?.to_owned()))).collect();
        let slot = config.rollout.slots.first().cloned().unwrap_or_default();
        let (entry, dataset) = (settings.worker.entry, settings.worker.dataset.clone());
        Ok(Self {
            worker,
            environment,
            project: project.cloned(),
            host,
            entry,
            origin,
            namespace,
            others,
            slot,
            variables,
            dataset,
            secrets,
        })
    }

    /// The metadata of an upload. Bindings that somebody has added stay, of whatever kind they are.
    pub(crate) fn metadata(&self, bundle: &Bundle, namespace: &str, found: &Found, migrates: bool) -> Value {
        let text = |name: &str, value: &str| json!({ "name": name, "type": "plain_text", "text": value });
        let mut bindings = vec![text(BUNDLE, bundle.fingerprint()), text(HOST, &self.host)];
        bindings.extend(found.variables(self).map(|(name, value)| text(name, &value)));
        bindings.push(json!({ "name": "ROUTING", "type": "kv_namespace", "namespace_id": namespace }));
        bindings.push(
            json!({ "name": "COUNTERS", "type": "durable_object_namespace", "class_name": "Counters" }),
        );
        if let Some(dataset) = &self.dataset {
            bindings.push(json!({ "name": "ANALYTICS", "type": "analytics_engine", "dataset": dataset }));
        }
        let secret =
            |secret: &Secret| json!({ "name": secret.name, "type": "secret_text", "text": secret.value });
        bindings.extend(self.secrets.iter().map(secret));
        let there = found.worker.iter().flat_map(|worker| &worker.deployed).flat_map(|it| &it.bindings);
        let mut kept: BTreeSet<&str> = there.filter_map(|binding| binding.get("type")?.as_str()).collect();
        kept.extend(["secret_text", "secret_key"]);
        let mut metadata = json!({
            "main_module": "index.js", "compatibility_date": COMPATIBILITY_DATE, "bindings": bindings, "keep_bindings": kept,
            "annotations": { "workers/message": format!("Crossfade's router {}", bundle.fingerprint()) },
        });
        if migrates {
            let steps = json!([{ "new_sqlite_classes": ["Counters"] }]);
            metadata["migrations"] = json!({ "new_tag": MIGRATION, "steps": steps });
        }
        metadata
    }

    /// Another environment whose tables are in a namespace.
    pub(crate) fn shared(&self, namespace: &str) -> Option<&str> {
        self.others.iter().find(|(_, id)| id == namespace).map(|(name, _)| name.as_str())
    }

    /// The whole site, as a route.
    pub(crate) fn route(&self) -> String {
        format!("{}/*", self.host)
    }

    /// The control endpoints alone, as a route: the router can be tried there before a visitor meets it.
    pub(crate) fn door(&self) -> String {
        format!("{}{DOOR}", self.host)
    }

    /// Whether somebody at this machine knows what opens the control endpoints.
    pub(crate) fn has_token(&self) -> bool {
        self.secrets.iter().any(|secret| secret.name == CONTROL_TOKEN)
    }
}
