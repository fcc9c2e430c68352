//! What a look-up finds after a write whose result is unknown, and what is said when no try succeeds.

use super::*;

fn unknown() -> Result<(), WriteFailure> {
    Err(WriteFailure::Unknown("reset".into()))
}

fn not_written() -> Result<(), WriteFailure> {
    Err(WriteFailure::NotWritten("429".into()))
}

fn finds(found: Option<&RoutingTable>) -> Event {
    Event::LookedUp(found.map_or(Found::Nothing, |table| Found::Table(Writer::of(table))))
}

#[test]
fn an_earlier_table_of_ours_means_that_it_was_not_applied() {
    let mut scenario = Scenario::new(&[(5, 0), (100, 0)]).published([Ok(()), unknown()]);
    scenario.run_until(|effect| *effect == Effect::LookUp);
    let first = scenario.tables[0].clone();
    let Effect::WaitUntil(until) = scenario.rollout.handle(scenario.now, finds(Some(&first))) else {
        panic!()
    };
    let Effect::Publish { table, .. } = scenario.rollout.handle(until, Event::Woke) else { panic!() };
    assert_eq!(*table, scenario.tables[1], "the same once more");
}

#[test]
fn a_table_of_the_runner_before_with_the_same_number_is_not_ours() {
    let mut scenario = Scenario::new(&[(100, 0)]).published([unknown()]);
    scenario.run_until(|effect| *effect == Effect::LookUp);
    let owner = Owner { runner: RunnerId::new("runner", "r0").unwrap(), generation: Generation::FIRST };
    let draft = table::Draft { owner: Some(owner), ..scenario.tables[0].draft() };
    let others = RoutingTable::new(draft).unwrap();
    let effect = scenario.rollout.handle(scenario.now, finds(Some(&others)));
    assert!(matches!(effect, Effect::WaitUntil(_)), "{effect:?}");
}

#[test]
fn no_table_at_all_is_right_only_before_the_first_release() {
    let mut scenario = Scenario::new(&[(100, 0)]).published([unknown()]);
    scenario.look_ups.push_back(finds(None));
    assert_eq!(scenario.run(), Outcome::Superseded("somebody deleted the routing table".into()));

    let mut scenario = Scenario::from(rollout(plan(&[(100, 0)]), None)).published([unknown()]);
    scenario.look_ups.push_back(finds(None));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.tables[0], scenario.tables[1], "it was not applied, so it is sent again");
}

#[test]
fn what_may_have_been_applied_once_is_brought_home_however_the_next_try_fails() {
    let refused = || Err(WriteFailure::Refused("403".into()));
    for last in [refused(), not_written()] {
        let mut scenario = Scenario::new(&[(100, 0)]).published([unknown(), last.clone()]);
        scenario.publishes.extend((0..3).map(|_| Event::Published(not_written())));
        scenario.look_ups.push_back(finds(Some(&base())));
        let outcome = scenario.run();
        assert!(matches!(outcome, Outcome::RolledBack(Reason::WriteFailed(_))), "{last:?}: {outcome:?}");
    }
}

#[test]
fn the_last_trouble_is_what_is_said() {
    let mut scenario = Scenario::new(&[(100, 0)]).published((0..5).map(|_| not_written()));
    assert_eq!(scenario.run(), Outcome::NotStarted(Reason::WriteFailed("429".into())));
    assert_eq!(scenario.sent.len(), 5);

    let mut scenario = Scenario::new(&[(100, 0)]).published((0..5).map(|_| unknown()));
    scenario.look_ups.extend((0..5).map(|_| Event::LookedUp(Found::Unreadable("503".into()))));
    assert_eq!(scenario.run(), Outcome::RolledBack(Reason::WriteFailed("503".into())));
}
