//! The machine against a scripted world; against any sequence of answers in `property`.

use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use crate::table::{
    self, Affinity, AffinityBy, Environment, Generation, Origin, Policy, Previous, RunnerId, Variant,
    VariantName, Version, Weight,
};

mod property;

const RELEASE: &str = "rel-new";

fn base() -> RoutingTable {
    let variant = |name: &str, weight| Variant {
        name: VariantName::new("name", name).unwrap(),
        origin: Origin::new("origin", &format!("https://{name}.example.com")).unwrap(),
        version: Version::new("version", name).unwrap(),
        weight,
    };
    RoutingTable::new(table::Draft {
        environment: Environment::new("environment", "production").unwrap(),
        revision: Revision::new(7).unwrap(),
        release: ReleaseId::new("release", "rel-old").unwrap(),
        owner: None,
        updated_at: Timestamp::from_millis(0),
        stable: VariantName::new("stable", "blue").unwrap(),
        variants: vec![variant("blue", Weight::TOTAL), variant("green", Weight::ZERO)],
        lease: None,
        previous: Vec::new(),
        affinity: Affinity { by: AffinityBy::default(), salt: "rel-old".into() },
        policy: Policy::default(),
    })
    .unwrap()
}

fn canary() -> Canary {
    Canary {
        environment: Environment::new("environment", "production").unwrap(),
        name: VariantName::new("name", "green").unwrap(),
        origin: Origin::new("origin", "https://new.example.com").unwrap(),
        version: Version::new("version", "2").unwrap(),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    }
}

fn plan(steps: &[(u16, u64)]) -> Plan {
    let steps = steps.iter().map(|(percent, hold)| step(*percent, *hold)).collect();
    Plan::new(Draft { steps, ..Draft::default() }).unwrap()
}

fn step(percent: u16, hold: u64) -> Step {
    let shift = Shift::Canary(Weight::new(percent * 100).unwrap());
    Step { shift, hold: Duration::from_secs(hold), gates: Vec::new() }
}

fn owner() -> Owner {
    Owner { runner: RunnerId::new("runner", "r1").unwrap(), generation: Generation::FIRST }
}

fn rollout(plan: Plan, base: Option<RoutingTable>) -> Rollout {
    Rollout::new(plan, base, Subject::Canary(canary()), release(), owner()).unwrap()
}

fn release() -> ReleaseId {
    ReleaseId::new("release", RELEASE).unwrap()
}

/// A world in which everything succeeds unless the scenario says otherwise. Answers given by the scenario are used up
/// first, each for the next effect of its kind.
struct Scenario {
    rollout: Rollout,
    now: Timestamp,
    publishes: VecDeque<Event>,
    look_ups: VecDeque<Event>,
    confirms: VecDeque<Event>,
    measures: VecDeque<Event>,
    waits: VecDeque<Event>,
    /// (canary's weight in basis points, has a lease) of every table sent.
    sent: Vec<(u16, bool)>,
    tables: Vec<RoutingTable>,
    effects: usize,
    each_effect_takes: Duration,
}

impl Scenario {
    fn new(steps: &[(u16, u64)]) -> Self {
        Self::from(rollout(plan(steps), Some(base())))
    }

    fn from(rollout: Rollout) -> Self {
        Self {
            rollout,
            now: Timestamp::from_millis(1_000_000),
            publishes: VecDeque::new(),
            look_ups: VecDeque::new(),
            confirms: VecDeque::new(),
            measures: VecDeque::new(),
            waits: VecDeque::new(),
            sent: Vec::new(),
            tables: Vec::new(),
            effects: 0,
            each_effect_takes: Duration::from_millis(200),
        }
    }

    fn measured(mut self, verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        self.measures.extend(verdicts.into_iter().map(Event::Measured));
        self
    }

    fn published(mut self, answers: impl IntoIterator<Item = Result<(), WriteFailure>>) -> Self {
        self.publishes.extend(answers.into_iter().map(Event::Published));
        self
    }

    fn run(&mut self) -> Outcome {
        let mut event = Event::Started;
        loop {
            self.effects += 1;
            assert!(self.effects < 5_000, "a rollout is bounded");
            let effect = self.rollout.handle(self.now, event);
            self.now = self.now.plus(self.each_effect_takes);
            event = match effect {
                Effect::Finish(outcome) => return outcome,
                Effect::Publish { table, .. } => {
                    let green = table.variants().iter().find(|variant| variant.version.as_str() == "2");
                    let weight = green.map_or(0, |variant| variant.weight.basis_points());
                    self.sent.push((weight, table.lease().is_some()));
                    self.tables.push(*table);
                    self.publishes.pop_front().unwrap_or(Event::Published(Ok(())))
                }
                Effect::LookUp => self.look_ups.pop_front().unwrap_or_else(|| {
                    let last = self.tables.last().unwrap();
                    Event::LookedUp(Found::Table(Writer::of(last)))
                }),
                Effect::Confirm(_) => {
                    self.confirms.pop_front().unwrap_or(Event::Confirmed(Confirmation::Served))
                }
                Effect::Measure { until, .. } => {
                    let event = self.measures.pop_front().unwrap_or(Event::Measured(Verdict::Pass));
                    if event == Event::Busy {
                        self.now = self.now.max(until.unwrap());
                    }
                    event
                }
                Effect::Ask { .. } => Event::Answered(Answer::Pass),
                Effect::Deploy { .. } | Effect::Undo { .. } => panic!("a canary has no instances"),
                Effect::WaitUntil(time) => self.waits.pop_front().unwrap_or_else(|| {
                    self.now = self.now.max(time);
                    Event::Woke
                }),
            };
        }
    }
}

fn fail() -> Verdict {
    Verdict::Fail("basic: status 503".into())
}

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
}

#[test]
fn what_could_not_be_measured_is_neither_pass_nor_fail() {
    let error = || Verdict::Error("no network".into());
    let mut scenario = Scenario::new(&[(100, 0)]).measured([error(), error(), error(), error()]);
    assert_eq!(scenario.run(), Outcome::Promoted, "four in a row are tolerated, then it passes");

    let mut scenario = Scenario::new(&[(100, 0)]).measured((0..5).map(|_| error()));
    let Outcome::RolledBack(Reason::CouldNotMeasure { times: 5, .. }) = scenario.run() else { panic!() };
}

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
    let mut scenario = Scenario::new(&[(100, 0)]).measured([fail()]).published([Ok(())]);
    scenario.publishes.push_back(Event::Cancelled("SIGTERM".into()));
    let Outcome::RolledBack(Reason::MeasurementFailed { .. }) = scenario.run() else { panic!() };
}

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
    scenario.publishes.extend((0..5).map(|_| busy()));
    let Outcome::RolledBack(Reason::WriteFailed(_)) = scenario.run() else {
        panic!("a lease that cannot be renewed brings traffic home although something is still measured")
    };
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
fn the_first_release_ever_has_nowhere_to_go_back_to() {
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
