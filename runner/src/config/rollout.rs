//! `[rollout]`: how traffic is shifted.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::rollout::{Limits, OnDeadline, OnFailure, OnInconclusive, OnTimeout};
use crossfade_core::table::Weight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Percent;
use super::requests::check_not_zero;

mod plan;
mod step;

pub use plan::HookGates;
pub use step::StepConfig;

/// How traffic is shifted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Which of the strategies. Default: `blue-green`.
    pub strategy: Strategy,
    /// What a canary goes through, each `{ weight = "5%", hold = "5m" }`; the last may be 100 %. Default for `canary`: 1 % 10m,
    /// 5 % 15m, 25 % 30m, 50 % 1h, 100 % 30m; for `blue-green`: none, everybody is switched at once.
    pub steps: Option<Vec<StepConfig>>,
    /// For `blue-green`: visitors are shifted in the middle instead of switched at once, 5 % 5m, 25 % 10m, 50 % 15m, 100 % 10m.
    /// Default: false.
    pub shift: bool,
    /// Whether somebody has to approve before the new version becomes stable, when it has everybody. Default: false.
    pub settle_approval: bool,
    /// How long the new version is watched with all visitors on it before it becomes stable, unless a last step of 100 % says
    /// it. Default: `0s`, one passed verification is enough.
    pub watch: Span,
    /// Whether the smoke tests run again through the public URL after the switch. Default: true.
    pub verify_smoke: bool,
    /// What happens when a measurement or a hook says no. Default: `rollback`.
    pub on_failure: OnFailure,
    /// What happens when a step has been held and is still undecided. Default: `extend` with `[analysis]`; without it `promote`,
    /// by which too few visitors keep nobody waiting.
    pub on_inconclusive: Option<OnInconclusive>,
    /// What happens when all of it takes longer than `deadline`. Default: `abort`.
    pub on_deadline: OnDeadline,
    /// How long all of it may take, pauses and waiting for approvals and hooks not counted. Default: twice all holds and an
    /// hour.
    pub deadline: Option<Span>,
    /// How long it may be paused before traffic goes home. Default: `6h`, as long as a job runs on GitHub's machines.
    pub paused_max: Span,
    /// Above this weight nobody gets the new version before somebody has approved: the first step above it waits.
    pub approval_above: Option<Percent>,
    /// How long such an approval, and one of a step that says no more than `approval = true`, may take. Default: `1h`.
    pub approve_within: Span,
    /// What nobody's approval counts as. Default: `abort`.
    pub approve_on_timeout: OnTimeout,
    /// How long a hook may go on saying "not yet". Default: `1h`.
    pub hook_waits_max: Span,
    /// What happens to a release that begins while another one is running. Default: `refuse`.
    pub second: Second,
    /// How long a release that is queued, or supersedes another one, waits for it. Default: `1h`.
    pub queue_for: Span,
    /// How a fleet of instances is replaced.
    pub rolling: RollingConfig,
    /// How long routers keep shifted weights when nothing more is heard of the runner. Default: `5m`.
    pub lease: Span,
    /// How often the lease is renewed. Default: `1m`.
    pub renew_every: Span,
    /// How long a write may take to be seen everywhere. Default: `90s`, KV's 60 and the routers' 30.
    pub propagation: Span,
    /// How long the edge may take to be seen serving a revision. Default: `3m`.
    pub confirm_within: Span,
    /// The time between two measurements of a step. Default: `30s`.
    pub measure_every: Span,
    /// How often a running release looks for orders from elsewhere: `crossfade pause`, `promote`, `abort`. Default: `5s`.
    pub listen_every: Span,
    /// Measurements in a row that may fail to be taken before traffic goes home. Default: 4.
    pub errors_max: u32,
    /// The two slots. Default: `["blue", "green"]`.
    pub slots: [String; 2],
}

/// The strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// A second slot is deployed, checked, and then serves everybody.
    BlueGreen,
    /// A second slot is deployed, checked, and gets more and more visitors.
    Canary,
    /// The instances of a fleet are replaced, a few at a time.
    Rolling,
}

/// What happens to a release that begins while another one is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// It ends with exit code 5, and nothing was changed.
    #[default]
    Refuse,
    /// It waits for the other one to end. Of several that wait, one goes on then, and the others end with exit code 5.
    Queue,
    /// The other one is told to go home; then this one begins.
    Supersede,
}

