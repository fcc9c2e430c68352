//! What the router has counted. In: from when on. Out: each count exactly once, however often one asks.
//!
//! Counts lie in seconds of their arrival, and a second that is over never changes. So an answer is good up to its `until`, and
//! the next question begins there; the clock is the counters' own, whatever ours says.

use std::collections::BTreeMap;
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::alert::Subject;
use crossfade_core::analysis::Counts;
use crossfade_core::counters::{Metrics, SCHEMA};

use super::{By, Edge, EdgeError};

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The router counts nothing.
    #[error("there are no counters: a load balancer has none, and a router only with the binding COUNTERS")]
    NoCounters,
    /// The counters cannot be asked.
    #[error("{url} answers {status}")]
    NotTold {
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The router cannot be asked.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// What it answers is not understood.
    #[error("what the router counted is not understood: {0}")]
    Damaged(String),
}

impl Edge {
    /// What was counted from a moment on.
    ///
    /// # Errors
    /// When the router has no counters, or does not tell within `within`.
    pub fn metrics(&self, from: Timestamp, within: Duration) -> Result<Metrics, MetricsError> {
        let what = format!("metrics?from={}&by=second", from.as_millis());
        let By::Router(token) = &self.by else { return Err(MetricsError::NoCounters) };
        let (_, mut response) = self.ask(&what, token, within).map_err(|error| match error {
            EdgeError::NoRouter { status: 404, .. } => MetricsError::NoCounters,
            EdgeError::NoRouter { url, status } => MetricsError::NotTold { url, status },
            error => MetricsError::Edge(error),
        })?;
        let metrics: Metrics =
            response.body_mut().read_json().map_err(|error| MetricsError::Damaged(error.to_string()))?;
        let damaged = |why: String| Err(MetricsError::Damaged(why));
        match metrics.schema {
            SCHEMA if metrics.series.iter().all(|series| series.at.is_some()) => Ok(metrics),
            SCHEMA => damaged("`at` is missing, although it was to be by the second".into()),
            other => damaged(format!("`schema` is {other}; this version reads {SCHEMA}")),
        }
    }
}

/// What each variant got in the seconds that are over, of all revisions together.
pub fn by_variant(metrics: &Metrics) -> BTreeMap<Subject, Counts> {
    let mut counted: BTreeMap<Subject, Counts> = BTreeMap::new();
    let over = |at: Option<Timestamp>| at.is_some_and(|at| at < metrics.until);
    for series in metrics.series.iter().filter(|series| over(series.at)) {
        let (variant, version) = (series.subject.variant.clone(), series.subject.version.clone());
        counted.entry(Subject { variant, version }).or_default().merge(&series.tally.counts());
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_over_yet_is_left_for_the_next_time_and_revisions_are_added_up() {
        let series = |at: u64, revision: u64, variant: &str, requests: u64| {
            serde_json::json!({
                "at": at, "revision": revision, "release": "rel-1", "variant": variant, "version": "1.5.0", "requests": requests,
                "errors": 2, "exceptions": 1, "timeouts": 1, "rescued": 1, "fallbacks": 0, "ejections": 0, "newly_failing": 1,
                "latency": [1_001_401, 0, 2, 150, 1],
            })
        };
        let answer = serde_json::json!({
            "schema": 1, "environment": "production", "from": 1_000, "to": 9_000, "until": 3_000, "a later version's": true,
            "series": [series(1_000, 41, "green", 5), series(2_000, 42, "green", 7), series(3_000, 42, "green", 100),
                series(1_000, 41, "blue", 50)],
        });
        let metrics: Metrics = serde_json::from_value(answer).unwrap();
        let counted = by_variant(&metrics);
        let told: Vec<(&str, u64, u64, u64, u64)> = counted
            .iter()
            .map(|(it, counts)| {
                (
                    it.variant.as_str(),
                    counts.requests,
                    counts.errors,
                    counts.unanswered,
                    counts.latency.count(),
                )
            })
            .collect();
        assert_eq!(told, [("blue", 50, 2, 2, 3), ("green", 12, 4, 4, 6)]);
    }
}
