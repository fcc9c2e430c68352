//! A release that begins while another one is running: refused, queued, or in its place.

use std::time::{Duration, Instant};

use crossfade_core::Span;
use crossfade_core::table::ReleaseId;

use crate::command::Session;
use crate::config::Second;
use crate::error::Error;
use crate::orders::{Letter, Mailbox, Word};
use crate::record::{Record, WITHIN};
use crate::report;

/// How often the other one is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Returns when no other release is in charge, or at once when this one is to be refused by the claim.
///
/// # Errors
/// [`Error::InCharge`] when the other one has not ended in time; [`Error::Cancelled`].
pub(super) fn wait_for_the_first(session: &Session, release: &ReleaseId) -> Result<(), Error> {
    let rollout = &session.config.rollout;
    if rollout.second == Second::Refuse {
        return Ok(());
    }
    let Some(first) = in_charge(session)? else { return Ok(()) };
    let phase = session.reporter.phase("queue");
    if rollout.second == Second::Supersede {
        let by = format!("release {release}");
        let letter = Letter::new(&first.id, Word::Abort, Some("superseded"), by);
        Mailbox::new(session.namespace.clone(), &session.environment).send(&letter, WITHIN)?;
        phase.progress(format!("release {} of {} is told to go home", first.id, first.version));
    }
    let deadline = Instant::now() + rollout.queue_for.0;
    let mut told = String::new();
    loop {
        let Some(other) = in_charge(session)? else {
            phase.done(format!("release {} has ended", first.id));
            return Ok(());
        };
        let now = format!("waiting for release {} of {} ({})", other.id, other.version, other.phase);
        if now != told {
            phase.progress(now.clone());
            told = now;
        }
        if Instant::now() >= deadline {
            phase.failed_because("", &format!("it has not ended within {}", Span(rollout.queue_for.0)));
            return Err(other.refusal("nothing was changed"));
        }
        if session.cancel.wait(LOOK_EVERY) {
            return Err(Error::Cancelled(session.cancel.reason().unwrap_or_default()));
        }
    }
}

fn in_charge(session: &Session) -> Result<Option<Record>, Error> {
    Ok(session.ledger.current()?.filter(|record| record.in_charge(report::now())))
}
