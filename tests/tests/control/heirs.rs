//! What is said to a release whose runner has died: whoever says it takes the release over, and does it.

use crossfade_tests::Running;
use rustix::process::Signal;

use crate::{Stage, until};

/// A release whose runner was killed when `held` had been seen, in a state that `is`.
fn killed(steps: &str, held: &str, is: &str) -> Stage {
    let stage = Stage::new(steps);
    let mut running = stage.begin();
    stage.until_held(&mut running, held);
    until("its record says so", || stage.record()["stage"]["is"] == is);
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, -1);
    stage.written();
    stage
}

fn say(stage: &Stage, words: &[&str]) -> Running {
    let mut arguments = words.to_vec();
    arguments.extend(["--json", "--runner-is-dead"]);
    Running::begin(stage.site.command(&arguments))
}

#[test]
fn an_approval_is_given_although_nobody_was_there_to_hear_it() {
    for word in ["approve", "promote"] {
        let stage = killed(
            r#"steps = [{ weight = "5%", hold = "2s" }, { weight = "50%", hold = "0s", approval = true }]
approve_within = "15s""#,
            "5 %",
            "waiting",
        );
        say(&stage, &[word]).end().expect(0);
        assert_eq!(stage.written(), [(500, true), (5_000, true), (10_000, true), (10_000, false)], "{word}");
    }
}

#[test]
fn a_release_is_paused_although_nobody_was_there_to_hear_it() {
    let stage = killed(
        r#"steps = [{ weight = "5%", hold = "3s" }, { weight = "50%", hold = "0s" }]"#,
        "5 %",
        "watching",
    );
    let heir = say(&stage, &["pause"]);
    until("it is paused", || stage.record()["stage"]["is"] == "paused");
    assert_eq!(stage.weight(), 500);
    stage.site.run(&["resume"]).expect(0);
    heir.end().expect(0);
}

#[test]
fn in_full_although_nobody_was_there_to_hear_it() {
    let stage = killed(
        r#"steps = [{ weight = "5%", hold = "1h" }, { weight = "50%", hold = "1h" }]"#,
        "5 %",
        "watching",
    );
    say(&stage, &["promote", "--full"]).end().expect(0);
    assert_eq!(stage.written(), [(500, true), (10_000, true), (10_000, false)]);
}

#[test]
fn an_approval_that_nothing_waits_for_takes_nothing_over() {
    let stage = Stage::new(r#"steps = [{ weight = "5%", hold = "1s" }, { weight = "50%", hold = "0s" }]"#);
    let mut running = stage.begin();
    stage.until_held(&mut running, "5 %");
    stage.site.run(&["pause"]).expect(0);
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, -1);
    assert_eq!(stage.written(), [(500, true)]);
    say(&stage, &["approve"]).end().expect(2).says(&["waits for an approval", "crossfade resume"]);
    assert_eq!((stage.written(), &stage.record()["owner"]["generation"]), (vec![], &1.into()));
    say(&stage, &["resume"]).end().expect(0);
}
