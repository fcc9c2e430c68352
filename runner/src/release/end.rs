//! How a release ends: its outcome as a command's result, its place in the history, the niceties afterwards.

use crossfade_core::rollout::{Outcome, Reason, Traffic};

use crossfade_core::table::Version;
use serde_json::Value;

use super::{hooks, settle};
use crate::command::Session;
use crate::command::report::write_all;
use crate::error::Error;
use crate::hooks::{Asker, Moment, Phase};
use crate::record::{Ended, Record};
use crate::report;

/// A rollout's outcome as a command's result.
///
/// # Errors
/// All outcomes but [`Outcome::Promoted`].
pub(super) fn ended(outcome: Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Promoted => Ok(()),
        Outcome::NotStarted(Reason::Cancelled(reason)) => Err(Error::Cancelled(reason)),
        Outcome::NotStarted(reason) => Err(Error::Gate { phase: "switch", why: reason.to_string() }),
        Outcome::RolledBack(reason) => Err(Error::RolledBack(reason.to_string())),
        Outcome::Superseded(by) => Err(taken_over(&by)),
        Outcome::Stuck { reason, traffic } => Err(Error::Stuck {
            why: format!("{reason}; {traffic}"),
            hint: match traffic {
                Traffic::NothingToReturnTo => "mend it and deploy again: the next version replaces this one",
                Traffic::InstancesNotUndone { .. } => {
                    "bring the version before back to them by hand, then `crossfade weights` gives them their share again"
                }
                Traffic::HomeNotWritten { .. } | Traffic::HomeNotConfirmed { .. } => {
                    "when the cause is gone, `crossfade status` shows where traffic is and `crossfade rollback` brings it home"
                }
            }
            .into(),
        }),
    }
}

fn taken_over(by: &str) -> Error {
    Error::Superseded(format!("{by} took over; this release wrote nothing more"))
}

/// That another release is in charge, in a release's own words.
pub(super) fn in_charge(renewed: Result<(), Error>) -> Result<(), Error> {
    renewed.map_err(|error| match error {
        Error::Superseded(by) => taken_over(&by),
        error => error,
    })
}

/// Tells people what the release came to and puts it into the history. That this fails must not change what it came to.
pub(super) fn close(
    session: &Session,
    record: Record,
    earlier: &[Value],
    outcome: &'static str,
    text: String,
) {
    let evidence = session.reporter.evidence(earlier);
    let at = report::now();
    let ended = Some(Ended { at, outcome: outcome.into(), text });
    let record = Record { ended, evidence, updated_at: at, phase: outcome.into(), stage: None, ..record };
    // Before anything that may have to be waited for: a job that was cancelled has little time left.
    if let Err(error) = write_all(session, &record) {
        session.reporter.warn(format!("the report could not be written: {}", error.in_one_line()));
    }
    if let Err(error) = session.ledger.close_ours(&record) {
        session.reporter.warn(format!("the history could not be written: {error}"));
    }
}

/// Niceties once traffic is where it belongs: hooks and cleaning up.
pub(super) fn after(session: &Session, asker: &Asker, moment: &Moment, result: &Result<(), Error>) {
    // The signal that brought traffic home must not keep these from running; a further one ends them.
    let asker = asker.with_cancel(session.cancel.further());
    match result {
        Ok(()) => hooks::tell(session, &asker, Phase::Settled, moment),
        Err(Error::RolledBack(_)) => hooks::tell(session, &asker, Phase::RolledBack, moment),
        Err(_) => {}
    }
    hooks::tell(session, &asker, Phase::PostRollout, moment);
    session.tell_stable();
    if result.is_ok() && !session.cancel.is_cancelled() {
        settle::clean_up(session);
    }
}

pub(super) fn failed_outcome(error: &Error, version: &Version) -> (&'static str, String) {
    match error {
        Error::RolledBack(why) => ("rolled-back", format!("rolled back {version}: {why}")),
        Error::Superseded(why) | Error::InCharge { text: why, .. } => {
            ("superseded", format!("superseded: {why}"))
        }
        Error::Stuck { why, .. } => ("stuck", format!("stuck: {why}")),
        error => ("not-started", format!("{version} was not released: {}", error.in_one_line())),
    }
}
