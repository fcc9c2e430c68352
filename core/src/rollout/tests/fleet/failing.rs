//! Batches that are not well, and the way home.

use super::*;

#[test]
fn a_batch_that_fails_takes_everything_home_when_too_many_have_failed() {
    let verdicts = std::iter::repeat_n(Verdict::Pass, 5).chain([fail()]);
    let mut scenario = in_place(6, 2, 10).measured(verdicts);
    let Outcome::RolledBack(Reason::TooManyFailed { failed: 2, instances: 6, .. }) = scenario.run() else {
        panic!()
    };
    let home = did(&scenario).split_off(5);
    assert_eq!(
        home,
        [
            "i0' 1667, i1' 1667, i2' 1667, i3' 1667, i4 1666, i5 1666",
            "urgent i4 5000, i5 5000",
            "undo i0 i1 i2 i3",
            "urgent i0 1667, i1 1667, i2 1667, i3 1667, i4 1666, i5 1666",
        ],
        "shelter, undo, home"
    );
    assert_eq!(scenario.tables.last().unwrap().lease(), None);
}

#[test]
fn when_everybody_has_the_new_version_one_goes_back_first_to_serve_the_others_visitors() {
    let verdicts = std::iter::repeat_n(Verdict::Pass, 12);
    let mut scenario = in_place(4, 2, 10).measured(verdicts);
    scenario.run_until(|effect| matches!(effect, Effect::Measure { step: 3, .. }));
    let _ = scenario.rollout.handle(scenario.now, measured(Verdict::Pass));
    let effect = scenario.rollout.handle(scenario.now, Event::Cancelled("SIGTERM".into()));
    let Effect::Publish { table, urgent: true, .. } = effect else { panic!("{effect:?}") };
    let weights: Vec<u16> = table.variants().iter().map(|variant| variant.weight.basis_points()).collect();
    assert_eq!(weights, [5_000, 5_000, 0, 0], "those that were watched serve");

    // After the last batch was vouched for nobody is left to begin with.
    let plan = rolling(4, 2).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(even(4)), crew(4, |_| true), plan).unwrap();
    let settles =
        |effect: &Effect| matches!(effect, Effect::Publish { table, .. } if table.lease().is_none());
    scenario.run_until(settles);
    let mut event = Event::Cancelled("SIGTERM".into());
    let outcome = loop {
        match scenario.rollout.handle(scenario.now, event) {
            Effect::Finish(outcome) => break outcome,
            Effect::Publish { table, .. } => {
                scenario.tables.push(*table);
                event = Event::Published(Ok(()));
            }
            Effect::Undo { instances, .. } => {
                scenario.did.push(format!("undo {}", instances.len()));
                event = Event::Undone(Ok(()));
            }
            Effect::WaitUntil(until) => {
                scenario.now = until;
                event = Event::Woke;
            }
            effect => {
                assert!(matches!(effect, Effect::Confirm(_)), "{effect:?}");
                event = Event::Confirmed(Confirmation::Served);
            }
        }
    };
    assert_eq!(outcome, Outcome::RolledBack(Reason::Cancelled("SIGTERM".into())));
    assert_eq!(
        scenario.did.iter().filter(|did| did.starts_with("undo")).collect::<Vec<_>>(),
        ["undo 1", "undo 3"]
    );
    assert_eq!(scenario.tables.last().unwrap().variants(), even(4).variants());
}

