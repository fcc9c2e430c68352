//! Approvals, hooks, and the weight that is reached only with somebody's approval.

use super::*;

fn approval(within: u64, on_timeout: OnTimeout) -> Gate {
    Gate::Approval { within: Duration::from_secs(within), on_timeout }
}

const HOOK: Gate = Gate::Hook(HookGate::ConfirmTrafficIncrease);

/// 5 % for 10 s, then 100 % behind these gates.
fn gated(gates: &[Gate]) -> Scenario {
    gated_with(gates, Limits::default(), OnTrouble::default())
}

fn gated_with(gates: &[Gate], limits: Limits, trouble: OnTrouble) -> Scenario {
    let second = Step { gates: gates.to_vec(), ..step(100, 0) };
    let draft = Draft { steps: vec![step(5, 10), second], settle: Vec::new(), limits, trouble };
    Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base())))
}

#[test]
fn nobodys_approval_counts_as_what_the_plan_says() {
    let mut scenario = gated(&[approval(600, OnTimeout::Abort)]);
    let outcome = Outcome::RolledBack(Reason::NotApproved { step: 1, within: Duration::from_secs(600) });
    assert_eq!(scenario.run(), outcome);
    assert!(scenario.took() >= Duration::from_secs(610), "the time begins when the hold is over");

    let mut scenario = gated(&[approval(600, OnTimeout::Promote)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((610..640).contains(&scenario.sent_at(10_000).as_secs()), "{:?}", scenario.sent_at(10_000));
}

#[test]
fn an_approval_opens_the_gate_at_once_and_only_when_it_is_waited_for() {
    let mut scenario =
        gated(&[approval(600, OnTimeout::Abort)]).ordered(5, Order::Approve).ordered(100, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((100..105).contains(&scenario.sent_at(10_000).as_secs()), "{:?}", scenario.sent_at(10_000));
    let early = Err("no step waits for an approval now".to_owned());
    assert_eq!(scenario.replies, [(Order::Approve, early), (Order::Approve, Ok(()))]);
}

#[test]
fn an_approval_does_not_time_out_while_it_is_paused() {
    // It waits from 10 s on, for 600 s, 900 of which it is paused: nobody who resumes it loses what was left.
    let paused = |scenario: Scenario| scenario.ordered(300, Order::Pause).ordered(1_200, Order::Resume);
    let mut scenario = paused(gated(&[approval(600, OnTimeout::Abort)])).ordered(1_400, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted);

    let mut scenario = paused(gated(&[approval(600, OnTimeout::Promote)]));
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!((1_510..1_550).contains(&scenario.sent_at(10_000).as_secs()), "{:?}", scenario.sent_at(10_000));
}

#[test]
fn an_approval_times_out_although_the_verdict_has_become_undecided() {
    let undecided = || Verdict::Inconclusive("too few requests".into());
    let verdicts = std::iter::once(Verdict::Pass).chain(std::iter::repeat_with(undecided).take(1_000));
    let mut scenario = gated(&[approval(600, OnTimeout::Abort)]).measured(verdicts);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::NotApproved { .. })));
    assert!(scenario.took() < Duration::from_secs(650));
}

#[test]
fn one_that_counts_as_yes_still_waits_for_a_pass() {
    let undecided = std::iter::repeat_with(|| Verdict::Inconclusive("too few".into())).take(40);
    let verdicts = std::iter::once(Verdict::Pass).chain(undecided);
    let mut scenario = gated(&[approval(100, OnTimeout::Promote)]).measured(verdicts);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.sent_at(10_000) > Duration::from_secs(40 * 30));
}

