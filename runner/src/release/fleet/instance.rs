//! One instance: how it gets a version, and how one sees that it has it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossfade_core::Span;
use crossfade_core::table::{Origin, Variant, VariantName};

use crate::cancel::Cancel;
use crate::cloudflare::Cloudflare;
use crate::config::{Command, Commands, Place, VersionConfig};
use crate::context::Context;
use crate::hooks::{Answer, NoAnswer, run_command};
use crate::record::InstanceRecord;
use crate::release::gates::{live_within, named};
use crate::report::{Event, Reporter};
use crate::upload::{self, Commit, Deployment, Output, Upload};

/// One instance of the fleet.
pub(super) struct Member {
    pub(super) name: VariantName,
    pub(super) way: Way,
    /// What it was before the release.
    pub(super) before: Option<Variant>,
    /// Held while something is done to it, so that what was cancelled has ended before the next begins.
    busy: Mutex<()>,
    /// Where it has the new version.
    after: Mutex<Option<Origin>>,
}

/// How an instance gets the release's version.
pub(super) enum Way {
    /// By an upload to a Pages project.
    Upload(String),
    /// By a command; the other one brings the version before back.
    Commands(Box<Commands>),
    /// It is there already.
    There(Origin),
}

impl From<Place> for Way {
    fn from(place: Place) -> Self {
        match place {
            Place::Project(project) => Self::Upload(project),
            Place::Origin(commands) => Self::Commands(commands),
        }
    }
}

impl Way {
    /// The way back: the two commands have changed places.
    pub(super) fn back(place: Place, before: &Origin) -> Self {
        match place {
            Place::Origin(commands) if commands.origin == *before => {
                let Commands { origin, deploy, rollback, timeout } = *commands;
                Self::Commands(Box::new(Commands { origin, deploy: rollback, rollback: deploy, timeout }))
            }
            Place::Origin(_) | Place::Project(_) => Self::There(before.clone()),
        }
    }

    /// Whether what is there is overwritten.
    pub(super) const fn is_in_place(&self) -> bool {
        matches!(self, Self::Commands(_))
    }
}

/// What all instances have in common.
pub(super) struct Means {
    pub(super) client: Cloudflare,
    pub(super) directory: PathBuf,
    pub(super) branch: Option<String>,
    pub(super) message: String,
    /// The files, read and hashed once.
    pub(super) output: OnceLock<Result<Output, String>>,
    /// Where commands run.
    pub(super) root: PathBuf,
    pub(super) environment: String,
    pub(super) release: String,
    pub(super) version: String,
    pub(super) named: Option<VersionConfig>,
    pub(super) context: Arc<Context>,
    pub(super) cancel: Cancel,
    pub(super) reporter: Arc<Reporter>,
    /// What the release's record says of the fleet.
    pub(super) record: Box<dyn Fn(InstanceRecord) + Send + Sync>,
}

impl Member {
    pub(super) const fn new(name: VariantName, way: Way, before: Option<Variant>) -> Self {
        Self { name, way, before, busy: Mutex::new(()), after: Mutex::new(None) }
    }

    /// Where it has the new version; `None` while it has not.
    pub(super) fn after(&self) -> Option<Origin> {
        lock(&self.after).clone()
    }

    /// Counts as having the new version from now on.
    pub(super) fn has(&self, origin: Option<Origin>) {
        *lock(&self.after) = origin;
    }

    /// Brings the new version to it, and waits until it names that version.
    ///
    /// # Errors
    /// What stood in the way.
    pub(super) fn bring(&self, means: &Means) -> Result<Origin, String> {
        let _busy = lock(&self.busy);
        self.has(None);
        let origin = match &self.way {
            Way::Upload(project) => self.upload(project, means)?,
            Way::There(origin) => origin.clone(),
            Way::Commands(commands) => {
                self.run(&commands.deploy, commands, &means.version, means, &means.cancel)?;
                let origin = commands.origin.clone();
                (means.record)(self.entry(&origin, None));
                origin
            }
        };
        self.wait_until_named(&origin, &means.version, means, &means.cancel)?;
        Ok(origin)
    }

