//! The breaker: a variant that fails again and again is left alone for a while. In: when it is asked and how it
//! answered. Out: whether to ask it now.
//!
//! ```text
//!             failures in a row                  ejection over
//!   Closed ──────────────────────▶ Open ──────────────────────▶ HalfOpen
//!     ▲                             ▲                            │    │
//!     │                             └────── the trial failed ────┘    │
//!     └───────────────────────── the trial succeeded ─────────────────┘
//! ```
//!
//! The n-th ejection lasts n times as long as the first; each sweep without a failure forgets one. This is Envoy's outlier
//! detection (<https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier>) with the half-open trial
//! that it leaves to others. It knows one isolate's requests only, and so needs nobody's permission and no message.

use std::time::Duration;

use crate::Timestamp;
use crate::table::Breaker as Settings;

/// How long a trial may be on its way before another one is let through: one whose visitor went away never reports.
const TRIAL_WITHIN: Duration = Duration::from_secs(30);
/// The most that an ejection is lengthened: Envoy's `max_ejection_time`, 300 s, at its default of 30 s.
const EJECTIONS_MAX: u32 = 10;

/// One variant's breaker in one isolate.
///
/// ```
/// use crossfade_core::{Timestamp, breaker::{Breaker, State}, table};
///
/// let (settings, now) = (table::Breaker::default(), Timestamp::from_millis(0));
/// let mut breaker = Breaker::new();
/// for _ in 0..settings.failures {
///     assert!(breaker.admits(now));
///     breaker.note(&settings, false, now);
/// }
/// assert_eq!(breaker.state(), State::Open { until: now.plus(settings.ejection) });
/// assert!(!breaker.admits(now));
/// // One request is let through to see; while it is on its way no other is.
/// let later = now.plus(settings.ejection);
/// assert!(breaker.admits(later) && !breaker.admits(later));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// Ejections that are not forgotten yet.
    ejections: u32,
    /// From when on the next sweep counts.
    swept_at: Option<Timestamp>,
}

