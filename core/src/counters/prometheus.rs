//! An answer in Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::Write as _;

use super::{Metrics, Series, Tally};
use crate::analysis::histogram::{EDGES, Edge};

/// A counter: its name, what it counts, where that is.
type Counter = (&'static str, &'static str, fn(&Tally) -> u64);

const COUNTERS: [Counter; 8] = [
    ("requests", "Visitors' requests that were sent to a variant.", |tally| tally.requests),
    ("errors", "Requests that failed: 5xx, exceptions, timeouts; rescued or not.", |tally| tally.errors),
    ("exceptions", "Errors without an answer.", |tally| tally.exceptions),
    ("timeouts", "Errors without an answer in time.", |tally| tally.timeouts),
    ("rescued", "Errors that no visitor saw.", |tally| tally.rescued),
    ("fallbacks", "Files that another version had.", |tally| tally.fallbacks),
    ("ejections", "How often a breaker opened.", |tally| tally.ejections),
    ("newly_failing", "Visitors with an error, each once a release.", |tally| tally.newly_failing),
];
const HISTOGRAM: &str = "crossfade_first_byte_seconds";
/// Every tenth or so of the histogram's own edges: those that people write.
const LE_MILLIS: [u64; 16] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 60_000];

/// Writes an answer; counters since the object began when it is of [`super::By::Ever`].
///
/// ```
/// use crossfade_core::{Timestamp, counters::{Metrics, SCHEMA, prometheus}};
///
/// let none = Timestamp::from_millis(0);
/// let environment = "production".into();
/// let metrics = Metrics { schema: SCHEMA, environment, from: none, to: none, until: none, series: vec![] };
/// assert!(prometheus::text(&metrics).starts_with("# HELP crossfade_requests_total "));
/// ```
pub fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    let labels: Vec<(String, &Tally)> =
        metrics.series.iter().map(|it| (labels(metrics, it), &it.tally)).collect();
    for (name, help, count) in COUNTERS {
        let _ = writeln!(text, "# HELP crossfade_{name}_total {help}\n# TYPE crossfade_{name}_total counter");
        for (labels, tally) in &labels {
            let _ = writeln!(text, "crossfade_{name}_total{{{labels}}} {}", count(tally));
        }
    }
    let _ = writeln!(
        text,
        "# HELP {HISTOGRAM} Time to the first byte of an origin's answer.\n# TYPE {HISTOGRAM} histogram"
    );
    for (labels, Tally { latency, .. }) in &labels {
        let all = latency.count();
        for edge in LE_MILLIS.map(|millis| Edge::nearest(millis * 1000)) {
            let le = f64::from(EDGES[edge.index()]) / 1e6;
            let within = all - latency.slower_than(edge);
            let _ = writeln!(text, "{HISTOGRAM}_bucket{{{labels},le=\"{le}\"}} {within}");
        }
        let _ = writeln!(text, "{HISTOGRAM}_bucket{{{labels},le=\"+Inf\"}} {all}");
        let _ = writeln!(text, "{HISTOGRAM}_sum{{{labels}}} {}", latency.sum() as f64 / 1e6);
        let _ = writeln!(text, "{HISTOGRAM}_count{{{labels}}} {all}");
    }
    text
}

fn labels(metrics: &Metrics, series: &Series) -> String {
    let subject = &series.subject;
    let values = [
        ("environment", metrics.environment.as_str()),
        ("release", &subject.release),
        ("revision", &subject.revision.to_string()),
        ("variant", &subject.variant),
        ("version", &subject.version),
    ];
    let pairs = values.map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    pairs.join(",")
}

/// A label's value: backslashes, quotes and line ends are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
