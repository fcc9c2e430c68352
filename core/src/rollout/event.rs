//! What goes between the machine and its driver.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::{Counts, Reading};
use crate::table::{Origin, Revision, RoutingTable, VariantName, Version, Weight};
use crate::{Timestamp, rollout::Writer};

use super::{HookGate, Outcome};

/// What the driver must do next. Exactly one effect is in flight.
///
/// What carries `until` may take long: when that time comes first, the answer is [`Event::Busy`], the machine renews the
/// lease and asks for the same effect again, and the driver goes on with the one that is under way.
///
/// ```
/// use crossfade_core::Timestamp;
/// use crossfade_core::rollout::{Answer, Confirmation, Effect, Event, Found, NotUndone, WriteFailure};
///
/// /// A driver without a world: nothing can be written, asked or undone.
/// fn perform(effect: Effect) -> Event {
///     let nothing = || "there is no world".to_owned();
///     match effect {
///         Effect::Publish { .. } => Event::Published(Err(WriteFailure::NotWritten(nothing()))),
///         Effect::LookUp => Event::LookedUp(Found::Nothing),
///         Effect::Confirm(_) => Event::Confirmed(Confirmation::NotYet(nothing())),
///         Effect::Measure { .. } => Event::Measured(Default::default()),
///         Effect::Ask { .. } => Event::Answered(Answer::Fail(nothing())),
///         Effect::Deploy { .. } => Event::Deployed(vec![]),
///         Effect::Undo { instances, .. } => Event::Undone(Err(NotUndone { instances, why: nothing() })),
///         Effect::WaitUntil(_) | Effect::Finish(_) => Event::Woke,
///     }
/// }
/// assert_eq!(perform(Effect::WaitUntil(Timestamp::from_millis(0))), Event::Woke);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an effect that is not performed stalls the rollout"]
pub enum Effect {
    /// Write this table, if [`super::standing()`] lets us. Answer: [`Event::Published`].
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
    /// Take one measurement at this step. Answer: [`Event::Measured`].
    Measure {
        /// Index into [`super::Plan::steps`].
        step: usize,
        /// How many visitors the new version has.
        weight: Weight,
        /// Whether probes and hooks are to be asked.
        probes: bool,
        /// From when on to say what was counted; `None` when nobody judges that.
        counts: Option<Timestamp>,
        /// When the lease must be renewed; `None` without one.
        until: Option<Timestamp>,
    },
    /// Ask a hook whether this step may begin. Answer: [`Event::Answered`].
    Ask {
        /// Which hook.
        gate: HookGate,
        /// The step that waits: an index into [`super::Plan::steps`], or their number for settling.
        step: usize,
        /// When the lease must be renewed; `None` without one.
        until: Option<Timestamp>,
    },
    /// Bring the new version to these instances, which no visitor is sent to, and see whether they are well. Answer:
    /// [`Event::Deployed`].
    Deploy {
        /// Which.
        instances: Vec<VariantName>,
        /// When the lease must be renewed; `None` without one.
        until: Option<Timestamp>,
    },
    /// Bring the version before back to these instances, which no visitor is sent to. Answer: [`Event::Undone`].
    Undo {
        /// Which.
        instances: Vec<VariantName>,
        /// When the lease must be renewed; `None` without one.
        until: Option<Timestamp>,
    },
    /// Do nothing until this time, or until there is an order. Answer: [`Event::Woke`], also when it is over already.
    WaitUntil(Timestamp),
    /// It is over.
    Finish(Outcome),
}

/// What came of the effect in flight. [`Event::Cancelled`] may take the place of any answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The driver begins, or goes on from what was saved.
    Started,
    /// The write was answered.
    Published(Result<(), WriteFailure>),
    /// What KV holds.
    LookedUp(Found),
    /// What the edge serves.
    Confirmed(Confirmation),
    /// What was measured.
    Measured(Measurement),
    /// What the hook says.
    Answered(Answer),
    /// How each instance is.
    Deployed(Vec<Deployed>),
    /// Whether all instances have the version before again.
    Undone(Result<(), NotUndone>),
    /// What was begun goes on.
    Busy,
    /// The time has come.
    Woke,
    /// Somebody says what to do. Takes the place of [`Event::Woke`] and [`Event::Busy`].
    Ordered(Order),
    /// Somebody wants it undone. A write in flight must have ended before this is reported.
    Cancelled(String),
}

