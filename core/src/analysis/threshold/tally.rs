//! One metric's measurements, counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Measure, Metric, NoData, Reading};
use crate::analysis::{Counts, Interval};

/// What came of a metric so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Counts that are not measured yet, and over how long.
    window: Counts,
    since: Duration,
    last: Option<Reading>,
    /// Among how many requests that was measured; 0 when it is no count of requests.
    #[serde(default)]
    requests: u64,
    outcome: Option<Outcome>,
    successes: u64,
    successes_in_step: u64,
    failures: u32,
    inconclusive: u32,
    errors_in_a_row: u32,
    end: Option<End>,
}

/// What a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Successful,
    Failed,
    Inconclusive,
    Held,
    Error,
}

/// How a metric ended, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// More failures than are forgiven.
    Failed,
    /// More inconclusive measurements than are forgiven.
    Inconclusive,
    /// More errors in a row than are forgiven.
    CouldNotMeasure,
}

impl Tally {
    pub(super) fn begin_step(&mut self) {
        (self.successes_in_step, self.outcome) = (0, None);
        // What was counted under another weight is no measurement of this step.
        (self.window, self.since) = (Counts::default(), Duration::ZERO);
    }

    pub(super) fn observe(&mut self, metric: &Metric, interval: &Interval) {
        self.window.merge(&interval.canary);
        self.since = self.since.saturating_add(interval.length.0);
        if self.since < metric.limits.interval.0 {
            return;
        }
        self.since = Duration::ZERO;
        let reading = match metric.measure {
            Measure::Reading => interval.readings.get(&metric.name).cloned().unwrap_or(Reading::NoData),
            _ if self.window.requests < metric.limits.minimum_requests => Reading::NoData,
            measure => measure.of(&self.window),
        };
        let reading = match reading {
            Reading::Value(value) if !value.is_finite() => Reading::Error(format!("{value} is not a number")),
            reading => reading,
        };
        self.requests = if metric.measure == Measure::Reading { 0 } else { self.window.requests };
        // Too few requests are kept until there are enough.
        if reading != Reading::NoData {
            self.window = Counts::default();
        }
        self.count(metric, outcome(metric, &reading));
        self.last = Some(reading);
    }

    /// How it ended.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The last measurement.
    pub fn last(&self) -> Option<&Reading> {
        self.last.as_ref()
    }

    /// Among how many requests; 0 when it is no count of requests.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Failed measurements of the release.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Inconclusive measurements of the release.
    pub fn inconclusive(&self) -> u32 {
        self.inconclusive
    }

    /// Errors since something was measured.
    pub fn errors_in_a_row(&self) -> u32 {
        self.errors_in_a_row
    }

    /// Successful measurements in this step.
    pub fn successes_in_step(&self) -> u64 {
        self.successes_in_step
    }

    /// Whether the last measurement of this step was successful.
    pub(super) fn holds(&self) -> bool {
        self.outcome == Some(Outcome::Successful)
    }

    fn count(&mut self, metric: &Metric, outcome: Outcome) {
        self.outcome = Some(outcome);
        let limits = &metric.limits;
        let one_more = |count: &mut u32| *count = count.saturating_add(1);
        match outcome {
            Outcome::Held => return,
            Outcome::Error => one_more(&mut self.errors_in_a_row),
            _ => self.errors_in_a_row = 0,
        }
        match outcome {
            Outcome::Failed => one_more(&mut self.failures),
            Outcome::Inconclusive => one_more(&mut self.inconclusive),
            Outcome::Successful => {
                self.successes = self.successes.saturating_add(1);
                self.successes_in_step = self.successes_in_step.saturating_add(1);
            }
            Outcome::Held | Outcome::Error => {}
        }
        let exceeded = if self.failures > limits.failure_limit {
            Some(End::Failed)
        } else if self.inconclusive > limits.inconclusive_limit {
            Some(End::Inconclusive)
        } else if self.errors_in_a_row > limits.error_limit {
            Some(End::CouldNotMeasure)
        } else {
            None
        };
        self.end = self.end.or(exceeded);
    }
}

/// The table's first two columns.
fn outcome(metric: &Metric, reading: &Reading) -> Outcome {
    let value = match reading {
        Reading::Value(value) => *value,
        Reading::Error(_) => return Outcome::Error,
        Reading::NoData => {
            return match metric.limits.no_data {
                NoData::Hold => Outcome::Held,
                NoData::Fail => Outcome::Failed,
                NoData::Pass => Outcome::Successful,
            };
        }
    };
    let [pass, fail] = [metric.pass, metric.fail].map(|condition| condition.map(|it| it.holds(value)));
    match (pass, fail) {
        (_, Some(true)) | (Some(false), None) => Outcome::Failed,
        (Some(true), _) | (None, _) => Outcome::Successful,
        (Some(false), Some(false)) => Outcome::Inconclusive,
    }
}
