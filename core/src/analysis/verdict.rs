//! What the judge says, and why, in one sentence.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::guard::Sides;
use super::sequential::Part;
use super::threshold::{Broken, Measured, Unsure};
use crate::Span;
use crate::table::Weight;

mod said;

/// What is known of the canary. Every one explains itself as text.
///
/// ```
/// use crossfade_core::analysis::*;
///
/// /// A verdict in a word, and what decides it.
/// fn word(verdict: &Verdict) -> &'static str {
///     match verdict {
///         Verdict::Fail(Failure::Proof(Proof { .. })) => "worse, with certainty",
///         Verdict::Fail(Failure::Threshold(_)) => "beyond a threshold",
///         Verdict::Pass(Passed::Bounds { errors: Gate { .. }, .. }) => "not worse",
///         Verdict::Pass(Passed::Thresholds { .. }) => "within every threshold",
///         Verdict::Inconclusive(Inconclusive::Requests(Missing { need: Need::Errors, .. })) => "too few requests",
///         Verdict::Inconclusive(_) => "not yet",
///         Verdict::Hold(Hold::SharedIncident { trouble: Trouble::Slow, .. }) => "stable is slow too",
///         Verdict::Hold(Hold::SharedIncident { .. }) => "stable fails too",
///         Verdict::Hold(Hold::Telemetry { .. }) => "half of it is not counted",
///     }
/// }
/// let verdict = Verdict::Pass(Passed::Thresholds { measurements: 3 });
/// assert_eq!(word(&verdict), "within every threshold");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is worse, with certainty: roll back. Final for the release.
    Fail(Failure),
    /// It is certainly not worse by more than the margin.
    Pass(Passed),
    /// Neither is certain yet.
    Inconclusive(Inconclusive),
    /// Nothing is to be concluded now: neither promote nor roll back.
    Hold(Hold),
}

/// Why the canary failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The evidence exceeds the budget.
    Proof(Proof),
    /// A plain threshold's limit is exceeded.
    Threshold(Broken),
}

/// Evidence that exceeds the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Which hypothesis is refuted.
    pub part: Part,
    /// The counts since the evidence began to grow.
    pub sides: Sides,
    /// What slow means, microseconds, when it is about slow answers.
    pub edge_micros: Option<u32>,
    /// The allowed rate (0 to 1), or the allowed factor over stable's past.
    pub limit: Option<f64>,
    /// The evidence, weighed: the natural logarithm of "one healthy release in so many".
    pub ln_odds: f64,
    /// The budget, 0 to 1.
    pub budget: f64,
}

/// Why the canary passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    /// Its bounds say so.
    Bounds {
        /// The gate of errors.
        errors: Gate,
        /// The gate of slow answers; absent when no answer was timed.
        slow: Option<Gate>,
        /// The most, 0 to 1, that the canary may be worse.
        margin: f64,
        /// How certain that is, 0 to 1.
        sure: f64,
    },
    /// Every plain threshold held.
    Thresholds {
        /// Measurements in this step.
        measurements: u64,
        /// The last one of each metric.
        metrics: Vec<Measured>,
    },
}

impl Passed {
    /// What it is for a step that lasts `hold`, of which so much is over.
    pub(super) fn after(self, hold: Duration, lasted: Duration) -> Verdict {
        match hold.checked_sub(lasted) {
            Some(left) if !left.is_zero() => {
                Verdict::Inconclusive(Inconclusive::Time { left: Span(left), passed: self })
            }
            _ => Verdict::Pass(self),
        }
    }
}

/// The canary's rate against stable's, since the release began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// What was counted.
    pub sides: Sides,
    /// The canary's rate is at most this, 0 to 1.
    pub canary_upper: f64,
    /// Stable's rate is at least this, 0 to 1.
    pub stable_lower: f64,
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inconclusive {
    /// Requests to the canary.
    Requests(Missing),
    /// Time: everything else holds.
    Time {
        /// Until the step's hold is over.
        left: Span,
        /// What would pass then.
        passed: Passed,
    },
    /// A plain threshold is neither broken nor held.
    Thresholds(Unsure),
}

/// The requests that a pass still needs, if from now on the canary is as good as stable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Missing {
    /// What they are needed for.
    pub need: Need,
    /// How many, to the canary; absent when no number is enough.
    pub requests: Option<u64>,
    /// How long that takes at this weight and this traffic; absent without traffic.
    pub takes: Option<Span>,
    /// The weight at which the step's hold would be enough; absent when 100 % is not.
    pub weight: Option<Weight>,
    /// What was counted so far.
    pub sides: Sides,
}

/// What requests are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// To know its error rate well enough.
    Errors,
    /// To know its share of slow answers well enough.
    Latency,
    /// To have seen it at this weight at all.
    Step,
}

/// Why nothing is to be concluded now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Stable is beyond its limit too.
    SharedIncident {
        /// Of how many of stable's requests or answers that is true.
        stable: Rate,
        /// What is wrong with them.
        trouble: Trouble,
        /// The limit, 0 to 1.
        limit: f64,
    },
    /// The canary reports less than half of the requests that its weight gives it.
    Telemetry {
        /// Its requests, of all, in this step.
        canary: Rate,
        /// Its weight.
        weight: Weight,
    },
}

/// What is wrong with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// They fail.
    Failed,
    /// They get no answer.
    Unanswered,
    /// Their answers are slow.
    Slow,
}
