//! What the machine asked for and may take long: on a thread of its own, so that it does not keep the driver from renewing the
//! lease or from going home.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossfade_core::rollout::{Event, HookGate};
use crossfade_core::table::VariantName;

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::orders::Inbox;

use super::LISTEN_EVERY;

/// The one effect that is under way beside the driver.
#[derive(Default)]
pub struct Begun(Mutex<Option<(Errand, Beside<Event>)>>);

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Measure(usize),
    Ask(HookGate, usize),
    Deploy(Vec<VariantName>),
    Undo(Vec<VariantName>),
}

impl Begun {
    /// Goes on with what was begun, or begins it when something else is under way or nothing, until it ends, or the time is
    /// over, or somebody cancels or says something. `None` when it will never end.
    pub(super) fn go_on(
        &self,
        errand: Errand,
        begin: impl FnOnce() -> Beside<Event>,
        within: Option<Duration>,
        cancel: &Cancel,
        inbox: &Inbox,
    ) -> Option<Event> {
        let deadline = within.map(|within| Instant::now() + within);
        let mut begun = self.lock();
        let running = match begun.take() {
            Some((same, running)) if same == errand => running,
            Some(_) | None => begin(),
        };
        let event = loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match running.wait(cancel, Some(left.map_or(LISTEN_EVERY, |left| left.min(LISTEN_EVERY)))) {
                Waited::Ended(event) => return Some(event),
                Waited::Panicked => return None,
                Waited::Cancelled(reason) => break Event::Cancelled(reason),
                Waited::NotYet => {}
            }
            if let Some(order) = inbox.take() {
                break Event::Ordered(order);
            }
            if left.is_some_and(|left| left.is_zero()) {
                break Event::Busy;
            }
        };
        *begun = Some((errand, running));
        Some(event)
    }

    /// Waits for what was left behind: its smoke test still cleans up.
    pub fn finish(&self, within: Duration) {
        if let Some((_, running)) = self.lock().take() {
            let _ = running.wait(&Cancel::default(), Some(within));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Errand, Beside<Event>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
