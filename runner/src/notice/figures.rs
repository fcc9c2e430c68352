//! One variant's figures.

use crossfade_core::alert::Subject;
use crossfade_core::analysis::Counts;
use schemars::JsonSchema;
use serde::Serialize;

/// What visitors of one variant got.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VariantFigures {
    /// Its name in the table.
    pub variant: String,
    /// Its version.
    pub version: String,
    /// Requests.
    pub requests: u64,
    /// Those that failed, rescued or not.
    pub errors: u64,
    /// The share that failed, 0 to 1.
    pub error_rate: f64,
    /// The share that got an answer, 0 to 1.
    pub availability: f64,
    /// Time to first byte, milliseconds; absent without answers.
    pub mean_ms: Option<f64>,
    /// Half of the answers were no slower.
    pub p50_ms: Option<f64>,
    /// 95 % of them.
    pub p95_ms: Option<f64>,
    /// 99 % of them.
    pub p99_ms: Option<f64>,
}

impl VariantFigures {
    /// From what was counted.
    pub fn of(subject: &Subject, counts: &Counts) -> Self {
        let share =
            |events: u64| if counts.requests == 0 { 0.0 } else { events as f64 / counts.requests as f64 };
        let millis = |micros: Option<f64>| micros.map(|micros| (micros / 100.0).round() / 10.0);
        let quantile = |q: f64| millis(counts.latency.quantile(q));
        Self {
            variant: subject.variant.clone(),
            version: subject.version.clone(),
            requests: counts.requests,
            errors: counts.errors,
            error_rate: share(counts.errors),
            availability: 1.0 - share(counts.unanswered),
            mean_ms: millis(counts.latency.mean()),
            p50_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
        }
    }
}
