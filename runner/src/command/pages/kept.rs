//! `crossfade pages list`, `retry` and `delete`: the deployments that a project keeps.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::table::Environment;
use serde_json::json;

use crate::cancel::Cancel;
use crate::cli::{Global, PagesDelete, PagesList, PagesRetry};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::pages::{Deployment, Stage};
use crate::command::question::{AT_ONCE, left_when_cancelled};
use crate::command::session::{environment, no_project, reporter};
use crate::command::{print, settings};
use crate::config::{Config, check_project};
use crate::error::Error;
use crate::report::{Event, Mode, Reporter};
use crate::upload;

/// What all calls of one question may take.
const WITHIN: Duration = Duration::from_secs(60);
/// As much of an id as people are shown.
const SHORT: usize = 8;

/// A project whose deployments are asked for.
struct Project {
    client: Cloudflare,
    name: String,
    /// None where there is no configuration.
    config: Option<Config>,
    reporter: Reporter,
    cancel: Cancel,
}

/// Shows them.
pub(in crate::command) fn list(global: &Global, arguments: &PagesList) -> Result<(), Error> {
    let version = arguments.version.clone();
    ask(global, arguments.project_name.as_ref(), move |project| {
        let wanted = |it: &Deployment| version.as_deref().is_none_or(|version| is_of(it, version));
        let found: Vec<Deployment> = project.deployments()?.into_iter().filter(wanted).collect();
        match project.reporter.mode() {
            Mode::Json => found.iter().for_each(|it| print(&described(&project.name, it).to_string())),
            Mode::Lines if found.is_empty() => print("there is none"),
            Mode::Lines => found.iter().for_each(|it| print(&line(it))),
        }
        Ok(())
    })
}

/// Makes one once more, and waits until it is live.
pub(in crate::command) fn retry(global: &Global, arguments: &PagesRetry) -> Result<(), Error> {
    let (id, within) = (arguments.id.clone(), arguments.live_within);
    ask(global, arguments.project_name.as_ref(), move |project| {
        let id = project.find(&id)?.id;
        let phase = project.reporter.phase("live");
        let retried = project
            .client
            .retry_deployment(&project.name, &id, WITHIN)
            .map_err(Error::cloudflare(format!("make deployment {id} once more")));
        let wait = |time: Duration| project.cancel.wait(time);
        let live = retried.and_then(|new| {
            Ok(upload::wait_until_live(&project.client, &project.name, &new.id, within, &wait)?)
        });
        match live {
            Ok(live) => {
                let url = live.url.clone();
                phase.done(url.clone());
                project.reporter.deployed(Event::deployed(&project.name, live));
                project.reporter.finished("done", true, format!("deployed: {url}"));
                Ok(())
            }
            Err(error) => {
                phase.failed("");
                Err(error)
            }
        }
    })
}

/// Removes one, unless a routing table names it.
pub(in crate::command) fn delete(global: &Global, arguments: &PagesDelete) -> Result<(), Error> {
    let (id, path) = (arguments.id.clone(), global.config.display().to_string());
    ask(global, arguments.project_name.as_ref(), move |project| {
        let Some(config) = &project.config else {
            let hint = format!("there is no `{path}`; without it nobody can tell where visitors are sent");
            return Err(Error::Missing { what: "the configuration", hint });
        };
        let deployment = project.find(&id)?;
        if let Some(environment) = project.named_by(config, &deployment.url)? {
            return Err(Error::Usage(format!(
                "the routing table of {environment} names {}: visitors are sent there, or their browsers still fetch its files",
                deployment.url
            )));
        }
        let cancelled = || project.cancel.is_cancelled();
        project
            .client
            .delete_deployment(&project.name, &deployment.id, true, &cancelled)
            .map_err(Error::cloudflare(format!("remove deployment {}", deployment.id)))?;
        project.reporter.finished("done", true, format!("removed: {}", deployment.url));
        Ok(())
    })
}

