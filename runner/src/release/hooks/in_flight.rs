//! Hooks while visitors meet the new version: the machine's gates, and what is asked at each measurement.

use std::sync::{Arc, Mutex, PoisonError};

use crossfade_core::rollout::{HookGate, Plan, Shift, Verdict};
use crossfade_core::table::Weight;

use crate::cancel::Cancel;
use crate::command::Session;
use crate::config::Hooks;
use crate::hooks::{Answer, Asked, Asker, Cancelled, Gate, Judgement, Moment, Phase, during_measurement};
use crate::report::Reporter;

/// The hooks of a release in flight.
pub(in crate::release) struct InFlight {
    hooks: Hooks,
    asker: Asker,
    moment: Moment,
    /// The new version's share, step by step.
    weights: Vec<Option<Weight>>,
    /// The gate that is being asked, so that who has passed is not asked again.
    gate: Mutex<Option<(HookGate, usize, Gate)>>,
    reporter: Arc<Reporter>,
    cancel: Cancel,
}

impl InFlight {
    pub(in crate::release) fn new(session: &Session, asker: &Asker, moment: &Moment, plan: &Plan) -> Self {
        let weight = |shift| match shift {
            Shift::Canary(weight) => Some(weight),
            Shift::Replace(_) | Shift::Restore(_) => None,
        };
        Self {
            hooks: session.config.hooks.clone(),
            asker: asker.clone(),
            moment: moment.clone(),
            weights: plan.steps().iter().map(|step| weight(step.shift)).collect(),
            gate: Mutex::default(),
            reporter: Arc::clone(&session.reporter),
            cancel: session.cancel.clone(),
        }
    }

    /// What the hooks of a measurement say. Who wants everybody back is obeyed as a signal is, whatever a failure would lead to.
    pub(in crate::release) fn measure(&self, step: usize, weight: Weight) -> Verdict {
        let moment = Moment { step: Some(step), weight: Some(weight), ..self.moment.clone() };
        let note = &mut |asked: &Asked| self.reporter.hook(asked);
        match during_measurement(&self.hooks, &self.asker, &moment, note) {
            Judgement::Pass => Verdict::Pass,
            Judgement::Fail(why) => Verdict::Fail(why),
            Judgement::Undecided(why) => Verdict::Inconclusive(why),
            Judgement::Error(why) => Verdict::Error(why),
            Judgement::Cancelled(reason) => Verdict::Error(format!("cancelled: {reason}")),
            Judgement::RollBack(why) => {
                let reason = format!("rollback hook: {why}");
                self.cancel.cancel(&reason);
                Verdict::Error(reason)
            }
        }
    }

    /// Whether a step may begin.
    pub(in crate::release) fn ask(&self, gate: HookGate, step: usize) -> Answer {
        let phase = match gate {
            HookGate::ConfirmTrafficIncrease => Phase::ConfirmTrafficIncrease,
            HookGate::ConfirmPromotion => Phase::ConfirmPromotion,
        };
        let weight = self.weights.get(step).copied().flatten();
        let moment = Moment { step: Some(step), weight, ..self.moment.clone() };
        let mut asking = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hooks = match asking.take() {
            Some((same, at, hooks)) if (same, at) == (gate, step) => hooks,
            Some(_) | None => Gate::new(phase, self.hooks.of(phase)),
        };
        match hooks.ask(&self.asker, &moment, &mut |asked| self.reporter.hook(asked)) {
            Ok(Answer::Wait(after)) => {
                *asking = Some((gate, step, hooks));
                Answer::Wait(after)
            }
            Ok(answer @ (Answer::Pass | Answer::Fail(_))) => answer,
            // The driver tells the machine of the cancellation itself.
            Err(Cancelled(reason)) => Answer::Fail(format!("cancelled: {reason}")),
        }
    }
}
