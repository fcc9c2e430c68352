//! Going on with a release whose runner has died: from the step that it was at, by the configuration that it began with.

use crossfade_core::rollout::{Rollout, Stage, Subject};
use crossfade_core::table::{Owner, ReleaseId, VariantName, Version};

use super::balanced;
use super::charge::Claim;
use super::fleet::{self, FleetWork};
use super::id::new_runner_id;
use super::judge;
use super::measure::CanaryWork;
use super::takeover::table_in_force;
use crate::command::Session;
use crate::config::Config;
use crate::error::Error;
use crate::hooks::Moment;
use crate::orders::{Mailbox, Word};
use crate::record::{Answered, Record, WITHIN, runner_name};
use crate::report;
use crate::upload;

/// Takes a release over and drives it to its end; `word` is the first thing that it is told.
///
/// # Errors
/// As [`super::deploy`]; and when the release cannot be gone on with.
pub fn resume(mut session: Session, record: Record, word: Word, whose: &str) -> Result<(), Error> {
    if let Some(text) = &record.config {
        // Later edits never touch a release that has begun.
        session.config = Config::parse(text)
            .map_err(|why| Error::Record { key: format!("release:{}", session.environment), why })?;
        if let Some(settings) = session.config.environments.get(session.environment.as_str()) {
            session.settings = settings.clone();
        }
    }
    let session = &session;
    let of = format!("release {} of {}", record.id, record.version);
    let why_not = |why: &str| Error::Usage(format!("{of} {why}: deploy again"));
    let waits_for_approval = record.stage.as_ref().is_some_and(Stage::waits_for_approval);
    if word == Word::Approve && !waits_for_approval {
        let text = format!("no step of {of} waits for an approval: `crossfade resume` goes on with it");
        return Err(Error::Usage(text));
    }
    let saved = record.saved.clone().ok_or_else(|| why_not("stopped before any visitor met it"))?;
    let damaged = |error: crossfade_core::table::TableError| Error::Record {
        key: format!("release:{}", session.environment),
        why: error.to_string(),
    };
    let release = ReleaseId::new("id", record.id.as_str()).map_err(damaged)?;
    let version = Version::new("version", record.version.as_str()).map_err(damaged)?;
    let slot = VariantName::new("slot", record.slot.as_str()).map_err(damaged)?;
    let edge = session.edge()?;
    let served = edge.check(&session.environment)?;
    let found = table_in_force(session)?;
    let source = record.source.clone().unwrap_or_else(|| fleet::configured_source(session));
    if word != Word::Abort && record.slot == fleet::SLOT && source.back.is_none() && fleet::uploads(session) {
        upload::check(&source.directory, &session.root).map_err(|error| {
            Error::Usage(format!(
                "{of} goes on with uploading {}, but {}: resume it where the build's output is, or abort it",
                source.directory.display(),
                Error::from(error).in_one_line()
            ))
        })?;
    }
    let runner = new_runner_id();
    let rollout = Rollout::resume(saved, runner, found.as_ref())?.above(served);
    let approves = waits_for_approval && matches!(word, Word::Approve | Word::Promote);
    let rollout = if approves { rollout.approved() } else { rollout };

    let asker = super::asker(session, &version, &release)?;
    let stable_version = record.stable_version.clone();
    let mut moment =
        Moment::new(session.environment.clone(), release.clone(), version.clone(), slot, stable_version);
    moment.deployment_url.clone_from(&record.origin);
    let from = record.owner.clone();
    let record = taken_over(session, record, rollout.owner().clone());
    let claim = Claim { session, release, version, edge, asker, moment, record };
    let announce = |session: &Session, record: &Record| {
        session.reporter.warn(format!(
            "release {} of {} is taken over from step {} on, {} {whose}",
            record.id,
            record.version,
            rollout.step() + 1,
            word.command()
        ));
    };
    let mut charge = claim.take(announce, |session, record| {
        session.ledger.take_charge(record, from.as_ref(), &session.cancel)
    })?;
    balanced::warn(session);
    match (word, word.order()) {
        (Word::Abort, _) | (_, None) => session.cancel.cancel(&format!("aborted {whose}")),
        // It is being gone on with: that is what was said.
        (Word::Resume | Word::Approve, _) => {}
        (_, Some(order)) => charge.inbox.put(order),
    }
    let result = match rollout.subject() {
        Subject::Canary(canary) => {
            let judged = rollout.is_judged();
            let sources = if judged { judge::sources(&charge, &canary, rollout.base())? } else { None };
            let work = CanaryWork::new(&charge, rollout.plan(), &canary, rollout.base(), sources);
            charge.drive(rollout, work)
        }
        Subject::Fleet(crew) => FleetWork::new(&charge, rollout.plan(), &crew, rollout.base(), source)
            .and_then(|work| fleet::drive(&mut charge, rollout, work.resumed(found.as_ref()))),
    };
    charge.end(result)
}

/// The record of the same release with another runner. What was said to the one before and not answered is not done by this
/// one: whoever said it may have given up, and said something else.
fn taken_over(session: &Session, record: Record, owner: Owner) -> Record {
    let now = report::now();
    let phase = format!("taken over by runner {}", owner.runner);
    let (mut heard, mut answered) = (record.heard.clone(), record.answered.clone());
    let mailbox = Mailbox::new(session.namespace.clone(), &session.environment);
    if let Some(letter) = mailbox.look(WITHIN).filter(|letter| letter.release == record.id)
        && answered.as_ref().is_none_or(|answered| answered.id != letter.id)
    {
        heard = Some(letter.id.clone());
        answered = Some(Answered::to(&letter, Err("it was taken over before it heard that".into())));
    }
    let (owner, runner) = (Some(owner), runner_name());
    Record { owner, phase, stage: None, runner, heard, answered, ..record.renewed(now) }
}
