//! Hooks that are told of everything, beside the release: it never waits for them, and they cannot fail it.

use super::{Asker, Moment, Phase, hold};
use crate::cancel::Cancel;
use crate::config::Hook;
use crate::outbox::{Destination, Outbox};
use crate::report::{Entry, Listener};

/// The hooks `event` of a release.
pub struct Events(Outbox);

impl Events {
    /// Begins to tell `hooks`; nothing is begun when there are none.
    pub fn start(hooks: &[Hook], asker: &Asker, moment: &Moment) -> Option<Self> {
        let cancel = Cancel::default();
        let asker = asker.with_cancel(cancel.clone());
        let destinations = hooks.iter().map(|hook| destination(hook.clone(), asker.clone(), moment.clone()));
        Outbox::start(destinations.collect(), cancel).map(Self)
    }

    /// What hears of events and returns at once, whatever the hooks do.
    pub fn listener(&self) -> Listener {
        self.0.listener()
    }

    /// Waits a moment for the last events to be told; what was not, in words. `cancel` ends the waiting.
    pub fn finish(self, cancel: &Cancel) -> Vec<String> {
        self.0.finish(cancel)
    }
}

fn destination(hook: Hook, asker: Asker, moment: Moment) -> Destination {
    let title = format!("hook {}", hook.title());
    // What was dead after all its tries is likely to be still; the next events shall not pile up behind it.
    let once = hook.clone().tried_once();
    let mut dead = false;
    let deliver = move |entry: &Entry| {
        let moment = Moment { event: serde_json::to_value(entry).ok(), ..moment.clone() };
        let hook = if dead { &once } else { &hook };
        let told = match hold(Phase::Event, hook, &asker, &moment, &mut |_| ()) {
            Ok(told) => told,
            Err(cancelled) => Err(cancelled.0),
        };
        dead = told.is_err();
        told
    };
    Destination { title, wants: Box::new(|event| event.is_news()), deliver: Box::new(deliver) }
}
