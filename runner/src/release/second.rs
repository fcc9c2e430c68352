//! A release that begins while another one is running: refused, queued, or in its place.

use std::time::{Duration, Instant};

use crossfade_core::Span;
use crossfade_core::table::ReleaseId;

use super::takeover::{refuse_while_leased, table_in_force};
use crate::command::Session;
use crate::config::Second;
use crate::error::Error;
use crate::orders::{Letter, Mailbox, Word};
use crate::record::{Record, WITHIN};
use crate::report;

/// How often the other one is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Returns when no other release is in charge and none that died holds shifted weights, or at once when this one is to be refused by the claim.
///
/// # Errors
/// [`Error::InCharge`] when the other one has not ended in time; [`Error::Cancelled`].
pub(super) fn wait_for_the_first(session: &Session, release: &ReleaseId) -> Result<(), Error> {
    let rollout = &session.config.rollout;
    if rollout.second == Second::Refuse {
        return Ok(());
    }
    let Some(first) = obstacle(session)? else { return Ok(()) };
    let phase = session.reporter.phase("queue");
    if let (Second::Supersede, Some(first)) = (rollout.second, &first.record) {
        let by = format!("release {release}");
        let letter = Letter::new(&first.id, Word::Abort, Some("superseded"), by);
        Mailbox::new(session.namespace.clone(), &session.environment).send(&letter, WITHIN)?;
        phase.progress(format!("release {} of {} is told to go home", first.id, first.version));
    }
    let deadline = Instant::now() + rollout.queue_for.0;
    let mut told = String::new();
    loop {
        let Some(other) = obstacle(session)? else {
            phase.done(format!("release {} has ended", first.release));
            return Ok(());
        };
        if other.text != told {
            phase.progress(other.text.clone());
            told = other.text;
        }
        if Instant::now() >= deadline {
            phase.failed_because("", &format!("it has not ended within {}", Span(rollout.queue_for.0)));
            return Err(other.refusal);
        }
        if session.cancel.wait(LOOK_EVERY) {
            return Err(Error::Cancelled(session.cancel.reason().unwrap_or_default()));
        }
    }
}

/// What a release waits for.
struct Obstacle {
    release: String,
    /// Its record, when it is in charge; absent when it is dead and has left weights shifted: a lease outlives the record.
    record: Option<Record>,
    /// What it is, in words.
    text: String,
    /// What whoever does not wait is told.
    refusal: Error,
}

fn obstacle(session: &Session) -> Result<Option<Obstacle>, Error> {
    if let Some(record) = session.ledger.current()?.filter(|record| record.in_charge(report::now())) {
        let Record { id, version, phase, .. } = &record;
        let text = format!("waiting for release {id} of {version} ({phase})");
        let (release, refusal) = (id.clone(), record.refusal("nothing was changed"));
        return Ok(Some(Obstacle { release, text, refusal, record: Some(record) }));
    }
    let Some(table) = table_in_force(session)? else { return Ok(None) };
    Ok(refuse_while_leased(&table).err().map(|refusal| {
        let release = table.release().to_string();
        let text = format!("waiting until the weights run out that release {release} has left shifted");
        Obstacle { release, record: None, text, refusal }
    }))
}
