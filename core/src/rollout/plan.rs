//! What a rollout is going to do: steps and limits, valid by construction.

use std::time::Duration;

use crate::Span;
use crate::table::Weight;

/// Steps and limits of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
    limits: Limits,
}

/// One shift of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The canary's share.
    pub weight: Weight,
    /// How long it is watched, counted from when it is seen served. Zero: one passed measurement is enough.
    pub hold: Duration,
}

/// What keeps a rollout bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long routers keep shifted weights without a further word.
    pub lease: Duration,
    /// How often the lease is renewed.
    pub renew_every: Duration,
    /// How long a write may take to be seen everywhere: KV's propagation and the routers' refresh.
    pub propagation: Duration,
    /// How long the edge may take to be seen serving a revision.
    pub confirm_within: Duration,
    /// The time between two looks at the edge.
    pub confirm_every: Duration,
    /// The time between two measurements.
    pub measure_every: Duration,
    /// Measurements in a row that may fail to be taken.
    pub errors_max: u32,
    /// Tries of one write, look-ups included.
    pub write_attempts_max: u32,
    /// Tries of the write that brings traffic home.
    pub home_attempts_max: u32,
    /// The time between two tries of a write. KV takes one write a second to a key
    /// (<https://developers.cloudflare.com/kv/platform/limits/>).
    pub write_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(300),
            renew_every: seconds(60),
            // "up to 60 seconds or more" (<https://developers.cloudflare.com/kv/concepts/how-kv-works/>), and the routers' 30.
            propagation: seconds(90),
            confirm_within: seconds(180),
            confirm_every: seconds(1),
            measure_every: seconds(30),
            errors_max: 4, // Argo Rollouts' consecutiveErrorLimit
            write_attempts_max: 5,
            home_attempts_max: 60,
            write_every: seconds(1),
        }
    }
}

/// Why steps and limits make no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No step at all.
    #[error("a plan needs at least one step")]
    NoSteps,
    /// A step that does not raise the weight.
    #[error("step {} ({weight}) does not raise the weight of the step before ({before})", index + 1)]
    NotRising {
        /// Which.
        index: usize,
        /// Its weight.
        weight: Weight,
        /// The weight before it.
        before: Weight,
    },
    /// The last step is not 100 %.
    #[error("the last step is {0}; it must be 100 %")]
    LastNotFull(Weight),
    /// The lease could run out while all is well.
    #[error(
        "the lease ({}) must be longer than renewal interval ({}) plus propagation ({})",
        Span(*lease), Span(*renew_every), Span(*propagation)
    )]
    LeaseTooShort {
        /// See [`Limits::lease`].
        lease: Duration,
        /// See [`Limits::renew_every`].
        renew_every: Duration,
        /// See [`Limits::propagation`].
        propagation: Duration,
    },
}

impl Plan {
    /// Checks that weights rise to 100 % and that the lease outlives its renewal.
    ///
    /// # Errors
    /// What makes it no plan.
    pub fn new(steps: Vec<Step>, limits: Limits) -> Result<Self, PlanError> {
        let Some(last) = steps.last() else { return Err(PlanError::NoSteps) };
        if last.weight != Weight::TOTAL {
            return Err(PlanError::LastNotFull(last.weight));
        }
        for (index, pair) in steps.windows(2).enumerate() {
            if let [before, step] = pair
                && step.weight <= before.weight
            {
                return Err(PlanError::NotRising {
                    index: index + 1,
                    weight: step.weight,
                    before: before.weight,
                });
            }
        }
        let Limits { lease, renew_every, propagation, .. } = limits;
        if lease <= renew_every + propagation {
            return Err(PlanError::LeaseTooShort { lease, renew_every, propagation });
        }
        Ok(Self { steps, limits })
    }

    /// The steps, at least one; the last is 100 %.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What keeps it bounded.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn for_first_release(mut self) -> Self {
        self.steps.drain(..self.steps.len() - 1);
        self
    }
}
