//! The rollout: what happened in, what to do next out.
//!
//! A machine without clock, network or process. Its driver performs one [`Effect`] at a time and reports what came of it
//! as an [`Event`]:
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
//! # States
//!
//! ```text
//!  Ready ─▶ Writing ───────▶ Confirming ──────▶ Measuring ⇄ Pausing ─▶ next step … last step
//!             │  ▲ │unknown     │  ▲ (again)      │                        │
//!             │  │ ▼            │  └──Confirming  │ fail, too many         ▼
//!             │  ReadingBack    │     Pause       │ errors              Writing(settle) ─▶ Confirming ─▶ Promoted
//!             │                 │ timeout         │
//!             ▼ gave up         ▼                 ▼
//!         Writing(home) ─▶ Confirming(home) ─▶ RolledBack          Stuck: home could not be written or confirmed
//!
//!  a foreign revision anywhere ─▶ Superseded, nothing more is written
//!  cancelled before the first write ─▶ NotStarted; after it ─▶ Writing(home)
//!  a renewal of the lease is a Writing that returns to the step, or the measurement, that it interrupted
//! ```
//!
//! # Rules
//!
//! 1. Weights never rise after going home has begun.
//! 2. No step is left, and nothing settles, without a passed measurement in it.
//! 3. *Could not measure* is neither pass nor fail; [`Plan::errors_max`] of them in a row go home.
//! 4. A step's hold begins when its revision is seen served, not when the write returned.
//! 5. A write whose result is unknown is looked up before it is repeated.
//! 6. A foreign revision stops the machine; it touches nothing any more.
//! 7. Every table with shifted weights carries a lease; only a settled table and home have none.
//! 8. Everything is bounded: writes, look-ups, confirmations, errors.

use std::time::Duration;

use crate::table::{AffinityBy, Policy, RoutingTable, TableError, Variant, VariantName, Weight};
use crate::{Span, Timestamp, table::ReleaseId, table::Revision};

mod machine;
mod plan;
mod tables;
#[cfg(test)]
mod tests;

pub use plan::{Limits, Plan, PlanError, Step};
pub use tables::CannotStart;

/// One release's way from its first shifted weight to settled or home.
#[derive(Clone, Debug)]
pub struct Rollout {
    plan: Plan,
    tables: tables::Tables,
    /// The revision in KV as far as we know: ours, or the base's before our first write.
    revision: Option<Revision>,
    /// What routers serve already although KV may not hold it any more.
    served: Option<Revision>,
    /// When the last table with a lease was sent.
    renewed_at: Timestamp,
    state: machine::State,
}

/// What the driver must do next. Exactly one effect is in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an effect that is not performed stalls the rollout"]
pub enum Effect {
    /// Write this table, unless KV holds somebody else's: a table whose release is not this one's and whose revision
    /// is not `base`. Answer: [`Event::Published`].
    Publish {
        /// The table to write.
        table: Box<RoutingTable>,
        /// The revision this rollout started from; `None` when there was no table.
        base: Option<Revision>,
        /// Traffic goes home: before anything else, records included.
        urgent: bool,
    },
    /// Look up which table KV holds. Answer: [`Event::LookedUp`].
    LookUp,
    /// Ask the edge whether it serves this revision of ours or a later one. Answer: [`Event::Confirmed`].
    Confirm(Revision),
    /// Take one measurement at this step, or go on with the one that was answered by [`Event::StillMeasuring`]. Answer:
    /// [`Event::Measured`], or [`Event::StillMeasuring`] when it takes longer than `until`.
    Measure {
        /// Index into [`Plan::steps`].
        step: usize,
        /// How many visitors the canary has.
        weight: Weight,
        /// When the lease must be renewed; `None` without one.
        until: Option<Timestamp>,
    },
    /// Do nothing until this time. Answer: [`Event::Woke`], also when it is over already.
    WaitUntil(Timestamp),
    /// It is over.
    Finish(Outcome),
}

/// What came of the effect in flight. [`Event::Cancelled`] may take the place of any answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The driver begins.
    Started,
    /// The write was answered.
    Published(Result<(), WriteFailure>),
    /// What KV holds.
    LookedUp(Found),
    /// What the edge serves.
    Confirmed(Confirmation),
    /// What the measurement says.
    Measured(Verdict),
    /// The measurement goes on.
    StillMeasuring,
    /// The time has come.
    Woke,
    /// Somebody wants it undone. A write in flight must have ended before this is reported.
    Cancelled(String),
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteFailure {
    /// Surely not written, and not going to be: a missing permission.
    Refused(String),
    /// Surely not written; later it may be: a rate limit, no connection.
    NotWritten(String),
    /// It may have been written: the answer was lost, or an error of the server's.
    Unknown(String),
    /// KV held somebody else's revision, so nothing was written.
    Superseded(String),
}

/// What a look-up found in KV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A table.
    Table {
        /// Its revision.
        revision: Revision,
        /// Who wrote it.
        release: ReleaseId,
    },
    /// No table.
    Nothing,
    /// It could not be looked up, or it is damaged.
    Unreadable(String),
}

