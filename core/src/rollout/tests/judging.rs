//! Somebody judges what visitors meet.

use super::*;
use crate::Span;
use crate::analysis::threshold::{Condition, Limits as MetricLimits, Measure};
use crate::analysis::{Counts, Judge, Metric, Reading, Settings, Start, Thresholds};

/// The first millisecond that is counted.
const COUNTED_FROM: Timestamp = Timestamp::from_millis(5_000_000);

/// What the canary's visitors and stable's meet in five seconds.
#[derive(Clone, Copy)]
struct Meets {
    canary: [u64; 2],
    stable: [u64; 2],
}

/// One of a hundred fails on both sides.
const WELL: Meets = Meets { canary: [500, 5], stable: [500, 5] };
/// Half of the canary's fail.
const BAD: Meets = Meets { canary: [60, 30], stable: [500, 0] };
/// Hardly anybody comes.
const QUIET: Meets = Meets { canary: [1, 0], stable: [1, 0] };
/// Both fail.
const STORM: Meets = Meets { canary: [60, 30], stable: [500, 250] };

fn sequential() -> Judge {
    let start = Start { planned: Duration::from_secs(600), ..Start::default() };
    let settings = Settings { settle: Span(Duration::ZERO), ..Settings::default() };
    Judge::sequential(settings, &start).unwrap()
}

fn judged(steps: &[(u16, u64)], trouble: OnTrouble, judge: Judge) -> Rollout {
    let steps = steps.iter().map(|(percent, hold)| step(*percent, *hold)).collect();
    let plan = Plan::new(Draft { steps, trouble, ..Draft::default() }).unwrap();
    rollout(plan, Some(base())).judged_by(Judging::new(judge, COUNTED_FROM))
}

fn undecided(inconclusive: OnInconclusive) -> OnTrouble {
    OnTrouble { inconclusive, ..OnTrouble::default() }
}

fn counts([requests, errors]: [u64; 2]) -> Counts {
    Counts { requests, errors, ..Counts::default() }
}

/// What was counted in five seconds from the asked time on, all of it by the step's own table.
fn look(from: Timestamp, meets: Meets) -> Look {
    let counted = Counted { revision: None, canary: counts(meets.canary), stable: counts(meets.stable) };
    let until = from.plus(Duration::from_secs(5));
    Look { from, until, counts: vec![counted], readings: Default::default() }
}

/// Answers every look by `meets`, with probes that pass.
fn counting(meets: impl Fn(Timestamp) -> Result<Meets, String> + 'static) -> scenario::Counting {
    Box::new(move |from| meets(from).map(|meets| look(from, meets)))
}

fn run(
    rollout: Rollout,
    meets: impl Fn(Timestamp) -> Result<Meets, String> + 'static,
) -> (Scenario, Outcome) {
    let mut scenario = Scenario::from(rollout);
    scenario.counting = Some(counting(meets));
    let outcome = scenario.run();
    (scenario, outcome)
}

const STEPS: &[(u16, u64)] = &[(50, 60), (100, 0)];

