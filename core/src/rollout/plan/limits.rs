//! What keeps a rollout bounded, and what is done when it does not go well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::span::text;
use crate::table::Weight;

/// What keeps a rollout bounded.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::{Draft, Limits, OnFailure, Plan, PlanError, Shift, Step};
/// use crossfade_core::table::Weight;
///
/// let all = Step { shift: Shift::Canary(Weight::TOTAL), hold: Duration::ZERO, gates: vec![] };
/// let plan = |limits| Plan::new(Draft { steps: vec![all.clone()], limits, ..Draft::default() });
/// assert_eq!(plan(Limits::default())?.limits().lease, Duration::from_secs(300));
/// assert_eq!(plan(Limits::default())?.trouble().failure, OnFailure::Rollback);
/// let short = Limits { lease: Duration::from_secs(150), ..Limits::default() };
/// assert_eq!(
///     plan(short).unwrap_err().to_string(),
///     "the lease (150 s) must be longer than renewal interval (60 s) plus propagation (90 s)"
/// );
/// # Ok::<(), PlanError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long routers keep shifted weights without a further word.
    #[serde(with = "text")]
    pub lease: Duration,
    /// How often the lease is renewed.
    #[serde(with = "text")]
    pub renew_every: Duration,
    /// How long a write may take to be seen everywhere: KV's propagation and the routers' refresh.
    #[serde(with = "text")]
    pub propagation: Duration,
    /// How long the edge may take to be seen serving a revision.
    #[serde(with = "text")]
    pub confirm_within: Duration,
    /// The time between two looks at the edge.
    #[serde(with = "text")]
    pub confirm_every: Duration,
    /// The time between two measurements.
    #[serde(with = "text")]
    pub measure_every: Duration,
    /// The time between two looks at what was counted.
    #[serde(with = "text", default = "judge_every")]
    pub judge_every: Duration,
    /// Measurements in a row that may fail to be taken; probes and counts each have their own.
    pub errors_max: u32,
    /// Tries of one write, look-ups included; while a lease is held, as many as fit before it has to be renewed everywhere.
    pub write_attempts_max: u32,
    /// Tries of the write that brings traffic home.
    pub home_attempts_max: u32,
    /// The time between two tries of a write. KV takes one write a second to a key
    /// (<https://developers.cloudflare.com/kv/platform/limits/>).
    #[serde(with = "text")]
    pub write_every: Duration,
    /// How long all of it may take, pauses and closed gates not counted. `None`: twice the holds and
    /// [`Limits::DEADLINE_SLACK`].
    #[serde(with = "crate::span::optional_text")]
    pub deadline: Option<Duration>,
    /// How long it may be paused.
    #[serde(with = "text")]
    pub paused_max: Duration,
    /// How long a hook may go on saying "not yet".
    #[serde(with = "text")]
    pub hook_waits_max: Duration,
    /// The weight that is reached only with somebody's approval in between; `None`: none.
    pub approval_above: Option<Weight>,
    /// The share of a batch that must be well after it was deployed.
    pub healthy_min: Weight,
    /// The share of all instances that may fail before the whole release goes back.
    pub failed_max: Weight,
}

impl Limits {
    /// What the default deadline grants beyond twice the holds: confirmations, repeated writes, undecided measurements.
    pub const DEADLINE_SLACK: Duration = Duration::from_secs(3_600);
}

impl Default for Limits {
    fn default() -> Self {
        const HEALTHY_MIN: Weight = Weight::new(9_000).expect("90 % is a weight");
        const FAILED_MAX: Weight = Weight::new(1_000).expect("10 % is a weight");
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(300),
            renew_every: seconds(60),
            // "up to 60 seconds or more" (<https://developers.cloudflare.com/kv/concepts/how-kv-works/>), and the routers' 30.
            propagation: seconds(90),
            confirm_within: seconds(180),
            confirm_every: seconds(1),
            measure_every: seconds(30),
            judge_every: judge_every(),
            errors_max: 4, // Argo Rollouts' consecutiveErrorLimit
            write_attempts_max: 5,
            home_attempts_max: 60,
            write_every: seconds(1),
            deadline: None,
            paused_max: seconds(6 * 3_600), // no longer than a job may run on GitHub's own machines
            hook_waits_max: seconds(3_600),
            approval_above: None,
            healthy_min: HEALTHY_MIN,
            failed_max: FAILED_MAX,
        }
    }
}

/// Looking more often costs no certainty, so this is about what answering costs.
const fn judge_every() -> Duration {
    Duration::from_secs(5)
}

/// What is done when it does not go well.
///
/// ```
/// use crossfade_core::rollout::{OnDeadline, OnFailure, OnInconclusive, OnTrouble};
///
/// let trouble = OnTrouble { failure: OnFailure::Pause, ..OnTrouble::default() };
/// assert_eq!(trouble.inconclusive, OnInconclusive::Extend);
/// assert_eq!(trouble.deadline, OnDeadline::Abort);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTrouble {
    /// A measurement or a hook says no.
    pub failure: OnFailure,
    /// A step was held as long as planned and is undecided.
    pub inconclusive: OnInconclusive,
    /// It takes longer than [`Limits::deadline`].
    pub deadline: OnDeadline,
}

/// A measurement or a hook says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Traffic goes home.
    #[default]
    Rollback,
    /// The weights stay and a person decides.
    Pause,
}

/// A step was held as long as planned and is undecided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnInconclusive {
    /// It is held longer, until it is decided or the deadline comes.
    #[default]
    Extend,
    /// The weights stay and a person decides.
    Pause,
    /// Traffic goes home.
    Abort,
    /// It goes on when probes pass and what visitors met is undecided for want of requests: for sites whose traffic proves
    /// nothing in a step's time. How much was missing is told.
    Promote,
}

/// It takes longer than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnDeadline {
    /// Traffic goes home.
    #[default]
    Abort,
    /// The weights stay and a person decides.
    Pause,
}
