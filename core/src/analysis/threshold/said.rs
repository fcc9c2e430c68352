//! What thresholds say.

use std::fmt;

use serde::Serialize;

use super::{Condition, End, Measure, Metric, Reading, Tally};

/// A metric's last measurement beside what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The metric's name.
    pub metric: String,
    /// The last measurement.
    pub last: Option<String>,
    /// What passes, and what fails.
    pub rule: String,
}

/// A metric that failed.
///
/// ```
/// use crossfade_core::analysis::threshold::{Broken, End};
///
/// let (metric, wanted) = ("error rate".to_owned(), "at most 2 %".to_owned());
/// let broken = Broken { metric, end: End::Failed, last: Some("5 %".into()), wanted, times: 3, forgiven: 2 };
/// assert_eq!(
///     broken.to_string(),
///     "error rate was not at most 2 % in 3 measurements, 2 are forgiven; the last was 5 %"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Broken {
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// Whether it failed or could not be measured.
    pub end: End,
    /// How many failures, or errors in a row.
    pub times: u32,
    /// How many are forgiven.
    pub forgiven: u32,
}

/// A metric that is neither good nor bad.
///
/// ```
/// use crossfade_core::analysis::threshold::Unsure;
///
/// let (metric, wanted) = ("error rate".to_owned(), "at most 2 %".to_owned());
/// let unsure = Unsure { metric, inconclusive: 0, ended: false, last: None, wanted };
/// assert_eq!(unsure.to_string(), "error rate is not measured yet; it passes at most 2 %");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unsure {
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// How often it was measured without a result.
    pub inconclusive: u32,
    /// Whether more inconclusive measurements than are forgiven ended it.
    pub ended: bool,
}

impl Measured {
    pub(super) fn new(metric: &Metric, tally: &Tally) -> Self {
        let last = tally.last().map(|reading| match reading {
            Reading::Value(value) if tally.requests() > 0 => {
                format!("{} in {} requests", metric.measure.said(*value), tally.requests())
            }
            Reading::Value(value) => metric.measure.said(*value),
            Reading::NoData => "without data".into(),
            Reading::Error(why) => why.clone(),
        });
        let told = |condition: Option<Condition>, does: &str| {
            condition.map(|condition| format!("{} {does}", condition.said(metric.measure)))
        };
        let rules: Vec<String> =
            [told(metric.pass, "passes"), told(metric.fail, "fails")].into_iter().flatten().collect();
        let rule = if rules.is_empty() { "whatever it is".into() } else { rules.join(", ") };
        Self { metric: metric.name.clone(), last, rule }
    }
}

impl Broken {
    pub(super) fn new(metric: &Metric, tally: &Tally) -> Self {
        let (end, times, forgiven) = match tally.end() {
            Some(End::CouldNotMeasure) => {
                (End::CouldNotMeasure, tally.errors_in_a_row(), metric.limits.error_limit)
            }
            _ => (End::Failed, tally.failures(), metric.limits.failure_limit),
        };
        Self { measured: Measured::new(metric, tally), end, times, forgiven }
    }
}

impl Unsure {
    pub(super) fn new(metric: &Metric, tally: &Tally) -> Self {
        Self {
            measured: Measured::new(metric, tally),
            inconclusive: tally.inconclusive(),
            ended: tally.end() == Some(End::Inconclusive),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, last, rule } = self;
        write!(f, "{metric} is {} ({rule})", last.as_deref().unwrap_or("not measured yet"))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measured, times, forgiven, end } = self;
        match end {
            // How often is said by whoever counts all that could not be measured.
            End::CouldNotMeasure => {
                let last = measured.last.as_deref().unwrap_or("nothing");
                write!(f, "{}: {last} ({forgiven} in a row forgiven)", measured.metric)
            }
            End::Failed | End::Inconclusive => {
                write!(
                    f,
                    "{measured}: {}, more than the {forgiven} forgiven",
                    counted(*times, "failed measurement")
                )
            }
        }
    }
}

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.measured.fmt(f)?;
        if self.ended {
            write!(f, ": neither good nor bad in {}", counted(self.inconclusive, "measurement"))?;
        }
        Ok(())
    }
}

/// `1 measurement`, `2 measurements`.
pub(in crate::analysis) fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Measure {
    /// A value in its unit.
    pub fn said(self, value: f64) -> String {
        let trimmed = |text: String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
        match self {
            Self::ErrorRate | Self::Availability => format!("{} %", trimmed(format!("{:.2}", value * 100.0))),
            Self::MeanSeconds | Self::QuantileSeconds(_) => format!("{} s", trimmed(format!("{value:.3}"))),
            Self::Reading => value.to_string(),
        }
    }
}

impl Condition {
    /// In words, its limit in the unit of what is measured.
    pub fn said(self, measure: Measure) -> String {
        let limit = measure.said(self.limit());
        match self {
            Self::AtMost(_) => format!("at most {limit}"),
            Self::AtLeast(_) => format!("at least {limit}"),
            Self::Above(_) => format!("above {limit}"),
            Self::Below(_) => format!("below {limit}"),
        }
    }

    /// The number that it compares with.
    pub const fn limit(self) -> f64 {
        let (Self::AtMost(limit) | Self::AtLeast(limit) | Self::Above(limit) | Self::Below(limit)) = self;
        limit
    }
}
