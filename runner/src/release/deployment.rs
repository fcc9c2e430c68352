//! The upload, as a phase that people follow and can leave: one call to the API may carry forty megabytes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossfade_core::table::{ReleaseId, Version};

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::command::Session;
use crate::error::Error;
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
    let uploading = start(session, directory, message, &notes);
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

fn start(
    session: &Session,
    directory: &Path,
    message: String,
    notes: &Arc<Mutex<Vec<Progress>>>,
) -> Beside<Result<Deployment, upload::Error>> {
    let (client, cancel, notes) = (session.client.clone(), session.cancel.clone(), Arc::clone(notes));
    let (directory, root) = (directory.to_owned(), session.root.clone());
    let (project, branch) = (session.project().to_owned(), session.settings.branch.clone());
    Beside::start(move || {
        let note = |progress| notes.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
        let output = Output::read(&directory, &root, &note)?;
        let commit = Commit { message: Some(&message), hash: None, dirty: Some(true) };
        let upload = Upload { project: &project, branch: branch.as_deref(), commit, ..Upload::default() };
        upload::deploy(&client, &output, &upload, &|| cancel.is_cancelled(), &note)
    })
}