/// How a fleet of instances is replaced.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollingConfig {
    /// How many instances are replaced at the same time. Default: 2.
    pub batch: usize,
    /// How long requests in flight may take to end on an instance that gets no more visitors, counted from `propagation` after
    /// the write that drained it: only then every router knows. Default: `10s`.
    pub drain: Span,
    /// How long a batch is watched when it has its visitors again. Default: `5m`.
    pub watch: Span,
    /// The time between two batches. Default: `1m`.
    pub between: Span,
    /// The share of a batch's health checks that may fail in one measurement; when more do, the batch goes back. Default: 5 %.
    pub error_rate_max: Percent,
    /// The share of a batch that must be well after it was deployed, else the batch goes back. Default: 90 %.
    pub healthy_min: Percent,
    /// The share of all instances that may fail; when more do, the whole release goes back. Default: 10 %.
    pub failed_max: Percent,
}

impl Default for RollingConfig {
    fn default() -> Self {
        const ERROR_RATE_MAX: Weight = Weight::new(500).expect("5 % is a weight");
        let limits = Limits::default();
        Self {
            batch: 2,
            drain: Span(Duration::from_secs(10)),
            watch: Span(Duration::from_secs(300)),
            between: Span(Duration::from_secs(60)),
            error_rate_max: Percent(ERROR_RATE_MAX),
            healthy_min: Percent(limits.healthy_min),
            failed_max: Percent(limits.failed_max),
        }
    }
}

impl Default for RolloutConfig {
    fn default() -> Self {
        let limits = Limits::default();
        let hour = Span(Duration::from_secs(3_600));
        Self {
            strategy: Strategy::BlueGreen,
            steps: None,
            shift: false,
            settle_approval: false,
            watch: Span(Duration::ZERO),
            verify_smoke: true,
            on_failure: OnFailure::default(),
            on_inconclusive: None,
            on_deadline: OnDeadline::default(),
            deadline: None,
            paused_max: Span(limits.paused_max),
            approval_above: None,
            approve_within: hour,
            approve_on_timeout: OnTimeout::default(),
            hook_waits_max: Span(limits.hook_waits_max),
            second: Second::default(),
            queue_for: hour,
            rolling: RollingConfig::default(),
            lease: Span(limits.lease),
            renew_every: Span(limits.renew_every),
            propagation: Span(limits.propagation),
            confirm_within: Span(limits.confirm_within),
            measure_every: Span(limits.measure_every),
            listen_every: Span(Duration::from_secs(5)),
            errors_max: limits.errors_max,
            slots: ["blue".into(), "green".into()],
        }
    }
}

impl RolloutConfig {
    /// Refuses what is a plan and makes no sense all the same.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, time) in [
            ("measure_every", self.measure_every),
            ("renew_every", self.renew_every),
            ("confirm_within", self.confirm_within),
            ("listen_every", self.listen_every),
            ("paused_max", self.paused_max),
        ] {
            check_not_zero(&format!("`rollout.{name}`"), time)?;
        }
        let steps = self.steps.as_deref().unwrap_or_default();
        let zero = |(index, step): &(usize, &StepConfig)| *index > 0 && step.weight.0 == Weight::ZERO;
        if let Some((index, _)) = steps.iter().enumerate().find(zero) {
            return Err(format!(
                "`rollout.steps[{index}].weight` is 0 %: only the first step may be 0 %, where nothing but the override \
                 reaches the new version"
            ));
        }
        if self.shift && (self.strategy != Strategy::BlueGreen || self.steps.is_some()) {
            return Err(
                "`rollout.shift` brings the usual steps of a blue-green release: leave it out where `steps` or another strategy \
                 says what happens"
                    .into(),
            );
        }
        match (self.strategy, steps.first()) {
            (Strategy::Rolling, Some(_)) => Err(
                "`rollout.steps` has no meaning with strategy = \"rolling\": `[rollout.rolling]` says how many instances are \
                 replaced at a time"
                    .into(),
            ),
            (Strategy::Rolling | Strategy::BlueGreen | Strategy::Canary, _) => Ok(()),
        }
    }
}
