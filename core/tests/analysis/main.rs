//! The judge against its reference vectors, its properties, and simulated rollouts.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod characteristics;
mod hazards;
mod null;
mod properties;
mod random;
mod rollouts;
mod sentences;
mod thresholds;
mod vectors;

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::analysis::{Counts, FrozenEdges, Interval, LatencyHistogram};
use crossfade_core::table::Weight;
use serde_json::Value;

/// Computed with 50 digits; also the operating characteristics of the method.
const VECTORS: &str = include_str!("sequential-vectors.json");

fn reference() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many requests, errors, and answers slower than 0.5, 1 and 2 s: the edges without a history.
fn counts(requests: u64, errors: u64, slow: Option<[u64; 3]>) -> Counts {
    let mut latency = LatencyHistogram::default();
    if let Some([one, two, three]) = slow {
        let edges = FrozenEdges::new(&latency, 2_000_000).edges().map(|edge| u64::from(edge.micros()));
        let classes = [
            (requests - one, 1000),
            (one - two, edges[0] + 1),
            (two - three, edges[1] + 1),
            (three, edges[2] + 1),
        ];
        for (count, micros) in classes {
            (0..count).for_each(|_| latency.record(micros));
        }
    }
    Counts { requests, errors, latency, ..Counts::default() }
}

fn interval(length: u64, basis_points: u16, canary: Counts, stable: Counts) -> Interval {
    Interval {
        length: Span(seconds(length)),
        weight: Weight::new(basis_points).unwrap(),
        canary,
        stable,
        readings: Default::default(),
    }
}
