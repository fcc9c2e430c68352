//! What is saved goes on elsewhere from the same step.

use super::*;

fn other() -> RunnerId {
    RunnerId::new("runner", "r2").unwrap()
}

/// What is saved, as it is stored and read again.
fn stored(rollout: &Rollout) -> Saved {
    let saved = rollout.saved();
    let read: Saved = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
    assert_eq!(read, saved);
    read
}

/// Goes on from where this one was when it wanted such an effect done.
fn goes_on(mut scenario: Scenario, stop: impl Fn(&Effect) -> bool) -> Scenario {
    assert_eq!(scenario.run_until(stop), None);
    let rollout = Rollout::resume(stored(&scenario.rollout), other(), scenario.tables.last()).unwrap();
    let mut next = Scenario::from(rollout);
    next.now = scenario.now;
    next
}

fn publishes(weight: u16) -> impl Fn(&Effect) -> bool {
    move |effect| matches!(effect, Effect::Publish { table, .. } if table.variants()[1].weight.basis_points() == weight)
}

const STEPS: &[(u16, u64)] = &[(5, 60), (50, 60), (100, 0)];

#[test]
fn a_canary_goes_on_from_the_step_that_it_was_at() {
    type Stop = Box<dyn Fn(&Effect) -> bool>;
    let cases: [(Stop, u16); 6] = [
        (Box::new(publishes(500)), 500),
        (Box::new(|effect| matches!(effect, Effect::Confirm(_))), 500),
        (Box::new(|effect| matches!(effect, Effect::Measure { step: 1, .. })), 5_000),
        (Box::new(publishes(5_000)), 5_000),
        (Box::new(publishes(10_000)), 10_000),
        (
            Box::new(|effect| matches!(effect, Effect::Publish { table, .. } if table.lease().is_none())),
            10_000,
        ),
    ];
    for (index, (stop, weight)) in cases.into_iter().enumerate() {
        let mut scenario = goes_on(Scenario::new(STEPS), stop);
        assert_eq!(scenario.run(), Outcome::Promoted, "case {index}");
        assert_eq!(scenario.sent[0], (weight, true), "case {index}");
        assert!(scenario.tables.iter().all(|table| table.owner() == Some(scenario.rollout.owner())));
        assert_eq!(scenario.rollout.owner().generation, Generation::new(2));
    }
}

#[test]
fn an_approval_by_whoever_takes_over_holds_until_the_step_has_been_held_anew_and_for_one_step() {
    let gates = vec![Gate::Approval { within: Duration::from_secs(600), on_timeout: OnTimeout::Abort }];
    let second = Step { gates: gates.clone(), ..step(50, 10) };
    let draft =
        Draft { steps: vec![step(5, 60), second, Step { gates, ..step(100, 0) }], ..Draft::default() };
    let dying = Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base())));
    let mut scenario = goes_on(dying, |effect| matches!(effect, Effect::Measure { step: 0, .. }));
    scenario.rollout = scenario.rollout.approved();
    // It stays approved when the next runner dies as well.
    scenario = goes_on(scenario, |effect| matches!(effect, Effect::Measure { step: 0, .. }));
    let began = scenario.now;
    let outcome = Outcome::RolledBack(Reason::NotApproved { step: 2, within: Duration::from_secs(600) });
    assert_eq!(scenario.run(), outcome);
    assert!(scenario.sent.contains(&(5_000, true)), "{:?}", scenario.sent);
    assert!(scenario.now.since(began) >= Duration::from_secs(60 + 10 + 600));
}

#[test]
fn one_on_its_way_home_goes_on_home() {
    let failing = Scenario::new(STEPS).measured([fail()]);
    let mut scenario = goes_on(failing, |effect| matches!(effect, Effect::Publish { urgent: true, .. }));
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::MeasurementFailed { .. })));
    assert_eq!(scenario.sent, [(0, false)]);

    // A cancellation does not make another way of it.
    let failing = Scenario::new(STEPS).measured([fail()]);
    let mut scenario = goes_on(failing, |effect| matches!(effect, Effect::Publish { urgent: true, .. }));
    let effect = scenario.rollout.handle(scenario.now, Event::Cancelled("SIGTERM".into()));
    assert!(matches!(effect, Effect::Publish { urgent: true, .. }));
}

#[test]
fn a_table_without_a_lease_is_told_apart_home_or_settled() {
    // Home is written before the record, so that the record of a runner that died then says that it was at a step.
    let lags_behind = |first: &dyn Fn() -> Scenario| {
        let (mut record, mut kv) = (first(), first());
        record.run_until(|effect| matches!(effect, Effect::Measure { step: 2, .. }));
        kv.run();
        let rollout = Rollout::resume(stored(&record.rollout), other(), kv.tables.last()).unwrap();
        Scenario::from(rollout).run()
    };
    let failing = || {
        Scenario::new(STEPS).measured([Verdict::Pass, Verdict::Pass, Verdict::Pass, Verdict::Pass, fail()])
    };
    let outcome = lags_behind(&failing);
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome:?}");
    assert_eq!(lags_behind(&|| Scenario::new(STEPS)), Outcome::Promoted);
}

