//! Measurements beside the driver, so that a long one does not keep it from renewing the lease or from going home.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossfade_core::rollout::{Event, Verdict};
use crossfade_core::table::Weight;

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;

/// Takes a measurement at a step and a weight. A cancellation reaches it by itself.
type Take = dyn Fn(usize, Weight) -> Verdict + Send + Sync;

/// How a release is measured, and the measurement in flight.
pub struct Measurement {
    take: Arc<Take>,
    in_flight: Mutex<Option<Beside<Verdict>>>,
}

impl Measurement {
    /// Measurements as `take` takes them.
    pub fn new(take: impl Fn(usize, Weight) -> Verdict + Send + Sync + 'static) -> Self {
        Self { take: Arc::new(take), in_flight: Mutex::default() }
    }

    /// Takes a measurement, or goes on with the one in flight.
    pub(super) fn take(
        &self,
        step: usize,
        weight: Weight,
        within: Option<Duration>,
        cancel: &Cancel,
    ) -> Event {
        let mut in_flight = self.in_flight();
        let running = in_flight.get_or_insert_with(|| {
            let take = Arc::clone(&self.take);
            Beside::start(move || take(step, weight))
        });
        let event = match running.wait(cancel, within) {
            Waited::Ended(verdict) => Event::Measured(verdict),
            Waited::NotYet => return Event::StillMeasuring,
            Waited::Cancelled(reason) => return Event::Cancelled(reason),
            Waited::Panicked => {
                Event::Measured(Verdict::Error("internal error: the measurement panicked".into()))
            }
        };
        *in_flight = None;
        event
    }

    /// Waits for a measurement that was left behind: its smoke test still cleans up.
    pub fn finish(&self, within: Duration) {
        if let Some(running) = self.in_flight().take() {
            let _ = running.wait(&Cancel::default(), Some(within));
        }
    }

    fn in_flight(&self) -> MutexGuard<'_, Option<Beside<Verdict>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
