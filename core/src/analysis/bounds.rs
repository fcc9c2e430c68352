//! Bounds on a rate that hold at all times at once.
//!
//! The evidence against "the rate is at least `q`" grows with `q`; the smallest `q` that is refuted bounds the rate from
//! above. It is the confidence sequence that belongs to a mixture of e-values (Howard, Ramdas, McAuliffe and Sekhon 2021,
//! <https://arxiv.org/abs/1810.08240>); it needs neither lgamma nor an incomplete beta function.

use libm::log;
use serde::{Deserialize, Serialize};

use super::kernel::{Trial, ln_mean_exp};

/// Odds multipliers bet on "lower than"; their reciprocals are bet on "higher than".
const LOWER: [f64; 8] = [0.95, 0.9, 0.8, 0.6, 0.4, 0.2, 0.05, 0.001];

/// So many of so many.
///
/// ```
/// use crossfade_core::analysis::Rate;
///
/// assert_eq!(Rate::new(3, 60).share(), 0.05);
/// assert_eq!(Rate::new(0, 0).share(), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Those that count: errors, slow answers.
    pub events: u64,
    /// All of them: requests, answers.
    pub of: u64,
}

impl Rate {
    /// `events` of `of`; there are never more than all.
    pub fn new(events: u64, of: u64) -> Self {
        Self { events: events.min(of), of }
    }

    /// The share, 0 to 1; 0 of nothing.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.events as f64 / self.of as f64 }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        self.of = self.of.saturating_add(other.of);
    }

    /// The counts as real numbers.
    pub(super) fn sample(self) -> Sample {
        Sample { events: self.events as f64, of: self.of as f64 }
    }
}

/// A rate's counts as real numbers: seen ones, or expected ones.
///
/// ```
/// use crossfade_core::analysis::bounds::{Sample, below, error_free, lower, upper};
///
/// let seen = Sample { events: 10.0, of: 1000.0 };
/// let (low, high) = (lower(seen, 0.05, 1.0), upper(seen, 0.05, 1.0));
/// assert!((0.002..0.01).contains(&low) && (0.01..0.03).contains(&high));
/// // Evidence beyond the odds of 20 to 1 is what makes a bound.
/// assert!(below(seen, 0.03, 1.0) > 20_f64.ln());
/// // So many requests without any error refute "one in a hundred fails".
/// assert!((300..1000).contains(&error_free(0.01, 0.05, 1.0).unwrap()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Those that count.
    pub events: f64,
    /// All of them.
    pub of: f64,
}

/// The upper bound of the rate, 0 to 1: too low, ever, with probability at most `alpha`.
pub fn upper(sample: Sample, alpha: f64, phi: f64) -> f64 {
    let refuted = |rate| is_below(sample, rate, alpha, phi);
    if sample.of <= 0.0 || !refuted(1.0) {
        return 1.0;
    }
    bisect(1.0, sample.events / sample.of, refuted)
}

/// The lower bound of the rate, 0 to 1: too high, ever, with probability at most `alpha`.
pub fn lower(sample: Sample, alpha: f64, phi: f64) -> f64 {
    let refuted = |rate| evidence(sample, rate, phi, LOWER.map(f64::recip)) >= -log(alpha);
    if sample.events <= 0.0 || !refuted(0.0) {
        return 0.0;
    }
    bisect(0.0, sample.events / sample.of, refuted)
}

/// Whether the rate's [`upper`] bound is at most this one, which it must not have exceeded by itself.
pub(super) fn is_below(sample: Sample, rate: f64, alpha: f64, phi: f64) -> bool {
    rate >= 1.0 && sample.of <= 0.0
        || rate * sample.of >= sample.events && below(sample, rate, phi) >= -log(alpha)
}

/// The evidence (a logarithm) that the rate is below this one.
pub fn below(sample: Sample, rate: f64, phi: f64) -> f64 {
    evidence(sample, rate, phi, LOWER)
}

/// How many requests without any error bring the [`upper`] bound down to `rate`; `None` when no number does.
pub fn error_free(rate: f64, alpha: f64, phi: f64) -> Option<u64> {
    smallest(|of| is_below(Sample { events: 0.0, of: of as f64 }, rate, alpha, phi))
}

/// The smallest number that will do, if more always does; `None` when 2⁶⁰ does not.
pub(super) fn smallest(will_do: impl Fn(u64) -> bool) -> Option<u64> {
    const MOST: u64 = 1 << 60;
    let mut enough = 1;
    while !will_do(enough) {
        enough = (enough < MOST).then_some(enough * 2)?;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if will_do(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough)
}

fn evidence(sample: Sample, rate: f64, phi: f64, bets: [f64; 8]) -> f64 {
    let trial = Trial { hits: sample.events / phi, draws: sample.of / phi, chance: rate };
    ln_mean_exp(bets.map(|psi| trial.ln_e(psi)))
}

/// Narrows down where `holds` ends on the way from where it does to where it does not, as far as numbers go.
fn bisect(mut holds_at: f64, mut fails_at: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // Between any two doubles there are at most 1100 halvings down to the smallest one.
    for _ in 0..1100 {
        let middle = f64::midpoint(holds_at, fails_at);
        if middle == holds_at || middle == fails_at {
            break;
        }
        if holds(middle) { holds_at = middle } else { fails_at = middle }
    }
    holds_at
}