#[test]
fn one_unhealthy_instance_of_many_goes_back_and_the_release_goes_on() {
    let plan = rolling(10, 2).plan(fails(10), false).unwrap();
    let limits = Limits { healthy_min: Weight::new(5_000).unwrap(), ..*plan.limits() };
    let plan = rolling(10, 2).plan(Draft { limits, ..Draft::default() }, false).unwrap();
    let mut scenario = fleet(Some(even(10)), crew(10, |_| true), plan).unwrap();
    scenario
        .deploys
        .extend([results(&[(0, Ok(())), (1, Err(unhealthy()))]), results(&[(2, Ok(())), (3, Ok(()))])]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(
        did(&scenario)[1..4],
        [
            "deploy i0 i1",
            "undo i1",
            "i0' 1000, i1 1000, i2 1000, i3 1000, i4 1000, i5 1000, i6 1000, i7 1000, i8 1000, i9 1000",
        ]
    );
    let settled = scenario.tables.last().unwrap();
    let old: Vec<&str> = settled
        .variants()
        .iter()
        .filter(|it| it.version.as_str() == "1")
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(old, ["i1"], "settled says which has the version before");
}

#[test]
fn a_batch_below_its_healthy_share_goes_back_as_a_whole() {
    let mut scenario = in_place(6, 2, 40);
    scenario.deploys.push_back(results(&[(0, Ok(())), (1, Err(unhealthy()))]));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(
        did(&scenario)[..5],
        [
            "i2 2501, i3 2501, i4 2499, i5 2499",
            "deploy i0 i1",
            "i2 2501, i3 2501, i4 2499, i5 2499",
            "undo i0 i1",
            "i0 2501, i1 2501, i4 2499, i5 2499",
        ]
    );
}

#[test]
fn a_failed_deploy_or_an_instance_that_nothing_is_heard_of_takes_everything_home() {
    let failed = results(&[(0, Ok(())), (1, Err(Broken::Failed("exit code 1".into())))]);
    for (event, why) in [(failed, "exit code 1"), (results(&[(0, Ok(()))]), "nothing was heard of it")] {
        let mut scenario = in_place(6, 2, 40);
        scenario.deploys.push_back(event);
        let reason = Reason::DeployFailed { instance: "i1".into(), why: why.into() };
        assert_eq!(scenario.run(), Outcome::RolledBack(reason));
        assert!(scenario.did.contains(&"undo i0 i1".to_owned()), "{:?}", scenario.did);
    }
}

#[test]
fn instances_that_do_not_get_the_version_before_back_are_led_around_and_a_person_is_needed() {
    let not_undone = |instances| Event::Undone(Err(NotUndone { instances, why: "i1: exit code 1".into() }));
    let i1 = || vec![VariantName::new("name", "i1").unwrap()];
    // The others share its visitors, for good: there is no lease after which one of them would get everybody.
    for (known, serve) in [
        (i1(), "urgent i0 2001, i2 2001, i3 2000, i4 1999, i5 1999"),
        (vec![], "urgent i2 2501, i3 2501, i4 2499, i5 2499"),
    ] {
        let mut scenario = in_place(6, 2, 10).measured([fail()]);
        scenario.undos.push_back(not_undone(known));
        let Outcome::Stuck { traffic: Traffic::InstancesNotUndone { why }, .. } = scenario.run() else {
            panic!()
        };
        assert_eq!(why, "i1: exit code 1");
        assert_eq!(did(&scenario).last(), Some(&serve), "{:?}", did(&scenario));
        let table = scenario.tables.last().unwrap();
        assert!(table.lease().is_none() && table.stable().weight > Weight::ZERO, "{table:?}");
    }

    // While the release could still go on it goes home instead, and tries again.
    let mut scenario = in_place(6, 2, 40).measured([fail()]);
    scenario.undos.push_back(not_undone(i1()));
    let reason = Reason::DeployFailed { instance: "i0`, `i1".into(), why: "i1: exit code 1".into() };
    assert_eq!(scenario.run(), Outcome::RolledBack(reason));
}

#[test]
fn what_is_not_replaced_in_place_only_needs_the_table_before() {
    let plan = rolling(4, 2).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(even(4)), crew(4, |_| false), plan).unwrap().measured([fail()]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    assert_eq!(did(&scenario).split_off(3), ["urgent i0 2500, i1 2500, i2 2500, i3 2500"]);

    // Where only some are, those that are not serve meanwhile, at once.
    let plan = rolling(3, 1).plan(fails(0), false).unwrap();
    let verdicts = std::iter::repeat_n(Verdict::Pass, 7).chain([fail()]);
    let mut scenario = fleet(Some(even(3)), crew(3, |at| at != 1), plan).unwrap().measured(verdicts);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    let home = did(&scenario).into_iter().skip_while(|did| !did.starts_with("urgent")).collect::<Vec<_>>();
    assert_eq!(home, ["urgent i1 10000", "undo i0 i2", "urgent i0 3334, i1 3333, i2 3333"]);
}

#[test]
fn a_paused_release_whose_batch_fails_stands_by() {
    let mut scenario = in_place(6, 2, 100)
        .measured([Verdict::Pass, fail()])
        .ordered(110, Order::Pause)
        .ordered(1_000, Order::Resume);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let second = scenario.did.iter().position(|did| did == "deploy i2 i3").unwrap();
    assert!(scenario.did[..second].contains(&"undo i0 i1".to_owned()), "{:?}", scenario.did);
    let drained = scenario.tables.iter().find(|table| table.variants()[2].weight == Weight::ZERO).unwrap();
    assert!(
        drained.updated_at() >= Timestamp::from_millis(1_000_000 + 1_000_000),
        "not before it is resumed"
    );

    // What fails then is not the batch, which has the version before.
    let mut scenario =
        in_place(6, 2, 100).measured([Verdict::Pass, fail(), fail()]).ordered(110, Order::Pause);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::MeasurementFailed { .. })));

    // The same when it is said while the batch is being undone.
    let mut scenario = in_place(6, 2, 100).measured([fail()]).ordered(1_000, Order::Resume);
    scenario.undos.push_back(Event::Ordered(Order::Pause));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.replies, [(Order::Pause, Ok(())), (Order::Resume, Ok(()))]);
}

