//! Where a rollout is, in words that people and programs can be told.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::rollout::{Gate, OnTimeout, Rollout};
use crate::table::Weight;

use super::{Begin, Goal, State, Then, Watch};

/// Where a rollout is. Steps count from 0, as indices into the plan's steps.
///
/// ```
/// use crossfade_core::rollout::{OnTimeout, Stage};
///
/// let then = Some(OnTimeout::Abort);
/// let stage = Stage::Waiting { step: 1, gate: "approval".into(), until: None, then };
/// assert!(stage.waits_for_approval());
/// assert_eq!(stage.to_string(), "step 2 waits for approval");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Stage {
    /// A step's table is being written, or waited for at the edge.
    Shifting {
        /// Which.
        step: usize,
        /// The new version's share there.
        weight: Weight,
    },
    /// A step is watched.
    Watching {
        /// Which.
        step: usize,
        /// The new version's share.
        weight: Weight,
        /// Until when at least.
        until: Timestamp,
    },
    /// The step before this one is watched until something is open.
    Waiting {
        /// The step that waits; the number of steps for settling.
        step: usize,
        /// `approval`, or the hook's name.
        gate: String,
        /// Until when; `None` when a hook was not asked yet.
        until: Option<Timestamp>,
        /// What happens then.
        then: Option<OnTimeout>,
    },
    /// It goes no further.
    Paused {
        /// The step that it is at.
        step: usize,
        /// The new version's share.
        weight: Weight,
        /// Why.
        why: String,
        /// Since when.
        since: Timestamp,
        /// When traffic goes home if nobody resumes it.
        until: Timestamp,
    },
    /// Instances are drained and replaced.
    Replacing {
        /// At which step.
        step: usize,
    },
    /// Instances get the version before back, and the release goes on.
    Undoing,
    /// The new version becomes stable.
    Settling,
    /// Traffic goes home.
    GoingHome {
        /// Why.
        why: String,
    },
    /// It is over, or has not begun.
    Resting,
}

/// What the gate is called that a person opens.
const APPROVAL: &str = "approval";

impl Stage {
    /// Whether somebody has to approve what comes next.
    pub fn waits_for_approval(&self) -> bool {
        matches!(self, Self::Waiting { gate, .. } if gate == APPROVAL)
    }
}

impl Rollout {
    /// Where it is.
    pub fn stage(&self) -> Stage {
        self.stage_of(&self.state)
    }

    fn stage_of(&self, state: &State) -> Stage {
        match state {
            State::Ready(Begin::Step(_)) | State::Finished => Stage::Resting,
            State::Ready(Begin::Undoing(_)) => Stage::Undoing,
            State::Ready(Begin::Settle) => Stage::Settling,
            State::Ready(Begin::Home(reason)) => Stage::GoingHome { why: reason.to_string() },
            State::Writing(write) | State::WritePause(write) | State::ReadingBack(write) => {
                self.stage_of_goal(&write.goal)
            }
            State::Confirming { goal, .. } => self.stage_of_goal(goal),
            State::Measuring(watch) | State::Asking(watch) | State::Pausing(watch) => {
                self.stage_of_watch(watch)
            }
            State::Draining { step, .. } | State::Deploying { step } => Stage::Replacing { step: *step },
            State::Undoing { then, .. } => stage_of_undoing(then),
        }
    }

    fn stage_of_goal(&self, goal: &Goal) -> Stage {
        match goal {
            Goal::Step(step) => Stage::Shifting { step: *step, weight: self.share(*step) },
            Goal::Renew(interrupted) => self.stage_of(interrupted),
            Goal::Shelter(then) => stage_of_undoing(then),
            Goal::Settle => Stage::Settling,
            Goal::Home(reason) => Stage::GoingHome { why: reason.to_string() },
        }
    }

    fn stage_of_watch(&self, watch: &Watch) -> Stage {
        let (step, weight) = (watch.step, self.share(watch.step));
        if let Some(pause) = &watch.pause {
            let (why, since) = (pause.why.clone(), pause.since);
            let until = since.plus(self.plan.limits().paused_max);
            return Stage::Paused { step, weight, why, since, until };
        }
        match self.gate(watch).filter(|_| watch.waiting.is_closed()) {
            None => Stage::Watching { step, weight, until: self.hold_ends(watch) },
            Some(gate) => {
                let then = match gate {
                    Gate::Approval { on_timeout, .. } => Some(on_timeout),
                    Gate::Hook(_) => None,
                };
                let name = match gate {
                    Gate::Approval { .. } => APPROVAL.to_owned(),
                    Gate::Hook(hook) => hook.to_string(),
                };
                let step = self.after(step);
                Stage::Waiting { step, gate: name, until: self.gate_changes(watch), then }
            }
        }
    }
}

fn stage_of_undoing(then: &Then) -> Stage {
    match then {
        Then::Step(_) => Stage::Undoing,
        Then::Home(reason) => Stage::GoingHome { why: reason.to_string() },
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shifting { step, weight } => write!(f, "step {}: shifting to {weight}", step + 1),
            Self::Watching { step, weight, until } => {
                write!(f, "step {}: watched at {weight} until {until}", step + 1)
            }
            Self::Waiting { step, gate, until, then } => {
                write!(f, "step {} waits for {gate}", step + 1)?;
                match (until, then) {
                    (Some(until), Some(OnTimeout::Abort)) => write!(f, ", until {until}, else it goes home"),
                    (Some(until), Some(OnTimeout::Promote)) => write!(f, ", until {until}, else it goes on"),
                    (Some(until), None) => write!(f, ", asked again at {until}"),
                    (None, _) => Ok(()),
                }
            }
            Self::Paused { step, weight, why, until, .. } => {
                write!(f, "step {}: paused at {weight} ({why}), at most until {until}", step + 1)
            }
            Self::Replacing { step } => write!(f, "step {}: instances are replaced", step + 1),
            Self::Undoing => f.write_str("instances get the version before back"),
            Self::Settling => f.write_str("settling"),
            Self::GoingHome { why } => write!(f, "going home: {why}"),
            Self::Resting => f.write_str("at rest"),
        }
    }
}
