//! What a rollout is going to do: steps, gates and limits, valid by construction.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Span;
use crate::table::Weight;

mod limits;
mod rolling;

pub use limits::{Limits, OnDeadline, OnFailure, OnInconclusive, OnTrouble};
pub use rolling::{Batch, Rolling};

/// Steps, gates and limits of a rollout.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::{Draft, Gate, HookGate, Plan, PlanError, Shift, Step};
/// use crossfade_core::table::Weight;
///
/// let step = |percent, minutes: u64| Step {
///     shift: Shift::Canary(Weight::from_percent(percent).unwrap()),
///     hold: Duration::from_secs(60 * minutes),
///     gates: vec![],
/// };
/// let mut steps = vec![step("5", 5), step("100", 10)];
/// steps[1].gates.push(Gate::Hook(HookGate::ConfirmPromotion));
/// let plan = Plan::new(Draft { steps, ..Draft::default() })?;
/// assert_eq!((plan.steps().len(), plan.gates(1).len()), (2, 1));
/// assert_eq!(plan.deadline(), Duration::from_secs(60 * (2 * 15 + 60)));
///
/// let falling = Draft { steps: vec![step("50", 5), step("25", 5)], ..Draft::default() };
/// let error: PlanError = Plan::new(falling).unwrap_err();
/// assert_eq!(error.to_string(), "step 2 (25 %) does not raise the weight of the step before (50 %)");
/// # Ok::<(), PlanError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Plan {
    steps: Vec<Step>,
    settle: Vec<Gate>,
    limits: Limits,
    trouble: OnTrouble,
}

/// What a plan is made of, before it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What happens to traffic, in order.
    pub steps: Vec<Step>,
    /// What must be open before the new version becomes stable.
    pub settle: Vec<Gate>,
    /// What keeps it bounded.
    pub limits: Limits,
    /// What is done when it does not go well.
    pub trouble: OnTrouble,
}

/// One change of the routing table, and how long it is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What the table becomes.
    pub shift: Shift,
    /// How long it is watched, counted from when it is seen served. Zero: one passed measurement is enough. For
    /// [`Shift::Replace`]: how long requests in flight may take to end.
    #[serde(with = "crate::span::text")]
    pub hold: Duration,
    /// What must be open before it begins.
    pub gates: Vec<Gate>,
}

impl Step {
    /// The batch that it replaces.
    pub(super) const fn batch(&self) -> Option<Batch> {
        match self.shift {
            Shift::Replace(batch) => Some(batch),
            Shift::Restore(_) | Shift::Canary(_) => None,
        }
    }
}

/// What a step makes of the routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// The canary has this share, stable the rest.
    Canary(Weight),
    /// These instances have no visitors, and get the new version.
    Replace(Batch),
    /// These instances have their share again, with the new version.
    Restore(Batch),
}

/// What must be open before a step begins. While it is closed the step before goes on being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A person says so.
    Approval {
        /// How long the person has.
        #[serde(with = "crate::span::text")]
        within: Duration,
        /// What happens then.
        on_timeout: OnTimeout,
    },
    /// A hook says so.
    Hook(HookGate),
}

/// What nobody's approval counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// No.
    #[default]
    Abort,
    /// Yes.
    Promote,
}

/// The hooks that a step may wait for; the words are Flagger's
/// (<https://docs.flagger.app/usage/webhooks>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookGate {
    /// Before the new version gets more visitors.
    ConfirmTrafficIncrease,
    /// Before it gets all of them.
    ConfirmPromotion,
}

