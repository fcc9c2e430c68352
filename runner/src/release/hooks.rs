//! A release's hooks, phase by phase, as people follow them.

use crossfade_core::Span;

use super::cancelled_or;
use crate::command::Session;
use crate::error::Error;
use crate::github;
use crate::hooks::{Answer, Asked, Asker, Cancelled, Events, Moment, Phase, hold};
use crate::notify::Notifications;

mod in_flight;

pub(super) use in_flight::InFlight;

/// Asks the hooks of a phase in their order; each is waited for as long as it may take to decide.
pub(super) fn pass(session: &Session, asker: &Asker, phase: Phase, moment: &Moment) -> Result<(), Error> {
    for hook in session.config.hooks.of(phase) {
        let title = hook.title();
        let running = session.reporter.phase_with_output(phase.name(), title);
        let mut note = |asked: &Asked| {
            session.reporter.hook(asked);
            if let Ok(Answer::Wait(after)) = asked.answer {
                running.progress(format!("{title} asks to wait: it is asked again in {}", Span(after)));
            }
        };
        let why = match hold(phase, hook, asker, moment, &mut note) {
            Ok(Ok(())) => {
                running.done(title);
                continue;
            }
            Ok(Err(why)) => why,
            Err(Cancelled(reason)) => format!("cancelled: {reason}"),
        };
        running.failed_because(title, &why);
        return Err(cancelled_or(&session.cancel, Error::Gate { phase: phase.name(), why }));
    }
    Ok(())
}

/// Tells the hooks of a phase. That one fails is reported and changes nothing.
pub(super) fn tell(session: &Session, asker: &Asker, phase: Phase, moment: &Moment) {
    for hook in session.config.hooks.of(phase) {
        let why = match hold(phase, hook, asker, moment, &mut |asked| session.reporter.hook(asked)) {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(Cancelled(reason)) => format!("{} was cancelled: {reason}", hook.title()),
        };
        session.reporter.warn(format!("hook: {why}"));
    }
}

/// The hooks `event` and the notifications, for as long as this lives: they are told what the reporter is told.
pub(super) struct Telling<'a> {
    session: &'a Session,
    events: Option<Events>,
    notifications: Option<Notifications>,
    github: Option<github::Telling>,
}

impl<'a> Telling<'a> {
    pub(super) fn start(session: &'a Session, asker: &Asker, moment: &Moment) -> Self {
        let events = Events::start(session.config.hooks.of(Phase::Event), asker, moment);
        if let Some(events) = &events {
            session.reporter.listen(events.listener());
        }
        let notifications = Notifications::start(&session.config, &session.root, &session.secrets);
        if let Some(notifications) = &notifications {
            session.reporter.listen(notifications.listener());
        }
        let github = session.tell_github();
        Self { session, events, notifications, github }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let further = self.session.cancel.further();
        let events = self.events.take().map(|events| events.finish(&further));
        let notifications = self.notifications.take().map(|notifications| notifications.finish(&further));
        if let Some(github) = self.github.take() {
            github.finish(&further);
        }
        for undelivered in events.into_iter().chain(notifications).flatten() {
            self.session.reporter.warn(undelivered);
        }
    }
}
