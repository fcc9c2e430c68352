//! Pauses: by verdict, by order, for being late; and what ends them.

use super::*;

fn with(trouble: OnTrouble, limits: Limits) -> Scenario {
    let draft = Draft { steps: vec![step(5, 60), step(100, 0)], settle: Vec::new(), limits, trouble };
    Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base())))
}

fn failure(failure: OnFailure) -> Scenario {
    with(OnTrouble { failure, ..OnTrouble::default() }, Limits::default())
}

fn inconclusive(inconclusive: OnInconclusive) -> Scenario {
    with(OnTrouble { inconclusive, ..OnTrouble::default() }, Limits::default())
}

fn undecided(times: usize) -> impl Iterator<Item = Verdict> {
    std::iter::repeat_with(|| Verdict::Inconclusive("too few requests".into())).take(times)
}

#[test]
fn a_failure_that_pauses_keeps_the_weights_and_goes_home_when_nobody_comes() {
    let mut scenario = failure(OnFailure::Pause).measured([fail()]);
    let Outcome::RolledBack(Reason::PausedTooLong { why, within }) = scenario.run() else { panic!() };
    assert_eq!(why, "step 1 (5 %): basic: status 503");
    assert_eq!(within, Limits::default().paused_max);
    assert!((0..5).contains(&(scenario.took() - within).as_secs()), "{:?}", scenario.took());
    assert!(
        scenario.sent[..scenario.sent.len() - 1].iter().all(|sent| *sent == (500, true)),
        "the lease is renewed"
    );
}

#[test]
fn promote_overrules_the_verdict_and_resume_measures_anew() {
    let mut scenario = failure(OnFailure::Pause).measured([fail()]).ordered(300, Order::Promote);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(
        (300..302).contains(&scenario.sent_at(10_000).as_secs()),
        "without another measurement, or the rest of the hold"
    );

    let mut scenario = failure(OnFailure::Pause).measured([fail(), fail()]).ordered(300, Order::Resume);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::PausedTooLong { .. })), "it failed again");
    assert!(scenario.took() > Duration::from_secs(300) + Limits::default().paused_max);

    let mut scenario = failure(OnFailure::Pause).measured([fail()]).ordered(300, Order::Resume);
    assert_eq!(scenario.run(), Outcome::Promoted, "it passed");
}

#[test]
fn what_is_paused_by_a_verdict_is_not_measured() {
    let mut scenario = failure(OnFailure::Pause).measured([fail(), fail()]).ordered(900, Order::Promote);
    scenario.run_until(|effect| matches!(effect, Effect::Publish { table, .. } if table.variants()[1].weight == Weight::TOTAL));
    assert_eq!(scenario.measures.len(), 1, "the second verdict was not asked for");
}

#[test]
fn an_undecided_step_is_held_longer_paused_or_aborted() {
    let mut scenario = inconclusive(OnInconclusive::Extend).measured(undecided(10));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.sent_at(10_000) >= Duration::from_secs(300));

    let mut scenario = inconclusive(OnInconclusive::Extend).measured(undecided(100_000));
    let within = Duration::from_secs(120) + Limits::DEADLINE_SLACK;
    assert_eq!(scenario.run(), Outcome::RolledBack(Reason::TooSlow { within }));
    assert!((0..5).contains(&(scenario.took() - within).as_secs()), "{:?}", scenario.took());

    let mut scenario = inconclusive(OnInconclusive::Abort).measured(undecided(10));
    let weight = Weight::new(500).unwrap();
    let reason = Reason::Inconclusive { step: 0, weight, why: "too few requests".into() };
    assert_eq!(scenario.run(), Outcome::RolledBack(reason.clone()));
    assert!(
        (60..95).contains(&scenario.took().as_secs()),
        "not before the hold is over: {:?}",
        scenario.took()
    );

    let mut scenario = inconclusive(OnInconclusive::Pause).measured(undecided(10));
    let Outcome::RolledBack(Reason::PausedTooLong { why, .. }) = scenario.run() else { panic!() };
    assert_eq!(why, reason.to_string());

    let mut scenario =
        inconclusive(OnInconclusive::Pause).measured(undecided(2)).ordered(200, Order::Promote);
    assert_eq!(scenario.run(), Outcome::Promoted);
}

#[test]
fn resuming_what_was_undecided_measures_anew() {
    let mut scenario = inconclusive(OnInconclusive::Pause).measured(undecided(2)).ordered(200, Order::Resume);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(
        (200..205).contains(&scenario.sent_at(10_000).as_secs()),
        "at once: {:?}",
        scenario.sent_at(10_000)
    );
}

#[test]
fn undecided_within_the_hold_is_no_trouble() {
    let mut scenario = inconclusive(OnInconclusive::Abort).measured(undecided(1));
    assert_eq!(scenario.run(), Outcome::Promoted);
}

#[test]
fn pauses_do_not_count_towards_the_deadline() {
    let limits = Limits { deadline: Some(Duration::from_secs(300)), ..Limits::default() };
    let pause = |resume_at| {
        with(OnTrouble::default(), limits).ordered(20, Order::Pause).ordered(resume_at, Order::Resume)
    };
    let mut scenario = pause(5_000);
    assert_eq!(scenario.run(), Outcome::Promoted);

    let mut scenario = pause(5_000).measured(undecided(100_000));
    let within = Duration::from_secs(300);
    assert_eq!(scenario.run(), Outcome::RolledBack(Reason::TooSlow { within }));
    assert!((5_270..5_290).contains(&scenario.took().as_secs()), "{:?}", scenario.took());
}

#[test]
fn one_that_is_late_is_paused_if_the_plan_says_so_and_gets_the_whole_time_again() {
    let limits = Limits { deadline: Some(Duration::from_secs(300)), ..Limits::default() };
    let trouble = OnTrouble { deadline: OnDeadline::Pause, ..OnTrouble::default() };
    let mut scenario = with(trouble, limits).measured(undecided(100_000)).ordered(1_000, Order::Resume);
    let Outcome::RolledBack(Reason::PausedTooLong { why, .. }) = scenario.run() else { panic!() };
    assert_eq!(why, "not finished within 5 min, pauses not counted");
    let took = scenario.took() - limits.paused_max;
    assert!(
        (1_300..1_310).contains(&took.as_secs()),
        "late at 300, resumed at 1000, late again at 1300: {took:?}"
    );
}

#[test]
fn pausing_by_order_goes_no_further_and_still_measures() {
    let mut scenario =
        Scenario::new(&[(5, 60), (100, 0)]).ordered(20, Order::Pause).ordered(400, Order::Resume);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((400..402).contains(&scenario.sent_at(10_000).as_secs()), "{:?}", scenario.sent_at(10_000));
    assert_eq!(scenario.replies, [(Order::Pause, Ok(())), (Order::Resume, Ok(()))]);

    let verdicts = std::iter::repeat_n(Verdict::Pass, 5).chain([fail()]);
    let mut scenario = Scenario::new(&[(5, 60), (100, 0)]).ordered(20, Order::Pause).measured(verdicts);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::MeasurementFailed { .. })));

    let mut scenario = Scenario::new(&[(5, 60), (100, 0)]).ordered(20, Order::Pause);
    let Outcome::RolledBack(Reason::PausedTooLong { why, .. }) = scenario.run() else { panic!() };
    assert_eq!(why, "by order");
}
