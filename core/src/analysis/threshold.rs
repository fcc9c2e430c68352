//! Plain thresholds, for those who ask for them: measure, compare, count.
//!
//! The rules are those of Argo Rollouts (<https://argo-rollouts.readthedocs.io/en/stable/features/analysis/>), with minimum
//! requests and an explicit answer to "no data". They are simple and they are not reliable: with these limits and the
//! first failed measurement decisive, a healthy service that fails 0.5 % of its requests is rolled back in most releases.
//!
#![doc = include_str!("threshold/rules.md")]
//!
//! A metric is failed with more failures than `failure_limit`, inconclusive with more inconclusive measurements than
//! `inconclusive_limit`, failed with more errors in a row than `error_limit`: whichever comes first, and for good.
//! Counts are of the whole release. The release fails with the first metric that does; it is inconclusive with the first
//! that is; it passes when in the current step each metric was successful, the last time included. Dry-run metrics are
//! measured and never count.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::verdict::{Failure, Inconclusive, Passed, Verdict};
use super::{Counts, Interval};
use crate::Span;
use crate::table::Weight;

mod said;
mod tally;

pub(super) use said::counted;
pub use said::{Broken, Measured, Unsure};
pub use tally::{End, Tally};

/// What is measured and how it is compared.
///
/// ```
/// use crossfade_core::analysis::threshold::{Condition, Limits, Measure, Metric, NoData};
///
/// let metric: Metric = serde_json::from_str(r#"{
///     "name": "slowest", "measure": {"quantile-seconds": 0.95}, "pass": {"at-most": 1.5}, "failure_limit": 2
/// }"#)?;
/// assert_eq!(metric.measure, Measure::QuantileSeconds(0.95));
/// assert_eq!(metric.limits, Limits { failure_limit: 2, no_data: NoData::Hold, ..Limits::default() });
/// assert_eq!(metric.pass, Some(Condition::AtMost(1.5)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name, unique among the metrics.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// Successful when this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Condition>,
    /// Failed when this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<Condition>,
    /// How it is counted.
    #[serde(flatten)]
    pub limits: Limits,
}

/// How a metric's measurements are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Limits {
    /// How long after the release's start nothing is measured.
    pub initial_delay: Span,
    /// Over how long counts are collected for a measurement.
    pub interval: Span,
    /// Requests below which there is no data; counts are kept until there are enough.
    pub minimum_requests: u64,
    /// What no data is taken for.
    pub no_data: NoData,
    /// Failed measurements that are forgiven.
    pub failure_limit: u32,
    /// Inconclusive measurements that are forgiven.
    pub inconclusive_limit: u32,
    /// Errors in a row that are forgiven.
    pub error_limit: u32,
    /// Measured, shown, never counted.
    pub dry_run: bool,
}

impl Default for Limits {
    /// Argo's: nothing is forgiven but four errors in a row; measured every 30 s (`ARCHITECTURE.md`, strategies and their defaults).
    fn default() -> Self {
        Self {
            initial_delay: Span(Duration::ZERO),
            interval: Span(Duration::from_secs(30)),
            minimum_requests: 1,
            no_data: NoData::Hold,
            failure_limit: 0,
            inconclusive_limit: 0,
            error_limit: 4,
            dry_run: false,
        }
    }
}

/// What no data is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoData {
    /// Nothing: the step is not passed by it, and nobody is blamed.
    Hold,
    /// A failure.
    Fail,
    /// A success.
    Pass,
}

/// What is measured, on the canary.
///
/// ```
/// use crossfade_core::analysis::{Counts, Reading, threshold::Measure};
///
/// let counts = Counts { requests: 200, errors: 3, ..Counts::default() };
/// assert_eq!(Measure::ErrorRate.of(&counts), Reading::Value(0.015));
/// assert_eq!(Measure::ErrorRate.said(0.015), "1.5 %");
/// assert_eq!(Measure::MeanSeconds.of(&counts), Reading::NoData);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The share of requests that failed, 0 to 1.
    ErrorRate,
    /// The share of requests that got an answer, 0 to 1.
    Availability,
    /// The mean time to first byte, seconds.
    MeanSeconds,
    /// That quantile (0 to 1) of the time to first byte, seconds.
    QuantileSeconds(f64),
    /// What a source measured under the metric's name.
    Reading,
}

/// A comparison with a number.
///
/// ```
/// use crossfade_core::analysis::threshold::{Condition, Measure};
///
/// let condition = Condition::AtMost(0.02);
/// assert!(condition.holds(0.02) && !condition.holds(0.021));
/// assert_eq!((condition.said(Measure::ErrorRate).as_str(), condition.limit()), ("at most 2 %", 0.02));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// No more than.
    AtMost(f64),
    /// No less than.
    AtLeast(f64),
    /// More than.
    Above(f64),
    /// Less than.
    Below(f64),
}

impl Condition {
    /// Whether it holds.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Above(limit) => value > limit,
            Self::Below(limit) => value < limit,
        }
    }
}

/// What a source answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// A number.
    Value(f64),
    /// That there is none.
    NoData,
    /// It could not be asked.
    Error(String),
}

