//! What becomes of a release whose runner has died.

use std::time::{Duration, Instant};

use crossfade_sandbox::{Action, ApiRequest, Fault};
use crossfade_tests::Running;
use rustix::process::Signal;

use crate::{Stage, until};

const STEPS: &str = r#"steps = [{ weight = "5%", hold = "1s" }, { weight = "25%", hold = "15s" }, { weight = "50%", hold = "1s" }]"#;

/// A release whose runner was killed at 25 %.
fn killed_at_a_quarter(steps: &str) -> Stage {
    let stage = Stage::new(steps);
    let mut running = stage.begin();
    stage.until_held(&mut running, "25 %");
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, -1);
    assert_eq!(stage.written(), [(500, true), (2_500, true)]);
    stage
}

#[test]
fn nobody_there_and_the_lease_brings_everybody_home() {
    let stage = killed_at_a_quarter(STEPS);
    let lease = stage.site.table().lease().unwrap().expires_at;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if stage.site.has_lapsed() {
            break;
        }
        assert!(Instant::now() < deadline, "the lease ran out at {lease}");
    }
    assert_eq!((stage.site.served_version(), stage.weight()), ("1.0.0".into(), 2_500));
    assert_eq!(stage.written(), [], "without a write");

    // Whoever wants it home in the table as well says so.
    stage.site.run(&["abort", "--runner-is-dead"]).expect(4).says(&["aborted by "]);
    assert_eq!(stage.written(), [(0, false)]);
    assert_eq!(stage.record()["ended"]["outcome"], "rolled-back");
}

#[test]
fn whoever_resumes_goes_on_from_the_step_that_it_was_at() {
    let stage = killed_at_a_quarter(STEPS);
    // What it did not hear is not obeyed by whoever goes on with it: somebody has been told that it was not heard.
    stage.site.run(&["abort"]).expect(5).says(&[
        "does not hear",
        "counts as alive until ",
        "--runner-is-dead",
    ]);
    // Later edits do not touch it.
    let config = std::fs::read_to_string(stage.site.path().join("crossfade.toml")).unwrap();
    stage.site.write(
        "crossfade.toml",
        &config
            .replace("/api/health/basic", "/gone/by/now\"\ntimeout = \"1s")
            .replace(&stage.site.sandbox.public_url().unwrap(), "http://127.0.0.1:9"),
    );
    let resumed = stage.site.run(&["resume", "--json", "--runner-is-dead"]).expect(0);
    assert!(resumed.stdout.contains("taken over from step 2 on"), "{}", resumed.stdout);
    assert_eq!(stage.written(), [(2_500, true), (5_000, true), (10_000, true), (10_000, false)]);
    let record = stage.record();
    assert_eq!(
        (&record["owner"]["generation"], &record["ended"]["outcome"]),
        (&2.into(), &"promoted".into())
    );
    assert_eq!(stage.site.served_version(), "2.0.0");
    // The history tells both halves.
    let history = stage.site.document(&format!("history:production:{}", record["id"].as_str().unwrap()));
    let evidence = history["evidence"].as_array().unwrap();
    let told: Vec<&str> = evidence.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!((told.first(), told.last()), (Some(&"release-started"), Some(&"finished")));
    assert!(
        evidence
            .iter()
            .any(|event| event["text"].as_str().unwrap_or_default().contains("taken over from step 2"))
    );
}

#[test]
fn of_two_that_resume_at_once_one_drives() {
    let stage = killed_at_a_quarter(STEPS);
    let resume = || Running::begin(stage.site.command(&["resume", "--json", "--runner-is-dead"]));
    let both = [resume(), resume()].map(Running::end);
    let mut codes = [both[0].code, both[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 5], "{both:?}");
    assert_eq!(stage.written(), [(2_500, true), (5_000, true), (10_000, true), (10_000, false)]);
    assert_eq!(stage.record()["owner"]["generation"], 2);
}

