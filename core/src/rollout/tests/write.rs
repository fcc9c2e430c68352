//! Writing: tried, looked up, given up; cancelled meanwhile; the lease.

use super::*;

#[test]
fn a_write_with_unknown_result_is_looked_up_before_it_is_repeated() {
    let unknown = || Err(WriteFailure::Unknown("the answer was lost".into()));
    let mut scenario = Scenario::new(&[(100, 0)]).published([unknown()]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.sent.len(), 2, "it had been applied, so it was not sent again");

    let mut scenario = Scenario::new(&[(100, 0)]).published([unknown()]);
    let base = Found::Table(Writer::of(&base()));
    scenario.look_ups.push_back(Event::LookedUp(base));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.sent.len(), 3, "it had not been applied, so it was sent once more");
    assert_eq!(scenario.tables[0].revision(), scenario.tables[1].revision());
}

#[test]
fn a_foreign_revision_stops_us_and_nothing_more_is_written() {
    let foreign = Err(WriteFailure::Superseded("revision 8 of rel-other".into()));
    let mut scenario = Scenario::new(&[(5, 0), (100, 0)]).published([Ok(()), foreign]);
    assert_eq!(scenario.run(), Outcome::Superseded("revision 8 of rel-other".into()));
    assert_eq!(scenario.sent.len(), 2);

    let mut scenario = Scenario::new(&[(100, 0)]);
    scenario.confirms.push_back(Event::Confirmed(Confirmation::Superseded("revision 9 of rel-other".into())));
    assert_eq!(scenario.run(), Outcome::Superseded("revision 9 of rel-other".into()));
    assert_eq!(scenario.sent.len(), 1);
}

#[test]
fn a_refused_first_write_starts_nothing() {
    let refused = Err(WriteFailure::Refused("403".into()));
    let mut scenario = Scenario::new(&[(100, 0)]).published([refused]);
    assert_eq!(scenario.run(), Outcome::NotStarted(Reason::WriteFailed("403".into())));
    assert_eq!(scenario.sent.len(), 1, "there is nothing to bring home");
}

#[test]
fn a_first_write_that_may_have_happened_is_brought_home() {
    let mut scenario = Scenario::new(&[(100, 0)])
        .published([Err(WriteFailure::Unknown("reset".into())), Err(WriteFailure::Refused("403".into()))]);
    scenario.look_ups.push_back(Event::LookedUp(Found::Unreadable("503".into())));
    let Outcome::RolledBack(Reason::WriteFailed(_)) = scenario.run() else { panic!() };
    assert_eq!(scenario.tables.last().unwrap().revision().number(), 9, "newer than what may be in KV");
}

#[test]
fn cancelling_brings_traffic_home_from_anywhere() {
    let cancelled = || Event::Cancelled("SIGTERM".into());
    let gone_home = |mut scenario: Scenario, where_: &str| {
        let outcome = scenario.run();
        assert_eq!(outcome, Outcome::RolledBack(Reason::Cancelled("SIGTERM".into())), "{where_}");
        assert_eq!(scenario.sent.last(), Some(&(0, false)), "{where_}");
    };
    let mut scenario = Scenario::new(&[(100, 0)]);
    scenario.publishes.push_back(cancelled());
    gone_home(scenario, "writing");
    let mut scenario = Scenario::new(&[(100, 0)]);
    scenario.confirms.push_back(cancelled());
    gone_home(scenario, "confirming");
    let mut scenario = Scenario::new(&[(100, 0)]);
    scenario.measures.push_back(cancelled());
    gone_home(scenario, "measuring");
    let mut scenario = Scenario::new(&[(50, 600), (100, 0)]);
    scenario.waits.push_back(cancelled());
    gone_home(scenario, "holding");
    let mut scenario = Scenario::new(&[(100, 0)]).published([Ok(())]);
    scenario.publishes.push_back(cancelled());
    gone_home(scenario, "settling");
}

#[test]
fn cancelling_before_the_first_write_starts_nothing() {
    let mut rollout = rollout(plan(&[(100, 0)]), Some(base()));
    let effect = rollout.handle(Timestamp::from_millis(1), Event::Cancelled("SIGINT".into()));
    assert_eq!(effect, Effect::Finish(Outcome::NotStarted(Reason::Cancelled("SIGINT".into()))));
}

