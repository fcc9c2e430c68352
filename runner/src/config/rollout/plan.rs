//! The plan that the settings describe.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::rollout::{
    Draft, Gate, HookGate, Limits, OnInconclusive, OnTrouble, Plan, PlanError, Rolling, Shift, Step,
};
use crossfade_core::table::Weight;

use super::{RolloutConfig, StepConfig, Strategy};
use crate::config::{AnalysisConfig, Percent};

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
    pub fn plan(
        &self,
        analysis: Option<&AnalysisConfig>,
        hooks: HookGates,
        instances: usize,
        first_release: bool,
    ) -> Result<Plan, PlanError> {
        // A site that never asked for a judge is not kept waiting for proof that its visitors are too few to give.
        let undecided = if analysis.is_some() { OnInconclusive::Extend } else { OnInconclusive::Promote };
        let limits = self.limits();
        let limits = Limits { judge_every: analysis.map_or(limits.judge_every, |it| it.every.0), ..limits };
        let draft = Draft {
            steps: Vec::new(),
            settle: self.settle_approval.then(|| self.approval(None, None)).into_iter().collect(),
            limits,
            trouble: OnTrouble {
                failure: self.on_failure,
                inconclusive: self.on_inconclusive.unwrap_or(undecided),
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
            (None, Strategy::BlueGreen) if self.shift => default_shift(),
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
    steps(&[(1, 10), (5, 15), (25, 30), (50, 60), (100, 30)])
}

/// Design: 5 % 5 min, 25 % 10 min, 50 % 15 min, 100 % 10 min.
fn default_shift() -> Vec<StepConfig> {
    steps(&[(5, 5), (25, 10), (50, 15), (100, 10)])
}

/// Percent, and minutes held.
fn steps(of: &[(u16, u64)]) -> Vec<StepConfig> {
    of.iter()
        .filter_map(|&(percent, minutes)| {
            let weight = Percent(Weight::new(percent * 100)?);
            Some(StepConfig::plain(weight, Span(Duration::from_secs(minutes * 60))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (percent, minutes held, gates) of each step, and the gates of settling.
    fn planned(toml: &str, hooks: HookGates) -> (Vec<(String, u64, usize)>, usize) {
        let config: RolloutConfig = toml::from_str(toml).unwrap();
        let plan = config.plan(None, hooks, 0, false).unwrap();
        let steps = plan.steps().iter().map(|step| {
            let Shift::Canary(weight) = step.shift else { panic!("{step:?}") };
            (weight.to_string(), step.hold.as_secs() / 60, step.gates.len())
        });
        (steps.collect(), plan.gates(plan.steps().len()).len())
    }

    #[test]
    fn the_strategies_have_the_steps_of_the_design() {
        let is = |toml: &str, wanted: &[(u16, u64)]| {
            let wanted: Vec<_> =
                wanted.iter().map(|(share, hold)| (format!("{share} %"), *hold, 0)).collect();
            assert_eq!(planned(toml, HookGates::default()), (wanted, 0), "{toml}");
        };
        is("", &[(100, 0)]);
        is("shift = true", &[(5, 5), (25, 10), (50, 15), (100, 10)]);
        is("strategy = \"canary\"", &[(1, 10), (5, 15), (25, 30), (50, 60), (100, 30)]);
        is("steps = [{ weight = \"5%\", hold = \"2m\" }]\nwatch = \"3m\"", &[(5, 2), (100, 3)]);
    }

    #[test]
    fn a_gate_before_the_first_visitor_begins_with_nobody() {
        let both = HookGates { traffic_increase: true, promotion: true };
        let of = |share: &str, gates| (share.to_owned(), 0, gates);
        assert_eq!(planned("", both), (vec![of("0 %", 0), of("100 %", 2)], 0));
        let approved = "approval_above = \"10%\"\nsettle_approval = true\n\
                        steps = [{ weight = \"5%\", hold = \"0s\" }, { weight = \"50%\", hold = \"0s\" }]";
        let steps = vec![of("5 %", 0), of("50 %", 1), of("100 %", 0)];
        assert_eq!(
            planned(approved, HookGates::default()),
            (steps, 1),
            "the first step above it, and settling"
        );
    }
}
