//! What the machine asked for and may take long: on a thread of its own, so that it does not keep the driver from renewing the
//! lease or from going home.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossfade_core::rollout::{Event, HookGate};
use crossfade_core::table::VariantName;

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;

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
    /// over, or somebody cancels. `None` when it will never end.
    pub(super) fn go_on(
        &self,
        errand: Errand,
        begin: impl FnOnce() -> Beside<Event>,
        within: Option<Duration>,
        cancel: &Cancel,
    ) -> Option<Event> {
        let mut begun = self.lock();
        let running = match begun.take() {
            Some((same, running)) if same == errand => running,
            Some(_) | None => begin(),
        };
        match running.wait(cancel, within) {
            Waited::Ended(event) => Some(event),
            Waited::Panicked => None,
            Waited::NotYet => {
                *begun = Some((errand, running));
                Some(Event::Busy)
            }
            Waited::Cancelled(reason) => {
                *begun = Some((errand, running));
                Some(Event::Cancelled(reason))
            }
        }
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
