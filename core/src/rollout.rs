//! The rollout: what happened in, what to do next out.
//!
//! A machine without clock, network or process, for all three strategies: *blue-green* is one step to 100 %, *canary* several,
//! *rolling* replaces instances batch by batch. Its driver performs one [`Effect`] at a time and reports what came of it as an
//! [`Event`]:
//!
//! ```text
//! let mut event = Event::Started;
//! loop {
//!     match rollout.handle(world.now(), event) {
//!         Effect::Finish(outcome) => return outcome,
//!         effect => event = world.perform(effect),
//!     }
//! }
//! ```
//!
//! Before each write the driver saves [`Rollout::saved`] where every other runner can read it; a dead runner's release is gone on
//! with by [`Rollout::resume`].
//!
//! # States
//!
//! ```text
//!  Ready ─▶ Writing ──────▶ Confirming ──▶ Measuring ⇄ Pausing ──gates──▶ next step … last step ──gates──▶ Writing(settle)
//!            │  ▲ │unknown    │  ▲ (again)    │    ⇅        │                                                  │
//!            │  │ ▼           │  └─Confirming │  Asking     │ paused: no further, until somebody           Confirming
//!            │  ReadingBack   │    Pause      │  (a hook)   │ resumes, promotes, aborts, or too long           │
//!            │                │ timeout       │ fail, too many errors, not approved, too slow                  ▼
//!            ▼ gave up        ▼               ▼                                                             Promoted
//!        Writing(home) ─▶ Confirming(home) ─▶ RolledBack            Stuck: home could not be written or confirmed
//!
//!  rolling, each batch: Writing(drained) ─▶ Confirming ─▶ Draining ─▶ Deploying ─▶ Writing(restored) ─▶ … Measuring ⇄ Pausing
//!      a batch fails: Writing(shelter: without it) ─▶ Confirming ─▶ Undoing ─▶ next batch; when paused: Pausing at this one
//!      going home:    Writing(shelter: what is well) ─▶ Confirming ─▶ Undoing ─▶ (again, till all have it) ─▶ Writing(home)
//!
//!  Ready begins at the first step, or where the runner before was: at a step, an undoing, settling, or on the way home
//!  Writing ⇄ WritePause: what was surely not written, or has to be above a revision that is served already, is written again
//!  an order is obeyed in Measuring, Asking and Pausing; elsewhere it waits for the next of them
//!  a foreign revision anywhere ─▶ Superseded, nothing more is written
//!  cancelled before the first write ─▶ NotStarted; after it ─▶ Writing(home)
//!  a renewal of the lease is a Writing that returns to what it interrupted
//! ```
//!
//! # Rules
//!
//! 1. Weights never rise after going home has begun.
//! 2. No step is left, and nothing settles, without a passed measurement in it, unless a person overrules a verdict that has
//!    paused the release. Probes must pass, and so must the judge of what visitors meet ([`Judging`]) where there is one; what
//!    he cannot decide for want of requests may count as passed by [`OnInconclusive::Promote`] alone.
//! 3. *Could not measure* is neither pass nor fail; [`Limits::errors_max`] of them in a row go home. Probes and counts each have
//!    their own row.
//! 4. A step's hold begins when its revision is seen served, not when the write returned.
//! 5. A write whose result is unknown is looked up before it is repeated.
//! 6. A foreign revision, or one of a runner that took over, stops the machine; it touches nothing any more.
//! 7. Every table with shifted weights carries a lease; only a settled table and home have none.
//! 8. Everything is bounded: writes, look-ups, confirmations, errors, pauses, gates, and the whole.
//! 9. No visitor is sent to an instance while it is being replaced: it is left alone for [`Limits::propagation`] after the table
//!    that leads around it was written, and for the drain after that. That holds as far as the limit does; a router that takes
//!    longer to follow, or whose first visitor in a long time comes just then, may still send one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Timestamp;
use crate::table::{Owner, ReleaseId, Revision, RoutingTable};

mod event;
mod forecast;
mod judging;
mod machine;
mod outcome;
mod plan;
mod saved;
mod standing;
mod start;
mod tables;
#[cfg(test)]
mod tests;

