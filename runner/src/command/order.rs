//! `promote`, `abort`, `pause`, `resume`, `approve`, `retry`: what people do with a release, from wherever they are.
//!
//! A release whose runner is alive is told by a letter in KV and answers in its record. One whose runner has died is taken over
//! by this process, which then drives it to its end.

use std::time::{Duration, Instant};

use crossfade_core::table::{Origin, TableError, Version};

use super::{Session, rollback};
use crate::cli::{Promote, Say};
use crate::error::Error;
use crate::orders::{Letter, Mailbox, Word, speaker};
use crate::record::{Answered, FleetSource, Record, WITHIN};
use crate::release::{self, Request, Source};
use crate::report;

/// How often the record is looked at for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a runner that is alive may take to hear beyond the time between two looks: two calls to KV.
const HEAR_WITHIN: Duration = Duration::from_secs(10);
/// How long a release may take to answer beyond the time between two looks: a step may have to be confirmed first.
const ANSWER_WITHIN: Duration = Duration::from_secs(240);
/// How long an aborted release may take to be home: its own bound is 6 s, and seeing it at the edge comes on top.
const END_WITHIN: Duration = Duration::from_secs(240);

/// `crossfade promote`.
pub(super) fn promote(session: Session, arguments: &Promote) -> Result<(), Error> {
    let word = if arguments.full { Word::PromoteFull } else { Word::Promote };
    match session.ledger.current()? {
        Some(record) if record.ended.is_none() => say(session, record, word, &arguments.say),
        Some(_) | None => rollback::forward(&session),
    }
}

/// The others.
pub(super) fn run(session: Session, word: Word, arguments: &Say) -> Result<(), Error> {
    match session.ledger.current()? {
        Some(record) if record.ended.is_none() => say(session, record, word, arguments),
        // A release that ended stuck, or whose record is lost, has left weights that nobody brings home.
        _ if word == Word::Abort && rollback::is_shifted(&session)? => rollback::home(session),
        Some(Record { ended: Some(ended), id, version, .. }) => Err(Error::Usage(format!(
            "nothing is in flight: release {id} of {version} has ended ({})",
            ended.outcome
        ))),
        Some(_) | None => Err(Error::Usage("nothing is in flight: there has been no release yet".into())),
    }
}

/// `crossfade retry`: the last release once more, without building or uploading anything.
pub(super) fn retry(session: &Session) -> Result<(), Error> {
    let last =
        session.ledger.current()?.ok_or_else(|| Error::Usage("there has been no release yet".into()))?;
    let of = format!("release {} of {}", last.id, last.version);
    if last.in_charge(report::now()) {
        return Err(last.refusal("there is nothing to retry"));
    }
    if last.ended.as_ref().is_some_and(|ended| ended.outcome == "promoted") {
        return Err(Error::Usage(format!("{of} serves everybody: there is nothing to retry")));
    }
    let damaged = |error: TableError| Error::Usage(format!("{of}: {error}"));
    let source = match (&last.source, &last.origin) {
        // A fleet's commands run again, and what was uploaded before is not sent again.
        (Some(FleetSource { back: Some(table), .. }), _) => Source::Before { table: Box::new(table.clone()) },
        (Some(FleetSource { directory, message, back: None }), _) => {
            Source::Directory { path: directory.clone(), message: message.clone(), command: "retry" }
        }
        (None, Some(origin)) => Source::Origin {
            origin: Origin::new("origin", origin).map_err(damaged)?,
            deployment_id: last.deployment_id.clone(),
            command: "retry",
        },
        (None, None) => {
            return Err(Error::Usage(format!("{of} ended before its upload: there is nothing to retry")));
        }
    };
    let version = Version::new("version", last.version.as_str()).map_err(damaged)?;
    release::deploy(session, &Request { source, version, commit: last.commit.clone() })
}

