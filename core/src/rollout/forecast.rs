//! What a plan comes to before anything is done: when each step begins, how long it all takes, how long a visitor may be left
//! on a version that fails, and how many requests that is.

use std::time::Duration;

use serde::Serialize;

use super::{Gate, Limits, Plan, Shift};
use crate::table::Weight;

/// How long after a failure or a signal home is written at the latest; the program's tests hold it to that.
pub const HOME_WRITTEN_WITHIN: Duration = Duration::from_secs(6);

/// What a plan comes to.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::{Draft, Forecast, Plan, Shift, Step, StepForecast, WayHome};
/// use crossfade_core::table::Weight;
///
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let step = |percent: &str, held| Step {
///     shift: Shift::Canary(Weight::from_percent(percent).unwrap()),
///     hold: minutes(held),
///     gates: Vec::new(),
/// };
/// let plan = Plan::new(Draft { steps: vec![step("5", 10), step("100", 20)], ..Draft::default() })?;
/// let forecast = Forecast::of(&plan);
/// assert_eq!(forecast.shortest, minutes(30));
/// assert_eq!(forecast.steps[1].begins, minutes(10));
/// let first: &StepForecast = &forecast.steps[0];
/// assert_eq!(first.requests(10.0), 300.0);
/// let WayHome { while_held, .. } = forecast.home;
/// assert!(while_held < forecast.home.worst());
/// // A twentieth of ten requests a second, until everybody is home.
/// assert_eq!(forecast.at_risk(forecast.steps[0].share, 10.0), forecast.home.worst().as_secs_f64() / 2.0);
/// // A load balancer stays as it was told when the runner dies.
/// assert_eq!(forecast.without_lease().home.lease, None);
/// # Ok::<(), crossfade_core::rollout::PlanError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The steps, in order.
    pub steps: Vec<StepForecast>,
    /// How long it takes when nothing has to be waited for.
    #[serde(rename = "shortest_seconds", serialize_with = "seconds")]
    pub shortest: Duration,
    /// The same when each write takes as long as [`Limits::propagation`] says.
    #[serde(rename = "usual_seconds", serialize_with = "seconds")]
    pub usual: Duration,
    /// The most that it may take, with each gate open at the last moment; pauses are not counted.
    #[serde(rename = "longest_seconds", serialize_with = "seconds")]
    pub longest: Duration,
    /// How long a failure lasts.
    pub home: WayHome,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepForecast {
    /// What becomes of the table.
    pub shift: Shift,
    /// The share of the visitors that the new version has then.
    pub share: Weight,
    /// When it begins, counted from the first write, when nothing has to be waited for.
    #[serde(rename = "begins_seconds", serialize_with = "seconds")]
    pub begins: Duration,
    /// How long it is held.
    #[serde(rename = "hold_seconds", serialize_with = "seconds")]
    pub hold: Duration,
    /// What must be open before it begins.
    pub gates: Vec<Gate>,
}

/// How long a version that fails may keep its visitors, by what goes wrong. The time that a check itself takes comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WayHome {
    /// It begins to fail while it is held: the next measurement sees it.
    #[serde(rename = "while_held_seconds", serialize_with = "seconds")]
    pub while_held: Duration,
    /// It fails from a step's first moment on, and the edge is seen to serve that step as late as it may be.
    #[serde(rename = "from_the_start_seconds", serialize_with = "seconds")]
    pub from_the_start: Duration,
    /// It fails and cannot be measured: so many measurements in a row.
    #[serde(rename = "unmeasured_seconds", serialize_with = "seconds")]
    pub unmeasured: Duration,
    /// The runner dies, or nothing can be written: every router goes home by itself. Absent where nobody does.
    #[serde(rename = "lease_seconds", serialize_with = "seconds_if_any")]
    pub lease: Option<Duration>,
}