/// Asks on a thread of its own, so that a signal ends the command at once.
fn ask(
    global: &Global,
    name: Option<&String>,
    question: impl FnOnce(Project) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let config = global.config.is_file().then(|| Config::read(&global.config)).transpose()?;
    let configured = || -> Result<Option<String>, Error> {
        let Some(config) = &config else { return Ok(None) };
        Ok(environment(config, global)?.project.clone().or_else(|| config.project.clone()))
    };
    let name = name.cloned().map_or_else(configured, |name| Ok(Some(name)))?.ok_or_else(no_project)?;
    check_project("--project-name", &name).map_err(Error::Usage)?;
    let client = settings::client(global)?;
    let cancel = Cancel::on_signals()
        .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
    let reporter = reporter(global, None)?;
    let project = Project { client, name, config, reporter, cancel: cancel.clone() };
    left_when_cancelled(&cancel, AT_ONCE, move || question(project))
}

impl Project {
    fn deployments(&self) -> Result<Vec<Deployment>, Error> {
        let cancelled = || self.cancel.is_cancelled();
        let listed = self.client.deployments(&self.name, WITHIN, &cancelled);
        listed.map_err(Error::cloudflare(format!("list the deployments of `{}`", self.name)))
    }

    /// The one whose id begins like this.
    fn find(&self, id: &str) -> Result<Deployment, Error> {
        let mut found = self.deployments()?.into_iter().filter(|it| it.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(deployment), None) if !id.is_empty() => Ok(deployment),
            (None, _) => Err(Error::Usage(format!("no deployment of `{}` has an id like `{id}`", self.name))),
            (Some(_), _) => {
                Err(Error::Usage(format!("several deployments have an id like `{id}`: say more of it")))
            }
        }
    }

    /// The environment whose routing table names this origin, among those of the configuration.
    fn named_by(&self, config: &Config, origin: &str) -> Result<Option<String>, Error> {
        for (name, settings) in &config.environments {
            let Some(namespace) = settings.namespace() else { continue };
            let environment = Environment::new("environment", name)
                .map_err(|error| Error::Usage(format!("environment `{name}`: {}", error.problem)))?;
            let key = RoutingTable::key(&environment);
            let bytes = self
                .client
                .namespace(namespace)
                .read(&key, WITHIN)
                .map_err(Error::cloudflare(format!("read `{key}` from KV")))?;
            let Some(bytes) = bytes else { continue };
            let table = RoutingTable::parse(&bytes).map_err(|source| Error::Table { key, source })?;
            if table.names(origin) {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }
}

/// Whether it was made for this version, or of a commit that begins like this. A release's message begins with its version.
fn is_of(deployment: &Deployment, version: &str) -> bool {
    let said = deployment.deployment_trigger.as_ref().and_then(|trigger| trigger.metadata.as_ref());
    said.is_some_and(|said| {
        let message = said.commit_message.as_deref().unwrap_or_default();
        let hash = said.commit_hash.as_deref().unwrap_or_default();
        message == version
            || message.strip_prefix(version).is_some_and(|rest| rest.starts_with(" (rel-"))
            || (version.len() >= SHORT - 1 && hash.starts_with(version))
    })
}

fn line(deployment: &Deployment) -> String {
    let Deployment { id, url, created_on, environment, latest_stage, deployment_trigger, .. } = deployment;
    let message = deployment_trigger.as_ref().and_then(|it| it.metadata.as_ref()?.commit_message.as_deref());
    let message = message.unwrap_or_default().lines().next().unwrap_or_default();
    format!(
        "{}  {}  {:<10}  {:<16}  {url}  {}",
        id.get(..SHORT).unwrap_or(id),
        created_on.as_deref().unwrap_or("?"),
        environment.as_deref().unwrap_or("?"),
        latest_stage.as_ref().map_or_else(|| "?".into(), |Stage { name, status }| format!("{name}/{status}")),
        message.chars().filter(|c| !c.is_control()).collect::<String>(),
    )
}

fn described(project: &str, deployment: &Deployment) -> serde_json::Value {
    let Deployment { id, url, created_on, environment, aliases, latest_stage, deployment_trigger, .. } =
        deployment;
    let said = deployment_trigger.as_ref().and_then(|trigger| trigger.metadata.as_ref());
    json!({
        "version": 1, "type": "deployment", "at": created_on, "project": project, "id": id, "url": url, "aliases": aliases,
        "pages_environment": environment, "stage": latest_stage.as_ref().map(|stage| &stage.name),
        "status": latest_stage.as_ref().map(|stage| &stage.status), "branch": said.and_then(|it| it.branch.as_ref()),
        "commit_hash": said.and_then(|it| it.commit_hash.as_ref()),
        "commit_message": said.and_then(|it| it.commit_message.as_ref()),
    })
}
