//! One runner: the real machine, and where its driver is. The driver keeps to what the program's does: it saves the record
//! before a table, looks at what it replaces, asks [`standing`], then writes; it goes on with work that is under way.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crossfade_core::rollout::{Effect, Event, HookGate, Order, Outcome, Rollout, WriteFailure};
use crossfade_core::table::{Revision, VariantName};
use crossfade_core::{RoutingTable, Timestamp};

use crate::faults::Moment;
use crate::ledger::Ledger;

/// A runner.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) name: String,
    pub(crate) rollout: Rollout,
    pub(crate) ledger: Ledger,
    pub(crate) phase: Phase,
    /// The wake-up that counts; older ones are void.
    pub(crate) turn: u64,
    /// How many phases it has begun.
    pub(crate) phases: u64,
    /// How many of each kind.
    pub(crate) phases_of: BTreeMap<&'static str, u64>,
    pub(crate) dead: bool,
    pub(crate) asleep_until: Option<Timestamp>,
    pub(crate) slept: bool,
    pub(crate) cancelled_at: Option<Timestamp>,
    pub(crate) cancel_told: bool,
    pub(crate) goes_home: bool,
    pub(crate) inbox: VecDeque<Order>,
    pub(crate) errand: Option<(Errand, Timestamp)>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) started_at: Timestamp,
    pub(crate) writes: u64,
    /// How far its clock is off, in milliseconds.
    pub(crate) skew: i64,
}

/// What a runner is doing.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// The record is on its way.
    Saving(Rc<RoutingTable>, Option<Revision>),
    /// The table in force is being read.
    Looking(Rc<RoutingTable>, Option<Revision>, bool),
    /// The write is on its way, with the answer that will come.
    Writing(Result<(), WriteFailure>, bool),
    LookingUp,
    Confirming(Revision),
    /// Something that takes long, and the effect that asked for it.
    Working(Effect),
    Waiting,
    Over,
}

/// Work that takes long, as the driver tells one from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Measure(usize),
    Ask(HookGate, usize),
    Deploy(Vec<VariantName>),
    Undo(Vec<VariantName>),
}

impl Runner {
    /// It begins a phase.
    pub(crate) fn enters(&mut self, phase: Phase) {
        self.turn += 1;
        self.phases += 1;
        *self.phases_of.entry(phase.name()).or_default() += 1;
        self.phase = phase;
    }

    /// Whether this is the moment.
    pub(crate) fn is_at(&self, moment: Option<Moment>) -> bool {
        match moment {
            None => false,
            Some(Moment::Phase(nth)) => self.phases == nth,
            Some(Moment::Doing(what, nth)) => {
                self.phase.name() == what && self.phases_of.get(what) == Some(&nth)
            }
        }
    }

    /// Whether it is in charge and able to act.
    pub(crate) fn is_driving(&self) -> bool {
        !self.dead && self.outcome.is_none()
    }

    /// Whether a signal or an order ends what it does now.
    pub(crate) const fn can_be_interrupted(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Confirming(_) | Phase::Working(_))
    }

    /// Whether an order takes the place of the answer that it waits for.
    pub(crate) const fn listens(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Working(_))
    }

    /// What the machine hears when somebody has cancelled: that, unless it is more to know that nothing was written.
    pub(crate) fn overruled(&mut self, event: Event) -> Event {
        let not_written = matches!(event, Event::Published(Err(WriteFailure::NotWritten(_))));
        if self.cancelled_at.is_some() && !self.cancel_told && !not_written {
            self.cancel_told = true;
            return Event::Cancelled("SIGTERM".into());
        }
        event
    }
}

impl Errand {
    pub(crate) fn of(effect: &Effect) -> Option<(Self, Option<Timestamp>)> {
        match effect {
            Effect::Measure { step, until, .. } => Some((Self::Measure(*step), *until)),
            Effect::Ask { gate, step, until } => Some((Self::Ask(*gate, *step), *until)),
            Effect::Deploy { instances, until } => Some((Self::Deploy(instances.clone()), *until)),
            Effect::Undo { instances, until } => Some((Self::Undo(instances.clone()), *until)),
            Effect::Publish { .. }
            | Effect::LookUp
            | Effect::Confirm(_)
            | Effect::WaitUntil(_)
            | Effect::Finish(_) => None,
        }
    }

    /// The instances that it works on.
    pub(crate) fn instances(&self) -> &[VariantName] {
        match self {
            Self::Deploy(instances) | Self::Undo(instances) => instances,
            Self::Measure(_) | Self::Ask(..) => &[],
        }
    }
}

/// What the driver's phase is called where faults are counted.
impl Phase {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Saving(..) => "saving",
            Self::Looking(..) => "looking",
            Self::Writing(_, true) => "writing home",
            Self::Writing(_, false) => "writing",
            Self::LookingUp => "looking up",
            Self::Confirming(_) => "confirming",
            Self::Working(Effect::Measure { .. }) => "measuring",
            Self::Working(Effect::Ask { .. }) => "asking",
            Self::Working(Effect::Deploy { .. }) => "deploying",
            Self::Working(_) => "undoing",
            Self::Waiting => "waiting",
            Self::Over => "over",
        }
    }
}
