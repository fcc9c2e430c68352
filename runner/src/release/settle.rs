//! What is left to do when the new version is stable: deployments that nobody needs any more.

use crate::command::Session;
use crate::error::Error;
use crate::release::takeover;
use crate::report::counted;

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
    let in_use: Vec<String> = table
        .iter()
        .flat_map(|table| {
            let variants = table.variants().iter().map(|variant| variant.origin.to_string());
            variants.chain(table.previous().iter().map(|previous| previous.origin.to_string()))
        })
        .collect();
    let keep = session.config.cleanup.keep;
    let mut removed = 0;
    let history = session.ledger.history(keep + LOOK_BACK)?;
    let deployed = history.iter().filter_map(|record| Some((record, record.deployment_id.as_ref()?)));
    for (record, id) in deployed.skip(keep) {
        let named = record
            .origin
            .as_ref()
            .is_some_and(|origin| in_use.iter().any(|used| used == origin.trim_end_matches('/')));
        if named || removed == REMOVALS_MAX {
            continue;
        }
        session
            .client
            .delete_deployment(session.project(), id, true)
            .or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
            .map_err(Error::cloudflare(format!("remove deployment {id}")))?;
        session.ledger.forget_deployment(record)?;
        removed += 1;
    }
    Ok(removed)
}