#[test]
fn what_was_wanted_in_full_is_still() {
    let full = Scenario::new(STEPS).ordered(10, Order::PromoteFull);
    let mut scenario = goes_on(full, publishes(10_000));
    assert_eq!(scenario.run(), Outcome::Promoted);

    let steps = &[(5, 60), (100, 600)];
    let full = Scenario::new(steps).ordered(10, Order::PromoteFull);
    let mut scenario = goes_on(full, publishes(10_000));
    let before = scenario.now;
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.now.since(before) < Duration::from_secs(10), "no hold");
}

#[test]
fn revisions_go_on_above_what_kv_holds() {
    let mut first = Scenario::new(STEPS);
    first.run_until(publishes(5_000));
    let found = first.tables.last().unwrap().revision().number();
    let rollout = Rollout::resume(stored(&first.rollout), other(), first.tables.last()).unwrap();
    let mut scenario = Scenario::from(rollout);
    scenario.run();
    assert_eq!(scenario.tables[0].revision().number(), found + 1);
}

#[test]
fn a_takeover_counts_up_from_whatever_is_further() {
    let mut first = Scenario::new(STEPS);
    first.run_until(publishes(5_000));
    // The record is an older one: the runner that was thought dead has saved it again.
    let old = stored(&first.rollout);
    let mut second = Scenario::from(Rollout::resume(old.clone(), other(), first.tables.last()).unwrap());
    second.run_until(|effect| matches!(effect, Effect::Confirm(_)));
    let third =
        Rollout::resume(old.clone(), RunnerId::new("runner", "r3").unwrap(), second.tables.last()).unwrap();
    assert_eq!(third.owner().generation, Generation::new(3));
    // A foreign generation says nothing: before the first write the table is the base's.
    let owner = Owner { runner: other(), generation: Generation::new(40) };
    let base = RoutingTable::new(table::Draft { owner: Some(owner), ..base().draft() }).unwrap();
    assert_eq!(Rollout::resume(old, other(), Some(&base)).unwrap().owner().generation, Generation::new(2));
}

#[test]
fn another_releases_table_is_left_alone() {
    let mut first = Scenario::new(STEPS);
    first.run_until(publishes(5_000));
    let saved = stored(&first.rollout);
    assert_eq!(saved.release(), &release());
    assert_eq!(saved.generation(), Generation::FIRST);
    let draft = first.tables.last().unwrap().draft();
    let foreign = table::Draft { release: ReleaseId::new("release", "rel-other").unwrap(), ..draft };
    let foreign = RoutingTable::new(foreign).unwrap();
    let error = Rollout::resume(saved.clone(), other(), Some(&foreign)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "revision 9 of release rel-other is in force: this release cannot be resumed"
    );
    assert!(Rollout::resume(saved.clone(), other(), Some(&base())).is_ok(), "it had written nothing yet");
    assert!(Rollout::resume(saved, other(), None).is_ok(), "the fence decides about a deleted table");
}

#[test]
fn a_resumed_rollout_that_is_cancelled_before_it_writes_brings_home_what_was_written() {
    let scenario = goes_on(Scenario::new(STEPS), publishes(5_000));
    let mut rollout = scenario.rollout;
    let effect = rollout.handle(scenario.now, Event::Cancelled("SIGTERM".into()));
    let Effect::Publish { table, urgent: true, .. } = effect else { panic!("{effect:?}") };
    assert_eq!(table.variants(), base().variants());
}

#[test]
fn whoever_takes_over_before_it_has_settled_sees_the_last_step_for_himself() {
    let mut scenario = Scenario::new(STEPS);
    scenario.run_until(|effect| matches!(effect, Effect::Publish { table, .. } if table.lease().is_none()));
    let mut saved = serde_json::to_value(scenario.rollout.saved()).unwrap();
    assert_eq!(saved["at"], serde_json::json!({ "step": 2 }));
    // A step that the plan does not have is no reason to settle unseen.
    for beyond in [3, 4, 99] {
        saved["at"]["step"] = beyond.into();
        let saved = serde_json::from_value(saved.clone()).unwrap();
        let rollout = Rollout::resume(saved, other(), scenario.tables.last()).unwrap();
        let mut next = Scenario::from(rollout).measured([fail()]);
        assert!(matches!(next.run(), Outcome::RolledBack(Reason::MeasurementFailed { step: 2, .. })));
    }
}

#[test]
fn one_that_had_settled_is_not_shifted_once_more() {
    let mut scenario = goes_on(
        Scenario::new(STEPS),
        |effect| matches!(effect, Effect::Publish { table, .. } if table.lease().is_none()),
    );
    // The write was applied, and its runner died before it heard so.
    let mut first = Scenario::new(STEPS);
    assert_eq!(first.run(), Outcome::Promoted);
    let settled = first.tables.last();
    scenario.rollout = Rollout::resume(stored(&scenario.rollout), other(), settled).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.sent, [(10_000, false)], "it says so once more, under its own name");
}
