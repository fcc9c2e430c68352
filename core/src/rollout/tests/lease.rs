//! The lease is renewed whatever takes long.

use super::*;

#[test]
fn the_lease_is_renewed_while_a_step_is_held() {
    let mut scenario = Scenario::new(&[(50, 600), (100, 0)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let limits = Limits::default();
    let held: Vec<_> = scenario.tables.iter().filter(|table| table.lease().is_some()).collect();
    assert!(held.len() >= 10, "600 s of holding, a renewal every 60 s");
    for pair in held.windows(2) {
        let gap = pair[1].updated_at().since(pair[0].updated_at());
        assert!(gap + limits.propagation < limits.lease, "{gap:?} without a renewal");
    }
}

#[test]
fn the_lease_is_renewed_while_one_measurement_takes_longer_than_it() {
    let mut scenario = Scenario::new(&[(100, 0)]);
    scenario.measures.extend(std::iter::repeat_n(Event::Busy, 10));
    assert_eq!(scenario.run(), Outcome::Promoted);
    let limits = Limits::default();
    let [first, .., settled] = scenario.tables.as_slice() else { panic!() };
    assert!(settled.updated_at().since(first.updated_at()) >= limits.renew_every * 10);
    assert_eq!(scenario.tables.len(), 12, "the switch, ten renewals, settled");
    for pair in scenario.tables.windows(2) {
        let gap = pair[1].updated_at().since(pair[0].updated_at());
        assert!(gap + limits.propagation < limits.lease, "{gap:?} without a renewal");
    }

    let mut scenario = Scenario::new(&[(100, 0)]).published([Ok(())]);
    scenario.measures.push_back(Event::Busy);
    let busy = || Event::Published(Err(WriteFailure::NotWritten("no route to host".into())));
    scenario.publishes.extend((0..130).map(|_| busy()));
    let Outcome::RolledBack(Reason::WriteFailed(_)) = scenario.run() else {
        panic!("a lease that cannot be renewed brings traffic home although something is still measured")
    };
    let home = scenario.tables.iter().find(|table| table.lease().is_none()).unwrap();
    let held_until = scenario.tables[0].lease().unwrap().expires_at;
    assert!(home.updated_at().plus(limits.propagation) <= held_until, "there is time left for it to be seen");
}

#[test]
fn kv_may_be_away_for_as_long_as_the_lease_holds() {
    let busy = || Event::Published(Err(WriteFailure::NotWritten("503".into())));
    // Away at the first renewal, at the next step, and when it settles.
    for before in [1, 6, 7] {
        let mut scenario = Scenario::new(&[(50, 300), (100, 0)]);
        scenario.publishes.extend(std::iter::repeat_n(Event::Published(Ok(())), before));
        scenario.publishes.extend((0..20).map(|_| busy()));
        assert_eq!(scenario.run(), Outcome::Promoted, "after {before} writes");
    }
    let mut scenario = Scenario::new(&[(50, 300), (100, 0)]);
    scenario.publishes.extend((0..20).map(|_| busy()));
    assert!(matches!(scenario.run(), Outcome::NotStarted(_)), "nothing is held yet");
    assert_eq!(scenario.sent.len(), 5);
}

#[test]
fn the_lease_is_renewed_while_the_edge_is_waited_for() {
    let limits = Limits { lease: Duration::from_secs(160), ..Limits::default() };
    assert!(limits.lease < limits.confirm_within, "without a renewal it runs out meanwhile");
    let steps = vec![step(50, 0), step(100, 0)];
    let plan = Plan::new(Draft { steps, limits, ..Draft::default() }).unwrap();
    let mut scenario = Scenario::from(rollout(plan, Some(base())));
    let not_yet = Event::Confirmed(Confirmation::NotYet("revision 7".into()));
    scenario.confirms.extend(std::iter::repeat_n(not_yet, 120));
    assert_eq!(scenario.run(), Outcome::Promoted);
    let held: Vec<_> = scenario.tables.iter().filter(|table| table.lease().is_some()).collect();
    assert_eq!(scenario.sent[..3], [(5_000, true); 3], "two renewals within the wait");
    for pair in held.windows(2) {
        let gap = pair[1].updated_at().since(pair[0].updated_at());
        assert!(gap + limits.propagation < limits.lease, "{gap:?} without a renewal");
    }
}