#[test]
fn a_canary_that_fails_visitors_goes_home_although_its_probes_pass() {
    let (scenario, outcome) = run(judged(STEPS, OnTrouble::default(), sequential()), |_| Ok(BAD));
    let Outcome::RolledBack(Reason::MeasurementFailed { step: 0, why, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(why.starts_with("the canary fails more than") && why.contains(" of "), "{why}");
    assert!(scenario.took() < Duration::from_secs(20), "a look or two are enough: {:?}", scenario.took());
}

#[test]
fn a_step_is_left_when_the_judge_and_the_probes_say_so() {
    let (scenario, outcome) = run(judged(STEPS, OnTrouble::default(), sequential()), |_| Ok(WELL));
    assert_eq!(outcome, Outcome::Promoted);
    assert!(scenario.evidence.iter().any(|evidence| evidence.verdict == Word::Inconclusive));
    assert_eq!(scenario.evidence.last().unwrap().verdict, Word::Pass);
    let spent = |evidence: &Evidence| evidence.until.since(evidence.since);
    assert!(scenario.evidence.iter().all(|evidence| spent(evidence) == Duration::from_secs(5)));
    assert!(scenario.evidence.windows(2).all(|two| two[0].until == two[1].since), "each count once");
    let probed = scenario.did.iter().filter(|did| *did == "probe").count();
    assert!(probed * 3 < scenario.evidence.len(), "{probed} probes, {} looks", scenario.evidence.len());
}

#[test]
fn what_too_few_requests_cannot_decide_is_decided_by_the_plan() {
    let quiet = |inconclusive| run(judged(STEPS, undecided(inconclusive), sequential()), |_| Ok(QUIET));
    let (scenario, outcome) = quiet(OnInconclusive::Promote);
    assert_eq!(outcome, Outcome::Promoted);
    let last = scenario.evidence.last().unwrap();
    assert_eq!(last.verdict, Word::Inconclusive);
    assert!(last.why.contains("more requests will do"), "{}", last.why);
    assert!(scenario.sent_at(10_000) >= Duration::from_secs(60), "the hold is kept");

    let (_, outcome) = quiet(OnInconclusive::Abort);
    let Outcome::RolledBack(Reason::Inconclusive { why, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("more requests will do"), "{why}");

    let (_, outcome) = quiet(OnInconclusive::Extend);
    assert!(matches!(outcome, Outcome::RolledBack(Reason::TooSlow { .. })), "{outcome:?}");
    let (_, outcome) = quiet(OnInconclusive::Pause);
    assert!(matches!(outcome, Outcome::RolledBack(Reason::PausedTooLong { .. })), "{outcome:?}");
}

#[test]
fn an_incident_of_both_sides_holds_and_nobody_goes_on_by_the_way() {
    // For two minutes both fail, then nobody.
    let until = COUNTED_FROM.plus(Duration::from_secs(120));
    let meets = move |from| Ok(if from < until { STORM } else { WELL });
    let (scenario, outcome) = run(judged(STEPS, undecided(OnInconclusive::Promote), sequential()), meets);
    assert_eq!(outcome, Outcome::Promoted);
    let held = scenario.evidence.iter().filter(|evidence| evidence.verdict == Word::Hold);
    assert!(held.count() >= 24, "{:?}", scenario.evidence.last());
    assert!(scenario.sent_at(10_000) > Duration::from_secs(120), "{:?}", scenario.sent_at(10_000));
}

#[test]
fn counts_and_probes_each_have_a_row_of_errors_of_their_own() {
    let dead = |_| Err("the counters do not answer".to_owned());
    let (scenario, outcome) = run(judged(STEPS, OnTrouble::default(), sequential()), dead);
    let Outcome::RolledBack(Reason::CouldNotMeasure { step: 0, times: 5, why }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(why, "the counters do not answer");
    assert!(scenario.evidence.iter().all(|evidence| evidence.verdict == Word::Error));
    assert!((60..120).contains(&scenario.took().as_secs()), "later and later: {:?}", scenario.took());

    // Four each are no row of eight.
    let dead_until = COUNTED_FROM.plus(Duration::from_secs(5));
    let mut scenario = Scenario::from(judged(STEPS, OnTrouble::default(), sequential()));
    let asked = std::cell::Cell::new(0);
    scenario.counting = Some(Box::new(move |from| {
        asked.set(asked.get() + 1);
        if from < dead_until && asked.get() <= 4 { Err("away".into()) } else { Ok(look(from, WELL)) }
    }));
    let scenario = &mut scenario.probed((0..4).map(|_| Verdict::Error("no network".into())));
    assert_eq!(scenario.run(), Outcome::Promoted);
}

#[test]
fn what_older_tables_led_to_is_held_to_limits_and_compared_with_nothing() {
    let late = |revision: u64, meets: Meets| {
        let mut scenario = Scenario::from(judged(STEPS, OnTrouble::default(), sequential()));
        scenario.counting = Some(Box::new(move |from| {
            let mut look = look(from, WELL);
            let revision = Revision::new(revision);
            let (canary, stable) = (counts(meets.canary), counts(meets.stable));
            look.counts.push(Counted { revision, canary, stable });
            Ok(look)
        }));
        scenario.run()
    };
    // A little worse than stable and within what is allowed: only a comparison could tell.
    let worse = Meets { canary: [2_000, 36], stable: [2_000, 0] };
    assert!(
        matches!(late(7, worse), Outcome::RolledBack(Reason::TooSlow { .. })),
        "not passed, and not blamed"
    );
    assert!(matches!(late(8, worse), Outcome::RolledBack(Reason::MeasurementFailed { .. })));
    assert!(matches!(late(7, BAD), Outcome::RolledBack(Reason::MeasurementFailed { .. })));
}

#[test]
fn a_step_without_visitors_waits_for_no_proof() {
    let steps: &[(u16, u64)] = &[(0, 0), (50, 60), (100, 0)];
    let (scenario, outcome) = run(judged(steps, OnTrouble::default(), sequential()), |_| Ok(WELL));
    assert_eq!(outcome, Outcome::Promoted);
    assert_eq!(scenario.evidence[0].why, "no visitor meets the canary at this weight");
}

#[test]
fn what_the_judge_has_seen_is_saved_and_gone_on_with() {
    let begun = || {
        let mut scenario = Scenario::from(judged(STEPS, OnTrouble::default(), sequential()));
        scenario.counting = Some(counting(|_| Ok(WELL)));
        scenario
    };
    let mut first = begun();
    first.run_until(|effect| matches!(effect, Effect::Publish { table, .. } if table.variants()[1].weight == Weight::TOTAL));
    let text = serde_json::to_string(&first.rollout.saved()).unwrap();
    let saved: Saved = serde_json::from_str(&text).unwrap();
    assert_eq!(saved, first.rollout.saved(), "the same bits");
    let other = RunnerId::new("runner", "r2").unwrap();
    let mut second = Scenario::from(Rollout::resume(saved, other, first.tables.last()).unwrap());
    second.counting = Some(counting(|_| Ok(WELL)));
    assert_eq!(second.run(), Outcome::Promoted);
    assert_eq!(second.evidence[0].since, first.evidence.last().unwrap().until, "nothing is left out");

    // What was proven against it stays proven.
    let mut first = begun();
    first.counting = Some(counting(|_| Ok(BAD)));
    first.run_until(|effect| matches!(effect, Effect::Publish { urgent: true, .. }));
    let mut text = serde_json::to_value(first.rollout.saved()).unwrap();
    text["at"] = serde_json::json!({ "step": 0 });
    let saved = serde_json::from_value(text).unwrap();
    let other = RunnerId::new("runner", "r2").unwrap();
    let mut second = Scenario::from(Rollout::resume(saved, other, first.tables.first()).unwrap());
    second.counting = Some(counting(|_| Ok(WELL)));
    assert!(matches!(second.run(), Outcome::RolledBack(Reason::MeasurementFailed { .. })));
}

#[test]
fn an_answer_to_an_older_question_is_not_counted_twice() {
    let mut scenario = Scenario::from(judged(STEPS, OnTrouble::default(), sequential()));
    // A handful of failures, told again and again.
    let few = Meets { canary: [3, 1], stable: [3, 0] };
    scenario.counting = Some(Box::new(move |_| Ok(look(COUNTED_FROM, few))));
    let outcome = scenario.run();
    assert!(matches!(outcome, Outcome::RolledBack(Reason::TooSlow { .. })), "{outcome:?}");
}

#[test]
fn a_threshold_that_cannot_be_measured_is_no_failure_of_the_canary() {
    let metric = |limits| Metric {
        name: "queue".into(),
        measure: Measure::Reading,
        pass: Some(Condition::AtMost(1.0)),
        fail: None,
        limits,
    };
    let limits = MetricLimits { interval: Span(Duration::ZERO), error_limit: 2, ..MetricLimits::default() };
    let judge = || Judge::Thresholds(Thresholds::new(vec![metric(limits.clone())]));
    let read = |reading: Reading| {
        let mut scenario = Scenario::from(judged(STEPS, OnTrouble::default(), judge()));
        scenario.counting = Some(Box::new(move |from| {
            let readings = [("queue".to_owned(), reading.clone())].into();
            Ok(Look { readings, ..look(from, QUIET) })
        }));
        scenario.run()
    };
    assert_eq!(read(Reading::Value(1.0)), Outcome::Promoted);
    let Outcome::RolledBack(Reason::CouldNotMeasure { times: 3, why, .. }) =
        read(Reading::Error("502".into()))
    else {
        panic!()
    };
    assert_eq!(why, "queue: 502 (2 in a row forgiven)");
    assert!(matches!(read(Reading::Value(2.0)), Outcome::RolledBack(Reason::MeasurementFailed { .. })));
    assert!(matches!(read(Reading::NoData), Outcome::RolledBack(Reason::TooSlow { .. })), "no data holds");
}

#[test]
fn a_first_release_is_not_compared_with_anything() {
    let rollout = rollout(plan(&[(100, 0)]), None).judged_by(Judging::new(sequential(), COUNTED_FROM));
    assert!(!rollout.is_judged());
}
