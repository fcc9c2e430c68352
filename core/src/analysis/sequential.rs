//! The always-valid sequential judge: a fold over intervals.
//!
//! Six kinds of evidence are collected, each against one hypothesis about a healthy canary ([`Part`]). The canary is
//! rolled back when the strongest of them, weighed with its part of the budget, exceeds `1/α`. By Ville's inequality and
//! the union bound that happens to a healthy canary in at most `α` of all releases, however often one looks, however
//! weights and traffic change, however long it takes. The bound needs no common clock of the parts, which a mean would
//! (Choe and Ramdas 2024, "Combining evidence across filtrations", <https://arxiv.org/abs/2402.09698>).
//!
//! The state is a pure fold: the same intervals give the same bits, after a restart, on any machine.

use std::time::Duration;

use libm::log;
use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::evidence::{EProcess, Pace};
use super::guard::{LIMIT_MAX, Limit, LimitGuard, Sides, Trail};
use super::kernel::{Trial, ln_mean_exp, tilt};
use super::latency::{Arm, FrozenEdges};
use super::verdict::Proof;
use super::{Counting, Counts, Interval, Settings, SettingsError, dispersion};
use crate::table::Weight;

mod decide;
mod step;

use step::Step;

/// The share of requests from which the canary is compared with stable's past: too few are left on stable.
const NEARLY_ALL: f64 = 0.9;
/// The least time, seconds, over which stakes are spread: a short rollout must not forget faster than it sees.
const TAU_MIN: f64 = 600.0;

/// What is known when a release begins.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::analysis::{Counts, Start};
///
/// let stable = Counts { requests: 50_000, errors: 120, ..Counts::default() };
/// let start = Start { planned: Duration::from_secs(3600), stable, ..Start::default() };
/// # assert_eq!(start.dispersion, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// How long the whole rollout is planned to take: the sum of its steps.
    pub planned: Duration,
    /// Stable's counts of the last hours.
    pub stable: Counts,
    /// How much stable's errors cluster ([`dispersion::dispersion`]).
    pub dispersion: Option<f64>,
    /// Whether failing visitors are told apart, and the weight alone says on which side they are.
    pub visitors: bool,
}

/// One release's evidence.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::analysis::{Counts, Interval, Part, Proof, Sequential, Settings, SettingsError, Start, Verdict};
///
/// let mut judge = Sequential::new(Settings::default(), &Start::default())?;
/// let interval: Interval = serde_json::from_str(r#"{
///     "length": "30s", "weight": 500, "canary": {"requests": 60}, "stable": {"requests": 1140}
/// }"#).unwrap();
/// judge.observe(&interval);
/// assert!(matches!(judge.verdict(Duration::from_secs(300)), Verdict::Inconclusive(_)));
/// assert!(judge.proof().is_none() && !judge.shared_incident());
/// assert!(judge.error_bounds().canary_upper < 0.2);
///
/// // Every request that came in late has failed: more than is ever allowed.
/// judge.late(&Counts { requests: 20, errors: 20, ..Counts::default() }, &Counts::default());
/// let (part, ln_odds) = judge.strongest();
/// assert!(part == Part::ErrorsAbsolute && ln_odds > 1000_f64.ln());
/// assert!(judge.evidence().iter().any(|(kind, ln)| *kind == part && *ln > ln_odds));
/// let Proof { sides, .. } = judge.proof().unwrap();
/// assert_eq!(sides.canary.events, 20);
/// # Ok::<(), SettingsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    settings: Settings,
    pace: Pace,
    edges: FrozenEdges,
    relative: Trail,
    floor: EProcess,
    errors: LimitGuard,
    #[serde(default)]
    unanswered: LimitGuard,
    history: Trail,
    slower: [Trail; 3],
    slow: LimitGuard,
    open: Stratum,
    step: Option<Step>,
    /// Everything since the release began.
    total: [Arm; 2],
    proof: Option<Proof>,
}

/// A kind of evidence against the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It fails more than stable.
    ErrorsRelative,
    /// It fails more than allowed.
    ErrorsAbsolute,
    /// It leaves more requests without an answer than allowed.
    Availability,
    /// It fails more than stable did in the past.
    ErrorsHistory,
    /// It is slower than stable.
    LatencyRelative,
    /// It is slower than allowed.
    LatencyAbsolute,
}

/// Consecutive intervals under one weight that are compared at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stratum {
    seconds: f64,
    arms: [Arm; 2],
}

