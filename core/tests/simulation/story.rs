//! What is released, by which plan, and how it really is.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{
    Draft, Gate, HookGate, Limits, OnDeadline, OnFailure, OnInconclusive, OnTimeout, OnTrouble, Plan,
    Rolling, Shift, Step, Subject,
};
use crossfade_core::table::{VariantName, Weight};

use crate::dice::Dice;
use crate::tables::{self, canary, crew, pair, percent};

/// A release.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) base: Option<RoutingTable>,
    pub(crate) subject: Subject,
    pub(crate) nature: Nature,
    /// What the routers count, if they do: then somebody judges it.
    pub(crate) traffic: Option<Traffic>,
}

/// What visitors meet where routers count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Requests of everybody who comes about when one visitor does.
    pub(crate) each_visit: u64,
    pub(crate) good: Meets,
    pub(crate) bad: Meets,
}

/// The shares of requests that fail, and that are answered late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meets {
    pub(crate) errors: f64,
    pub(crate) slow: f64,
}

impl Traffic {
    fn draw(dice: &mut Dice) -> Self {
        let good = Meets { errors: dice.pick(&[0.0, 0.001, 0.005]), slow: dice.pick(&[0.0, 0.002]) };
        let bad = match dice.number(0..=2) {
            0 => Meets { slow: dice.pick(&[0.2, 1.0]), ..good },
            _ => Meets { errors: dice.pick(&[0.05, 0.3, 1.0]), ..good },
        };
        Self { each_visit: dice.pick(&[1, 10, 60]), good, bad }
    }
}

/// How the versions really are, and how well that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    pub(crate) new: Health,
    pub(crate) old: Health,
    /// A bad version passes, a good one fails, it is undecided, it cannot be measured.
    pub(crate) passes_bad: f64,
    pub(crate) fails_good: f64,
    pub(crate) undecided: f64,
    pub(crate) unmeasurable: f64,
    /// The counters do not answer.
    pub(crate) uncounted: f64,
    /// How long a measurement takes.
    pub(crate) measuring: Duration,
    /// A hook says no, or not yet.
    pub(crate) hook_no: f64,
    pub(crate) hook_wait: f64,
    /// An instance cannot be deployed, is not well afterwards, cannot be given the version before back.
    pub(crate) deploy_fails: f64,
    pub(crate) unhealthy: f64,
    pub(crate) undo_fails: f64,
    pub(crate) deploying: Duration,
}

/// When a version fails its visitors, by errors or by taking too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// Bad for so long from then on.
    BadFrom(Duration, Duration),
    /// Bad when it has more visitors than this.
    BadAbove(Weight),
}

impl Nature {
    /// All is well, and it shows.
    pub(crate) const GOOD: Self = Self {
        new: Health::Good,
        old: Health::Good,
        passes_bad: 0.0,
        fails_good: 0.0,
        undecided: 0.0,
        unmeasurable: 0.0,
        uncounted: 0.0,
        measuring: Duration::from_secs(2),
        hook_no: 0.0,
        hook_wait: 0.0,
        deploy_fails: 0.0,
        unhealthy: 0.0,
        undo_fails: 0.0,
        deploying: Duration::from_secs(20),
    };

    fn draw(dice: &mut Dice) -> Self {
        let bad = |dice: &mut Dice| match dice.number(0..=5) {
            0 => Health::BadFrom(Duration::ZERO, FOR_EVER),
            1 => Health::BadFrom(dice.seconds(0..=1_500), dice.seconds(30..=600)),
            2 => Health::BadAbove(dice.pick(&[Weight::ZERO, percent(5), percent(25), percent(50)])),
            _ => Health::BadFrom(dice.seconds(0..=1_500), FOR_EVER),
        };
        let mut noise = |on: f64, values: &[f64]| if dice.chance(on) { dice.pick(values) } else { 0.0 };
        Self {
            passes_bad: noise(0.3, &[0.05, 0.3]),
            fails_good: noise(0.1, &[0.01]),
            undecided: noise(0.3, &[0.1, 0.6]),
            unmeasurable: noise(0.3, &[0.05, 0.4]),
            uncounted: noise(0.3, &[0.05, 0.4]),
            hook_no: noise(0.2, &[0.2]),
            hook_wait: noise(0.5, &[0.5, 0.95]),
            deploy_fails: noise(0.2, &[0.05]),
            unhealthy: noise(0.4, &[0.05, 0.2]),
            undo_fails: noise(0.15, &[0.2]),
            new: if dice.chance(0.45) { bad(dice) } else { Health::Good },
            old: if dice.chance(0.1) { bad(dice) } else { Health::Good },
            measuring: if dice.chance(0.1) { dice.seconds(60..=400) } else { dice.millis(200..=8_000) },
            deploying: dice.seconds(5..=150),
        }
    }
}

const FOR_EVER: Duration = Duration::from_secs(1_000_000);

impl Story {
    /// The instances that are overwritten.
    pub(crate) fn in_place(&self) -> impl Iterator<Item = VariantName> + use<> {
        let instances = match &self.subject {
            Subject::Fleet(crew) => crew.instances.clone(),
            Subject::Canary(_) => Vec::new(),
        };
        instances.into_iter().filter(|instance| instance.in_place).map(|instance| instance.name)
    }

    /// A canary of these steps (percent, hold), of a good version.
    pub(crate) fn canary(steps: &[(u16, u64)]) -> Self {
        let step = |(weight, hold): &(u16, u64)| Step {
            shift: Shift::Canary(percent(*weight)),
            hold: Duration::from_secs(*hold),
            gates: Vec::new(),
        };
        let draft = Draft { steps: steps.iter().map(step).collect(), ..Draft::default() };
        Self {
            plan: Plan::new(draft).unwrap(),
            base: Some(pair()),
            subject: Subject::Canary(canary()),
            nature: Nature::GOOD,
            traffic: None,
        }
    }

