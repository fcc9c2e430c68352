//! Rolling: batch after batch is drained, deployed, restored, watched; and what is done when some are not well.

use super::scenario::deployed;
use super::*;

mod failing;
mod start;

fn name(index: usize) -> VariantName {
    VariantName::new("name", format!("i{index}")).unwrap()
}

fn instance(index: usize, weight: u16) -> Variant {
    Variant {
        name: name(index),
        origin: Origin::new("origin", &format!("https://i{index}.example.com")).unwrap(),
        version: Version::new("version", "1").unwrap(),
        weight: Weight::new(weight).unwrap(),
    }
}

fn table_of(variants: Vec<Variant>) -> RoutingTable {
    let stable = variants[0].name.clone();
    RoutingTable::new(table::Draft { stable, variants, ..base().draft() }).unwrap()
}

/// So many instances with the same share, as far as that goes.
fn even(instances: u16) -> RoutingTable {
    let rest = 10_000 % instances;
    let weight = |index| 10_000 / instances + u16::from(index < rest);
    table_of((0..instances).map(|index| instance(index.into(), weight(index))).collect())
}

fn crew(instances: usize, in_place: impl Fn(usize) -> bool) -> Crew {
    Crew {
        environment: Environment::new("environment", "production").unwrap(),
        instances: (0..instances).map(|at| Instance { name: name(at), in_place: in_place(at) }).collect(),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    }
}

fn rolling(instances: usize, batch: usize) -> Rolling {
    let seconds = Duration::from_secs;
    Rolling { instances, batch, drain: seconds(10), watch: seconds(60), between: seconds(30) }
}

/// What is worth saying of the limits: how many may fail.
fn fails(percent: u16) -> Draft {
    let failed_max = Weight::new(percent * 100).unwrap();
    Draft { limits: Limits { failed_max, ..Limits::default() }, ..Draft::default() }
}

fn fleet(base: Option<RoutingTable>, crew: Crew, plan: Plan) -> Result<Scenario, CannotStart> {
    Rollout::new(plan, base, Subject::Fleet(crew), release(), owner()).map(Scenario::from)
}

/// So many even instances that are overwritten in place, of which so many percent may fail.
fn in_place(instances: u16, batch: usize, percent: u16) -> Scenario {
    let plan = rolling(instances.into(), batch).plan(fails(percent), false).unwrap();
    fleet(Some(even(instances)), crew(instances.into(), |_| true), plan).unwrap()
}

fn unhealthy() -> Broken {
    Broken::Unhealthy("status 503".into())
}

fn results(of: &[(usize, Result<(), Broken>)]) -> Event {
    Event::Deployed(of.iter().map(|(at, result)| deployed(&name(*at), result.clone())).collect())
}

/// What was done, renewals of the lease left out.
fn did(scenario: &Scenario) -> Vec<&str> {
    let mut did: Vec<&str> = scenario.did.iter().map(String::as_str).collect();
    did.dedup();
    did
}

#[test]
fn six_instances_are_replaced_two_at_a_time() {
    let mut scenario = in_place(6, 2, 10);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(
        did(&scenario),
        [
            "i2 2501, i3 2501, i4 2499, i5 2499",
            "deploy i0 i1",
            "i0' 1667, i1' 1667, i2 1667, i3 1667, i4 1666, i5 1666",
            "i0' 2501, i1' 2501, i4 2499, i5 2499",
            "deploy i2 i3",
            "i0' 1667, i1' 1667, i2' 1667, i3' 1667, i4 1666, i5 1666",
            "i0' 2500, i1' 2500, i2' 2500, i3' 2500",
            "deploy i4 i5",
            "i0' 1667, i1' 1667, i2' 1667, i3' 1667, i4' 1666, i5' 1666",
        ]
    );
    let settled = scenario.tables.last().unwrap();
    assert_eq!(settled.lease(), None);
    assert_eq!(settled.affinity().salt, "rel-old", "nobody moves from one instance to another");
}