pub use event::{
    Answer, Broken, Confirmation, Counted, Deployed, Effect, Event, Found, Look, Measurement, NotUndone,
    Order, Verdict, WriteFailure,
};
pub use forecast::{Forecast, HOME_WRITTEN_WITHIN, StepForecast, WayHome, runner_minutes};
pub use judging::{Evidence, Judging, Side, Word};
pub use machine::Stage;
pub use outcome::{Outcome, Reason, Traffic};
pub use plan::{
    Batch, Draft, Gate, HookGate, Limits, OnDeadline, OnFailure, OnInconclusive, OnTimeout, OnTrouble, Plan,
    PlanError, Rolling, Shift, Step,
};
pub use saved::Saved;
pub use standing::{Writer, standing};
pub use start::CannotStart;
pub use tables::fleet::{Crew, Instance};
pub use tables::pair::Canary;

use tables::{Fleet, Pair, Tables};

/// One release's way from its first shifted weight to settled or home.
///
/// ```
/// # use crossfade_core::{Timestamp, table::{Revision, Weight}};
/// # use crossfade_core::rollout::*;
/// # let mut rollout: Rollout = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rollout/example.rs"));
/// let now = Timestamp::from_millis(0);
/// assert_eq!(rollout.stage(), Stage::Resting);
///
/// let Effect::Publish { table, base, .. } = rollout.handle(now, Event::Started) else { panic!() };
/// assert_eq!((base, table.variants()[1].weight), (Revision::new(43), Weight::TOTAL));
/// assert_eq!(rollout.stage().to_string(), "step 1: shifting to 100 %");
/// assert_eq!(rollout.shift_written(), Some(Shift::Canary(rollout.share(0))));
/// // Written, seen served, measured, and written as the new stable.
/// let Effect::Confirm(_) = rollout.handle(now, Event::Published(Ok(()))) else { panic!() };
/// let Effect::Measure { .. } = rollout.handle(now, Event::Confirmed(Confirmation::Served)) else { panic!() };
/// let Effect::Publish { table, .. } = rollout.handle(now, Event::Measured(Verdict::Pass.into())) else { panic!() };
/// assert_eq!((table.stable().version.as_str(), table.lease()), ("1.6.0", None));
/// let Effect::Confirm(_) = rollout.handle(now, Event::Published(Ok(()))) else { panic!() };
/// assert_eq!(rollout.handle(now, Event::Confirmed(Confirmation::Served)), Effect::Finish(Outcome::Promoted));
/// ```
#[derive(Clone, Debug)]
pub struct Rollout {
    plan: Plan,
    tables: Tables,
    release: ReleaseId,
    owner: Owner,
    /// The revision in KV as far as we know: ours, or the base's before our first write.
    revision: Option<Revision>,
    /// What routers serve already although KV may not hold it any more.
    served: Option<Revision>,
    /// When the last table with a lease was sent.
    renewed_at: Option<Timestamp>,
    /// When the lease runs out that was surely written last.
    held_until: Option<Timestamp>,
    /// When it must have ended; later by each pause.
    deadline: Option<Timestamp>,
    /// What somebody said and the machine has not come to yet.
    orders: VecDeque<Order>,
    /// Somebody wants it promoted in full.
    full: bool,
    /// Somebody has approved the next step already.
    approved: bool,
    /// It was paused by order when its batch failed, and is still when that has the version before again.
    paused: Option<machine::Pause>,
    replies: Vec<(Order, Result<(), String>)>,
    /// Who judges what visitors meet.
    judging: Option<Judging>,
    /// The revision that began the step: what routers counted before it belongs to another weight.
    first_of_step: Option<Revision>,
    evidence: Vec<Evidence>,
    state: machine::State,
}

/// What a release brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A new version in the idle slot.
    Canary(Canary),
    /// A new version for every instance.
    Fleet(Crew),
}

