//! What goes wrong in a run. Most runs have a few kinds of trouble and none of the others ("swarm testing": Groce and others
//! 2012, <https://www.cs.utah.edu/~regehr/papers/swarm12.pdf>), because a world in which everything fails reaches little.

use std::time::Duration;

use crossfade_core::rollout::Order;

use crate::dice::Dice;

/// The trouble of one run; [`Faults::NONE`] is a calm one.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// How long KV may take to show a write to a location, before that location's own cache.
    pub(crate) lag_max: Duration,
    /// A router's read of KV fails; never twice in a row at one router.
    pub(crate) edge_read_fails: f64,
    /// Some routers have few visitors.
    pub(crate) quiet: bool,
    /// How far clocks are off, each way.
    pub(crate) skew_max: Duration,
    /// The runner's reads and record fail.
    pub(crate) api_fails: f64,
    /// How old the answers to the runner's reads may be.
    pub(crate) api_stale_max: Duration,
    /// A write is surely not applied (429, no connection).
    pub(crate) write_refused_for_now: f64,
    /// A write is answered with an error or not at all; half of them are applied.
    pub(crate) write_unknown: f64,
    /// A write without an answer is applied even later.
    pub(crate) write_late: f64,
    /// No write is ever permitted from this effect on.
    pub(crate) forbidden_from: Option<u64>,
    /// KV's API is unreachable from the first, for the second.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// The runner dies then; another one takes over so much later, if at all.
    pub(crate) kill: Option<(Moment, Option<Duration>)>,
    /// The same happens to those who take over.
    pub(crate) kill_successors: bool,
    /// The runner stands still then, for so long.
    pub(crate) sleep: Option<(Moment, Duration)>,
    /// Its clock stands still as well, as a monotonic one does in a machine that is suspended.
    pub(crate) clock_stops: bool,
    /// Somebody takes over although the runner lives.
    pub(crate) usurp: Option<Duration>,
    /// Somebody cancels then.
    pub(crate) cancel: Option<Moment>,
    /// Somebody writes a table by hand.
    pub(crate) foreign: Option<Duration>,
    /// What people say, and when.
    pub(crate) orders: Vec<(Duration, Order)>,
}

/// A moment in a runner's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In its how manieth phase.
    Phase(u64),
    /// The how manieth time that it does this.
    Doing(&'static str, u64),
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        lag_max: Duration::from_secs(2),
        edge_read_fails: 0.0,
        quiet: false,
        skew_max: Duration::ZERO,
        api_fails: 0.0,
        api_stale_max: Duration::ZERO,
        write_refused_for_now: 0.0,
        write_unknown: 0.0,
        write_late: 0.0,
        forbidden_from: None,
        outage: None,
        kill: None,
        kill_successors: false,
        sleep: None,
        clock_stops: false,
        usurp: None,
        cancel: None,
        foreign: None,
        orders: Vec::new(),
    };

    /// The longest that KV takes where it keeps what its documentation says, for `propagation` of 90 s: 20 s, then 30 s in the
    /// location's cache, 30 s until the router looks again, and 10 s until somebody comes.
    pub(crate) const LAG_USUAL: Duration = Duration::from_secs(20);

    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut faults = Self::NONE;
        if dice.chance(0.1) {
            return faults;
        }
        faults.lag_max = match dice.number(0..=9) {
            0..=2 => Duration::from_secs(2),
            3..=7 => Self::LAG_USUAL,
            _ => dice.seconds(30..=400),
        };
        let mut with = |probability: f64| dice.chance(probability);
        let (edge, quiet, skew, api, stale, busy, unknown, late, outage) = (
            with(0.2),
            with(0.2),
            with(0.4),
            with(0.3),
            with(0.3),
            with(0.3),
            with(0.4),
            with(0.08),
            with(0.1),
        );
        let (kill, sleep, usurp, cancel, foreign, orders, forbidden) =
            (with(0.3), with(0.1), with(0.08), with(0.2), with(0.1), with(0.4), with(0.03));
        // Two that believe to be in charge, one of whom dies: rare by chance, and where most can go wrong.
        let kill = kill || ((sleep || usurp) && dice.chance(0.4));
        let on = |on: bool, value: f64| if on { value } else { 0.0 };
        faults.edge_read_fails = on(edge, 0.1);
        faults.quiet = quiet;
        faults.skew_max = if skew { dice.seconds(1..=8) } else { Duration::ZERO };
        faults.api_fails = on(api, dice.pick(&[0.02, 0.1, 0.3]));
        faults.api_stale_max = if stale { dice.seconds(1..=60) } else { Duration::ZERO };
        faults.write_refused_for_now = on(busy, dice.pick(&[0.02, 0.1, 0.4]));
        faults.write_unknown = on(unknown, dice.pick(&[0.05, 0.2, 0.6]));
        faults.write_late = on(late, 0.3);
        faults.forbidden_from = forbidden.then(|| phase(dice));
        faults.outage = outage.then(|| (dice.seconds(0..=1_200), dice.seconds(5..=240)));
        faults.kill = kill.then(|| {
            let anybody = dice.chance(0.8);
            (moment(dice), anybody.then(|| dice.seconds(5..=600)))
        });
        faults.kill_successors = dice.chance(if sleep || usurp { 0.7 } else { 0.3 });
        faults.sleep = sleep.then(|| (moment(dice), dice.seconds(10..=900)));
        faults.clock_stops = dice.chance(0.3);
        faults.usurp = usurp.then(|| dice.seconds(1..=1_200));
        faults.cancel = cancel.then(|| moment(dice));
        faults.foreign = foreign.then(|| dice.seconds(1..=1_800));
        if orders {
            let said = [Order::Promote, Order::PromoteFull, Order::Pause, Order::Resume, Order::Approve];
            let count = dice.number(1..=8);
            faults.orders = (0..count).map(|_| (dice.seconds(1..=2_400), dice.pick(&said))).collect();
        }
        faults
    }

    /// Whether KV and the routers keep the bound that limits count on.
    pub(crate) fn is_prompt(&self) -> bool {
        self.lag_max <= Self::LAG_USUAL && self.edge_read_fails == 0.0
    }

    /// Whether nothing keeps a runner from renewing its lease in time.
    pub(crate) fn lets_renew(&self) -> bool {
        self.api_fails == 0.0
            && self.write_refused_for_now == 0.0
            && self.write_unknown == 0.0
            && self.write_late == 0.0
            && self.forbidden_from.is_none()
            && self.outage.is_none()
            && self.sleep.is_none()
    }
}

/// The first phases as often as all later ones together.
fn phase(dice: &mut Dice) -> u64 {
    if dice.chance(0.5) { dice.scale(300) } else { dice.number(1..=400) }
}

/// Any phase, or one of those that are rare.
fn moment(dice: &mut Dice) -> Moment {
    if dice.chance(0.6) {
        return Moment::Phase(phase(dice));
    }
    let doing = dice.pick(&[
        "looking up",
        "measuring",
        "asking",
        "deploying",
        "undoing",
        "writing home",
        "saving",
        "looking",
        "writing",
    ]);
    Moment::Doing(doing, dice.scale(8))
}
