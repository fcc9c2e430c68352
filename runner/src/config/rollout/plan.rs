//! The plan that the settings describe.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::rollout::{
    Draft, Gate, HookGate, Limits, OnTrouble, Plan, PlanError, Rolling, Shift, Step,
};
use crossfade_core::table::Weight;

use super::{RolloutConfig, StepConfig, Strategy};
use crate::config::Percent;

/// Which gates have hooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct HookGates {
    /// `confirm-traffic-increase`.
    pub traffic_increase: bool,
    /// `confirm-promotion`.
    pub promotion: bool,
}

impl RolloutConfig {
    /// The plan that these settings describe, for so many instances when they are replaced one after the other.
    ///
    /// # Errors
    /// When weights do not rise, a batch leaves nobody for the visitors, or the lease could run out while all is well.
    pub fn plan(&self, hooks: HookGates, instances: usize, first_release: bool) -> Result<Plan, PlanError> {
        let draft = Draft {
            steps: Vec::new(),
            settle: Vec::new(),
            limits: self.limits(),
            trouble: OnTrouble {
                failure: self.on_failure,
                inconclusive: self.on_inconclusive,
                deadline: self.on_deadline,
            },
        };
        match self.strategy {
            Strategy::BlueGreen | Strategy::Canary => Plan::new(Draft { steps: self.shifts(hooks), ..draft }),
            Strategy::Rolling => {
                let rolling = Rolling {
                    instances,
                    batch: self.rolling.batch,
                    drain: self.rolling.drain.0,
                    watch: self.rolling.watch.0,
                    between: self.rolling.between.0,
                };
                rolling.plan(draft, first_release)
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            lease: self.lease.0,
            renew_every: self.renew_every.0,
            propagation: self.propagation.0,
            confirm_within: self.confirm_within.0,
            measure_every: self.measure_every.0,
            errors_max: self.errors_max,
            deadline: self.deadline.map(|deadline| deadline.0),
            paused_max: self.paused_max.0,
            hook_waits_max: self.hook_waits_max.0,
            approval_above: self.approval_above.map(|above| above.0),
            healthy_min: self.rolling.healthy_min.0,
            failed_max: self.rolling.failed_max.0,
            ..Limits::default()
        }
    }

    /// The steps of a canary, each with its gates. One that waits for something before its first visitor begins with 0 %, so
    /// that whoever decides can look at it by the override.
    fn shifts(&self, hooks: HookGates) -> Vec<Step> {
        let configured = match (&self.steps, self.strategy) {
            (Some(steps), _) => steps.clone(),
            (None, Strategy::Canary) => default_canary(),
            (None, Strategy::BlueGreen | Strategy::Rolling) => Vec::new(),
        };
        let full = configured.last().is_some_and(|step| step.weight.0 == Weight::TOTAL);
        let last = (!full).then_some(StepConfig::plain(Percent(Weight::TOTAL), self.watch));
        let mut steps: Vec<Step> = Vec::new();
        let mut approved = false;
        for step in configured.iter().chain(&last) {
            let weight = step.weight.0;
            let above = self.approval_above.is_some_and(|above| weight > above.0);
            let step = if above && !approved { &step.approved() } else { step };
            approved |= above;
            let increase = (hooks.traffic_increase && weight > Weight::ZERO)
                .then_some(Gate::Hook(HookGate::ConfirmTrafficIncrease));
            let promotion = (hooks.promotion && weight == Weight::TOTAL)
                .then_some(Gate::Hook(HookGate::ConfirmPromotion));
            let gates: Vec<Gate> = [step.gate(self), increase, promotion].into_iter().flatten().collect();
            if steps.is_empty() && !gates.is_empty() {
                steps.push(Step {
                    shift: Shift::Canary(Weight::ZERO),
                    hold: Duration::ZERO,
                    gates: Vec::new(),
                });
            }
            steps.push(Step { shift: Shift::Canary(weight), hold: step.hold.0, gates });
        }
        steps
    }
}

/// Design: 1 % 10 min, 5 % 15 min, 25 % 30 min, 50 % 1 h, 100 % 30 min.
fn default_canary() -> Vec<StepConfig> {
    [(1, 10), (5, 15), (25, 30), (50, 60), (100, 30)]
        .into_iter()
        .filter_map(|(percent, minutes)| {
            let weight = Percent(Weight::new(percent * 100)?);
            Some(StepConfig::plain(weight, Span(Duration::from_secs(minutes * 60))))
        })
        .collect()
}
