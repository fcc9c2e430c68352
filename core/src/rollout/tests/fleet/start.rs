//! What can be started: plans of batches, and fleets that leave somebody to the visitors.

use super::*;

#[test]
fn a_batch_with_all_the_visitors_is_refused() {
    let begin = |variants: Vec<Variant>, names: usize, batch| {
        let plan = rolling(names, batch).plan(fails(10), false).unwrap();
        fleet(Some(table_of(variants)), crew(names, |_| true), plan).map(|_| ())
    };
    let nobody_left = |names: &str| Err(CannotStart::NobodyLeft(names.into()));
    assert_eq!(begin(vec![instance(0, 10_000)], 2, 1), nobody_left("i0"));
    assert_eq!(begin(vec![instance(0, 5_000), instance(1, 5_000)], 3, 2), nobody_left("i0`, `i1"));
    assert_eq!(begin(vec![instance(0, 10_000), instance(1, 0)], 2, 1), nobody_left("i0"));
    assert_eq!(begin(vec![instance(0, 0), instance(1, 10_000)], 2, 1), nobody_left("i1"), "i0 has no share");
    assert_eq!(begin(vec![instance(1, 10_000)], 2, 1), Ok(()), "i0 is new, and serves by then");
    assert_eq!(begin(vec![instance(0, 5_000), instance(1, 5_000)], 2, 1), Ok(()));
}

#[test]
fn a_plan_of_batches_follows_one_another_and_leaves_somebody() {
    let plan = |instances, batch, first| rolling(instances, batch).plan(Draft::default(), first);
    assert_eq!(plan(0, 1, false), Err(PlanError::NoSteps));
    assert_eq!(plan(2, 0, false), Err(PlanError::NoSteps));
    assert_eq!(plan(2, 2, false), Err(PlanError::BatchTooLarge { batch: 2, instances: 2 }));
    assert_eq!(plan(2, 2, true).map(|plan| plan.steps().len()), Ok(2));
    let last_hold = |plan: Plan| plan.steps().last().unwrap().hold;
    assert_eq!(last_hold(plan(3, 1, false).unwrap()), Duration::from_secs(60));
    let plan = plan(5, 2, false).unwrap();
    let batches: Vec<usize> = plan.steps().iter().filter_map(Step::batch).map(|batch| batch.count).collect();
    assert_eq!(batches, [2, 2, 1]);
    let holds: Vec<u64> = plan.steps().iter().map(|step| step.hold.as_secs()).collect();
    assert_eq!(holds, [10, 90, 10, 90, 10, 60], "no waiting for a batch that does not come");
    assert_eq!(plan.deadline(), Duration::from_secs(2 * 270) + Limits::DEADLINE_SLACK);

    let steps = plan.steps().to_vec();
    let broken = |steps: Vec<Step>| Plan::new(Draft { steps, ..Draft::default() }).map(|_| ());
    assert_eq!(broken(steps[..1].to_vec()), Err(PlanError::BatchOrder { index: 0 }));
    assert_eq!(broken(steps[2..].to_vec()), Err(PlanError::BatchOrder { index: 0 }), "the first is left out");
    assert_eq!(broken([&steps[..2], &steps[..2]].concat()), Err(PlanError::BatchOrder { index: 2 }));
    assert_eq!(broken([&steps[..2], &[step(100, 0)]].concat()), Err(PlanError::BatchOrder { index: 2 }));
    assert_eq!(broken(vec![step(5, 0), steps[0].clone()]), Err(PlanError::BatchOrder { index: 1 }));
    let none = Batch { first: 0, count: 0 };
    let empty = [Shift::Replace(none), Shift::Restore(none)].map(|shift| Step { shift, ..step(5, 0) });
    assert_eq!(broken(empty.to_vec()), Err(PlanError::BatchOrder { index: 0 }));
}

#[test]
fn a_fleet_that_the_plan_or_the_table_does_not_know_does_not_start() {
    let plan = rolling(4, 2).plan(Draft::default(), false).unwrap();
    let error = |base, crew| fleet(Some(base), crew, plan.clone()).map(|_| ()).unwrap_err();
    assert_eq!(error(even(3), crew(3, |_| true)), CannotStart::OtherFleet { planned: 4, instances: 3 });
    let staging = Crew { environment: Environment::new("", "staging").unwrap(), ..crew(4, |_| true) };
    assert_eq!(error(even(4), staging), CannotStart::OtherEnvironment("production".into()));
    let many = table_of((4..18).map(|at| instance(at, if at == 4 { 10_000 } else { 0 })).take(13).collect());
    assert_eq!(error(many, crew(4, |_| true)), CannotStart::TooManyInstances(17));
}

#[test]
fn the_first_release_ever_deploys_all_at_once_and_has_nobody_to_lead_around() {
    let plan = rolling(3, 1).plan(Draft::default(), true).unwrap();
    let mut scenario = fleet(None, crew(3, |_| true), plan.clone()).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(did(&scenario), ["deploy i0 i1 i2", "i0' 3334, i1' 3333, i2' 3333"]);
    assert!(scenario.sent.iter().all(|(_, lease)| !lease));

    let mut scenario = fleet(None, crew(3, |_| true), plan.clone()).unwrap();
    scenario.deploys.push_back(results(&[(0, Ok(())), (1, Err(unhealthy())), (2, Ok(()))]));
    assert!(matches!(scenario.run(), Outcome::NotStarted(_)));
    assert_eq!(scenario.tables, []);

    let mut scenario = fleet(None, crew(3, |_| true), plan).unwrap().measured([fail()]);
    let Outcome::Stuck { traffic: Traffic::NothingToReturnTo, .. } = scenario.run() else { panic!() };
}

#[test]
fn instances_that_are_all_new_leave_the_visitors_to_the_one_that_goes() {
    let old = |weight| Variant { name: VariantName::new("", "old").unwrap(), ..instance(9, weight) };
    let begin = |base: Vec<Variant>, names: usize| {
        let plan = rolling(names, 1).plan(fails(10), false).unwrap();
        fleet(Some(table_of(base)), crew(names, |_| true), plan)
    };
    let mut scenario = begin(vec![old(10_000)], 2).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(did(&scenario)[..3], ["old 10000", "deploy i0", "i0' 5000, old 5000"]);

    // i0 has all the visitors, and the one that goes has none to take over with.
    let error = begin(vec![instance(0, 10_000), old(0)], 2).map(|_| ()).unwrap_err();
    assert_eq!(error, CannotStart::NobodyLeft("i0".into()));
    // It has some, so it takes the others', also on the way home.
    let mut scenario = begin(vec![instance(0, 9_000), old(1_000)], 2).unwrap().measured([fail()]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    let home = did(&scenario).split_off(3);
    assert_eq!(home, ["urgent old 10000", "undo i0", "urgent i0 9000, old 1000"]);
}

#[test]
fn sixteen_instances_fit_into_a_table() {
    let many = |count: usize| {
        let plan = rolling(count, 2).plan(fails(10), false).unwrap();
        let base = table_of((0..16).map(|at| instance(at, 625)).collect());
        fleet(Some(base), crew(count, |_| true), plan).map(|_| ())
    };
    assert_eq!(many(16), Ok(()));
    assert_eq!(many(17), Err(CannotStart::TooManyInstances(17)));
}