impl WayHome {
    fn of(limits: &Limits) -> Self {
        let Limits { measure_every, confirm_within, propagation, lease, errors_max, .. } = *limits;
        let back = HOME_WRITTEN_WITHIN + propagation;
        Self {
            while_held: measure_every + back,
            from_the_start: confirm_within + back,
            unmeasured: measure_every.saturating_mul(errors_max.saturating_add(1)) + back,
            // Seen at the last moment, by then the lease may have been renewed just now.
            lease: Some(measure_every + lease),
        }
    }

    /// The longest of those that there are.
    pub fn worst(self) -> Duration {
        self.while_held.max(self.from_the_start).max(self.unmeasured).max(self.lease.unwrap_or_default())
    }
}

impl Forecast {
    /// Works it out.
    pub fn of(plan: &Plan) -> Self {
        let limits = plan.limits();
        let (mut begins, mut steps) = (Duration::ZERO, Vec::new());
        for step in plan.steps() {
            let share = share(plan, step.shift);
            let gates = step.gates.clone();
            steps.push(StepForecast { shift: step.shift, share, begins, hold: step.hold, gates });
            begins += lasts(step.shift, step.hold, limits);
        }
        let all_gates = (0..=steps.len()).flat_map(|step| plan.gates(step));
        let waits: Duration = all_gates.map(|gate| longest_wait(*gate, limits)).sum();
        // Each step is a write that has to be seen, and so is settling.
        let writes = u32::try_from(steps.len() + 1).unwrap_or(u32::MAX);
        Self {
            shortest: begins,
            usual: begins + limits.propagation.saturating_mul(writes),
            longest: plan.deadline() + waits,
            home: WayHome::of(limits),
            steps,
        }
    }

    /// The same where visitors meet what knows no lease, such as a load balancer.
    pub fn without_lease(mut self) -> Self {
        self.home.lease = None;
        self
    }

    /// The requests that a version which fails at all of them may lose at most while it has this share: before the router has
    /// rescued any, or its breaker has opened.
    pub fn at_risk(&self, share: Weight, requests_per_second: f64) -> f64 {
        requests(share, requests_per_second, self.home.worst())
    }
}

impl StepForecast {
    /// The requests that the new version gets while the step is held.
    pub fn requests(&self, requests_per_second: f64) -> f64 {
        requests(self.share, requests_per_second, self.hold)
    }
}

/// The minutes that a runner is paid for: each one that has begun.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::runner_minutes;
/// assert_eq!(runner_minutes(Duration::from_secs(61)), 2);
/// ```
pub const fn runner_minutes(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(60_000) as u64
}

fn requests(share: Weight, requests_per_second: f64, during: Duration) -> f64 {
    f64::from(share.basis_points()) / 10_000.0 * requests_per_second * during.as_secs_f64()
}

/// The share of all that are new once a step's table is served.
fn share(plan: &Plan, shift: Shift) -> Weight {
    let batch = match shift {
        Shift::Canary(weight) => return weight,
        Shift::Replace(batch) => batch.first,
        Shift::Restore(batch) => batch.first + batch.count,
    };
    let batches = plan.steps().iter().filter_map(super::Step::batch);
    let all = batches.map(|batch| batch.count).sum::<usize>().max(1);
    let basis_points = (usize::from(Weight::TOTAL.basis_points()) * batch).div_ceil(all);
    u16::try_from(basis_points).ok().and_then(Weight::new).unwrap_or(Weight::TOTAL)
}

/// How long a step takes at least.
fn lasts(shift: Shift, hold: Duration, limits: &Limits) -> Duration {
    match shift {
        // No instance is replaced before every router knows and its requests have ended.
        Shift::Replace(_) => limits.propagation + hold,
        Shift::Restore(_) | Shift::Canary(_) => hold,
    }
}

const fn longest_wait(gate: Gate, limits: &Limits) -> Duration {
    match gate {
        Gate::Approval { within, .. } => within,
        Gate::Hook(_) => limits.hook_waits_max,
    }
}

fn seconds_if_any<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
