//! How a version gets to where it can be checked, as a phase that people follow and can leave: an upload, whose calls may carry
//! forty megabytes each, or a command.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::table::{Origin, ReleaseId, Version};

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::command::Session;
use crate::config::DeployConfig;
use crate::error::Error;
use crate::hooks::{Answer, Moment, NoAnswer, run_command};
use crate::upload::{self, Commit, Deployment, Output, Progress, Upload};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// How long an upload that was cancelled may take to notice; then it is left behind, and ends with the process.
const LEAVE_AFTER: Duration = Duration::from_secs(2);

/// Uploads the directory and makes a deployment of it.
pub(super) fn upload(
    session: &Session,
    directory: &Path,
    message: Option<&str>,
    version: &Version,
    release: &ReleaseId,
) -> Result<Deployment, Error> {
    let phase = session.reporter.phase("upload");
    let notes = Arc::new(Mutex::new(Vec::new()));
    let message = format!("{} ({release})", message.unwrap_or(version.as_str()));
    let uploading = start(session, directory, message, &notes)?;
    let mut stored = String::new();
    let result = loop {
        let waited = uploading.wait(&session.cancel, Some(SHOW_EVERY));
        for note in notes.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            phase.progress(Progress::to_string(&note));
            if let Progress::Stored { .. } = note {
                stored = note.to_string();
            }
        }
        match waited {
            Waited::NotYet => {}
            Waited::Ended(result) => break result.map_err(Error::from),
            Waited::Cancelled(reason) => {
                let _ = uploading.wait(&Cancel::default(), Some(LEAVE_AFTER));
                break Err(Error::Cancelled(reason));
            }
            Waited::Panicked => break Err(upload::Error::Panicked.into()),
        }
    };
    match result {
        Ok(deployment) => {
            phase.done(format!("{stored} → {}", deployment.url));
            Ok(deployment)
        }
        Err(error) => {
            let error = super::cancelled_or(&session.cancel, error);
            phase.failed_because("", &error.in_one_line());
            Err(error)
        }
    }
}

/// Brings a version elsewhere by a command; where that is.
pub(super) fn by_command(session: &Session, deploy: &DeployConfig, moment: &Moment) -> Result<String, Error> {
    let command = deploy.command();
    let phase = session.reporter.phase_with_output("deploy", &command.run);
    let variables = [
        ("CROSSFADE_ENVIRONMENT", moment.environment.to_string()),
        ("CROSSFADE_RELEASE", moment.release.to_string()),
        ("CROSSFADE_VERSION", moment.version.to_string()),
        ("CROSSFADE_SLOT", moment.slot.to_string()),
    ];
    let (context, cancel) = (Arc::new(session.secrets.clone()), &session.cancel);
    let (answer, printed) =
        run_command(&command, deploy.timeout.0, &session.root, &variables, &context, cancel);
    let why = match answer {
        Ok(Answer::Pass) => match Origin::new("the last line that it printed", &printed.last_line) {
            Ok(origin) => {
                phase.done(format!("→ {origin}"));
                return Ok(origin.to_string());
            }
            Err(error) => format!("`{}` did not say where the version is: {error}", command.run),
        },
        Ok(Answer::Wait(time)) => format!("`{}` says not yet ({})", command.run, Span(time)),
        Ok(Answer::Fail(why)) | Err(NoAnswer::Error(why)) => why,
        Err(NoAnswer::Cancelled(reason)) => format!("cancelled: {reason}"),
    };
    phase.failed_because("", &why);
    Err(super::cancelled_or(&session.cancel, Error::Gate { phase: "deploy", why }))
}

fn start(
    session: &Session,
    directory: &Path,
    message: String,
    notes: &Arc<Mutex<Vec<Progress>>>,
) -> Result<Beside<Result<Deployment, upload::Error>>, Error> {
    let (client, cancel, notes) = (session.client.clone(), session.cancel.clone(), Arc::clone(notes));
    let (directory, root) = (directory.to_owned(), session.root.clone());
    let (project, branch) = (session.pages_project()?.to_owned(), session.settings.branch.clone());
    Ok(Beside::start(move || {
        let note = |progress| notes.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
        let output = Output::read(&directory, &root, &note)?;
        let commit = Commit { message: Some(&message), hash: None, dirty: Some(true) };
        let upload = Upload { project: &project, branch: branch.as_deref(), commit, ..Upload::default() };
        upload::deploy(&client, &output, &upload, &|| cancel.is_cancelled(), &note)
    }))
}