#[test]
fn nothing_is_deployed_before_all_locations_lead_around_it_and_requests_have_ended() {
    let mut scenario = in_place(6, 2, 10);
    let deploys = |effect: &Effect| matches!(effect, Effect::Deploy { .. });
    assert_eq!(scenario.run_until(deploys), None);
    let since = scenario.now.since(scenario.tables[0].updated_at());
    let least = Limits::default().propagation + Duration::from_secs(10);
    assert!(since >= least && since < least + Duration::from_secs(5), "{since:?}");

    // Nothing is undone before that either.
    let mut scenario = in_place(6, 2, 10).measured([fail()]);
    let undoes = |effect: &Effect| matches!(effect, Effect::Undo { .. });
    assert_eq!(scenario.run_until(undoes), None);
    let shelter =
        scenario.tables.iter().rev().take_while(|table| table.variants()[0].weight == Weight::ZERO).last();
    let since = scenario.now.since(shelter.unwrap().updated_at());
    assert!(since >= least && since < least + Duration::from_secs(5), "{since:?}");
}

#[test]
fn the_lease_is_renewed_while_a_batch_is_deployed_and_undone() {
    let mut scenario = in_place(6, 2, 10).measured([fail()]);
    scenario.deploys.extend([Event::Busy, Event::Busy, Event::Busy]);
    scenario.undos.extend([Event::Busy, Event::Busy]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    let limits = Limits::default();
    for pair in scenario.tables.windows(2) {
        let gap = pair[1].updated_at().since(pair[0].updated_at());
        assert!(gap + limits.propagation < limits.lease, "{gap:?} without a renewal");
    }
    let undone = scenario.did.iter().rposition(|did| did == "undo i0 i1").unwrap();
    let way_home =
        scenario.did.iter().skip_while(|did| !did.starts_with("undo")).filter(|did| did.contains("i2"));
    assert!(way_home.count() >= 3 && undone > 0, "{:?}", scenario.did);
    assert!(scenario.did[undone..].iter().all(|did| did.starts_with("urgent") || did.starts_with("undo")));
}

#[test]
fn instances_join_with_the_usual_share_and_leave_in_the_end() {
    // i0 and i1 stay, i2 is new; `old` leaves.
    let mut variants = vec![instance(0, 4_000), instance(1, 4_000)];
    variants.push(Variant { name: VariantName::new("", "old").unwrap(), ..instance(9, 2_000) });
    let plan = rolling(3, 1).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(table_of(variants)), crew(3, |_| true), plan).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(
        did(&scenario),
        [
            "i1 6667, old 3333",
            "deploy i0",
            "i0' 4000, i1 4000, old 2000",
            "i0' 6667, old 3333",
            "deploy i1",
            "i0' 4000, i1' 4000, old 2000",
            "deploy i2",
            "i0' 2857, i1' 2857, i2' 2857, old 1429",
            "i0' 3334, i1' 3333, i2' 3333",
        ]
    );
    assert!(
        scenario.tables.last().unwrap().previous().iter().any(|older| older.origin.as_str().contains("i9"))
    );
}

#[test]
fn weights_stay_in_proportion_and_an_instance_without_visitors_stays_without() {
    let variants = vec![instance(0, 1_000), instance(1, 3_000), instance(2, 6_000), instance(3, 0)];
    let plan = rolling(4, 1).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(table_of(variants)), crew(4, |_| true), plan).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    let tables: Vec<&str> = did(&scenario).into_iter().filter(|did| !did.starts_with("deploy")).collect();
    assert_eq!(tables[0], "i1 3333, i2 6667");
    assert_eq!(tables[2], "i0' 1429, i2 8571");
    assert_eq!(tables.last(), Some(&"i0' 1000, i1' 3000, i2' 6000"));
}

