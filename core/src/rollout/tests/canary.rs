//! A canary's way, step by step.

use super::*;

#[test]
fn blue_green_switches_verifies_and_settles() {
    let mut scenario = Scenario::new(&[(100, 0)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.sent, [(10_000, true), (10_000, false)]);
    let [shifted, settled] = scenario.tables.as_slice() else { panic!() };
    assert_eq!(shifted.stable().name.as_str(), "blue", "until it settles a lapsed lease goes home to blue");
    assert_eq!(settled.stable().name.as_str(), "green");
    assert_eq!(settled.revision().number(), 9);
    let before = settled.variant(&VariantName::new("", "blue").unwrap()).unwrap();
    assert_eq!(before.weight, Weight::ZERO, "the version before stays listed, to go back to");
    assert_eq!(
        settled.previous()[0].version.as_str(),
        "green",
        "what the slot held before serves its assets"
    );
}

#[test]
fn weights_rise_step_by_step() {
    let mut scenario = Scenario::new(&[(5, 60), (25, 60), (100, 0)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let weights: Vec<u16> = scenario.sent.iter().map(|(weight, _)| *weight).collect();
    assert_eq!(
        weights.iter().copied().collect::<std::collections::BTreeSet<_>>(),
        [500, 2500, 10_000].into()
    );
    assert!(weights.is_sorted());
}

#[test]
fn a_failed_measurement_brings_traffic_home() {
    let mut scenario = Scenario::new(&[(100, 0)]).measured([fail()]);
    let Outcome::RolledBack(Reason::MeasurementFailed { why, .. }) = scenario.run() else { panic!() };
    assert_eq!(why, "basic: status 503");
    assert_eq!(scenario.sent, [(10_000, true), (0, false)]);
    let home = scenario.tables.last().unwrap();
    assert_eq!(home.variants(), base().variants(), "home is the table before, under a new revision");
    assert_eq!(home.revision().number(), 9);
    assert!(home.updated_at() > scenario.tables[0].updated_at(), "written when it was written");
}

#[test]
fn what_could_not_be_measured_is_neither_pass_nor_fail() {
    let error = || Verdict::Error("no network".into());
    let mut scenario = Scenario::new(&[(100, 0)]).measured([error(), error(), error(), error()]);
    assert_eq!(scenario.run(), Outcome::Promoted, "four in a row are tolerated, then it passes");

    let mut scenario = Scenario::new(&[(100, 0)]).measured((0..5).map(|_| error()));
    let Outcome::RolledBack(Reason::CouldNotMeasure { times: 5, .. }) = scenario.run() else { panic!() };

    let undecided = Verdict::Inconclusive("too few".into());
    let twice = [error(), error(), error(), error(), undecided, error(), error()];
    let mut scenario = Scenario::new(&[(100, 0)]).measured(twice);
    assert_eq!(
        scenario.run(),
        Outcome::Promoted,
        "what could be measured is no error, though it is undecided"
    );
}

#[test]
fn a_hold_begins_when_the_revision_is_seen_served() {
    let mut scenario = Scenario::new(&[(50, 100), (100, 0)]);
    // Sixty looks, a second apart, before the edge serves it.
    let not_yet = Event::Confirmed(Confirmation::NotYet("revision 7".into()));
    scenario.confirms.extend(std::iter::repeat_n(not_yet, 60));
    assert_eq!(scenario.run(), Outcome::Promoted);
    let step = |weight| {
        let index = scenario.sent.iter().position(|(sent, _)| *sent == weight).unwrap();
        scenario.tables[index].updated_at()
    };
    assert!(step(10_000).since(step(5000)) >= Duration::from_secs(160));
}

#[test]
fn an_edge_that_never_serves_it_is_brought_home() {
    let mut scenario = Scenario::new(&[(100, 0)]);
    let not_yet = Event::Confirmed(Confirmation::NotYet("revision 7".into()));
    scenario.confirms.extend(std::iter::repeat_n(not_yet, 151));
    let Outcome::RolledBack(Reason::NotConfirmed { .. }) = scenario.run() else { panic!() };
}

#[test]
fn the_first_release_ever_has_nowhere_to_go_back_to() {
    let held = rollout(plan(&[(5, 9), (100, 600)]), None);
    assert_eq!(held.plan().steps().iter().map(|step| step.hold.as_secs()).collect::<Vec<_>>(), [0]);
    let first = || Scenario::from(rollout(plan(&[(5, 9), (100, 0)]), None));
    let mut scenario = first();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.tables[0].revision(), Revision::FIRST);
    assert!(scenario.sent.iter().all(|(weight, lease)| *weight == 10_000 && !lease));

    let mut scenario = first().measured([fail()]);
    let Outcome::Stuck { traffic: Traffic::NothingToReturnTo, .. } = scenario.run() else { panic!() };
}

#[test]
fn home_still_finds_the_files_of_the_version_that_failed() {
    let older = |name: &str| Previous {
        origin: Origin::new("origin", &format!("https://{name}.example.com")).unwrap(),
        version: Version::new("version", name).unwrap(),
    };
    for (before, listed) in [
        (&[] as &[&str], &["new"] as &[&str]),
        (&["a", "b"], &["new", "a", "b"]),
        (&["a", "new", "b"], &["new", "a", "b"]),
        (&["a", "b", "c", "d", "e"], &["new", "a", "b", "c", "d"]),
    ] {
        let previous = before.iter().map(|name| older(name)).collect();
        let base = RoutingTable::new(table::Draft { previous, ..base().draft() }).unwrap();
        let rollout = rollout(plan(&[(100, 0)]), Some(base));
        let mut scenario = Scenario::from(rollout).measured([fail()]);
        assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
        let home = scenario.tables.last().unwrap();
        let origins: Vec<&str> = home.previous().iter().map(|older| older.origin.as_str()).collect();
        let wanted: Vec<String> = listed.iter().map(|name| format!("https://{name}.example.com")).collect();
        assert_eq!(origins, wanted);
    }
}

#[test]
fn a_rollout_does_not_start_from_shifted_weights_or_onto_stable() {
    let mut shifted = base().draft();
    shifted.variants[0].weight = Weight::new(9000).unwrap();
    shifted.variants[1].weight = Weight::new(1000).unwrap();
    let shifted = RoutingTable::new(shifted).unwrap();
    let begin = |base, canary| {
        let subject = Subject::Canary(canary);
        Rollout::new(plan(&[(100, 0)]), Some(base), subject, release(), owner()).unwrap_err()
    };
    let error = begin(shifted, canary());
    assert_eq!(error.to_string(), "revision 7 gives `green` 10 % although `blue` is stable");

    let onto_stable = Canary { name: VariantName::new("", "blue").unwrap(), ..canary() };
    let error = begin(base(), onto_stable);
    assert_eq!(error, CannotStart::CanaryIsStable("blue".into()));
}

#[test]
fn a_plan_rises_to_everybody_and_its_lease_outlives_its_renewal() {
    let plan = |steps: &[u16], limits| {
        let steps = steps.iter().map(|percent| step(*percent, 0)).collect();
        Plan::new(Draft { steps, limits, ..Draft::default() })
    };
    let limits = Limits::default();
    assert_eq!(plan(&[], limits), Err(PlanError::NoSteps));
    assert!(matches!(plan(&[50], limits), Err(PlanError::LastNotFull(_))));
    assert!(matches!(plan(&[50, 50, 100], limits), Err(PlanError::NotRising { index: 1, .. })));
    let short = Limits { lease: Duration::from_secs(150), ..limits };
    assert!(matches!(plan(&[100], short), Err(PlanError::LeaseTooShort { .. })));
}

#[test]
fn rules_name_stable_and_canary_or_a_slot_that_is_there() {
    let to = |table: &RoutingTable| -> Vec<String> {
        table.policy().rules.iter().map(|rule| rule.to.to_string()).collect()
    };
    let canary = Canary { policy: rules_to(&["stable", "canary", "green", "blue", "red"]), ..canary() };
    let subject = Subject::Canary(canary);
    let rollout = Rollout::new(plan(&[(5, 0), (100, 0)]), Some(base()), subject, release(), owner());
    let mut scenario = Scenario::from(rollout.unwrap());
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(to(&scenario.tables[0]), ["blue", "green", "green", "blue"]);
    assert_eq!(
        to(scenario.tables.last().unwrap()),
        ["green", "green", "blue"],
        "there is no canary any more"
    );
}

#[test]
fn home_has_no_lease_even_if_the_table_before_had_one() {
    let lease = Some(table::Lease { expires_at: Timestamp::from_millis(2_000_000) });
    let base = RoutingTable::new(table::Draft { lease, ..base().draft() }).unwrap();
    let mut scenario = Scenario::from(rollout(plan(&[(100, 0)]), Some(base))).measured([fail()]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    assert_eq!(scenario.sent, [(10_000, true), (0, false)]);
}

#[test]
fn the_edge_has_until_its_time_is_over_to_serve_it() {
    let within = Limits::default().confirm_within;
    for (late, goes_home) in [(Duration::ZERO, true), (Duration::from_millis(1), false)] {
        let mut rollout = rollout(plan(&[(100, 0)]), Some(base()));
        let now = Timestamp::from_millis(1_000_000);
        let _ = rollout.handle(now, Event::Started);
        let _ = rollout.handle(now.plus(late), Event::Published(Ok(())));
        let not_yet = Event::Confirmed(Confirmation::NotYet("revision 7".into()));
        let effect = rollout.handle(now.plus(within), not_yet);
        assert_eq!(matches!(effect, Effect::Publish { urgent: true, .. }), goes_home, "{effect:?}");
    }
}
