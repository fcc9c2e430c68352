//! Commands that only ask, cancelled while nobody answers.

use std::time::{Duration, Instant};

use crossfade_sandbox::{Action, Fault};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Running, Site};
use rustix::process::Signal;

/// The contract is a second; a busy machine may take some more, and a call to the API takes twenty.
const AT_ONCE: Duration = Duration::from_secs(6);

/// Interrupts what waits for an answer that does not come.
#[track_caller]
fn interrupt(running: Running) {
    let asked = Instant::now();
    running.signal(Signal::INT);
    running.end().expect(3).says(&["error: cancelled (SIGINT)\n"]);
    assert!(asked.elapsed() < AT_ONCE, "it took {:?}", asked.elapsed());
}

#[test]
fn whoever_cancels_a_question_does_not_wait_for_the_answer() {
    let site = Site::new();
    site.sandbox.fault(Fault::new("GET", "/storage/kv/", Action::Hang));
    for arguments in [&["status"] as &[&str], &["history"]] {
        let before = site.sandbox.requests().len();
        let running = Running::begin(site.command(arguments));
        let deadline = Instant::now() + Duration::from_secs(30);
        while site.sandbox.requests().len() == before {
            assert!(Instant::now() < deadline, "{arguments:?} asked nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        interrupt(running);
    }

    let silent = Origin::new(|_, wire| wire.wait_for_the_end());
    site.append("[[health]]\nname = \"silent\"\npath = \"/\"\ntimeout = \"60s\"\n");
    let running = Running::begin(site.command(&["check", &silent.url()]));
    silent.until(|received| !received.is_empty());
    interrupt(running);
}
