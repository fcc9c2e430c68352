//! What thresholds say.

use std::fmt;

use serde::Serialize;

use super::{Condition, End, Measure, Metric, Reading, Tally};

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
    /// Its name.
    pub metric: String,
    /// Whether it failed or could not be measured.
    pub end: End,
    /// The last measurement.
    pub last: Option<String>,
    /// What would have been good.
    pub wanted: String,
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
    /// Its name.
    pub metric: String,
    /// How often it was measured without a result.
    pub inconclusive: u32,
    /// Whether more inconclusive measurements than are forgiven ended it.
    pub ended: bool,
    /// The last measurement.
    pub last: Option<String>,
    /// What would be good.
    pub wanted: String,
}

impl Broken {
    pub(super) fn new(metric: &Metric, tally: &Tally) -> Self {
        let (end, times, forgiven) = match tally.end() {
            Some(End::CouldNotMeasure) => {
                (End::CouldNotMeasure, tally.errors_in_a_row(), metric.limits.error_limit)
            }
            _ => (End::Failed, tally.failures(), metric.limits.failure_limit),
        };
        Self {
            metric: metric.name.clone(),
            end,
            last: last(metric, tally),
            wanted: wanted(metric),
            times,
            forgiven,
        }
    }
}

impl Unsure {
    pub(super) fn new(metric: &Metric, tally: &Tally) -> Self {
        Self {
            metric: metric.name.clone(),
            inconclusive: tally.inconclusive(),
            ended: tally.end() == Some(End::Inconclusive),
            last: last(metric, tally),
            wanted: wanted(metric),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, last, wanted, times, forgiven, .. } = self;
        let last = last.as_deref().unwrap_or("nothing");
        match self.end {
            End::CouldNotMeasure => {
                write!(
                    f,
                    "{metric} could not be measured {times} times in a row, {forgiven} are forgiven: {last}"
                )
            }
            End::Failed | End::Inconclusive => {
                write!(
                    f,
                    "{metric} was not {wanted} in {times} measurements, {forgiven} are forgiven; the last was {last}"
                )
            }
        }
    }
}

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, wanted, inconclusive, .. } = self;
        match &self.last {
            None => write!(f, "{metric} is not measured yet; it passes {wanted}"),
            Some(last) if self.ended => {
                write!(
                    f,
                    "{metric} was neither good nor bad in {inconclusive} measurements, the last was {last}; it passes {wanted}"
                )
            }
            Some(last) => write!(f, "{metric} is {last} in this step; it passes {wanted}"),
        }
    }
}

fn last(metric: &Metric, tally: &Tally) -> Option<String> {
    Some(match tally.last()? {
        Reading::Value(value) => metric.measure.said(*value),
        Reading::NoData => "without data".into(),
        Reading::Error(why) => why.clone(),
    })
}

fn wanted(metric: &Metric) -> String {
    let told = |condition: Condition| condition.said(metric.measure);
    match (metric.pass, metric.fail) {
        (Some(pass), _) => told(pass),
        (None, Some(fail)) => format!("other than {}", told(fail)),
        (None, None) => "measured".into(),
    }
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
