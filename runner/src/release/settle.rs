//! What is left to do when the new version is stable: deployments that nobody needs any more.

use crossfade_core::Timestamp;

use crate::command::Session;
use crate::config::Cleanup;
use crate::error::Error;
use crate::record::Uploaded;
use crate::release::takeover;
use crate::report::{self, counted};

/// The most deployments removed after one release: the rest waits for the next.
const REMOVALS_MAX: usize = 10;
/// How far back the history is looked through.
const LOOK_BACK: usize = 50;

/// Removes the deployments of releases beyond the configured number. Only what a release of this environment uploaded is
/// ever removed, and nothing that the routing table names. A failure is a warning.
pub(super) fn clean_up(session: &Session) {
    let phase = session.reporter.phase("cleanup");
    match remove_old(session) {
        Ok(0) => phase.done("nothing to remove"),
        Ok(removed) => phase.done(format!("{} removed", counted(removed, "old deployment"))),
        Err(error) => {
            phase.failed(error.in_one_line());
            session.reporter.warn("old deployments were left; the next release tries again");
        }
    }
}

fn remove_old(session: &Session) -> Result<usize, Error> {
    let table = takeover::table_in_force(session)?;
    let Cleanup { keep, grace } = session.config.cleanup;
    let in_grace = |replaced: Option<Timestamp>| replaced.is_some_and(|at| at.plus(grace.0) > report::now());
    let mut removed = 0;
    let history = session.ledger.history(keep + LOOK_BACK)?;
    let is_used =
        |origin: Option<&str>| table.as_ref().zip(origin).is_some_and(|(table, origin)| table.names(origin));
    let deployed = history.iter().map(|record| (record, record.uploaded()));
    let deployed: Vec<_> = deployed.filter(|(_, uploaded)| !uploaded.is_empty()).collect();
    // The release after it took its place when it ended. The newest one is followed by the one that is ending now.
    let mut replaced = Some(report::now());
    for (index, (record, uploaded)) in deployed.iter().enumerate() {
        let at = std::mem::replace(&mut replaced, record.ended.as_ref().map(|ended| ended.at));
        if index < keep || in_grace(at) {
            continue;
        }
        // A fleet's deployments go together: as long as one of them is needed, all of the release can be gone back to.
        if uploaded.iter().any(|it| is_used(it.origin)) || removed >= REMOVALS_MAX {
            continue;
        }
        for Uploaded { project, id, .. } in uploaded {
            let project = project.map_or_else(|| session.pages_project(), Ok)?;
            session
                .client
                .delete_deployment(project, id, true, &|| session.cancel.is_cancelled())
                .map_err(Error::cloudflare(format!("remove deployment {id}")))?;
            removed += 1;
        }
        session.ledger.forget_deployment(record)?;
    }
    Ok(removed)
}