/// What the edge was seen to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// This revision or a later one of ours.
    Served,
    /// An earlier one, or no answer yet; the text says what was seen.
    NotYet(String),
    /// Somebody else's later one.
    Superseded(String),
}

/// What one measurement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Pass,
    /// The new version does not do what it must.
    Fail(String),
    /// Could not measure, or stable fails in the same way: says nothing about the new version.
    Error(String),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new version is stable.
    Promoted,
    /// Nothing was written; visitors never met the new version.
    NotStarted(Reason),
    /// Traffic is home on the version before, seen at the edge.
    RolledBack(Reason),
    /// Another release took over; traffic is as it says.
    Superseded(String),
    /// A person is needed.
    Stuck {
        /// Why we left the plan.
        reason: Reason,
        /// Why we could not finish, and what traffic does now.
        traffic: Traffic,
    },
}

/// Why the plan was left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A measurement failed.
    #[error("step {} ({weight}): {why}", step + 1)]
    MeasurementFailed {
        /// Index into [`Plan::steps`].
        step: usize,
        /// The canary's weight there.
        weight: Weight,
        /// What the measurement said.
        why: String,
    },
    /// Too many measurements in a row could not be taken.
    #[error("step {} could not be measured {times} times in a row: {why}", step + 1)]
    CouldNotMeasure {
        /// Index into [`Plan::steps`].
        step: usize,
        /// How often.
        times: u32,
        /// What stood in the way the last time.
        why: String,
    },
    /// The edge did not serve the new revision in time.
    #[error("the edge did not serve revision {revision} within {}: {seen}", Span(*within))]
    NotConfirmed {
        /// The revision waited for.
        revision: Revision,
        /// How long.
        within: Duration,
        /// What it served instead.
        seen: String,
    },
    /// The table could not be written.
    #[error("the routing table could not be written: {0}")]
    WriteFailed(String),
    /// Somebody wanted it undone.
    #[error("cancelled: {0}")]
    Cancelled(String),
}

/// What traffic does when a person is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Traffic {
    /// There is no version before this one.
    #[error("the first release ever serves everybody: there is no version to go back to")]
    NothingToReturnTo,
    /// The table that brings traffic home could not be written.
    #[error("home could not be written ({why}); {}", match lease_ends {
        Some(time) => format!("every router goes home by itself at {time}"),
        None => "routers keep the last table they saw".to_owned(),
    })]
    HomeNotWritten {
        /// What stood in the way.
        why: String,
        /// When the last lease that may be in force runs out.
        lease_ends: Option<Timestamp>,
    },
    /// Home is written but was not seen at the edge.
    #[error("home is written as revision {revision} but the edge was not seen to serve it ({seen})")]
    HomeNotConfirmed {
        /// Home's revision.
        revision: Revision,
        /// What it served instead.
        seen: String,
    },
}

impl Rollout {
    /// A rollout from the table in force to `canary`.
    ///
    /// `base` is the table in KV, `None` before the first release ever; then the plan's steps are replaced by one to
    /// 100 %, because there is nobody to share visitors with.
    ///
    /// # Errors
    /// When weights are already shifted, or the canary is the variant that is stable.
    pub fn new(
        plan: Plan,
        base: Option<RoutingTable>,
        canary: Canary,
        release: ReleaseId,
    ) -> Result<Self, CannotStart> {
        let plan = if base.is_none() { plan.for_first_release() } else { plan };
        let tables = tables::Tables::new(base, canary, release)?;
        Ok(Self {
            revision: tables.base_revision(),
            served: None,
            plan,
            tables,
            renewed_at: Timestamp::from_millis(0),
            state: machine::State::Ready,
        })
    }

    /// The same, with every table above a revision that the edge serves already. KV may hold an older one, or none, after
    /// somebody deleted the key; routers never go back, so they would not hear of a rollout that began below.
    #[must_use]
    pub fn above(self, served: Option<Revision>) -> Self {
        Self { served, ..self }
    }

    /// The plan in force.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The new version, as the routing table will list it; its weight is the plan's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Whose traffic this is; must be the base table's environment.
    pub environment: crate::table::Environment,
    /// The idle slot.
    pub name: VariantName,
    /// Where the new version is.
    pub origin: crate::table::Origin,
    /// What it is.
    pub version: crate::table::Version,
    /// How visitors are recognised from this release on.
    pub affinity: AffinityBy,
    /// What the router does beyond the draw from this release on. Rules and mirror name `stable` and `canary`, or a slot;
    /// what names `canary` is gone when the release has settled.
    pub policy: Policy,
}

impl Canary {
    fn variant(&self, weight: Weight) -> Variant {
        Variant {
            name: self.name.clone(),
            origin: self.origin.clone(),
            version: self.version.clone(),
            weight,
        }
    }
}

/// A table built by the machine breaks an invariant: a bug, never the user's fault.
fn valid(table: Result<RoutingTable, TableError>) -> RoutingTable {
    table.expect("base and canary were checked, and the weights are a share and its rest")
}