    /// Brings the version before back to it. A signal does not cut it short: half of it would help nobody.
    ///
    /// # Errors
    /// What stood in the way.
    pub(super) fn bring_back(&self, means: &Means) -> Result<(), String> {
        let _busy = lock(&self.busy);
        let (Some(before), Way::Commands(commands)) = (&self.before, &self.way) else { return Ok(()) };
        self.has(None);
        let (version, never) = (before.version.as_str(), Cancel::default());
        self.run(&commands.rollback, commands, version, means, &never)?;
        self.wait_until_named(&commands.origin, version, means, &never)
    }

    fn upload(&self, project: &str, means: &Means) -> Result<Origin, String> {
        let cancel = &means.cancel;
        let in_one_line = |error: upload::Error| crate::error::Error::from(error).in_one_line();
        let output = means
            .output
            .get_or_init(|| Output::read(&means.directory, &means.root, &|_| ()).map_err(in_one_line));
        let output = output.as_ref().map_err(Clone::clone)?;
        let upload = Upload {
            project,
            branch: means.branch.as_deref(),
            commit: Commit { message: Some(&means.message), hash: None, dirty: Some(true) },
            ..Upload::default()
        };
        let cancelled = || cancel.is_cancelled();
        let Deployment { id, url, .. } =
            upload::deploy(&means.client, output, &upload, &cancelled, &|_| ()).map_err(in_one_line)?;
        let origin = Origin::new("the deployment's URL", &url).map_err(|error| error.to_string())?;
        (means.record)(self.entry(&origin, Some((project, &id))));
        let wait = |time| cancel.wait(time);
        let live = upload::wait_until_live(&means.client, project, &id, means.live_within(), &wait);
        means.reporter.deployed(Event::deployed(project, live.map_err(in_one_line)?));
        Ok(origin)
    }

    fn entry(&self, origin: &Origin, uploaded: Option<(&str, &str)>) -> InstanceRecord {
        InstanceRecord {
            name: self.name.to_string(),
            origin: Some(origin.to_string()),
            project: uploaded.map(|(project, _)| project.to_owned()),
            deployment_id: uploaded.map(|(_, id)| id.to_owned()),
        }
    }

    fn run(
        &self,
        command: &Command,
        commands: &Commands,
        version: &str,
        means: &Means,
        cancel: &Cancel,
    ) -> Result<(), String> {
        let variables = [
            ("CROSSFADE_INSTANCE", self.name.to_string()),
            ("CROSSFADE_ORIGIN", commands.origin.to_string()),
            ("CROSSFADE_VERSION", version.to_owned()),
            ("CROSSFADE_RELEASE", means.release.clone()),
            ("CROSSFADE_ENVIRONMENT", means.environment.clone()),
        ];
        let timeout = commands.timeout.0;
        match run_command(command, timeout, &means.root, &variables, &means.context, cancel).0 {
            Ok(Answer::Pass) => Ok(()),
            Ok(Answer::Fail(why)) | Err(NoAnswer::Error(why)) => Err(why),
            Ok(Answer::Wait(time)) => Err(format!("`{}` says not yet ({})", command.run, Span(time))),
            Err(NoAnswer::Cancelled(reason)) => Err(format!("cancelled: {reason}")),
        }
    }

    fn wait_until_named(
        &self,
        origin: &Origin,
        version: &str,
        means: &Means,
        cancel: &Cancel,
    ) -> Result<(), String> {
        let Some(config) = &means.named else { return Ok(()) };
        named(config, origin, version, Instant::now() + means.live_within(), cancel, &|_| ())
    }
}

impl Means {
    fn live_within(&self) -> Duration {
        live_within(self.named.as_ref())
    }
}

/// A panic elsewhere must not keep an instance from being brought back.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