impl Sequential {
    /// Before the first interval.
    pub fn new(mut settings: Settings, start: &Start) -> Result<Self, SettingsError> {
        settings.check()?;
        settings.counting.get_or_insert(if start.visitors { Counting::Visitors } else { Counting::Requests });
        let phi = settings.dispersion.or(start.dispersion).unwrap_or(dispersion::UNKNOWN);
        let slo_micros = u64::try_from(settings.response_time.0.as_micros()).unwrap_or(u64::MAX);
        let edges = FrozenEdges::new(&start.stable.latency, slo_micros);
        let stable = Arm::new(&start.stable, edges);
        Ok(Self {
            pace: Pace { tau: start.planned.as_secs_f64().max(TAU_MIN), phi: phi.max(1.0) },
            edges,
            relative: Trail::default(),
            floor: EProcess::default(),
            errors: LimitGuard::new(stable.errors),
            unanswered: LimitGuard::new(stable.unanswered),
            history: Trail::default(),
            slower: Default::default(),
            slow: LimitGuard::new(stable.slow[FrozenEdges::SLO]),
            open: Stratum::default(),
            step: None,
            total: Default::default(),
            proof: None,
            settings,
        })
    }

    /// Takes an interval in. Proof against the canary stays, whatever comes later.
    pub fn observe(&mut self, interval: &Interval) {
        let [canary, stable] = self.arms(&interval.canary, &interval.stable);
        let length = interval.length.0;
        let settled = self.enter(interval.weight, length, [canary.errors.of, stable.errors.of]);
        self.hold_to_limits(&canary, &stable, length);
        if settled {
            self.open.seconds += length.as_secs_f64();
            self.open.arms.iter_mut().zip([&canary, &stable]).for_each(|(sum, arm)| sum.add(arm));
            let [one, two] = self.open.arms.map(|arm| arm.errors.of);
            if one.saturating_add(two) >= self.settings.stratum {
                self.compare(interval.weight);
            }
        }
        self.conclude(&canary, &stable);
    }

    /// Takes in what was counted under an earlier weight, after its time.
    pub fn late(&mut self, canary: &Counts, stable: &Counts) {
        let [canary, stable] = self.arms(canary, stable);
        self.hold_to_limits(&canary, &stable, Duration::ZERO);
        self.conclude(&canary, &stable);
    }

    fn arms(&self, canary: &Counts, stable: &Counts) -> [Arm; 2] {
        [canary, stable].map(|counts| Arm::new(counts, self.edges))
    }

    /// Holds the canary to what is allowed, whatever its weight was.
    fn hold_to_limits(&mut self, canary: &Arm, stable: &Arm, length: Duration) {
        let seconds = length.as_secs_f64();
        self.judge_by_history(Sides { canary: canary.errors, stable: stable.errors }, seconds);
        let allowed = self.errors_limit();
        let errors = Sides { canary: canary.errors, stable: stable.errors };
        self.errors.update(errors, length, allowed, self.pace);
        let allowed = self.unanswered_limit();
        let unanswered = Sides { canary: canary.unanswered, stable: stable.unanswered };
        self.unanswered.update(unanswered, length, allowed, self.pace);
        let [hits, draws] = [canary.errors.events, canary.errors.of].map(|count| count as f64);
        if self.settings.error_floor > 0.0 {
            self.floor.update(Trial { hits, draws, chance: self.settings.error_floor }, seconds, self.pace);
        }
        let allowed = self.slow_limit();
        let slow = Sides { canary: canary.slow[FrozenEdges::SLO], stable: stable.slow[FrozenEdges::SLO] };
        self.slow.update(slow, length, allowed, self.pace);
    }

    fn conclude(&mut self, canary: &Arm, stable: &Arm) {
        self.total.iter_mut().zip([canary, stable]).for_each(|(sum, arm)| sum.add(arm));
        self.proof = self.proof.or_else(|| self.proven());
    }

    /// The evidence of each kind, as natural logarithms: 0 at first, 6.9 is a thousand to one.
    pub fn evidence(&self) -> [(Part, f64); 6] {
        let floor = if self.settings.error_floor > 0.0 { self.floor.ln() } else { f64::INFINITY };
        [
            (Part::ErrorsRelative, self.relative.ln().min(floor)),
            (Part::ErrorsAbsolute, self.errors.trail.ln()),
            (Part::Availability, self.unanswered.trail.ln()),
            (Part::ErrorsHistory, self.history.ln()),
            (Part::LatencyRelative, ln_mean_exp(self.slower.each_ref().map(Trail::ln))),
            (Part::LatencyAbsolute, self.slow.trail.ln()),
        ]
    }