impl Rollout {
    /// A rollout from the table in force to what is new.
    ///
    /// `base` is the table in KV, `None` before the first release ever; then a canary's steps are replaced by one to
    /// 100 %, because there is nobody to share visitors with.
    ///
    /// ```
    /// use crossfade_core::rollout::{CannotStart, Rollout, Subject};
    ///
    /// # let rollout: Rollout = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rollout/example.rs"));
    /// # let (plan, subject, owner) = (rollout.plan().clone(), rollout.subject(), rollout.owner().clone());
    /// # let release = rollout.saved().release().clone();
    /// let rollout = Rollout::new(plan, None, subject, release, owner)?;
    /// assert_eq!((rollout.plan().steps().len(), rollout.base()), (1, None));
    /// # Ok::<(), CannotStart>(())
    /// ```
    ///
    /// # Errors
    /// When weights are already shifted, or the canary is the variant that is stable.
    pub fn new(
        plan: Plan,
        base: Option<RoutingTable>,
        subject: Subject,
        release: ReleaseId,
        owner: Owner,
    ) -> Result<Self, CannotStart> {
        let plan = if base.is_none() { plan.for_first_release() } else { plan };
        let revision = base.as_ref().map(RoutingTable::revision);
        let tables = match subject {
            Subject::Canary(canary) => Tables::Pair(Box::new(Pair::new(base, canary)?)),
            Subject::Fleet(crew) => {
                let planned = plan.steps().iter().filter_map(Step::batch).map(|batch| batch.count);
                let (planned, instances) = (planned.sum(), crew.instances.len());
                if planned != instances {
                    return Err(CannotStart::OtherFleet { planned, instances });
                }
                let fleet = Fleet::new(base, crew)?;
                fleet.check_batches(plan.steps().iter().filter_map(Step::batch))?;
                Tables::Fleet(Box::new(fleet))
            }
        };
        Ok(Self {
            revision,
            served: None,
            plan,
            tables,
            release,
            owner,
            renewed_at: None,
            held_until: None,
            deadline: None,
            orders: VecDeque::new(),
            full: false,
            approved: false,
            paused: None,
            replies: Vec::new(),
            judging: None,
            first_of_step: None,
            evidence: Vec::new(),
            state: machine::State::Ready(machine::Begin::Step(0)),
        })
    }

    /// The same with somebody who judges what visitors meet. A fleet has nobody on two versions that could be compared, and
    /// the first release ever has no version before it.
    #[must_use]
    pub fn judged_by(self, judging: Judging) -> Self {
        let compares = matches!(&self.tables, Tables::Pair(pair) if pair.base.is_some());
        Self { judging: compares.then_some(judging), ..self }
    }

    /// The same, with every table above a revision that the edge serves already. KV may hold an older one, or none, after
    /// somebody deleted the key; routers never go back, so they would not hear of a rollout that began below.
    #[must_use]
    pub fn above(self, served: Option<Revision>) -> Self {
        Self { served, ..self }
    }

    /// The same, with the step approved that it waited for when its runner died. What is at that step before is held and
    /// measured anew first.
    #[must_use]
    pub fn approved(self) -> Self {
        Self { approved: true, ..self }
    }

    /// The plan in force.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The new version's share at a step.
    pub fn share(&self, step: usize) -> crate::table::Weight {
        let step = self.plan.steps().get(step);
        step.map_or(crate::table::Weight::TOTAL, |step| self.tables.share(step.shift))
    }

    /// What the table that is being written does; `None` for one that goes home, shelters, settles or renews.
    pub fn shift_written(&self) -> Option<Shift> {
        let machine::State::Writing(machine::Write { goal: machine::Goal::Step(step), .. }) = &self.state
        else {
            return None;
        };
        self.plan.steps().get(*step).map(|step| step.shift)
    }

    /// The instances of a batch.
    pub fn instances(&self, batch: Batch) -> &[Instance] {
        match &self.tables {
            Tables::Fleet(fleet) => fleet.crew.instances.get(batch.range()).unwrap_or_default(),
            Tables::Pair(_) => &[],
        }
    }

    /// Which process drives it.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What became of the orders since the last time that somebody asked: obeyed, or why not.
    pub fn replies(&mut self) -> Vec<(Order, Result<(), String>)> {
        std::mem::take(&mut self.replies)
    }

    /// What the looks at what was counted came to since the last time that somebody asked.
    pub fn evidence(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.evidence)
    }

    /// Whether somebody judges what visitors meet.
    pub const fn is_judged(&self) -> bool {
        self.judging.is_some()
    }

    fn base_revision(&self) -> Option<Revision> {
        self.tables.base().map(RoutingTable::revision)
    }

    /// When the last lease that may be in force runs out.
    fn lease_ends(&self) -> Option<Timestamp> {
        self.renewed_at.map(|at| at.plus(self.plan.limits().lease))
    }

    /// When the lease is to be renewed.
    fn renewal(&self) -> Option<Timestamp> {
        self.renewed_at.map(|at| at.plus(self.plan.limits().renew_every))
    }

    fn renewal_due(&self, now: Timestamp) -> bool {
        self.renewal().is_some_and(|at| now >= at)
    }

    /// Pauses are not counted.
    fn extend_deadline(&mut self, by: Duration) {
        self.deadline = self.deadline.map(|at| at.plus(by));
    }
}
