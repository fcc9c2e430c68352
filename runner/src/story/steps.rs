//! What each step of a release came to: from a share of the visitors to the next.

use crossfade_core::Timestamp;

use super::{Measurement, Side, Story, Verdict};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When its weights were written.
    pub from: Timestamp,
    /// When the next were.
    pub to: Timestamp,
    /// What they were written for.
    pub why: String,
    /// The new version's share, basis points.
    pub weight: u16,
    /// All that was counted of the new version.
    pub canary: Counted,
    /// And of the version before.
    pub stable: Counted,
    /// The last verdict, and why.
    pub verdict: Option<(Verdict, String)>,
}

/// What was counted of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The worst 95th percentile of a look, milliseconds.
    pub p95_ms: Option<f64>,
}

impl From<&Side> for Counted {
    fn from(side: &Side) -> Self {
        Self { requests: side.requests, errors: side.errors, p95_ms: side.p95_ms }
    }
}

impl Counted {
    fn add(&mut self, side: &Side) {
        self.requests = self.requests.saturating_add(side.requests);
        self.errors = self.errors.saturating_add(side.errors);
        self.p95_ms = [self.p95_ms, side.p95_ms].into_iter().flatten().reduce(f64::max);
    }
}

impl Story {
    /// Its steps, in order.
    pub fn steps(&self) -> Vec<Step> {
        let ends = self.shares.iter().skip(1).map(|next| next.at).chain([self.until]);
        self.shares
            .iter()
            .zip(ends)
            .map(|(shares, to)| {
                let within = |it: &&Measurement| shares.at <= it.at && it.at < to;
                let (mut canary, mut stable) = (Counted::default(), Counted::default());
                let mut verdict = None;
                for measurement in self.measurements.iter().filter(within) {
                    canary.add(&measurement.canary);
                    stable.add(&measurement.stable);
                    verdict = Some((measurement.verdict, measurement.why.clone()));
                }
                let (why, weight) = (shares.why.clone(), shares.of(&self.version));
                Step { from: shares.at, to, why, weight, canary, stable, verdict }
            })
            .collect()
    }
}
