//! A step: the time under one weight.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Span;
use crate::analysis::counts::weight;
use crate::table::Weight;

/// What the current weight has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    #[serde(deserialize_with = "weight")]
    weight: Weight,
    length: Duration,
    /// How much longer routers may still be on their way to it.
    settling: Duration,
    /// Requests to the canary and to stable.
    #[serde(default)]
    arrived: [u64; 2],
    /// Those of them since routers had time to learn of it.
    requests: [u64; 2],
}

impl Step {
    /// Begins: for so long its routers may still be on their way to it.
    pub(super) fn new(weight: Weight, settle: Duration) -> Self {
        Self { weight, length: Duration::ZERO, settling: settle, arrived: [0, 0], requests: [0, 0] }
    }

    /// Takes an interval's requests to the canary and to stable in. Tells whether routers have had time to learn of it.
    pub(super) fn observe(&mut self, length: Duration, requests: [u64; 2]) -> bool {
        self.length = self.length.saturating_add(length);
        add(&mut self.arrived, requests);
        if !self.settling.is_zero() {
            self.settling = self.settling.saturating_sub(length);
            return false;
        }
        add(&mut self.requests, requests);
        true
    }

    /// The canary's weight.
    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    /// How long it has lasted.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Requests to the canary and to stable since routers have had time to learn of it.
    pub(super) fn requests(&self) -> [u64; 2] {
        self.requests
    }

    /// The canary's weight as a share.
    pub(super) fn share(&self) -> f64 {
        f64::from(self.weight.basis_points()) / f64::from(Weight::TOTAL.basis_points())
    }

    /// How long so many requests to the canary take, as things go.
    pub(super) fn takes(&self, requests: u64) -> Option<Span> {
        let per_second = self.arrived[0] as f64 / self.length.as_secs_f64();
        let seconds = (requests as f64 / per_second).ceil();
        Duration::try_from_secs_f64(seconds).ok().map(Span)
    }

    /// The weight, no lower than now, that gives the canary so many requests in one step's time.
    pub(super) fn enough(&self, requests: u64, hold: Duration) -> Option<Weight> {
        let of_both: f64 = self.arrived.iter().map(|count| *count as f64).sum();
        let in_a_step = of_both / self.length.as_secs_f64() * hold.as_secs_f64();
        let basis_points = (requests as f64 / in_a_step * f64::from(Weight::TOTAL.basis_points())).ceil();
        let enough = (basis_points <= f64::from(u16::MAX)).then_some(basis_points as u16)?;
        Weight::new(enough.max(self.weight.basis_points()))
    }
}

fn add(sums: &mut [u64; 2], more: [u64; 2]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(more));
}