#[test]
fn a_lease_that_cannot_be_renewed_on_the_way_home_keeps_the_reason_for_going() {
    let mut scenario = in_place(6, 2, 10).measured([fail()]);
    scenario.undos.push_back(Event::Busy);
    let undoes = |effect: &Effect| matches!(effect, Effect::Undo { .. });
    assert_eq!(scenario.run_until(undoes), None);
    scenario.publishes.extend((0..60).map(|_| Event::Published(Err(WriteFailure::NotWritten("503".into())))));
    let last = scenario.tables.last().unwrap().clone();
    let mut event = Event::Busy;
    scenario.now = scenario.now.plus(Limits::default().renew_every);
    let outcome = loop {
        match scenario.rollout.handle(scenario.now, event) {
            Effect::Publish { table, urgent, .. } => {
                assert!(
                    urgent && table.variants() == last.variants(),
                    "the same for longer, before anything else"
                );
                event = scenario.publishes.pop_front().unwrap();
            }
            Effect::WaitUntil(until) => {
                scenario.now = until;
                event = Event::Woke;
            }
            Effect::Finish(outcome) => break outcome,
            effect => panic!("{effect:?}"),
        }
    };
    let Outcome::Stuck { reason: Reason::TooManyFailed { .. }, traffic } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(matches!(traffic, Traffic::HomeNotWritten { lease_ends: Some(_), .. }));
    assert_eq!(scenario.publishes.len(), 0, "as often as home itself");
}

#[test]
fn exactly_the_healthy_share_of_a_batch_is_enough() {
    for (percent, goes_on) in [(75, true), (76, false)] {
        let healthy_min = Weight::new(percent * 100).unwrap();
        let failed_max = Weight::TOTAL;
        let limits = Limits { healthy_min, failed_max, ..Limits::default() };
        let plan = rolling(10, 4).plan(Draft { limits, ..Draft::default() }, false).unwrap();
        let mut scenario = fleet(Some(even(10)), crew(10, |_| true), plan).unwrap();
        scenario.deploys.push_back(results(&[(0, Ok(())), (1, Err(unhealthy())), (2, Ok(())), (3, Ok(()))]));
        assert_eq!(scenario.run(), Outcome::Promoted);
        let undone = if goes_on { "undo i1" } else { "undo i0 i1 i2 i3" };
        assert!(scenario.did.contains(&undone.to_owned()), "{:?}", scenario.did);
    }
}

#[test]
fn after_a_batch_that_failed_comes_the_next_one() {
    let mut scenario = in_place(6, 2, 40).measured([fail()]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(
        did(&scenario)[2..6],
        [
            "i0' 1667, i1' 1667, i2 1667, i3 1667, i4 1666, i5 1666",
            "i2 2501, i3 2501, i4 2499, i5 2499",
            "undo i0 i1",
            "i0 2501, i1 2501, i4 2499, i5 2499",
        ]
    );
}

#[test]
fn the_rest_of_a_later_batch_is_restored_and_not_deployed_again() {
    let limits = Limits { healthy_min: Weight::new(5_000).unwrap(), ..Limits::default() };
    let plan = rolling(10, 2).plan(Draft { limits, ..Draft::default() }, false).unwrap();
    let mut scenario = fleet(Some(even(10)), crew(10, |_| true), plan).unwrap();
    let first = results(&[(0, Ok(())), (1, Ok(()))]);
    scenario.deploys.extend([first, results(&[(2, Ok(())), (3, Err(unhealthy()))])]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.did.iter().filter(|did| *did == "deploy i2 i3").count(), 1, "{:?}", scenario.did);
}
