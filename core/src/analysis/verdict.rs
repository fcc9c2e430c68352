//! What the judge says, and why, in one sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::guard::Sides;
use super::sequential::Part;
use super::threshold::{Broken, Unsure};
use crate::Span;
use crate::table::Weight;

/// What is known of the canary. Every one explains itself as text.
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
    },
    /// Every plain threshold held.
    Thresholds {
        /// Measurements in this step.
        measurements: u64,
    },
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
        /// Stable's errors, or its slow answers.
        stable: Rate,
        /// Whether it is about slow answers.
        slow: bool,
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

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(Failure::Proof(proof)) => proof.fmt(f),
            Self::Fail(Failure::Threshold(broken)) => broken.fmt(f),
            Self::Pass(passed) => passed.fmt(f),
            Self::Inconclusive(Inconclusive::Requests(missing)) => missing.fmt(f),
            Self::Inconclusive(Inconclusive::Time { left }) => {
                write!(f, "the canary is as good as stable so far; its step lasts another {left}")
            }
            Self::Inconclusive(Inconclusive::Thresholds(unsure)) => unsure.fmt(f),
            Self::Hold(hold) => hold.fmt(f),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { canary, stable } = self.sides;
        let limit = self.limit.unwrap_or_default();
        let slower = Slower(self.edge_micros.unwrap_or_default());
        match self.part {
            Part::ErrorsRelative => {
                write!(
                    f,
                    "the canary fails more than stable: {} against {}",
                    Of(canary, "requests"),
                    Of(stable, "requests")
                )
            }
            Part::ErrorsAbsolute => {
                write!(
                    f,
                    "the canary fails more than the {} allowed: {}",
                    Percent(limit),
                    Of(canary, "requests")
                )
            }
            Part::ErrorsHistory => write!(
                f,
                "the canary fails more than {limit} times as often as stable did: {} against a past of {}",
                Of(canary, "requests"),
                Percent(stable.share())
            ),
            Part::LatencyRelative => write!(
                f,
                "the canary is slower than stable: {} took longer than {slower} against {}",
                Of(canary, "answers"),
                Of(stable, "answers")
            ),
            Part::LatencyAbsolute => write!(
                f,
                "the canary is slower than allowed: {} took longer than {slower}, {} may",
                Of(canary, "answers"),
                Percent(limit)
            ),
        }?;
        write!(
            f,
            "; this happens to at most one healthy release in {} (the limit is {}), and is final for this release",
            OneIn(self.ln_odds),
            OneIn(-libm::log(self.budget))
        )
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thresholds { measurements } => write!(f, "every limit held in {measurements} measurements"),
            Self::Bounds { errors, slow, margin } => {
                let Gate { sides, canary_upper, stable_lower } = errors;
                write!(
                    f,
                    "the canary fails at most {} more than stable: {}, so certainly no more than {}, against {}, certainly no fewer than {}",
                    Percent(*margin),
                    Of(sides.canary, "requests"),
                    Percent(*canary_upper),
                    Of(sides.stable, "requests"),
                    Percent(*stable_lower)
                )?;
                match slow {
                    Some(slow) => {
                        write!(f, "; at most {} of its answers are slow", Percent(slow.canary_upper))
                    }
                    None => f.write_str("; no answer was timed"),
                }
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { canary, stable } = self.sides;
        let (what, of) = match self.need {
            Need::Errors => ("errors", "requests"),
            Need::Latency => ("slow answers", "answers"),
            Need::Step => ("requests at this weight", "requests"),
        };
        write!(
            f,
            "too little is known of the canary's {what} ({} against {} on stable)",
            Of(canary, of),
            Of(stable, of)
        )?;
        match self.requests {
            Some(requests) => write!(f, ": {requests} more requests will do if it does as well as stable, ")?,
            None => return f.write_str(": no number of requests will do while it does no better"),
        }
        match (self.takes, self.weight) {
            (Some(takes), Some(weight)) => {
                write!(f, "{takes} at this weight, or one step of its length at {weight}")
            }
            (Some(takes), None) => write!(f, "{takes} at this weight, and no weight makes one step enough"),
            (None, _) => f.write_str("but none arrive at this weight"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SharedIncident { stable, slow, limit } => write!(
                f,
                "stable itself is beyond the {} allowed: {}; the canary is not blamed, and waits until stable is well",
                Percent(limit),
                if slow {
                    format!("{} slow", Of(stable, "answers"))
                } else {
                    format!("{} failed", Of(stable, "requests"))
                }
            ),
            Self::Telemetry { canary, weight } => write!(
                f,
                "the canary reports {} of this step at a weight of {weight}: it dies before it can report, or routers do \
                 not know it; nothing is concluded until it gets its share",
                Of(canary, "requests")
            ),
        }
    }
}

/// `12 of 300 requests (4 %)`.
struct Of(Rate, &'static str);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rate @ Rate { events, of }, what) = *self;
        if of == 0 {
            write!(f, "no {what}")
        } else {
            write!(f, "{events} of {of} {what} ({})", Percent(rate.share()))
        }
    }
}

/// A share in percent, to two digits.
pub(super) struct Percent(pub(super) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        let decimals = match percent {
            10.0.. => 0,
            1.0.. => 1,
            0.1.. => 2,
            _ => 3,
        };
        let text = format!("{percent:.decimals$}");
        let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        write!(f, "{short} %")
    }
}

/// A latency edge.
struct Slower(u32);

impl fmt::Display for Slower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros @ 1_000_000.. => write!(f, "{} s", f64::from(micros / 1000) / 1000.0),
            micros => write!(f, "{} ms", micros / 1000),
        }
    }
}

/// Odds of one in so many, to two digits.
struct OneIn(f64);

impl fmt::Display for OneIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BILLION: f64 = 1e9;
        let odds = libm::exp(self.0);
        if odds >= BILLION {
            return f.write_str("a billion");
        }
        let digits = libm::pow(10.0, (libm::log10(odds.max(1.0)) + 1e-9).floor() - 1.0).max(1.0);
        write!(f, "{}", ((odds / digits + 1e-6).floor() * digits) as u64)
    }
}
