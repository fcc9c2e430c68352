//! What every command that talks to Cloudflare needs: configuration, client, environment, records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossfade_core::table::{Environment, Variant};

use super::settings;
use crate::cancel::Cancel;
use crate::cli::Global;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::kv::Namespace;
use crate::config::{Config, EnvironmentConfig};
use crate::context::Context;
use crate::edge::{ControlToken, Edge};
use crate::error::Error;
use crate::github;
use crate::record::{Ledger, Record};
use crate::release::table_in_force;
use crate::report::Reporter;
use crate::routing::Routing;

/// A command's surroundings.
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// The file that it was read from, word for word.
    pub config_text: String,
    /// The configuration's directory: hooks run there, paths begin there.
    pub root: PathBuf,
    /// Whose traffic.
    pub environment: Environment,
    /// That environment's settings.
    pub settings: EnvironmentConfig,
    /// Cloudflare's API.
    pub client: Cloudflare,
    /// The namespace of the environment's documents.
    pub namespace: Namespace,
    /// Where its tables are put.
    pub routing: Routing,
    /// Who is in charge, and who was.
    pub ledger: Ledger,
    /// What people and programs read.
    pub reporter: Arc<Reporter>,
    /// Signals.
    pub cancel: Cancel,
    /// The most one call to KV may take, retries included.
    pub api_within: Duration,
    /// What nobody may read.
    pub secrets: Context,
    /// Where the release's report is written when it has ended.
    pub report: Option<PathBuf>,
    control_token: Option<ControlToken>,
}

impl Session {
    /// Reads the configuration and the secrets. Nothing is sent.
    ///
    /// # Errors
    /// When the configuration is wrong, the environment unknown or a secret missing.
    pub(crate) fn open(global: &Global) -> Result<Self, Error> {
        let (config, config_text) = Config::read_text(&global.config)?;
        let of_environment = environment(&config, global)?.clone();
        let environment = Environment::new("--environment", global.environment.as_str())
            .map_err(|error| Error::Usage(format!("--environment is {}: {}", error.value, error.problem)))?;
        let Some(namespace) = of_environment.namespace() else {
            let hint = "`crossfade router deploy` finds or makes the namespace, installs the router and writes the id into the file";
            return Err(Error::Missing { what: "`kv_namespace` of this environment", hint: hint.into() });
        };
        let client = settings::client(global)?;
        let namespace = client.namespace(namespace);
        let routing = Routing {
            namespace: namespace.clone(),
            signer: settings::signer()?,
            environment: environment.clone(),
            balancer: of_environment.load_balancer.as_ref().map(|it| it.balancer(client.clone())),
        };
        let cancel = Cancel::on_signals()
            .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
        // Before it nothing can have been moved.
        github::job().iter().for_each(|job| job.looks_at(&global.words()));
        Ok(Self {
            root: root(&global.config),
            ledger: Ledger::new(namespace.clone(), environment.clone()),
            config_text,
            environment,
            settings: of_environment,
            client,
            namespace,
            routing,
            reporter: Arc::new(reporter(global, Some(&config))?),
            cancel,
            api_within: Duration::from_secs(20),
            secrets: settings::secrets(&config),
            report: global.report.clone(),
            control_token: settings::control_token()?,
            config,
        })
    }

    /// The Pages project of this environment, when it has one.
    pub fn project(&self) -> Option<&str> {
        self.settings.project.as_deref().or(self.config.project.as_deref())
    }

    /// The same where there must be one.
    ///
    /// # Errors
    /// When there is none.
    pub fn pages_project(&self) -> Result<&str, Error> {
        self.project().ok_or_else(no_project)
    }

    /// Tells GitHub what is said from now on, when this is a job that may.
    pub(crate) fn tell_github(&self) -> Option<github::Telling> {
        let telling = github::Telling::start(self.environment.as_str(), &self.settings.url)?;
        self.reporter.listen(telling.listener());
        Some(telling)
    }

    /// Tells a job which Pages deployment everybody is on now. What cannot be found out is not told.
    pub(crate) fn tell_stable(&self) {
        // After a signal nobody has the time: this asks KV.
        let Some(job) = github::job().filter(|_| !self.cancel.is_cancelled()) else { return };
        let Ok(Some(table)) = table_in_force(self) else { return };
        if let Some(id) = self.deployment_of(table.stable()) {
            job.stable_is(&id);
        }
    }

    /// The id of the Pages deployment that a variant leads to.
    fn deployment_of(&self, Variant { version, origin, .. }: &Variant) -> Option<String> {
        let is_at = |url: &str| url.trim_end_matches('/') == origin.as_str();
        let record = self.ledger.ended(version.as_str()).ok().flatten();
        let uploaded = record.as_ref().map(Record::uploaded).unwrap_or_default();
        if let Some(known) = uploaded.iter().find(|it| it.origin.is_some_and(is_at)) {
            return Some(known.id.to_owned());
        }
        // `rollout` was told where a version is, not how Pages calls it.
        self.client.deployment_at(self.project()?, origin, self.api_within).ok()?.map(|it| it.id)
    }

    /// What sends visitors on at the public URL.
    ///
    /// # Errors
    /// When it is a router, and CROSSFADE_TOKEN is not set.
    pub fn edge(&self) -> Result<Edge, Error> {
        if let Some(balancer) = &self.routing.balancer {
            return Ok(Edge::balanced(&self.settings.url, self.routing.clone(), balancer.clone()));
        }
        let token = self.control_token.clone().ok_or_else(|| Error::Missing {
            what: "CROSSFADE_TOKEN",
            hint: "set the same secret here and at the router (`crossfade router deploy` sets it there); in a workflow, pass it as \
                   the action's input `crossfadeToken`. It opens /__crossfade/status, which tells what the edge serves"
                .into(),
        })?;
        Ok(Edge::new(&self.settings.url, token))
    }
}

/// That only `[deploy]` brings versions anywhere.
pub(super) fn no_project() -> Error {
    Error::Usage("crossfade.toml names no `project` at Pages".into())
}

/// What speaks, to people or programs and where `--report` says. What nobody may read is not written there.
///
/// # Errors
/// When nothing can be written there.
pub(crate) fn reporter(global: &Global, config: Option<&Config>) -> Result<Reporter, Error> {
    let reporter = Reporter::new(global.mode());
    if let Some(directory) = &global.report {
        let ours = settings::our_secrets();
        reporter.write_to(directory, config.map_or(ours, settings::secrets))?;
        github::job().iter().for_each(|job| job.reported_in(directory));
    }
    Ok(reporter)
}

/// All environments of the configuration.
///
/// # Errors
/// When the configuration is wrong.
pub(super) fn environments(global: &Global) -> Result<Vec<String>, Error> {
    Ok(Config::read(&global.config)?.environments.into_keys().collect())
}

/// The settings of the chosen environment.
pub(super) fn environment<'a>(config: &'a Config, global: &Global) -> Result<&'a EnvironmentConfig, Error> {
    config.environments.get(&global.environment).ok_or_else(|| {
        let known: Vec<&str> = config.environments.keys().map(String::as_str).collect();
        Error::Usage(format!(
            "environment `{}` is not in `{}`; it has {}",
            global.environment,
            global.config.display(),
            known.join(", ")
        ))
    })
}

/// Where a configuration file is.
pub(super) fn root(config: &Path) -> PathBuf {
    match config.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
