//! What a person did to the weights: noted as the environment's last release and in the history, and told to whoever wants to know.

use super::Session;
use super::report::write_all;
use crate::github;
use crate::notice::{Completed, Notice};
use crate::notify::Notifications;
use crate::record::{Ended, Record};
use crate::report::{self, millis};

/// Notes how it ended; that this fails changes nothing.
pub(super) fn record(session: &Session, record: Record, outcome: &str, text: &str) {
    let at = report::now();
    let ended = Some(Ended { at, outcome: outcome.into(), text: text.into() });
    let evidence = session.reporter.evidence(&[]);
    let record = Record { ended, evidence, phase: outcome.into(), ..record };
    if let Err(error) = write_all(session, &record) {
        session.reporter.warn(format!("the report could not be written: {}", error.in_one_line()));
    }
    if let Err(error) = session.ledger.take_over(&record) {
        session.reporter.warn(format!("the history could not be written: {error}"));
    }
    github::job().iter().for_each(|job| job.release_is(&record.id));
    tell(session, record);
    session.tell_stable();
}

/// Tells whoever wants to know of a release that has ended.
pub(super) fn tell(session: &Session, record: Record) {
    let Some(Ended { at, outcome, text }) = record.ended else { return };
    let notifications = Notifications::start(&session.config, &session.root, &session.secrets);
    if let Some(notifications) = &notifications {
        session.reporter.listen(notifications.listener());
    }
    let telling = session.tell_github();
    session.reporter.notice(Notice::Completed(Completed {
        environment: record.environment,
        release: record.id,
        new_version: record.version,
        stable_version: record.stable_version,
        outcome,
        text,
        elapsed_ms: millis(at.since(record.started_at)),
    }));
    if let Some(telling) = telling {
        telling.finish(&session.cancel.further());
    }
    if let Some(notifications) = notifications {
        let undelivered = notifications.finish(&session.cancel.further());
        undelivered.into_iter().for_each(|text| session.reporter.warn(text));
    }
}
