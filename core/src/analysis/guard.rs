//! Evidence together with what it rests on, and the guard of an absolute limit.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::evidence::{EProcess, Pace};
use super::kernel::Trial;

/// The most that a limit is lifted to: above it nothing could be told from it.
pub(super) const LIMIT_MAX: f64 = 0.999;
/// Requests without an error that are added to stable's past before its rate limits anything: a single early error of
/// stable is no licence.
const PAST_PRIOR: f64 = 200.0;

/// Events on both sides.
///
/// ```
/// use crossfade_core::analysis::{Rate, Sides};
///
/// let sides = Sides { canary: Rate::new(12, 60), stable: Rate::new(3, 1140) };
/// assert!(sides.canary.share() > sides.stable.share());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// On the canary.
    pub canary: Rate,
    /// On stable.
    pub stable: Rate,
}

impl Sides {
    pub(super) fn add(&mut self, other: Self) {
        self.canary.add(other.canary);
        self.stable.add(other.stable);
    }
}

/// Evidence, and the counts since it began to grow: what a person is shown. The lowest point of a likelihood ratio is
/// where a change most probably began (Page 1954, "Continuous inspection schemes").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trail {
    process: EProcess,
    lowest: f64,
    since: Sides,
}

impl Trail {
    pub(super) fn update(&mut self, trial: Trial, sides: Sides, seconds: f64, pace: Pace) {
        self.process.update(trial, seconds, pace);
        if self.ln() <= self.lowest {
            (self.lowest, self.since) = (self.ln(), Sides::default());
        } else {
            self.since.add(sides);
        }
    }

    pub(super) fn ln(&self) -> f64 {
        self.process.ln()
    }

    pub(super) fn since(&self) -> Sides {
        self.since
    }
}

/// Guards one limit that holds whatever stable does, unless stable itself is beyond it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LimitGuard {
    pub(super) trail: Trail,
    /// All that is known of stable, from before the release on.
    pub(super) past: Rate,
    /// Stable's last intervals, with their lengths.
    recent: VecDeque<(Duration, Rate)>,
    incident: bool,
}

/// The limit that is guarded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// The rate that is allowed.
    pub(super) rate: f64,
    /// Times stable's past rate is allowed as well.
    pub(super) past_tolerance: f64,
    /// Over how long stable is watched.
    pub(super) window: Duration,
}

impl LimitGuard {
    pub(super) fn new(past: Rate) -> Self {
        Self { past, ..Self::default() }
    }

    /// The limit in force, from what was known before the interval that it is applied to.
    pub(super) fn limit(&self, limit: Limit) -> f64 {
        let past = self.past.sample();
        LIMIT_MAX.min(limit.rate.max(limit.past_tolerance * past.events / (past.of + PAST_PRIOR)))
    }

    /// Takes an interval in. While stable is beyond the limit as well, nothing is held against the canary.
    pub(super) fn update(&mut self, sides: Sides, length: Duration, limit: Limit, pace: Pace) {
        let rate = self.limit(limit);
        self.remember(length, sides.stable, limit.window);
        let recent = self.recent();
        self.incident = is_beyond(sides.stable, rate) || is_beyond(recent, rate);
        if !self.incident {
            let canary = sides.canary.sample();
            let trial = Trial { hits: canary.events, draws: canary.of, chance: rate };
            self.trail.update(trial, sides, length.as_secs_f64(), pace);
        }
        self.past.add(sides.stable);
    }

    /// Whether stable is beyond the limit now.
    pub(super) fn incident(&self) -> Option<Rate> {
        let (_, last) = *self.recent.back().filter(|_| self.incident)?;
        let recent = self.recent();
        Some(if last.share() > recent.share() { last } else { recent })
    }

    fn recent(&self) -> Rate {
        let mut recent = Rate::default();
        self.recent.iter().for_each(|(_, seen)| recent.add(*seen));
        recent
    }

    fn remember(&mut self, length: Duration, stable: Rate, window: Duration) {
        match self.recent.back_mut() {
            Some((_, last)) if length.is_zero() => last.add(stable),
            _ => self.recent.push_back((length, stable)),
        }
        let lengths = self.recent.iter().map(|(length, _)| *length);
        let mut covered = lengths.fold(Duration::ZERO, Duration::saturating_add);
        while let Some((oldest, _)) = self.recent.front() {
            covered = covered.saturating_sub(*oldest);
            if covered < window || self.recent.len() == 1 {
                break;
            }
            self.recent.pop_front();
        }
    }
}

/// Three or more, and two standard deviations above the limit.
fn is_beyond(stable: Rate, limit: f64) -> bool {
    let expected = limit * stable.of as f64;
    stable.events >= 3 && stable.events as f64 > expected + 2.0 * expected.sqrt()
}
