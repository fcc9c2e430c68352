//! What people say, and what they hear.

use super::*;

const TWO: &[(u16, u64)] = &[(5, 600), (50, 600), (100, 60)];

#[test]
fn promote_cuts_the_hold_and_needs_a_pass() {
    let mut scenario = Scenario::new(TWO).ordered(100, Order::Promote);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((100..102).contains(&scenario.sent_at(5_000).as_secs()), "{:?}", scenario.sent_at(5_000));
    assert!(scenario.sent_at(10_000) - scenario.sent_at(5_000) >= Duration::from_secs(600), "this step only");

    let undecided = std::iter::repeat_with(|| Verdict::Inconclusive("too few".into())).take(10);
    let mut scenario = Scenario::new(TWO).measured(undecided).ordered(100, Order::Promote);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let at = scenario.sent_at(5_000).as_secs();
    assert!((300..=310).contains(&at), "with the first pass, though the hold would last longer: {at}");

    let mut scenario = Scenario::new(TWO).measured([fail()]).ordered(0, Order::Promote);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)), "a failure is a failure");
}

#[test]
fn promote_in_full_goes_straight_to_the_last_step_and_needs_a_pass_there() {
    let mut scenario = Scenario::new(TWO).ordered(100, Order::PromoteFull);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let weights: Vec<u16> = scenario.sent.iter().map(|(weight, _)| *weight).collect();
    assert!(!weights.contains(&5_000), "{weights:?}");
    assert!(scenario.took() < Duration::from_secs(110), "no hold either: {:?}", scenario.took());

    let verdicts = std::iter::repeat_n(Verdict::Pass, 4).chain([fail()]);
    let mut scenario = Scenario::new(TWO).measured(verdicts).ordered(100, Order::PromoteFull);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::MeasurementFailed { step: 2, .. })));
}

#[test]
fn promote_in_full_waits_for_no_gate() {
    let within = Duration::from_secs(60);
    let gate = Gate::Approval { within, on_timeout: OnTimeout::Abort };
    let steps = vec![
        step(5, 30),
        Step { gates: vec![gate], ..step(50, 30) },
        Step { gates: vec![gate], ..step(100, 30) },
    ];
    let draft = Draft { steps, settle: vec![gate], ..Draft::default() };
    let mut scenario =
        Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base()))).ordered(50, Order::PromoteFull);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.took() < Duration::from_secs(60));
}

#[test]
fn promote_gives_an_approval_that_is_waited_for_and_none_that_is_not() {
    let gate = Gate::Approval { within: Duration::from_secs(600), on_timeout: OnTimeout::Abort };
    let gated = |at| {
        let steps = vec![step(5, 100), Step { gates: vec![gate], ..step(100, 0) }];
        let plan = Plan::new(Draft { steps, ..Draft::default() }).unwrap();
        Scenario::from(rollout(plan, Some(base()))).ordered(at, Order::Promote)
    };
    let mut scenario = gated(200);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((200..205).contains(&scenario.sent_at(10_000).as_secs()));
    let mut scenario = gated(50);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::NotApproved { .. })));
}

#[test]
fn what_cannot_be_obeyed_is_declined_with_a_reason() {
    let mut scenario = Scenario::new(&[(5, 60), (100, 0)])
        .ordered(10, Order::Resume)
        .ordered(10, Order::Approve)
        .ordered(20, Order::Pause)
        .ordered(21, Order::Pause)
        .ordered(300, Order::Resume);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let no = |why: &str| Err(why.to_owned());
    assert_eq!(
        scenario.replies,
        [
            (Order::Resume, no("it is not paused")),
            (Order::Approve, no("no step waits for an approval now")),
            (Order::Pause, Ok(())),
            (Order::Pause, no("it is paused already")),
            (Order::Resume, Ok(())),
        ]
    );
}

#[test]
fn an_order_that_comes_too_late_hears_so() {
    let mut scenario = Scenario::new(&[(100, 0)]).measured([fail()]);
    let not_yet = Event::Confirmed(Confirmation::NotYet("revision 8".into()));
    // Home is waited for when it is said.
    scenario.confirms.extend([Event::Confirmed(Confirmation::Served), not_yet]);
    let mut scenario = scenario.ordered(0, Order::Pause);
    assert!(matches!(scenario.run(), Outcome::RolledBack(_)));
    assert_eq!(scenario.replies, [(Order::Pause, Err("the release has ended".into()))]);
}

#[test]
fn an_order_while_something_is_measured_is_heard_afterwards() {
    let mut scenario = Scenario::new(TWO);
    scenario.measures.extend([Event::Ordered(Order::Promote), measured(Verdict::Pass)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.sent_at(5_000) < Duration::from_secs(5));
}
