//! `[rollout]`: how traffic is shifted, and the plan that it makes.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::rollout::{Limits, Plan, PlanError, Step};
use crossfade_core::table::Weight;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Percent;
use super::requests::check_not_zero;

/// How traffic is shifted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Which of the strategies.
    pub strategy: Strategy,
    /// Steps before everybody, each `{ weight = "5%", hold = "5m" }`. Default: none.
    pub steps: Vec<StepConfig>,
    /// How long the new version is watched with all visitors on it before it becomes stable. Default: `0s`, one passed
    /// verification is enough.
    pub watch: Span,
    /// Whether the smoke tests run again through the public URL after the switch. Default: true.
    pub verify_smoke: bool,
    /// How long routers keep shifted weights when nothing more is heard of the runner. Default: `5m`.
    pub lease: Span,
    /// How often the lease is renewed. Default: `1m`.
    pub renew_every: Span,
    /// How long a write may take to be seen everywhere. Default: `90s`, KV's 60 and the routers' 30.
    pub propagation: Span,
    /// How long the edge may take to be seen serving a revision. Default: `3m`.
    pub confirm_within: Span,
    /// The time between two measurements of a step. Default: `30s`.
    pub measure_every: Span,
    /// Measurements in a row that may fail to be taken before traffic goes home. Default: 4.
    pub errors_max: u32,
    /// The two slots. Default: `["blue", "green"]`.
    pub slots: [String; 2],
}

/// The strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// A second slot is deployed, checked, and then serves everybody.
    BlueGreen,
}

/// One step.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// The new version's share, as `"5%"`.
    pub weight: Percent,
    /// How long it is watched, from when the edge is seen serving it.
    pub hold: Span,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            strategy: Strategy::BlueGreen,
            steps: Vec::new(),
            watch: Span(Duration::ZERO),
            verify_smoke: true,
            lease: Span(limits.lease),
            renew_every: Span(limits.renew_every),
            propagation: Span(limits.propagation),
            confirm_within: Span(limits.confirm_within),
            measure_every: Span(limits.measure_every),
            errors_max: limits.errors_max,
            slots: ["blue".into(), "green".into()],
        }
    }
}

impl RolloutConfig {
    /// Refuses what is a plan and makes no sense all the same.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, time) in [
            ("measure_every", self.measure_every),
            ("renew_every", self.renew_every),
            ("confirm_within", self.confirm_within),
        ] {
            check_not_zero(&format!("`rollout.{name}`"), time)?;
        }
        match self.steps.iter().position(|step| step.weight.0 == Weight::ZERO) {
            Some(index) => Err(format!(
                "`rollout.steps[{index}].weight` is 0 %: a step must bring visitors to the new version, such as 5%"
            )),
            None => Ok(()),
        }
    }

    /// The plan that these settings describe.
    ///
    /// # Errors
    /// When weights do not rise, or the lease could run out while all is well.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let last = Step { weight: Weight::TOTAL, hold: self.watch.0 };
        let steps =
            self.steps.iter().map(|step| Step { weight: step.weight.0, hold: step.hold.0 }).chain([last]);
        let limits = Limits {
            lease: self.lease.0,
            renew_every: self.renew_every.0,
            propagation: self.propagation.0,
            confirm_within: self.confirm_within.0,
            measure_every: self.measure_every.0,
            errors_max: self.errors_max,
            ..Limits::default()
        };
        Plan::new(steps.collect(), limits)
    }
}
