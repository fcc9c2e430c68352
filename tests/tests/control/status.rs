//! What `status` says of a release in flight, and how it follows one.

use crossfade_tests::{Ended, Running, Screen, documented};
use rustix::process::Signal;

use crate::{Stage, until};

#[test]
fn status_says_what_a_release_does_and_what_one_can_do() {
    let stage = Stage::new(
        r#"steps = [{ weight = "5%", hold = "1s" }, { weight = "25%", hold = "1h", approval = true, approve_within = "10m" }]"#,
    );
    let status = || stage.site.run(&["status"]).expect(0).stdout;
    let says = |texts: &[&str]| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let status = status();
            if texts.iter().all(|text| status.contains(text)) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{texts:?} is not in:\n{status}");
        }
    };
    let mut running = stage.begin();
    stage.until_held(&mut running, "5 %");
    says(&["step 2 of 3 waits for approval, until 20", "else it goes home", "now: `crossfade approve`"]);
    let mut watching = Running::begin(stage.site.command(&["status", "--watch"]));
    stage.site.run(&["approve"]).expect(0);
    says(&[
        "step 2 of 3: watched at 25 % until 20",
        "now: `crossfade promote`, `crossfade pause`, `crossfade abort`",
    ]);
    watching.until("watched at 25 %");
    // At a terminal it is a screen, and what is pressed there is said to the release.
    let mut screen = Screen::begin(stage.site.command(&["status", "--watch"]));
    screen.until("step 2 of 3: watched at 25 %");
    screen.press("p");
    screen.until("pause 2.0.0?");
    screen.press("y");
    screen.until("told to pause: it does");
    screen.until("step 2 of 3: paused at 25 %");
    says(&[
        "step 2 of 3: paused at 25 % (by order), at most until 20",
        "last told to pause by ",
        "`crossfade resume`",
    ]);
    screen.press("q");
    assert_eq!(screen.end(), 0);
    let mut screen = Screen::begin(stage.site.command(&["status", "--watch"]));
    screen.until("step 2 of 3: paused at 25 %");
    assert_eq!(screen.close(), Some(0), "it goes on before a terminal that is gone");
    watching.until("paused at 25 %");
    running.signal(Signal::KILL);
    running.end();
    stage.site.edit("release:production", |record| record["expires_at"] = "2026-01-02T00:00:00Z".into());
    says(&["stopped without ending", "now: `crossfade resume`, `crossfade abort`"]);
    stage.site.run(&["abort"]).expect(4);
    says(&["last: rolled-back 2.0.0"]);

    // Who watched has seen all of it, and stops when it is over.
    let watched = watching.end().expect(0).stdout;
    for text in ["waits for approval", "watched at 25 %", "paused at 25 %", "last: rolled-back 2.0.0"] {
        assert!(watched.contains(text), "`{text}` is not in:\n{watched}");
    }
}

/// What the documentation says to a release in flight, said in that order.
#[test]
fn what_the_documentation_says_to_a_release_is_heard() {
    let stage = Stage::new(
        r#"steps = [
  { weight = "5%", hold = "1s" },
  { weight = "25%", hold = "1h", approval = true, approve_within = "10m" },
  { weight = "50%", hold = "1h" },
]"#,
    );
    let lines = documented("sh in-flight");
    assert_eq!(lines.len(), 5);
    let mut running = stage.begin();
    let becomes =
        ["watched at 25 %", "watched at 50 %", "paused at 50 %", "watched at 50 %", "last: rolled-back"];
    let says = |text: &str| stage.site.run(&["status"]).stdout.contains(text);
    stage.until_held(&mut running, "5 %");
    until("it waits", || says("waits for approval"));
    for (line, becomes) in lines.iter().zip(becomes) {
        let ended = Ended::of(stage.site.shell(line));
        assert_eq!(ended.code, 0, "{line}: {}{}", ended.stdout, ended.stderr);
        until(line, || says(becomes));
    }
    assert_eq!(running.end().code, 4);
}
