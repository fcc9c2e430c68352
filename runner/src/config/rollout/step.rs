//! One step of a canary, as it is written.

use crossfade_core::Span;
use crossfade_core::rollout::{Gate, OnTimeout};
use schemars::JsonSchema;
use serde::Deserialize;

use super::RolloutConfig;
use crate::config::Percent;

/// One step.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// The new version's share, as `"5%"`. 0 % as the first step: only the override reaches it.
    pub weight: Percent,
    /// How long it is watched, from when the edge is seen serving it.
    pub hold: Span,
    /// Whether somebody has to approve before it begins (`crossfade approve`). Meanwhile the step before goes on being watched.
    /// Default: false.
    #[serde(default)]
    pub approval: bool,
    /// How long that may take. Default: `rollout.approve_within`.
    #[serde(default)]
    pub approve_within: Option<Span>,
    /// What nobody's approval counts as. Default: `rollout.approve_on_timeout`.
    #[serde(default)]
    pub approve_on_timeout: Option<OnTimeout>,
}

impl StepConfig {
    /// The approval that the step waits for.
    pub(super) fn gate(&self, config: &RolloutConfig) -> Option<Gate> {
        self.approval.then(|| config.approval(self.approve_within, self.approve_on_timeout))
    }

    /// A step that nobody has to approve.
    pub(super) const fn plain(weight: Percent, hold: Span) -> Self {
        Self { weight, hold, approval: false, approve_within: None, approve_on_timeout: None }
    }

    /// The same one with an approval, as `[rollout]` says.
    pub(super) const fn approved(self) -> Self {
        Self { approval: true, ..self }
    }
}

impl RolloutConfig {
    /// An approval, as `[rollout]` says where it is not said here.
    pub(super) fn approval(&self, within: Option<Span>, on_timeout: Option<OnTimeout>) -> Gate {
        Gate::Approval {
            within: within.unwrap_or(self.approve_within).0,
            on_timeout: on_timeout.unwrap_or(self.approve_on_timeout),
        }
    }
}
