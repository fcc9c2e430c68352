//! Being in charge of an environment: from the claim to the release's place in the history, whoever began it.

use std::sync::Arc;
use std::time::Duration;

use crossfade_core::rollout::Rollout;
use crossfade_core::table::{ReleaseId, Version};

use serde_json::Value;

use super::hooks::Telling;
use super::{end, hooks};
use crate::command::Session;
use crate::drive::{self, Begun, Work, World};
use crate::edge::Edge;
use crate::error::Error;
use crate::hooks::{Asker, Ending, Moment, Phase};
use crate::notice::{Completed, Notice, Started};
use crate::orders::{Inbox, Mailbox};
use crate::record::{Ear, Heartbeat, Record, WITHIN};
use crate::report::{self, millis};
use crate::watch::Watching;

/// How long a smoke test that was cut short by a cancellation has to clean up, once everything else is done.
pub const CLEAN_UP_WITHIN: Duration = Duration::from_secs(10);

/// A release that is in charge.
pub(super) struct Charge<'a> {
    pub(super) session: &'a Session,
    pub(super) release: ReleaseId,
    pub(super) version: Version,
    pub(super) edge: Edge,
    pub(super) asker: Asker,
    pub(super) moment: Moment,
    pub(super) heartbeat: Heartbeat,
    pub(super) inbox: Inbox,
    /// Whom the new version serves, when that is not everybody.
    pub(super) whom: Option<String>,
    /// What happened by the hands of earlier runners.
    earlier: Vec<Value>,
    begun: Begun,
    telling: Telling<'a>,
}

/// What is known before anybody is in charge.
pub(super) struct Claim<'a> {
    pub(super) session: &'a Session,
    pub(super) release: ReleaseId,
    pub(super) version: Version,
    pub(super) edge: Edge,
    pub(super) asker: Asker,
    pub(super) moment: Moment,
    pub(super) record: Record,
}

impl<'a> Claim<'a> {
    /// Takes charge by `claim`, and keeps it from now on.
    ///
    /// # Errors
    /// Why somebody else is in charge; people are told.
    pub(super) fn take(
        self,
        announce: impl FnOnce(&Session, &Record),
        claim: impl FnOnce(&Session, &Record) -> Result<(), Error>,
    ) -> Result<Charge<'a>, Error> {
        let Self { session, release, version, edge, asker, moment, record } = self;
        let telling = Telling::start(session, &asker, &moment);
        announce(session, &record);
        if let Err(error) = claim(session, &record) {
            let (outcome, text) = end::failed_outcome(&error, &version);
            session.reporter.finished(outcome, false, text);
            return Err(error);
        }
        let (inbox, earlier) = (Inbox::default(), record.evidence.clone());
        session.reporter.notice(Notice::Started(Started {
            environment: record.environment.clone(),
            release: record.id.clone(),
            command: record.command.clone(),
            new_version: record.version.clone(),
            stable_version: record.stable_version.clone(),
            slot: record.slot.clone(),
            runner: record.runner.clone(),
            taken_over: !earlier.is_empty(),
        }));
        let ear = Ear {
            mailbox: Mailbox::new(session.namespace.clone(), &session.environment),
            inbox: inbox.clone(),
            every: session.config.rollout.listen_every.0,
        };
        let heartbeat = Heartbeat::start(session.ledger.clone(), record, session.cancel.clone(), ear);
        let begun = Begun::default();
        let whom = None;
        Ok(Charge {
            session,
            release,
            version,
            edge,
            asker,
            moment,
            heartbeat,
            inbox,
            whom,
            earlier,
            begun,
            telling,
        })
    }
}

impl Charge<'_> {
    /// Tells other runners what comes next, unless somebody wants it undone.
    pub(super) fn begin(&self, phase: &'static str) -> Result<(), Error> {
        match self.session.cancel.reason() {
            Some(reason) => Err(Error::Cancelled(reason)),
            None => end::in_charge(self.heartbeat.update(WITHIN, |record| record.phase = phase.to_owned())),
        }
    }

    /// Asks the hooks of a phase.
    pub(super) fn ask(&self, phase: Phase) -> Result<(), Error> {
        if self.session.config.hooks.of(phase).is_empty() {
            return Ok(());
        }
        self.begin(phase.name())?;
        hooks::pass(self.session, &self.asker, phase, &self.moment)
    }

    /// Moves traffic, to the end.
    pub(super) fn drive(&self, rollout: Rollout, work: impl Work + 'static) -> Result<(), Error> {
        let session = self.session;
        let world = World {
            namespace: &session.namespace,
            signer: &session.signer,
            environment: &session.environment,
            release: &self.release,
            edge: &self.edge,
            heartbeat: &self.heartbeat,
            cancel: &session.cancel,
            inbox: &self.inbox,
            reporter: &session.reporter,
            earlier: &self.earlier,
            work: Arc::new(work),
            begun: &self.begun,
        };
        let watching =
            Watching::start(&self.edge, &session.environment, &session.config.monitor, &session.reporter);
        let outcome = drive::drive(rollout, &world);
        watching.end();
        end::ended(outcome)
    }

    /// Lets go of the environment: what it came to is told and kept; niceties come last.
    pub(super) fn end(mut self, result: Result<(), Error>) -> Result<(), Error> {
        let session = self.session;
        self.heartbeat.stop();
        let result = match (result, self.heartbeat.lost_to()) {
            // It was cancelled because somebody else is in charge.
            (Err(Error::Cancelled(_)), Some(by)) => end::in_charge(Err(Error::Superseded(by.to_owned()))),
            (result, _) => result,
        };
        let (outcome, text) = match &result {
            Ok(()) => {
                let whom = self.whom.take().unwrap_or_else(|| "it serves everybody".into());
                ("promoted", format!("promoted {}: {whom}", self.version))
            }
            Err(error) => end::failed_outcome(error, &self.version),
        };
        session.reporter.finished(outcome, result.is_ok(), text.clone());
        let record = self.heartbeat.record();
        session.reporter.notice(Notice::Completed(Completed {
            environment: record.environment.clone(),
            release: record.id.clone(),
            new_version: record.version.clone(),
            stable_version: record.stable_version.clone(),
            outcome: outcome.to_owned(),
            text: text.clone(),
            elapsed_ms: millis(report::now().since(record.started_at)),
        }));
        let ending = Some(Ending { outcome, text: text.clone() });
        let moment = Moment { deployment_url: record.origin.clone(), outcome: ending, ..self.moment };
        end::close(session, record, &self.earlier, outcome, text);
        end::after(session, &self.asker, &moment, &result);
        self.begun.finish(CLEAN_UP_WITHIN);
        drop(self.telling);
        result
    }
}
