//! The hooks of a phase together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossfade::cancel::Cancel;
use crossfade::hooks::{Answer, Asked, Cancelled, Gate, Judgement, Phase, during_measurement, hold};
use crossfade_tests::origin::Origin;

use super::{asker, hooks, moment, status_of};

#[test]
fn an_approval_that_waits_is_asked_again_and_what_has_passed_is_not() {
    let asked = AtomicUsize::new(0);
    let origin = Origin::new(move |request, wire| match request.target.as_str() {
        "/waits" if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
            wire.answer("202 Accepted", &[("retry-after", "0")], "");
        }
        "/fails" => wire.answer("403 Forbidden", &[], "not today"),
        _ => wire.answer("200 OK", &[], ""),
    });
    let hooks = hooks(
        "confirm_promotion = [{ url = \"URL/passes\" }, { url = \"URL/waits\" }, { url = \"URL/fails\" }, { url = \"URL/last\" }]",
        &origin,
    );
    let asker = asker(&hooks, &Cancel::default());
    let mut gate = Gate::new(Phase::ConfirmPromotion, hooks.of(Phase::ConfirmPromotion));
    let mut noted = Vec::new();
    let mut ask = || gate.ask(&asker, &moment(), &mut |asked: &Asked| noted.push(asked.answer.clone()));
    let wait = Ok(Answer::Wait(Duration::from_secs(1)));
    let fail = Answer::Fail(format!("{}/fails: status is 403: not today", origin.url()));
    assert_eq!([ask(), ask(), ask()], [wait.clone(), wait, Ok(fail)]);
    assert_eq!(noted.len(), 5, "{noted:?}");
    let targets: Vec<String> = origin.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/passes", "/waits", "/waits", "/waits", "/fails"]);
    let none = Gate::new(Phase::ConfirmPromotion, &[]).ask(&asker, &moment(), &mut |_| ());
    assert_eq!(none, Ok(Answer::Pass), "nobody has anything against it");
}

#[test]
fn waiting_ends_with_a_failure_or_with_a_cancellation() {
    let origin = Origin::new(|_, wire| wire.answer("202 Accepted", &[], ""));
    let text =
        "confirm_rollout = [{ url = \"URL\", name = \"approval\", wait_max = \"200ms\" }, { url = \"URL\" }]";
    let hooks = hooks(text, &origin);
    let cancel = Cancel::default();
    let asker = asker(&hooks, &cancel);
    let [short, long] = hooks.of(Phase::ConfirmRollout) else { panic!("two hooks") };
    let held = hold(Phase::ConfirmRollout, short, &asker, &moment(), &mut |_| ());
    assert_eq!(held, Ok(Err("approval was not decided within 200 ms".into())));
    assert_eq!(origin.received().len(), 2, "once more at the end of its time");
    let held = hold(Phase::ConfirmRollout, long, &asker, &moment(), &mut |_| cancel.cancel("SIGINT"));
    assert_eq!(held, Err(Cancelled("SIGINT".into())));
}

#[test]
fn a_measurements_hooks_can_fail_the_new_version_or_call_it_back() {
    let origin =
        Origin::new(|request, wire| wire.answer(&status_of(request), &[("retry-after", "1")], "so it is"));
    let judge = |rollback: &[&str], rollout: &[&str]| {
        let list = |paths: &[&str]| {
            let hooks = paths
                .iter()
                .map(|path| format!("{{ url = \"URL/{path}\", name = \"hook {path}\", retries = 0 }}"));
            hooks.collect::<Vec<_>>().join(", ")
        };
        let text = format!("rollback = [{}]\nrollout = [{}]", list(rollback), list(rollout));
        let hooks = hooks(&text, &origin);
        during_measurement(&hooks, &asker(&hooks, &Cancel::default()), &moment(), &mut |_| ())
    };
    let url = origin.url();
    let failed = Judgement::Fail(format!("{url}/500: status is 500: so it is"));
    let no_answer = format!("{url}/502: nobody is there: status is 502");
    for (rollback, rollout, judgement) in [
        (&[] as &[&str], &[] as &[&str], Judgement::Pass),
        (&[], &["200", "204"], Judgement::Pass),
        (&["404", "200"], &["200"], Judgement::RollBack("hook 200 asks for it".into())),
        (&["404", "502", "202"], &["200"], Judgement::Pass),
        (&["404"], &["200", "500"], failed.clone()),
        (&[], &["502", "200"], Judgement::Error(no_answer)),
        (&[], &["429", "200"], Judgement::Undecided("hook 429 has not decided".into())),
        (&[], &["502", "500"], failed),
    ] {
        assert_eq!(judge(rollback, rollout), judgement, "{rollback:?} {rollout:?}");
    }
}