impl std::fmt::Display for HookGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConfirmTrafficIncrease => "confirm-traffic-increase",
            Self::ConfirmPromotion => "confirm-promotion",
        })
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
    /// A step above the weight that needs an approval, and nobody is asked.
    #[error("step {} ({weight}) needs an approval: it is above {above}", index + 1)]
    NotApproved {
        /// Which.
        index: usize,
        /// Its weight.
        weight: Weight,
        /// See [`Limits::approval_above`].
        above: Weight,
    },
    /// Something must be open before the first step, and nothing is watched yet.
    #[error(
        "the first step waits for a gate: begin with a step of 0 %, in which only the override reaches the new version"
    )]
    GateBeforeFirst,
    /// The batches do not follow each other.
    #[error("step {}: each batch is replaced, then restored, and none overlaps another", index + 1)]
    BatchOrder {
        /// Which.
        index: usize,
    },
    /// A batch that leaves nobody for the visitors.
    #[error("a batch of {batch} of {instances} instances leaves none for the visitors")]
    BatchTooLarge {
        /// How many at once.
        batch: usize,
        /// Of how many.
        instances: usize,
    },
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
    /// Checks that weights rise to 100 %, or batches follow each other, and that the lease outlives its renewal.
    ///
    /// # Errors
    /// What makes it no plan.
    pub fn new(draft: Draft) -> Result<Self, PlanError> {
        let Draft { steps, settle, limits, trouble } = draft;
        let Some(first) = steps.first() else { return Err(PlanError::NoSteps) };
        match first.shift {
            Shift::Canary(_) => check_weights(&steps, &limits)?,
            Shift::Replace(_) | Shift::Restore(_) => rolling::check(&steps)?,
        }
        if !first.gates.is_empty() {
            return Err(PlanError::GateBeforeFirst);
        }
        let Limits { lease, renew_every, propagation, .. } = limits;
        if lease <= renew_every + propagation {
            return Err(PlanError::LeaseTooShort { lease, renew_every, propagation });
        }
        Ok(Self { steps, settle, limits, trouble })
    }

    /// The steps, at least one.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What must be open before a step begins, or before settling for their number.
    pub fn gates(&self, step: usize) -> &[Gate] {
        self.steps.get(step).map_or(&self.settle, |step| &step.gates)
    }

    /// What keeps it bounded.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is done when it does not go well.
    pub const fn trouble(&self) -> &OnTrouble {
        &self.trouble
    }

    /// How long it may take, pauses not counted.
    pub fn deadline(&self) -> Duration {
        self.limits.deadline.unwrap_or_else(|| {
            let holds: Duration = self.steps.iter().map(|step| step.hold).sum();
            2 * holds + Limits::DEADLINE_SLACK
        })
    }

    /// How long requests in flight may take to end on instances that nobody is sent to any more.
    pub(super) fn drain(&self) -> Duration {
        let drains = self.steps.iter().filter(|step| step.batch().is_some());
        drains.map(|step| step.hold).max().unwrap_or_default()
    }

    /// For the first release ever there is nobody to share visitors with, and nothing to go back to: one passed measurement, and
    /// watching any longer would keep a runner busy for nothing.
    pub(super) fn for_first_release(mut self) -> Self {
        if let Some(Shift::Canary(_)) = self.steps.last().map(|step| step.shift) {
            self.steps.drain(..self.steps.len() - 1);
            self.steps.iter_mut().for_each(|step| (step.hold, step.gates) = (Duration::ZERO, Vec::new()));
        }
        self
    }
}

fn check_weights(steps: &[Step], limits: &Limits) -> Result<(), PlanError> {
    let mut before: Option<Weight> = None;
    for (index, step) in steps.iter().enumerate() {
        let Shift::Canary(weight) = step.shift else { return Err(PlanError::BatchOrder { index }) };
        match before {
            Some(before) if weight <= before => {
                return Err(PlanError::NotRising { index, weight, before });
            }
            Some(_) | None => {}
        }
        if let Some(above) = limits.approval_above
            && weight > above
            && before.is_none_or(|before| before <= above)
            && !step.gates.iter().any(|gate| matches!(gate, Gate::Approval { .. }))
        {
            return Err(PlanError::NotApproved { index, weight, above });
        }
        before = Some(weight);
    }
    match before {
        Some(last) if last != Weight::TOTAL => Err(PlanError::LastNotFull(last)),
        Some(_) | None => Ok(()),
    }
}

impl TryFrom<Draft> for Plan {
    type Error = PlanError;

    fn try_from(draft: Draft) -> Result<Self, PlanError> {
        Self::new(draft)
    }
}

impl From<Plan> for Draft {
    fn from(Plan { steps, settle, limits, trouble }: Plan) -> Self {
        Self { steps, settle, limits, trouble }
    }
}
