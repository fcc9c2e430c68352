//! Which version a rollback goes to: the one before, or any release of the history whose deployment is still there.

use crossfade_core::RoutingTable;
use crossfade_core::table::{Origin, Previous, ReleaseId, Version};

use super::Session;
use crate::error::Error;
use crate::probe;
use crate::record::Record;
use crate::release::idle_slot;
use crate::report;

/// How many releases are looked through.
const LOOK_BACK: usize = 100;
/// How many are named when the wanted one is not among them.
const NAMED: usize = 5;

/// The table in which a release of the history, or the newest one of a version, serves everybody. Its deployment must answer,
/// unless `force`.
///
/// # Errors
/// When there is no such release, it has no deployment any more, or that does not answer.
pub(super) fn to(
    session: &Session,
    table: &RoutingTable,
    wanted: &str,
    release: &ReleaseId,
    force: bool,
) -> Result<RoutingTable, Error> {
    let history = session.ledger.history(LOOK_BACK)?;
    let to = find(&history, wanted).ok_or_else(|| unknown(&history, table, wanted))?;
    if !force {
        check(&to)?;
    }
    Ok(table.switched(&to, &idle_slot(session, Some(table))?, release.clone(), report::now()))
}

/// Whether a release of the history can be gone back to, as far as its record tells.
pub(super) fn is_possible(record: &Record) -> bool {
    destination(record).is_some()
}

/// The newest release of that id or version.
fn find(history: &[Record], wanted: &str) -> Option<Previous> {
    let named = |record: &&Record| record.id == wanted || record.version == wanted;
    history.iter().filter(named).find_map(destination)
}

/// Where a release is. One whose deployment was removed, or that never had any, is nowhere; what is elsewhere is not ours to
/// remove.
fn destination(record: &Record) -> Option<Previous> {
    if record.deployment_id.is_none() && !record.elsewhere {
        return None;
    }
    Some(Previous {
        origin: Origin::new("origin", record.origin.as_deref()?).ok()?,
        version: Version::new("version", record.version.as_str()).ok()?,
    })
}

fn unknown(history: &[Record], table: &RoutingTable, wanted: &str) -> Error {
    let served = &table.stable().origin;
    let others = history.iter().filter_map(|record| Some((record, destination(record)?)));
    let names: Vec<String> = others
        .filter(|(_, to)| to.origin != *served)
        .take(NAMED)
        .map(|(record, _)| format!("{} ({})", record.version, record.id))
        .collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Error::Usage(format!(
        "`{wanted}` is no release or version of the history whose deployment is still there; what can be gone back to: {known}"
    ))
}

/// Refuses what does not answer: a rollback must not be what takes the site down.
fn check(to: &Previous) -> Result<(), Error> {
    let why = match probe::status(&to.origin) {
        Ok(status) if status < 500 && status != 404 => return Ok(()),
        Ok(status) => format!("answers {status}"),
        Err(error) => error.to_string(),
    };
    Err(Error::Gate {
        phase: "rollback",
        why: format!(
            "{} at {} {why}; with --force visitors are sent there all the same",
            to.version, to.origin
        ),
    })
}