fn say(session: Session, record: Record, word: Word, arguments: &Say) -> Result<(), Error> {
    let letter = Letter::new(&record.id, word, arguments.why.as_deref(), speaker());
    if record.in_charge(report::now()) && !arguments.runner_is_dead {
        tell(&session, &letter, &record)
    } else {
        release::resume(session, record, word, &letter.whose())
    }
}

/// Says it, and waits for the answer.
fn tell(session: &Session, letter: &Letter, record: &Record) -> Result<(), Error> {
    let command = letter.order.command();
    let phase = session.reporter.phase("order");
    Mailbox::new(session.namespace.clone(), &session.environment).send(letter, WITHIN)?;
    phase.progress(format!("release {} of {} is told to {command}", record.id, record.version));
    let listen_every = session.config.rollout.listen_every.0;
    let heard = until(session, HEAR_WITHIN + 2 * listen_every, |current| {
        (current.heard.as_ref() == Some(&letter.id)).then_some(())
    })?;
    if heard.is_none() {
        if let Some(Record { ended: Some(ended), id, .. }) =
            session.ledger.current()?.filter(|it| it.id == record.id)
        {
            phase.failed(format!("release {id} has ended meanwhile"));
            return Err(Error::Usage(format!("release {id} has ended meanwhile: {}", ended.text)));
        }
        phase.failed(format!("the runner of release {} does not listen", record.id));
        return Err(deaf(session, record, command)?);
    }
    let within = ANSWER_WITHIN + listen_every;
    let answered = until(session, within, |current| {
        current.answered.clone().filter(|answered| answered.id == letter.id)
    })?;
    match answered {
        Some(Answered { refused: None, .. }) => phase.progress("it does".to_owned()),
        Some(Answered { refused: Some(why), .. }) => {
            phase.failed_because(&format!("release {} was told to {command}", record.id), &why);
            return Err(Error::Usage(format!("release {} did not {command}: {why}", record.id)));
        }
        None => match session.ledger.current()? {
            // A fleet's batch is being replaced: that is not left half way for a word.
            Some(Record { ended: None, id, stage: Some(stage), .. }) if id == record.id => {
                phase
                    .done(format!("release {id} has heard to {command}, and does when it is over ({stage})"));
                return Ok(());
            }
            Some(_) | None => {
                phase.failed(format!("release {} has ended or does not answer", record.id));
                return Err(Error::Usage(format!(
                    "release {} did not answer; `crossfade status` shows what it does",
                    record.id
                )));
            }
        },
    }
    if letter.order == Word::Abort {
        let end = until(session, END_WITHIN, |current| current.ended.clone())?;
        phase.done(end.map_or("it goes home".into(), |ended| ended.text));
    } else {
        phase.done(format!("release {} was told to {command}, and does", record.id));
    }
    Ok(())
}

/// That a runner does not hear, and what to do if it is dead.
fn deaf(session: &Session, record: &Record, command: &str) -> Result<Error, Error> {
    let record = session.ledger.current()?.unwrap_or_else(|| record.clone());
    let Record { id, version, runner, expires_at, .. } = &record;
    Ok(Error::InCharge {
        text: format!(
            "the runner of release {id} of {version} ({runner}) does not hear what it is told, and counts as alive until {}; if \
             you know that it is dead, `crossfade {command} --runner-is-dead` takes the release over now",
            report::time_of_day(*expires_at)
        ),
        until: *expires_at,
    })
}

/// Looks at the record until `found` finds something in it, or another release has it; `None` when the time is over.
fn until<T>(
    session: &Session,
    within: Duration,
    found: impl Fn(&Record) -> Option<T>,
) -> Result<Option<T>, Error> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(record) = session.ledger.current()? {
            if let Some(found) = found(&record) {
                return Ok(Some(found));
            }
            if record.ended.is_some() {
                return Ok(None);
            }
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        if session.cancel.wait(LOOK_EVERY) {
            return Err(Error::Interrupted(session.cancel.reason().unwrap_or_default()));
        }
    }
}