/// Instances that did not get the version before back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUndone {
    /// Which; none when that is not known, and then it may be all of them.
    pub instances: Vec<VariantName>,
    /// What stood in the way.
    pub why: String,
}

/// What people may say to a release in flight. To abort it, a driver answers [`Event::Cancelled`].
///
/// ```
/// use crossfade_core::rollout::{Event, Order};
///
/// let order: Order = serde_json::from_str(r#""promote-full""#)?;
/// assert_eq!(Event::Ordered(order), Event::Ordered(Order::PromoteFull));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Not to wait any longer: the rest of a hold, an approval, a pause that a verdict caused. A measurement must still
    /// pass, unless it is the verdict that is overruled.
    Promote,
    /// The same up to the end: straight to the last step, without the gates between; a measurement must pass there.
    PromoteFull,
    /// To go no further for now. Measuring goes on, and so does what a failure leads to.
    Pause,
    /// To go on.
    Resume,
    /// That the step which waits for an approval may begin.
    Approve,
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
    /// KV held this revision, or a later one, of a runner that we took over from, so nothing was written.
    Behind(Revision),
    /// KV held somebody else's revision, so nothing was written.
    Superseded(String),
}

/// What a look-up found in KV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A table.
    Table(Writer),
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

/// One measurement.
///
/// ```
/// use crossfade_core::{Timestamp, analysis::Counts};
/// use crossfade_core::rollout::{Counted, Look, Measurement, Verdict};
///
/// let canary = Counts { requests: 60, errors: 1, ..Counts::default() };
/// let look = Look {
///     from: Timestamp::from_millis(0),
///     until: Timestamp::from_millis(5_000),
///     counts: vec![Counted { revision: None, canary, stable: Counts::default() }],
///     readings: Default::default(),
/// };
/// let measurement = Measurement { counted: Some(Ok(look)), ..Verdict::Pass.into() };
/// assert_eq!(measurement.probes, Some(Verdict::Pass));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// What probes and hooks say; `None` when they were not asked.
    pub probes: Option<Verdict>,
    /// What was counted, or why nobody knows; `None` when nobody judges it.
    pub counted: Option<Result<Look, String>>,
}

impl From<Verdict> for Measurement {
    /// Of probes alone.
    fn from(probes: Verdict) -> Self {
        Self { probes: Some(probes), counted: None }
    }
}

/// What was counted in a stretch of time. What was told once never changes, and nothing of it comes later: the time is that of
/// whoever counts, who says up to when he knows all.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Where the look before ended, as [`Effect::Measure`] asked for.
    pub from: Timestamp,
    /// Where the next one begins.
    pub until: Timestamp,
    /// Counts by the revision that routers followed.
    pub counts: Vec<Counted>,
    /// What other sources measured, by the name of the metric.
    pub readings: BTreeMap<String, Reading>,
}

/// What was counted under one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Which; `None` when it is known to be the step's own.
    pub revision: Option<Revision>,
    /// The canary's counts.
    pub canary: Counts,
    /// Stable's counts.
    pub stable: Counts,
}

/// What probes say, or what all of a measurement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Pass,
    /// The new version does not do what it must.
    Fail(String),
    /// It was measured, and there is not enough yet to say either.
    Inconclusive(String),
    /// Could not measure, or stable fails in the same way: says nothing about the new version.
    Error(String),
}

/// What a hook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Pass,
    /// No.
    Fail(String),
    /// Not yet; ask again after this long.
    Wait(Duration),
}

/// How one instance came out of being deployed.
///
/// ```
/// use crossfade_core::rollout::{Broken, Deployed};
/// use crossfade_core::table::VariantName;
///
/// let instance = VariantName::new("name", "one")?;
/// let failed = Deployed { instance, result: Err(Broken::Unhealthy("status is 503, expected 2xx".into())) };
/// assert!(failed.result.is_err());
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Which.
    pub instance: VariantName,
    /// What it is now.
    pub result: Result<(Origin, Version), Broken>,
}

/// How an instance is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The new version could not be brought there.
    Failed(String),
    /// It is there and does not do what it must.
    Unhealthy(String),
}
