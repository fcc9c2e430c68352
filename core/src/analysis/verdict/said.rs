//! Verdicts as sentences: what was compared, how many requests, how sure, what would change it.

use std::fmt;

use super::{Failure, Gate, Hold, Inconclusive, Missing, Need, Passed, Proof, Trouble, Verdict};
use crate::analysis::threshold::counted;
use crate::analysis::{Part, Rate, Sides};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(Failure::Proof(proof)) => proof.fmt(f),
            Self::Fail(Failure::Threshold(broken)) => broken.fmt(f),
            Self::Pass(passed) => passed.fmt(f),
            Self::Inconclusive(Inconclusive::Requests(missing)) => missing.fmt(f),
            Self::Inconclusive(Inconclusive::Time { left, passed }) => {
                write!(f, "{passed}; its step lasts another {left}")
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
            Part::Availability => write!(
                f,
                "the canary leaves more than the {} allowed without an answer: {}",
                Percent(limit),
                Of(canary, "requests")
            ),
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
            Self::Thresholds { measurements, metrics } => {
                let metrics: Vec<String> = metrics.iter().map(ToString::to_string).collect();
                write!(f, "{} held: {}", counted(*measurements, "measurement"), metrics.join(", "))
            }
            Self::Bounds { errors, slow, margin, sure } => {
                let Gate { sides, canary_upper, stable_lower } = errors;
                write!(
                    f,
                    "the canary fails no more than stable does and {} of all requests, which is {} sure: {}, at most {}, against {}, \
                     at least {}",
                    Percent(*margin),
                    Percent(*sure),
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
            "too little is known of the canary's {what}: {} against {} on stable; ",
            Of(canary, of),
            Of(stable, of)
        )?;
        let Some(requests) = self.requests else {
            return f.write_str("no number of requests will do while it does no better");
        };
        write!(f, "{} will do if it does as well as stable, ", counted(requests, "more request"))?;
        match (self.takes, self.weight) {
            (Some(takes), Some(weight)) => {
                write!(f, "which takes {takes} at this weight, or its step's time at {weight}")
            }
            (Some(takes), None) => {
                write!(f, "which takes {takes} at this weight, and longer than its step at any")
            }
            (None, _) => f.write_str("but none arrive at this weight"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SharedIncident { stable, trouble, limit } => write!(
                f,
                "stable itself is beyond the {} allowed: {}; the canary is not blamed, and waits until stable is well",
                Percent(limit),
                match trouble {
                    Trouble::Failed => format!("{} failed", Of(stable, "requests")),
                    Trouble::Unanswered => format!("{} got no answer", Of(stable, "requests")),
                    Trouble::Slow => format!("{} slow", Of(stable, "answers")),
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
struct Percent(f64);

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
