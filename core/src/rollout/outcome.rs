//! How a rollout ends, and why.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::table::{Revision, Weight};
use crate::{Span, Timestamp};

/// How it ended.
///
/// ```
/// use crossfade_core::rollout::{Outcome, Reason, Traffic};
/// use crossfade_core::table::Weight;
///
/// let why = "health: status is 503, expected 2xx".to_owned();
/// let reason = Reason::MeasurementFailed { step: 1, weight: Weight::from_percent("25").unwrap(), why };
/// let Outcome::RolledBack(reason) = Outcome::RolledBack(reason) else { unreachable!() };
/// assert_eq!(reason.to_string(), "step 2 (25 %): health: status is 503, expected 2xx");
/// # let _: Option<Traffic> = None;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new version is stable.
    Promoted,
    /// Nothing was written; visitors never met the new version.
    NotStarted(Reason),
    /// Traffic is home on the version before, seen at the edge.
    RolledBack(Reason),
    /// Another release, or another runner of this one, took over; traffic is as it says.
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A measurement failed.
    #[error("step {} ({weight}): {why}", step + 1)]
    MeasurementFailed {
        /// Index into [`super::Plan::steps`].
        step: usize,
        /// The new version's weight there.
        weight: Weight,
        /// What the measurement said.
        why: String,
    },
    /// Too many measurements in a row could not be taken.
    #[error("step {} could not be measured {times} times in a row: {why}", step + 1)]
    CouldNotMeasure {
        /// Index into [`super::Plan::steps`].
        step: usize,
        /// How often.
        times: u32,
        /// What stood in the way the last time.
        why: String,
    },
    /// A step was held as long as planned, and what was measured says neither yes nor no.
    #[error("step {} ({weight}) is undecided: {why}", step + 1)]
    Inconclusive {
        /// Index into [`super::Plan::steps`].
        step: usize,
        /// The new version's weight there.
        weight: Weight,
        /// What is missing.
        why: String,
    },
    /// A hook said no.
    #[error("{gate}: {why}")]
    Refused {
        /// Which.
        gate: String,
        /// What it said.
        why: String,
    },
    /// Nobody approved in time.
    #[error("nobody approved step {} within {}", step + 1, Span(*within))]
    NotApproved {
        /// The step that waited: an index into [`super::Plan::steps`], or their number for settling.
        step: usize,
        /// How long.
        within: Duration,
    },
    /// It was paused, and nobody resumed it.
    #[error("paused ({why}) and not resumed within {}", Span(*within))]
    PausedTooLong {
        /// Why it was paused.
        why: String,
        /// How long.
        within: Duration,
    },
    /// It took longer than it may, pauses not counted.
    #[error("not finished within {}, pauses not counted", Span(*within))]
    TooSlow {
        /// How long it may take.
        within: Duration,
    },
    /// An instance could not be deployed.
    #[error("`{instance}` could not be deployed: {why}")]
    DeployFailed {
        /// Which.
        instance: String,
        /// What stood in the way.
        why: String,
    },
    /// More instances failed than may.
    #[error("{failed} of {instances} instances failed: {why}")]
    TooManyFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        instances: usize,
        /// What the last one failed at.
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
    /// Instances could not get the version before back.
    #[error("no visitor is sent to the instances that could not get the version before back: {why}")]
    InstancesNotUndone {
        /// Which, and what stood in the way.
        why: String,
    },
}
