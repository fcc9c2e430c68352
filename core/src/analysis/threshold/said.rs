//! What thresholds say.

use std::fmt;

use serde::Serialize;

use super::{Condition, End, Measure, Metric, Reading, Tally};

/// A metric that failed.
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
        Reading::Value(value) => in_unit(metric.measure, *value),
        Reading::NoData => "without data".into(),
        Reading::Error(why) => why.clone(),
    })
}

fn wanted(metric: &Metric) -> String {
    let told = |condition: Condition| match condition {
        Condition::AtMost(limit) => format!("at most {}", in_unit(metric.measure, limit)),
        Condition::AtLeast(limit) => format!("at least {}", in_unit(metric.measure, limit)),
        Condition::Above(limit) => format!("above {}", in_unit(metric.measure, limit)),
        Condition::Below(limit) => format!("below {}", in_unit(metric.measure, limit)),
    };
    match (metric.pass, metric.fail) {
        (Some(pass), _) => told(pass),
        (None, Some(fail)) => format!("other than {}", told(fail)),
        (None, None) => "measured".into(),
    }
}

fn in_unit(measure: Measure, value: f64) -> String {
    match measure {
        Measure::ErrorRate | Measure::Availability => {
            let text = format!("{:.2}", value * 100.0);
            format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
        }
        Measure::MeanSeconds | Measure::QuantileSeconds(_) => {
            let text = format!("{value:.3}");
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        Measure::Reading => value.to_string(),
    }
}