/// One release's measurements.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::analysis::{Interval, Thresholds, Verdict, threshold::{End, Tally}};
///
/// let mut judge = Thresholds::new(Thresholds::canary());
/// let interval: Interval = serde_json::from_str(r#"{
///     "length": "30s", "weight": 500, "canary": {"requests": 60, "errors": 3}, "stable": {"requests": 1140}
/// }"#)?;
/// judge.observe(&interval);
/// assert_eq!(judge.weight(), Some(interval.weight));
/// assert_eq!(
///     judge.verdict(Duration::from_secs(300)).to_string(),
///     "error rate was not at most 2 % in 1 measurements, 0 are forgiven; the last was 5 %"
/// );
/// let (_, tally): (_, &Tally) = judge.metrics().next().unwrap();
/// assert_eq!((tally.failures(), tally.end()), (1, Some(End::Failed)));
/// assert_eq!((tally.inconclusive(), tally.errors_in_a_row(), tally.successes_in_step()), (0, 0, 0));
/// assert_eq!((tally.last().is_some(), tally.requests()), (true, 60));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    metrics: Vec<(Metric, Tally)>,
    /// Since the release began, and since the step did.
    elapsed: Duration,
    in_step: Duration,
    /// The canary's weight, basis points.
    weight: Option<u16>,
}

impl Thresholds {
    /// Before the first interval.
    pub fn new(metrics: Vec<Metric>) -> Self {
        let metrics = metrics.into_iter().map(|metric| (metric, Tally::default())).collect();
        Self { metrics, elapsed: Duration::ZERO, in_step: Duration::ZERO, weight: None }
    }

    /// The limits of a canary (`ARCHITECTURE.md`, strategies and their defaults): error rate at most 2 %, mean response time at most 2 s,
    /// availability at least 99.5 %.
    pub fn canary() -> Vec<Metric> {
        let metric = |name: &str, measure, pass| Metric {
            name: name.into(),
            measure,
            pass: Some(pass),
            fail: None,
            limits: Limits::default(),
        };
        vec![
            metric("error rate", Measure::ErrorRate, Condition::AtMost(0.02)),
            metric("response time", Measure::MeanSeconds, Condition::AtMost(2.0)),
            metric("availability", Measure::Availability, Condition::AtLeast(0.995)),
        ]
    }

    /// Takes an interval in.
    pub fn observe(&mut self, interval: &Interval) {
        let weight = Some(interval.weight.basis_points());
        if self.weight != weight {
            (self.weight, self.in_step) = (weight, Duration::ZERO);
            self.metrics.iter_mut().for_each(|(_, tally)| tally.begin_step());
        }
        self.in_step = self.in_step.saturating_add(interval.length.0);
        self.elapsed = self.elapsed.saturating_add(interval.length.0);
        for (metric, tally) in &mut self.metrics {
            if self.elapsed > metric.limits.initial_delay.0 {
                tally.observe(metric, interval);
            }
        }
    }

    /// What is known now.
    pub fn verdict(&self, hold: Duration) -> Verdict {
        let counted = || self.metrics.iter().filter(|(metric, _)| !metric.limits.dry_run);
        let ended = |inconclusive| {
            counted()
                .find(|(_, tally)| tally.end().is_some_and(|end| (end == End::Inconclusive) == inconclusive))
        };
        if let Some((metric, tally)) = ended(false) {
            return Verdict::Fail(Failure::Threshold(Broken::new(metric, tally)));
        }
        let unsure = ended(true).or_else(|| counted().find(|(_, tally)| !tally.holds()));
        if let Some((metric, tally)) = unsure {
            return Verdict::Inconclusive(Inconclusive::Thresholds(Unsure::new(metric, tally)));
        }
        let passed = Passed::Thresholds {
            measurements: counted().map(|(_, tally)| tally.successes_in_step()).sum(),
            metrics: counted().map(|(metric, tally)| Measured::new(metric, tally)).collect(),
        };
        passed.after(hold, self.in_step)
    }

    /// What was measured and decides nothing.
    pub(super) fn aside(&self) -> Option<String> {
        let dry = self.metrics.iter().filter(|(metric, _)| metric.limits.dry_run);
        let told: Vec<String> = dry.map(|(metric, tally)| Measured::new(metric, tally).to_string()).collect();
        (!told.is_empty()).then(|| format!("dry run: {}", told.join(", ")))
    }

    /// Each metric and what came of it, dry runs too.
    pub fn metrics(&self) -> impl Iterator<Item = (&Metric, &Tally)> {
        self.metrics.iter().map(|(metric, tally)| (metric, tally))
    }

    /// The canary's weight now.
    pub fn weight(&self) -> Option<Weight> {
        self.weight.and_then(Weight::new)
    }
}

impl Measure {
    /// Its value on these counts.
    pub fn of(self, counts: &Counts) -> Reading {
        let seconds =
            |micros: Option<f64>| micros.map_or(Reading::NoData, |micros| Reading::Value(micros / 1e6));
        let share = |events: u64| match counts.requests {
            0 => Reading::NoData,
            requests => Reading::Value(events.min(requests) as f64 / requests as f64),
        };
        match self {
            Self::ErrorRate => share(counts.errors),
            Self::Availability => share(counts.requests.saturating_sub(counts.unanswered)),
            Self::MeanSeconds => seconds(counts.latency.mean()),
            Self::QuantileSeconds(quantile) => seconds(counts.latency.quantile(quantile)),
            Self::Reading => Reading::NoData,
        }
    }
}