/// Whether a variant gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does; so many of its last answers in a row were failures.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// It does not, until then.
    Open {
        /// The end of the ejection.
        until: Timestamp,
    },
    /// One request is let through to see.
    HalfOpen {
        /// When the trial was let through.
        since: Timestamp,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// A closed one.
    pub const fn new() -> Self {
        Self { state: State::Closed { failures: 0 }, ejections: 0, swept_at: None }
    }

    /// Whether to send a request to the variant. A `true` of an open breaker is the one trial.
    pub fn admits(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } if now < until => false,
            State::HalfOpen { since } if now.since(since) < TRIAL_WITHIN => false,
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = State::HalfOpen { since: now };
                true
            }
        }
    }

    /// Takes note of an answer. Answers of requests that were sent before the breaker opened change nothing while it is open;
    /// one that is later still counts as the trial's.
    pub fn note(&mut self, settings: &Settings, ok: bool, now: Timestamp) {
        match (self.state, ok) {
            (State::Closed { .. }, true) => {
                self.sweep(settings, now);
                self.state = State::default();
            }
            (State::Closed { failures }, false) => {
                self.swept_at = Some(now);
                let failures = failures.saturating_add(1);
                if settings.failures > 0 && failures >= settings.failures {
                    self.eject(settings, now);
                } else {
                    self.state = State::Closed { failures };
                }
            }
            (State::HalfOpen { .. }, true) => {
                self.swept_at = Some(now);
                self.state = State::default();
            }
            (State::HalfOpen { .. }, false) => self.eject(settings, now),
            (State::Open { .. }, _) => {}
        }
    }

    /// What it does now, for those who ask.
    pub const fn state(&self) -> State {
        self.state
    }

    fn eject(&mut self, settings: &Settings, now: Timestamp) {
        self.ejections = self.ejections.saturating_add(1).min(EJECTIONS_MAX);
        self.state = State::Open { until: now.plus(settings.ejection.saturating_mul(self.ejections)) };
    }

    /// Forgets one ejection for each whole sweep that passed without a failure.
    fn sweep(&mut self, settings: &Settings, now: Timestamp) {
        let Some(swept_at) = self.swept_at else { return };
        let sweeps = now.since(swept_at).as_millis() / settings.sweep.as_millis().max(1);
        if sweeps > 0 {
            self.ejections = self.ejections.saturating_sub(u32::try_from(sweeps).unwrap_or(u32::MAX));
            self.swept_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn failed(breaker: &mut Breaker, times: u32, now: i64) {
        for _ in 0..times {
            breaker.note(&Settings::default(), false, at(now));
        }
    }

    #[test]
    fn the_fifth_failure_in_a_row_opens_it_and_a_success_between_starts_anew() {
        let (mut breaker, settings) = (Breaker::default(), Settings::default());
        failed(&mut breaker, 4, 0);
        breaker.note(&settings, true, at(0));
        failed(&mut breaker, 4, 1);
        assert!(breaker.admits(at(1)));
        failed(&mut breaker, 1, 1);
        assert_eq!(breaker.state(), State::Open { until: at(31) });
        assert!(!breaker.admits(at(30)));
    }

    #[test]
    fn one_trial_is_let_through_and_decides() {
        let (mut breaker, settings) = (Breaker::default(), Settings::default());
        failed(&mut breaker, 5, 0);
        assert!(breaker.admits(at(30)));
        assert!(!breaker.admits(at(30)), "a second one beside the trial");
        breaker.note(&settings, false, at(31));
        assert_eq!(
            breaker.state(),
            State::Open { until: at(31 + 60) },
            "the second ejection is twice as long"
        );
        assert!(breaker.admits(at(91)));
        breaker.note(&settings, true, at(92));
        assert!(breaker.admits(at(92)) && breaker.admits(at(92)));
    }

    #[test]
    fn a_trial_that_never_reports_is_followed_by_another() {
        let mut breaker = Breaker::default();
        failed(&mut breaker, 5, 0);
        assert!(breaker.admits(at(30)) && !breaker.admits(at(59)));
        assert!(breaker.admits(at(60)));
    }

    #[test]
    fn sweeps_without_a_failure_forget_ejections() {
        let (mut breaker, settings) = (Breaker::default(), Settings::default());
        failed(&mut breaker, 5, 0);
        assert!(breaker.admits(at(30)));
        breaker.note(&settings, true, at(30));
        breaker.note(&settings, true, at(40));
        failed(&mut breaker, 5, 41);
        assert_eq!(breaker.state(), State::Open { until: at(41 + 30) }, "the first ejection was forgotten");
    }

    #[test]
    fn zero_failures_turn_it_off() {
        let (mut breaker, settings) = (Breaker::default(), Settings { failures: 0, ..Settings::default() });
        for _ in 0..1000 {
            breaker.note(&settings, false, at(0));
        }
        assert!(breaker.admits(at(0)));
    }

    proptest! {
        #[test]
        fn whatever_happens_it_opens_only_after_enough_failures_and_never_for_ever(
            steps in prop::collection::vec((any::<bool>(), 0_i64..40), 1..200)
        ) {
            let (mut breaker, settings) = (Breaker::default(), Settings::default());
            let (mut now, mut in_a_row) = (0, 0);
            for (ok, later) in steps {
                now += later;
                if !breaker.admits(at(now)) {
                    let State::Open { until } = breaker.state() else {
                        let waiting = matches!(breaker.state(), State::HalfOpen { .. });
                    prop_assert!(waiting);
                        continue;
                    };
                    prop_assert!(until.since(at(now)) <= settings.ejection * EJECTIONS_MAX);
                    continue;
                }
                let trial = matches!(breaker.state(), State::HalfOpen { .. });
                breaker.note(&settings, ok, at(now));
                in_a_row = if ok { 0 } else { in_a_row + 1 };
                let open = matches!(breaker.state(), State::Open { .. });
                prop_assert_eq!(open, !ok && (trial || in_a_row >= settings.failures));
            }
        }
    }
}