#[test]
fn a_second_cancellation_does_not_stop_going_home() {
    let cancelled = || Event::Cancelled("SIGTERM".into());
    let not_written = || Event::Published(Err(WriteFailure::NotWritten("503".into())));
    let unknown = || Event::Published(Err(WriteFailure::Unknown("reset".into())));
    let failing = || Scenario::new(&[(100, 0)]).measured([fail()]).published([Ok(())]);
    type Again = fn(&mut Scenario, [Event; 3]);
    let cases: [(&str, Again); 5] = [
        ("writing", |it, [cancelled, ..]| it.publishes.push_back(cancelled)),
        ("pausing", |it, [cancelled, not_written, _]| {
            it.publishes.push_back(not_written);
            it.waits.push_back(cancelled);
        }),
        ("looking up", |it, [cancelled, _, unknown]| {
            it.publishes.push_back(unknown);
            it.look_ups.push_back(cancelled);
        }),
        ("confirming", |it, [cancelled, ..]| {
            it.confirms.extend([Event::Confirmed(Confirmation::Served), cancelled]);
        }),
        ("waiting to confirm", |it, [cancelled, ..]| {
            let not_yet = Event::Confirmed(Confirmation::NotYet("revision 8".into()));
            it.confirms.extend([Event::Confirmed(Confirmation::Served), not_yet]);
            it.waits.push_back(cancelled);
        }),
    ];
    for (when, again) in cases {
        let mut scenario = failing();
        again(&mut scenario, [cancelled(), not_written(), unknown()]);
        let outcome = scenario.run();
        let same = matches!(outcome, Outcome::RolledBack(Reason::MeasurementFailed { .. }));
        assert!(same, "{when}: {outcome:?}");
    }
}

#[test]
fn home_that_cannot_be_written_is_stuck_and_says_when_the_lease_ends() {
    let busy = || Err(WriteFailure::NotWritten("no route to host".into()));
    let mut scenario = Scenario::new(&[(100, 0)]).measured([fail()]).published([Ok(())]);
    scenario.publishes.extend((0..60).map(|_| Event::Published(busy())));
    let Outcome::Stuck { traffic: Traffic::HomeNotWritten { lease_ends, .. }, .. } = scenario.run() else {
        panic!()
    };
    assert_eq!(lease_ends, Some(scenario.tables[0].lease().unwrap().expires_at));
}

#[test]
fn a_rollout_begins_above_what_the_edge_serves() {
    for (base, served, first) in
        [(None, None, 1), (None, Some(12), 13), (Some(base()), Some(12), 13), (Some(base()), Some(3), 8)]
    {
        let rollout = rollout(plan(&[(100, 0)]), base);
        let mut scenario = Scenario::from(rollout.above(served.and_then(Revision::new)));
        assert_eq!(scenario.run(), Outcome::Promoted);
        let revisions: Vec<u64> = scenario.tables.iter().map(|table| table.revision().number()).collect();
        assert_eq!(revisions, [first, first + 1]);
    }

    // What was served before is not a write of ours: one that was surely not made leaves nothing to undo.
    let rollout = rollout(plan(&[(100, 0)]), Some(base()));
    let refused = Err(WriteFailure::Refused("403".into()));
    let mut scenario = Scenario::from(rollout.above(Revision::new(12))).published([refused]);
    assert!(matches!(scenario.run(), Outcome::NotStarted(_)));
}

#[test]
fn cancelling_after_a_first_write_that_was_surely_not_made_starts_nothing() {
    let not_written = || Err(WriteFailure::NotWritten("503".into()));
    let mut scenario = Scenario::new(&[(100, 0)]).published([not_written()]);
    scenario.waits.push_back(Event::Cancelled("SIGINT".into()));
    assert_eq!(scenario.run(), Outcome::NotStarted(Reason::Cancelled("SIGINT".into())));
    assert_eq!(scenario.sent.len(), 1);

    // One that may have been made is brought home, and so is a second one.
    let unknown = Err(WriteFailure::Unknown("reset".into()));
    for first in [unknown, Ok(())] {
        let mut scenario = Scenario::new(&[(5, 0), (100, 0)]).published([first, not_written()]);
        scenario.look_ups.push_back(Event::LookedUp(Found::Table(Writer::of(&base()))));
        scenario.waits.push_back(Event::Cancelled("SIGINT".into()));
        assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::Cancelled(_))));
    }
}