#[test]
fn a_hook_is_asked_again_after_as_long_as_it_says() {
    let wait = |seconds| Answer::Wait(Duration::from_secs(seconds));
    let mut scenario = gated(&[HOOK]).answered([wait(45), wait(0), Answer::Pass]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let asked: Vec<_> = scenario.did.iter().filter(|did| did.starts_with("ask")).collect();
    assert_eq!(asked, ["ask confirm-traffic-increase 1"; 3]);
    assert!((55..62).contains(&scenario.sent_at(10_000).as_secs()), "{:?}", scenario.sent_at(10_000));
}

#[test]
fn a_hook_that_says_no_is_a_failure() {
    let no = || Answer::Fail("an incident is open".into());
    let mut scenario = gated(&[HOOK]).answered([no()]);
    let refused =
        Reason::Refused { gate: "confirm-traffic-increase".into(), why: "an incident is open".into() };
    assert_eq!(scenario.run(), Outcome::RolledBack(refused));
    assert_eq!(scenario.sent, [(500, true), (0, false)]);

    let trouble = OnTrouble { failure: OnFailure::Pause, ..OnTrouble::default() };
    let mut scenario =
        gated_with(&[HOOK], Limits::default(), trouble).answered([no()]).ordered(100, Order::Resume);
    assert_eq!(
        scenario.run(),
        Outcome::Promoted,
        "somebody looked, it was measured anew, and the hook asked again"
    );
}

#[test]
fn a_hook_may_not_say_not_yet_for_ever() {
    let limits = Limits { hook_waits_max: Duration::from_secs(300), ..Limits::default() };
    let waits = std::iter::repeat_n(Answer::Wait(Duration::from_secs(20)), 1_000);
    let mut scenario = gated_with(&[HOOK], limits, OnTrouble::default()).answered(waits);
    let Outcome::RolledBack(Reason::Refused { why, .. }) = scenario.run() else { panic!() };
    assert!(why.starts_with("it said \"not yet\" for 5 min"), "{why}");
    assert!((310..340).contains(&scenario.took().as_secs()), "{:?}", scenario.took());
}

#[test]
fn gates_open_one_after_the_other() {
    let gates = [HOOK, approval(600, OnTimeout::Abort), Gate::Hook(HookGate::ConfirmPromotion)];
    let mut scenario = gated(&gates).ordered(200, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let asked: Vec<_> = scenario.did.iter().filter(|did| did.starts_with("ask")).collect();
    assert_eq!(asked, ["ask confirm-traffic-increase 1", "ask confirm-promotion 1"]);
    assert!((200..205).contains(&scenario.sent_at(10_000).as_secs()));
}

#[test]
fn gates_before_settling_hold_up_the_end() {
    let draft = Draft {
        steps: vec![step(100, 0)],
        settle: vec![HOOK, approval(600, OnTimeout::Abort)],
        ..Draft::default()
    };
    let mut scenario =
        Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base()))).ordered(100, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert!(scenario.did.contains(&"ask confirm-traffic-increase 1".to_owned()), "{:?}", scenario.did);
    assert!(scenario.took() >= Duration::from_secs(100));
}

#[test]
fn what_is_watched_while_a_gate_is_closed_can_still_fail() {
    let verdicts = std::iter::repeat_n(Verdict::Pass, 3).chain([fail()]);
    let mut scenario = gated(&[approval(600, OnTimeout::Promote)]).measured(verdicts);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::MeasurementFailed { step: 0, .. })));
    assert!(scenario.took() < Duration::from_secs(130));
}

#[test]
fn the_deadline_does_not_count_while_a_gate_is_closed() {
    let limits = Limits { deadline: Some(Duration::from_secs(300)), ..Limits::default() };
    let mut scenario = gated_with(&[approval(2_000, OnTimeout::Abort)], limits, OnTrouble::default());
    scenario = scenario.ordered(1_500, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted);
}

