//! `crossfade pages deploy`; the other commands are in [`kept`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::question::{AT_ONCE, left_when_cancelled};
use super::session::{environment, no_project, reporter, root};
use super::settings;
use crate::cancel::Cancel;
use crate::cli::{Global, PagesDeploy};
use crate::cloudflare::Cloudflare;
use crate::config::{Config, check_project};
use crate::error::Error;
use crate::report::{Event, Reporter, counted};
use crate::upload::{self, Bytes, Commit, Deployment, Output, Progress, Upload};

mod git;
mod kept;

use git::Checkout;
pub(super) use kept::{delete, list, retry};

/// A deployment to be made.
struct Order {
    client: Cloudflare,
    reporter: Reporter,
    project: String,
    directory: PathBuf,
    /// Where the site is built.
    root: PathBuf,
    checkout: Checkout,
    arguments: PagesDeploy,
    cancel: Cancel,
}

pub(super) fn deploy(global: &Global, arguments: &PagesDeploy) -> Result<(), Error> {
    let (project, directory, root) = place(global, arguments)?;
    check_project("--project-name", &project).map_err(Error::Usage)?;
    let client = settings::client(global)?;
    let cancel = Cancel::on_signals()
        .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
    let order = Arc::new(Order {
        client,
        reporter: reporter(global, None)?,
        project,
        directory,
        checkout: Checkout::read(&root).unwrap_or_default().overridden(arguments),
        root,
        arguments: arguments.clone(),
        cancel: cancel.clone(),
    });
    left_when_cancelled(&cancel, AT_ONCE, move || order.run())
}

/// Project, output and where that is built: flags first, then the configuration if there is one.
fn place(global: &Global, arguments: &PagesDeploy) -> Result<(String, PathBuf, PathBuf), Error> {
    let here = PathBuf::from(".");
    if let (Some(project), Some(directory)) = (&arguments.project_name, &arguments.directory) {
        return Ok((project.clone(), directory.clone(), here));
    }
    if !global.config.is_file() {
        let (what, flag) = match arguments.project_name {
            None => ("the Pages project", "--project-name NAME"),
            Some(_) => ("the directory to upload", "`crossfade pages deploy DIR`"),
        };
        let hint = format!("give it with {flag}; there is no `{}` to look it up in", global.config.display());
        return Err(Error::Missing { what, hint });
    }
    let config = Config::read(&global.config)?;
    let configured = environment(&config, global)?.project.as_ref().or(config.project.as_ref());
    let root = root(&global.config);
    let directory = arguments.directory.clone().unwrap_or_else(|| root.join(&config.directory));
    let project = arguments.project_name.as_ref().or(configured).cloned().ok_or_else(no_project)?;
    Ok((project, directory, root))
}

impl Order {
    fn run(&self) -> Result<(), Error> {
        if self.arguments.dry_run {
            return self.plan();
        }
        let deployment = self.upload()?;
        let deployment = self.wait(&deployment)?;
        let url = deployment.url.clone();
        let alias = deployment.aliases.as_ref().and_then(|aliases| aliases.first());
        let also = alias.map_or_else(String::new, |alias| format!(", also at {alias}"));
        self.reporter.deployed(Event::deployed(&self.project, deployment));
        self.reporter.finished("done", true, format!("deployed: {url}{also}"));
        Ok(())
    }

    /// What would be sent.
    fn plan(&self) -> Result<(), Error> {
        let phase = self.reporter.phase("plan");
        let planned = Output::read(&self.directory, &self.root, &|_| ())
            .and_then(|output| output.plan(&self.client, &self.what(), &|| self.cancel.is_cancelled()));
        match planned {
            Ok(plan) => {
                let size = Bytes(plan.new_bytes);
                phase.done(format!("{}, {} of them new ({size})", counted(plan.files, "file"), plan.new));
                let text = format!("nothing was sent: `{}` is as it was", self.project);
                self.reporter.finished("done", true, text);
                Ok(())
            }
            Err(error) => {
                phase.failed("");
                Err(error.into())
            }
        }
    }

    fn what(&self) -> Upload<'_> {
        let (checkout, arguments) = (&self.checkout, &self.arguments);
        Upload {
            project: &self.project,
            branch: checkout.branch.as_deref(),
            commit: Commit {
                message: checkout.message.as_deref(),
                hash: checkout.hash.as_deref(),
                dirty: checkout.dirty,
            },
            skip_caching: arguments.skip_caching,
            create_project: arguments.create_project.then_some(arguments.production_branch.as_str()),
        }
    }

    fn upload(&self) -> Result<Deployment, Error> {
        let phase = self.reporter.phase("upload");
        let stored = std::sync::Mutex::new(String::new());
        let note = |progress: Progress| {
            if let (Progress::Stored { .. }, Ok(mut stored)) = (&progress, stored.lock()) {
                *stored = progress.to_string();
            }
            phase.progress(progress.to_string());
        };
        let cancelled = || self.cancel.is_cancelled();
        let deployed = Output::read(&self.directory, &self.root, &note)
            .and_then(|output| upload::deploy(&self.client, &output, &self.what(), &cancelled, &note));
        match deployed {
            Ok(deployment) => {
                phase.done(stored.into_inner().unwrap_or_default());
                Ok(deployment)
            }
            Err(error) => {
                phase.failed("");
                Err(error.into())
            }
        }
    }

    fn wait(&self, deployment: &Deployment) -> Result<Deployment, Error> {
        let phase = self.reporter.phase("live");
        let within = self.arguments.live_within;
        let wait = |time: Duration| self.cancel.wait(time);
        match upload::wait_until_live(&self.client, &self.project, &deployment.id, within, &wait) {
            Ok(live) => {
                phase.done(live.url.clone());
                Ok(live)
            }
            Err(error) => {
                phase.failed("");
                Err(error.into())
            }
        }
    }
}
