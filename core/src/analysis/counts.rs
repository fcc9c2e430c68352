//! What was counted, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{LatencyHistogram, Reading};
use crate::Span;
use crate::table::Weight;

/// One side's counts in one interval. They are rows as they were counted, never sampling weights: estimated totals taken
/// for counts roll back 74–99 % of healthy releases.
///
/// ```
/// use crossfade_core::analysis::Counts;
///
/// let mut counts = Counts { requests: 60, errors: 1, ..Counts::default() };
/// counts.merge(&Counts { requests: 40, ..Counts::default() });
/// assert_eq!((counts.requests, counts.errors), (100, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests that were sent to this side.
    pub requests: u64,
    /// Those that failed: a 5xx, an exception, a time-out; rescued or not.
    pub errors: u64,
    /// Those of the errors that got no answer at all.
    pub unanswered: u64,
    /// Visitors with an error who never had one in this release before, on either side.
    pub newly_failing: u64,
    /// Times to first byte.
    pub latency: LatencyHistogram,
}

impl Counts {
    /// Adds what another isolate, or another interval, counted.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut u64, from: u64| *to = to.saturating_add(from);
        add(&mut self.requests, other.requests);
        add(&mut self.errors, other.errors);
        add(&mut self.unanswered, other.unanswered);
        add(&mut self.newly_failing, other.newly_failing);
        self.latency.merge(&other.latency);
    }
}

/// What was counted between two looks. Each interval is judged once, after the last count for it has arrived; what comes
/// later belongs to the next one.
///
/// ```
/// use crossfade_core::analysis::Interval;
///
/// let interval: Interval = serde_json::from_str(r#"{
///     "length": "30s", "weight": 500, "canary": {"requests": 60}, "stable": {"requests": 1140, "errors": 3}
/// }"#)?;
/// assert_eq!((interval.weight.to_string().as_str(), interval.stable.errors), ("5 %", 3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its length.
    pub length: Span,
    /// The canary's weight. It was the same from beginning to end: intervals are cut where weights change.
    #[serde(deserialize_with = "weight")]
    pub weight: Weight,
    /// The canary's counts.
    pub canary: Counts,
    /// Stable's counts.
    pub stable: Counts,
    /// What other sources measured, by the name of the metric; only thresholds look at it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<String, Reading>,
}

/// Reads basis points.
pub(super) fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Weight, D::Error> {
    let basis_points = u16::deserialize(deserializer)?;
    Weight::new(basis_points).ok_or_else(|| serde::de::Error::custom("a weight is at most 10000"))
}