#[test]
fn whoever_resumes_late_finds_that_another_one_drives() {
    let stage = killed_at_a_quarter(STEPS);
    // Between its look at the record and its claim, another one claims the release and begins to drive.
    let later = Action::Latency { ms: 5_000 };
    stage.site.sandbox.fault(Fault::new("GET", "values/routing", later).times(1));
    let resume = || Running::begin(stage.site.command(&["resume", "--json", "--runner-is-dead"]));
    let looks = |request: &ApiRequest| request.method == "GET" && request.path.contains("values/release");
    let looked = || stage.site.sandbox.requests().iter().filter(|request| looks(request)).count();
    let before = looked();
    let late = resume();
    until("it has looked at the record", || looked() > before);
    let [first, late] = [resume(), late].map(Running::end);
    assert_eq!((first.code, late.code), (0, 5), "{first:?}\n{late:?}");
    assert!(late.stderr.contains("nothing was changed"), "{late:?}");
    assert_eq!(stage.written(), [(2_500, true), (5_000, true), (10_000, true), (10_000, false)]);
    assert_eq!(stage.record()["owner"]["generation"], 2);
}

#[test]
fn a_runner_that_wakes_up_before_its_heir_has_written_a_table_writes_none_either() {
    let stage = Stage::new(STEPS);
    let mut sleeper = stage.begin();
    stage.until_held(&mut sleeper, "25 %");
    sleeper.signal(Signal::STOP);
    assert_eq!(stage.written(), [(500, true), (2_500, true)]);
    // What is said to it makes it look at its record as soon as it is awake.
    let said = Running::begin(stage.site.command(&["pause"]));
    until("it is said", || stage.site.sandbox.kv("order:production").is_some());
    let heir = Running::begin(stage.site.command(&["resume", "--json", "--runner-is-dead"]));
    until("it is claimed", || stage.record()["owner"]["generation"] == 2);
    sleeper.signal(Signal::CONT);
    sleeper.end().expect(5).says(&["took over; this release wrote nothing more"]);
    said.end().expect(2).says(&["did not pause: ", "taken over"]);
    heir.end().expect(0);
    assert_eq!(stage.written(), [(2_500, true), (5_000, true), (10_000, true), (10_000, false)]);
}

#[test]
fn weights_that_nobody_is_in_charge_of_are_brought_home() {
    let stage = Stage::new(STEPS);
    stage.site.run(&["abort"]).expect(2).says(&["nothing is in flight"]);
    stage.site.edit("routing:production", |table| {
        table["variants"][0]["weight"] = 7_500.into();
        table["variants"][1]["weight"] = 2_500.into();
        table["lease"] = serde_json::json!({ "expires_at": "2999-01-01T00:00:00Z" });
    });
    stage.site.run(&["abort"]).expect(0).prints(&["1.0.0 serves everybody"]);
    assert_eq!(stage.written(), [(0, false)]);
}

#[test]
fn a_runner_that_wakes_up_after_it_was_taken_over_writes_nothing_more() {
    let stage = Stage::new(STEPS);
    let mut sleeper = stage.begin();
    stage.until_held(&mut sleeper, "25 %");
    sleeper.signal(Signal::STOP);
    let mut heir = Running::begin(stage.site.command(&["promote", "--json", "--runner-is-dead"]));
    stage.until_held(&mut heir, "50 %");
    let written = stage.written();
    assert_eq!(written, [(500, true), (2_500, true), (5_000, true)], "from 25 % on, and not held again");
    sleeper.signal(Signal::CONT);
    sleeper.end().expect(5).says(&["took over; this release wrote nothing more"]);
    heir.end().expect(0);
    let owner = stage.site.table().owner().cloned().unwrap();
    assert_eq!(owner.generation.number(), 2);
    assert_eq!(stage.record()["ended"]["outcome"], "promoted", "the sleeper has told no other end");
    assert_eq!(stage.site.served_version(), "2.0.0");
}