#[test]
fn the_lease_is_renewed_while_a_hook_is_asked() {
    let mut scenario = gated(&[HOOK]);
    scenario.asks.extend([Event::Busy, Event::Busy, Event::Answered(Answer::Pass)]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    assert_eq!(scenario.sent[..4], [(500, true), (500, true), (500, true), (10_000, true)]);
}

#[test]
fn a_plan_says_where_an_approval_is_missing_or_comes_too_early() {
    let plan = |gates: [&[Gate]; 3], above| {
        let steps = [5, 50, 100].into_iter().zip(gates);
        let steps =
            steps.map(|(percent, gates)| Step { gates: gates.to_vec(), ..step(percent, 0) }).collect();
        let limits = Limits { approval_above: Weight::new(above), ..Limits::default() };
        Plan::new(Draft { steps, limits, ..Draft::default() }).map(|_| ())
    };
    let yes: &[Gate] = &[approval(60, OnTimeout::Abort)];
    let missing = |index: usize, percent: u16, above| {
        let weight = Weight::new(percent * 100).unwrap();
        Err(PlanError::NotApproved { index, weight, above: Weight::new(above).unwrap() })
    };
    assert_eq!(plan([&[], yes, &[]], 500), Ok(()));
    assert_eq!(plan([&[], &[], yes], 500), missing(1, 50, 500), "exactly 5 % is not above 5 %");
    assert_eq!(plan([&[], &[HOOK], &[]], 500), missing(1, 50, 500), "a hook is nobody's approval");
    assert_eq!(plan([&[], &[], yes], 5_000), Ok(()));
    assert_eq!(plan([&[], &[], &[]], 10_000), Ok(()), "nothing is above everybody");
    assert_eq!(plan([&[], &[], &[]], 100), missing(0, 5, 100));
    assert_eq!(
        plan([yes, &[], &[]], 9_999),
        Err(PlanError::NotApproved { index: 2, weight: Weight::TOTAL, above: Weight::new(9_999).unwrap() })
    );
    let first = Step { gates: yes.to_vec(), ..step(100, 0) };
    assert_eq!(Plan::new(Draft { steps: vec![first], ..Draft::default() }), Err(PlanError::GateBeforeFirst));
}

#[test]
fn a_hook_is_not_asked_while_the_verdict_is_undecided() {
    let undecided = std::iter::repeat_with(|| Verdict::Inconclusive("too few".into())).take(10);
    let verdicts = std::iter::once(Verdict::Pass).chain(undecided);
    let answers = [Answer::Wait(Duration::from_secs(45)), Answer::Fail("no".into())];
    let mut scenario = gated(&[HOOK]).measured(verdicts).answered(answers);
    assert!(matches!(scenario.run(), Outcome::RolledBack(Reason::Refused { .. })));
    assert!(scenario.took() >= Duration::from_secs(11 * 30), "{:?}", scenario.took());
}

#[test]
fn what_was_undecided_and_has_passed_since_only_waits_for_the_gate() {
    let trouble = OnTrouble { inconclusive: OnInconclusive::Abort, ..OnTrouble::default() };
    let undecided = Verdict::Inconclusive("too few".into());
    let gate = approval(600, OnTimeout::Abort);
    let mut scenario = gated_with(&[gate], Limits::default(), trouble).ordered(300, Order::Approve);
    // The hold is over after 10 s; what is measured at once is undecided, and passes 30 s later.
    scenario.measures.push_back(Event::Measured(undecided.into()));
    assert!(
        matches!(scenario.run(), Outcome::RolledBack(Reason::Inconclusive { .. })),
        "it is over undecided"
    );

    let draft = Draft {
        steps: vec![step(5, 60), Step { gates: vec![gate], ..step(100, 0) }],
        trouble,
        ..Draft::default()
    };
    let mut scenario = Scenario::from(rollout(Plan::new(draft).unwrap(), Some(base())));
    scenario = scenario.measured([Verdict::Inconclusive("too few".into())]).ordered(300, Order::Approve);
    assert_eq!(scenario.run(), Outcome::Promoted, "it was undecided within the hold only");
}

#[test]
fn the_deadline_counts_again_when_it_is_wanted_in_full_while_a_gate_is_closed() {
    // Undecided from then on: without a deadline it would be measured for ever.
    let undecided = std::iter::repeat_with(|| Verdict::Inconclusive("too few".into())).take(10_000);
    let verdicts = std::iter::once(Verdict::Pass).chain(undecided);
    for gate in [approval(900, OnTimeout::Abort), HOOK] {
        let mut scenario = gated(&[gate]).measured(verdicts.clone()).ordered(90, Order::PromoteFull);
        scenario.asks.push_back(Event::Answered(Answer::Wait(Duration::from_secs(900))));
        let outcome = scenario.run();
        assert!(matches!(outcome, Outcome::RolledBack(Reason::TooSlow { .. })), "{gate:?}: {outcome:?}");
    }
}
