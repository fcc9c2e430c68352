use std::time::Duration;

use crate::rollout::{
    Draft, Forecast, Gate, HookGate, Limits, OnTimeout, Plan, Rolling, Shift, Step, runner_minutes,
};
use crate::table::Weight;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn step(percent: &str, hold: u64, gates: &[Gate]) -> Step {
    let weight = Weight::from_percent(percent).unwrap();
    Step { shift: Shift::Canary(weight), hold: minutes(hold), gates: gates.to_vec() }
}

#[test]
fn steps_follow_each_other_and_gates_make_it_longer_at_most() {
    let approval = Gate::Approval { within: minutes(60), on_timeout: OnTimeout::Abort };
    let hook = Gate::Hook(HookGate::ConfirmPromotion);
    let limits = Limits { hook_waits_max: minutes(7), propagation: minutes(1), ..Limits::default() };
    let plan = Plan::new(Draft {
        steps: vec![step("1", 10, &[]), step("50", 20, &[approval]), step("100", 5, &[hook])],
        settle: vec![approval],
        limits,
        ..Draft::default()
    })
    .unwrap();
    let forecast = Forecast::of(&plan);
    let begins: Vec<Duration> = forecast.steps.iter().map(|step| step.begins).collect();
    assert_eq!(begins, [minutes(0), minutes(10), minutes(30)]);
    assert_eq!(forecast.shortest, minutes(35));
    assert_eq!(forecast.usual, minutes(35 + 4), "three steps and settling are a write each");
    // Twice the holds and an hour; two approvals and a hook.
    assert_eq!(forecast.longest, minutes(2 * 35 + 60 + 60 + 60 + 7));
}

#[test]
fn home_takes_what_the_limits_say() {
    let plan = Plan::new(Draft { steps: vec![step("100", 0, &[])], ..Draft::default() }).unwrap();
    let Forecast { home, .. } = Forecast::of(&plan);
    let told = [home.while_held, home.from_the_start, home.unmeasured, home.lease.unwrap(), home.worst()];
    // 30 s, 180 s and five times 30 s until it is known, 6 s until home is written, 90 s until it is everywhere; 5 min of lease.
    assert_eq!(told.map(|duration| duration.as_secs()), [126, 276, 246, 330, 330]);
}

#[test]
fn requests_at_risk_are_those_of_the_share_until_everybody_is_home() {
    let plan = Plan::new(Draft { steps: vec![step("5", 10, &[]), step("100", 0, &[])], ..Draft::default() })
        .unwrap();
    let forecast = Forecast::of(&plan);
    let [five, all] = &forecast.steps[..] else { panic!("{forecast:?}") };
    assert!((five.requests(200.0) - 6_000.0).abs() < 1e-6);
    assert!((forecast.at_risk(five.share, 200.0) - 3_300.0).abs() < 1e-6);
    assert!((forecast.at_risk(all.share, 200.0) - 66_000.0).abs() < 1e-6);
    assert!(forecast.at_risk(Weight::ZERO, 200.0).abs() < 1e-9);
}

#[test]
fn a_fleet_is_new_batch_by_batch() {
    let rolling = Rolling {
        instances: 5,
        batch: 2,
        drain: Duration::from_secs(10),
        watch: minutes(5),
        between: minutes(1),
    };
    let forecast = Forecast::of(&rolling.plan(Draft::default(), false).unwrap());
    let shares: Vec<u16> = forecast.steps.iter().map(|step| step.share.basis_points()).collect();
    assert_eq!(shares, [0, 4_000, 4_000, 8_000, 8_000, 10_000]);
    // Three times propagation and drain, two batches of six minutes and one of five.
    assert_eq!(forecast.shortest, 3 * Duration::from_secs(100) + minutes(6 + 6 + 5));
}

#[test]
fn a_minute_that_has_begun_is_paid() {
    let paid = [0, 1, 59_999, 60_000, 60_001].map(|millis| runner_minutes(Duration::from_millis(millis)));
    assert_eq!(paid, [0, 1, 1, 1, 2]);
}