    /// The strongest evidence, weighed with its part of the budget; proof from `ln(1/α)` on.
    pub fn strongest(&self) -> (Part, f64) {
        let weighed = self.evidence().map(|(part, ln)| (part, ln + log(self.budget(part))));
        weighed.into_iter().fold(weighed[0], |most, next| if next.1 > most.1 { next } else { most })
    }

    /// The proof against the canary, once there is one: the cheap half of a verdict.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// Whether stable is beyond a limit at this moment, so that nobody is to blame.
    pub fn shared_incident(&self) -> bool {
        [&self.errors, &self.unanswered, &self.slow].into_iter().any(|guard| guard.incident().is_some())
    }

    /// Begins a step when the weight has changed, and tells whether routers have had time to learn of it.
    fn enter(&mut self, weight: Weight, length: Duration, requests: [u64; 2]) -> bool {
        let before = self.step.take();
        let begins = |settle| Step::new(weight, settle);
        let step = match before {
            Some(step) if step.weight() == weight => step,
            Some(step) => {
                // What is begun under one weight is not mixed with another's.
                self.compare(step.weight());
                begins(self.settings.settle.0)
            }
            None => begins(Duration::ZERO),
        };
        self.step.insert(step).observe(length, requests)
    }

    /// Compares the sides over the open stratum, and begins the next.
    fn compare(&mut self, weight: Weight) {
        let Stratum { seconds, arms: [canary, stable] } = std::mem::take(&mut self.open);
        let by_weight = f64::from(weight.basis_points()) / f64::from(Weight::TOTAL.basis_points());
        let sides = Sides { canary: canary.errors, stable: stable.errors };
        let (counts, expected, pace) = match self.settings.counting {
            // Visitors are what was assigned at random, so it is the weight that says how many of them to expect. Each counts once:
            // whatever they do in bursts, they do not cluster.
            Some(Counting::Visitors) => {
                ([canary.newly_failing, stable.newly_failing], by_weight, Pace { phi: 1.0, ..self.pace })
            }
            Some(Counting::Requests) | None => {
                ([canary.errors.events, stable.errors.events], share(sides), self.pace)
            }
        };
        let trial = trial_of(counts, tilt(expected, self.settings.error_tolerance));
        self.relative.update(trial, sides, seconds, pace);
        for (index, trail) in self.slower.iter_mut().enumerate() {
            let sides = Sides { canary: canary.slow[index], stable: stable.slow[index] };
            let chance = tilt(share(sides), self.settings.latency_tolerance);
            let trial = trial_of([sides.canary.events, sides.stable.events], chance);
            trail.update(trial, sides, seconds, self.pace);
        }
    }

    /// Compares the canary with stable's past, once next to nobody is left on stable.
    fn judge_by_history(&mut self, sides: Sides, seconds: f64) {
        let past = self.errors.past;
        if past.of < self.settings.history_min || share(sides) < NEARLY_ALL {
            return;
        }
        let (canary, past) = (sides.canary.sample(), past.sample());
        let limit = self.settings.history_tolerance * (past.events + 1.0) / (past.of + 1.0);
        let trial = Trial { hits: canary.events, draws: canary.of, chance: limit.min(LIMIT_MAX) };
        self.history.update(trial, Sides { stable: Rate::default(), ..sides }, seconds, self.pace);
    }

    fn errors_limit(&self) -> Limit {
        self.limit(self.settings.error_rate)
    }

    fn unanswered_limit(&self) -> Limit {
        self.limit(1.0 - self.settings.availability)
    }

    fn slow_limit(&self) -> Limit {
        self.limit(self.settings.slow_rate)
    }

    fn limit(&self, rate: f64) -> Limit {
        let Settings { past_tolerance, incident_window, .. } = self.settings;
        Limit { rate, past_tolerance, window: incident_window.0 }
    }

    fn budget(&self, part: Part) -> f64 {
        let budget = &self.settings.budget;
        match part {
            Part::ErrorsRelative => budget.errors_relative,
            Part::ErrorsAbsolute => budget.errors_absolute,
            Part::Availability => budget.availability,
            Part::ErrorsHistory => budget.errors_history,
            Part::LatencyRelative => budget.latency_relative,
            Part::LatencyAbsolute => budget.latency_absolute,
        }
    }
}

/// The canary's share of what was seen.
fn share(Sides { canary, stable }: Sides) -> f64 {
    let (one, two) = (canary.of as f64, stable.of as f64);
    if one + two > 0.0 { one / (one + two) } else { 0.0 }
}

/// That so many of the events of both sides were the canary's.
fn trial_of([canary, stable]: [u64; 2], chance: f64) -> Trial {
    let (hits, others) = (canary as f64, stable as f64);
    Trial { hits, draws: hits + others, chance }
}