#[test]
fn a_fleet_goes_on_from_where_it_was() {
    let other = || RunnerId::new("runner", "r2").unwrap();
    for stop in 1..60 {
        let mut scenario = in_place(4, 2, 10);
        let seen = std::cell::Cell::new(0);
        let at = |_: &Effect| seen.replace(seen.get() + 1) == stop;
        if scenario.run_until(at).is_some() {
            break;
        }
        let saved = serde_json::from_str(&serde_json::to_string(&scenario.rollout.saved()).unwrap()).unwrap();
        let base = even(4);
        let found = scenario.tables.last().unwrap_or(&base);
        let mut next = Scenario::from(Rollout::resume(saved, other(), Some(found)).unwrap());
        assert_eq!(next.run(), Outcome::Promoted, "effect {stop}");
        let settled = next.tables.last().unwrap();
        assert!(settled.variants().iter().all(|variant| variant.version.as_str() == "2"), "effect {stop}");
    }
}

#[test]
fn a_rule_to_an_instance_waits_while_that_is_replaced() {
    let to = |table: &RoutingTable| -> Vec<String> {
        table.policy().rules.iter().map(|rule| rule.to.to_string()).collect()
    };
    let crew = Crew { policy: rules_to(&["i0", "i3", "stable", "red"]), ..crew(4, |_| true) };
    let plan = rolling(4, 2).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(even(4)), crew, plan).unwrap().measured([fail()]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    let tables = &scenario.tables;
    assert_eq!(to(&tables[0]), ["i3", "i2"], "i0 is drained");
    let restored = tables.iter().find(|table| table.variants()[0].weight > Weight::ZERO).unwrap();
    assert_eq!(to(restored), ["i0", "i3", "i2"]);
    let sheltered = &tables[tables.len() - 2];
    assert_eq!(to(sheltered), ["i3", "i2"], "i0 is given the version before back");
}

#[test]
fn whoever_serves_everybody_when_the_lease_runs_out_has_visitors_and_the_version_before_while_there_is_one() {
    let mut scenario = in_place(6, 2, 10);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let mut stable: Vec<&str> = scenario.tables.iter().map(|table| table.stable().name.as_str()).collect();
    stable.dedup();
    assert_eq!(stable, ["i2", "i4", "i0"]);

    // One without visitors does not get all of them.
    let variants = vec![instance(0, 0), instance(1, 5_000), instance(2, 5_000)];
    let plan = rolling(3, 1).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(table_of(variants)), crew(3, |_| true), plan).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    let idle = VariantName::new("", "i0").unwrap();
    let leased = scenario.tables.iter().filter(|table| table.lease().is_some());
    assert!(leased.map(RoutingTable::stable).all(|stable| stable.name != idle));
}

#[test]
fn home_has_no_lease_even_if_the_table_before_had_one() {
    let lease = Some(table::Lease { expires_at: Timestamp::from_millis(2_000_000) });
    let base = RoutingTable::new(table::Draft { lease, ..even(4).draft() }).unwrap();
    let plan = rolling(4, 2).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(base), crew(4, |_| true), plan).unwrap().measured([fail()]);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    assert_eq!(scenario.tables.last().unwrap().lease(), None);
}

#[test]
fn the_new_versions_share_grows_with_each_batch() {
    let scenario = in_place(6, 2, 10);
    let shares: Vec<u16> = (0..7).map(|step| scenario.rollout.share(step).basis_points()).collect();
    assert_eq!(shares, [0, 3_333, 3_333, 6_666, 6_666, 10_000, 10_000]);
}

#[test]
fn a_new_instance_gets_as_much_as_those_with_visitors_have() {
    let variants = vec![instance(0, 5_000), instance(1, 5_000), instance(2, 0)];
    let plan = rolling(4, 1).plan(fails(10), false).unwrap();
    let mut scenario = fleet(Some(table_of(variants)), crew(4, |_| true), plan).unwrap();
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(did(&scenario).last(), Some(&"i0' 3334, i1' 3333, i3' 3333"));
}