    /// A rolling release of so many good instances, in place.
    pub(crate) fn fleet(instances: usize, batch: usize) -> Self {
        let rolling = Rolling {
            instances,
            batch,
            drain: Duration::from_secs(10),
            watch: Duration::from_secs(60),
            between: Duration::from_secs(30),
        };
        let plan = rolling.plan(Draft::default(), false).unwrap();
        let subject = Subject::Fleet(crew(instances, |_| true));
        Self { plan, base: Some(tables::instances(instances)), subject, nature: Nature::GOOD, traffic: None }
    }

    /// The same with other limits.
    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut draft = Draft::from(self.plan);
        change(&mut draft.limits);
        self.plan = Plan::new(draft).unwrap();
        self
    }

    /// The same with another nature.
    pub(crate) fn nature(mut self, change: impl FnOnce(&mut Nature)) -> Self {
        change(&mut self.nature);
        self
    }

    /// The same with routers that count and somebody who judges.
    pub(crate) fn judged(self, traffic: Traffic) -> Self {
        Self { traffic: Some(traffic), ..self }
    }

    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let limits = limits(dice);
        let trouble = OnTrouble {
            failure: dice.pick(&[
                OnFailure::Rollback,
                OnFailure::Rollback,
                OnFailure::Rollback,
                OnFailure::Pause,
            ]),
            inconclusive: dice.pick(&[
                OnInconclusive::Extend,
                OnInconclusive::Pause,
                OnInconclusive::Abort,
                OnInconclusive::Promote,
            ]),
            deadline: dice.pick(&[OnDeadline::Abort, OnDeadline::Abort, OnDeadline::Pause]),
        };
        let settle = gates(dice);
        let draft = Draft { steps: Vec::new(), settle, limits, trouble };
        let first = dice.chance(0.06);
        let nature = Nature::draw(dice);
        if dice.chance(0.3) {
            return Self::draw_fleet(dice, draft, first, nature);
        }
        let weights = dice.pick(&[
            &[100][..],
            &[100],
            &[5, 100],
            &[50, 100],
            &[0, 100],
            &[0, 10, 100],
            &[1, 25, 100],
            &[5, 25, 50, 100],
        ]);
        let steps = weights.iter().enumerate().map(|(index, weight)| Step {
            shift: Shift::Canary(percent(*weight)),
            hold: if dice.chance(0.2) { Duration::ZERO } else { dice.seconds(1..=240) },
            gates: if index > 0 { gates(dice) } else { Vec::new() },
        });
        let draft = Draft { steps: steps.collect(), ..draft };
        let base = (!first).then(pair);
        let traffic = dice.chance(0.5).then(|| Traffic::draw(dice));
        // In half of them only the judge can tell.
        let passes_bad = if traffic.is_some() && dice.chance(0.5) { 1.0 } else { nature.passes_bad };
        let nature = Nature { passes_bad, ..nature };
        let (plan, subject) = (Plan::new(draft).unwrap(), Subject::Canary(canary()));
        Self { plan, base, subject, nature, traffic }
    }

    fn draw_fleet(dice: &mut Dice, mut draft: Draft, first: bool, nature: Nature) -> Self {
        let instances = dice.pick(&[2, 3, 4, 6, 11]);
        let batch = dice.number(1..=2.min(instances as u64 - 1)) as usize;
        draft.limits.failed_max = dice.pick(&[percent(10), percent(40)]);
        let rolling = Rolling {
            instances,
            batch,
            drain: dice.seconds(0..=30),
            watch: dice.seconds(0..=90),
            between: dice.seconds(0..=30),
        };
        // Instances may be new, and others may leave.
        let here = (instances + 1 - dice.index(3)).max(batch + 1);
        let base = (!first).then(|| tables::instances(here));
        let kind = dice.number(0..=2);
        let crew = crew(instances, |index| kind == 0 || (kind == 1 && index % 2 == 0));
        Self {
            plan: rolling.plan(draft, first).unwrap(),
            base,
            subject: Subject::Fleet(crew),
            nature,
            traffic: None,
        }
    }
}

fn limits(dice: &mut Dice) -> Limits {
    let seconds = Duration::from_secs;
    let (lease, renew_every) = dice.pick(&[(300, 60), (300, 60), (180, 45), (160, 30)]);
    Limits {
        lease: seconds(lease),
        renew_every: seconds(renew_every),
        confirm_every: dice.pick(&[seconds(1), seconds(5)]),
        judge_every: dice.pick(&[seconds(5), seconds(10), seconds(30)]),
        deadline: dice.pick(&[None, None, Some(seconds(900))]),
        paused_max: dice.seconds(120..=900),
        hook_waits_max: dice.seconds(60..=600),
        ..Limits::default()
    }
}

fn gates(dice: &mut Dice) -> Vec<Gate> {
    let gate = |dice: &mut Dice| match dice.number(0..=2) {
        0 => Gate::Hook(dice.pick(&[HookGate::ConfirmTrafficIncrease, HookGate::ConfirmPromotion])),
        _ => Gate::Approval {
            within: dice.seconds(30..=600),
            on_timeout: dice.pick(&[OnTimeout::Abort, OnTimeout::Promote, OnTimeout::Promote]),
        },
    };
    let count = if dice.chance(0.2) { dice.number(1..=2) } else { 0 };
    (0..count).map(|_| gate(dice)).collect()
}
