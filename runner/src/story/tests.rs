use std::time::Duration;

use crossfade_core::table::{Environment, ReleaseId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-01-31T12:00:00Z").unwrap().plus(Duration::from_secs(seconds))
}

/// A canary that fails at its second step.
pub(crate) fn record() -> Record {
    let id = ReleaseId::new("release", "rel-20260131T120000-0a1b2c").unwrap();
    let environment = Environment::new("environment", "production").unwrap();
    let text = "rolled back 1.5.0: step 2 (25 %): the canary fails more than stable: 12 of 60 requests (20 %) against 3 of 1140";
    Record {
        stable_version: Some("1.4.2".into()),
        runner: "process 12 on desk".into(),
        commit: Some(Commit { id: "0a1b2c3d4e5f".into(), at: at(0) }),
        started_at: at(60),
        ended: Some(Ended { at: at(1000), outcome: "rolled-back".into(), text: text.into() }),
        evidence: evidence(),
        ..Record::begin(&id, &environment, "deploy", "1.5.0", "green")
    }
}

fn evidence() -> Vec<Value> {
    let phase = |end: u64, phase: &str, elapsed: u64, ok: bool, text: &str| json!({ "at": at(end), "type": "phase-ended", "phase": phase, "ok": ok, "text": text, "elapsed_ms": elapsed * 1000 });
    let weights = |time: u64, revision: u64, why: &str, new: u16| {
        let variants = json!([
            { "name": "blue", "version": "1.4.2", "weight": 10_000 - new }, { "name": "green", "version": "1.5.0", "weight": new },
        ]);
        json!({ "at": at(time), "type": "weights", "revision": revision, "why": why, "variants": variants })
    };
    let hook = |time: u64, phase: &str, answer: &str, elapsed: u64, why: Option<&str>| {
        json!({ "at": at(time), "type": "hook", "phase": phase, "hook": "approval desk", "answer": answer, "why": why,
            "output": "", "tries": 1, "elapsed_ms": elapsed * 1000 })
    };
    let mut evidence = vec![
        json!({ "at": at(60), "type": "release-started", "release": "rel-20260131T120000-0a1b2c" }),
        json!({ "at": at(95), "type": "hook", "phase": "build", "hook": "node build.mjs --out dist", "answer": "pass",
            "output": "", "tries": 1, "elapsed_ms": 30_001 }),
        phase(95, "build", 30, true, "node build.mjs --out dist"),
        phase(110, "upload", 14, true, "5 files, 4 of them new"),
        phase(118, "health", 3, true, "4 of 4: basic 15 ms, database 14 ms"),
        phase(125, "smoke", 6, true, "5 of 5"),
        weights(127, 41, "switch", 500),
        phase(130, "switch", 4, true, "revision 41: blue 95 %, green 5 %, served at the edge"),
        json!({ "at": at(300), "type": "something-new", "of": "a later version" }),
    ];
    for nth in 0..17_u64 {
        let verdict = if nth < 3 { "inconclusive" } else { "pass" };
        evidence.push(measurement(140 + nth * 20, 0, 500, verdict, (12 + nth, nth / 8), 300 + 9 * nth));
    }
    evidence.push(hook(480, "confirm-traffic-increase", "wait", 1, None));
    evidence.push(hook(500, "confirm-traffic-increase", "pass", 1, None));
    evidence.push(json!({ "at": at(501), "type": "gate", "gate": "approval", "step": 2, "ok": true,
        "text": "step 2 waits for approval", "elapsed_ms": 21_000 }));
    evidence.push(weights(502, 42, "switch", 2500));
    evidence.push(phase(505, "switch", 4, true, "revision 42: blue 75 %, green 25 %, served at the edge"));
    for nth in 0..22_u64 {
        let verdict = match nth {
            20.. => "fail",
            10 | 11 => "hold",
            13 => "error",
            _ => "pass",
        };
        evidence.push(measurement(515 + nth * 20, 1, 2500, verdict, (60, nth * nth / 40), 900 + 40 * nth));
    }
    evidence.push(json!({ "at": at(930), "type": "deployment_alert", "state": "raised",
        "text": "green 1.5.0: 20 % of 60 requests failed, more than 10 %" }));
    evidence.push(json!({ "at": at(940), "type": "warning", "text": "hook: chat could not be told" }));
    evidence.push(phase(936, "verify", 425, false, "step 2 of 3, 25 %: the canary fails more than stable"));
    evidence.push(weights(938, 43, "home", 0));
    evidence.push(phase(941, "home", 4, true, "revision 43: blue 100 %, served at the edge"));
    evidence
}

fn measurement(time: u64, step: usize, weight: u16, verdict: &str, canary: (u64, u64), slow: u64) -> Value {
    let (requests, errors) = canary;
    json!({
        "type": "measurement", "at": at(time), "step": step, "weight": weight, "from": at(time - 20).as_millis(), "to": at(time).as_millis(),
        "canary": { "requests": requests, "errors": errors, "p50_ms": 41.5, "p95_ms": slow as f64 * 0.6, "p99_ms": slow },
        "stable": { "requests": 1140, "errors": 3, "p50_ms": 40.0, "p95_ms": 120.0, "p99_ms": 310.5 },
        "verdict": verdict, "why": format!("{errors} of {requests} requests failed; this is the reason number {time}"),
    })
}

fn story(record: &Record) -> Story {
    Story::of(record, str::to_owned)
}

#[test]
fn the_evidence_of_a_release_becomes_its_story() {
    let story = story(&record());
    assert_eq!((story.measurements.len(), story.shares.len(), story.notes.len()), (39, 3, 2));
    let hooks: Vec<Result> =
        story.bars.iter().filter(|it| it.kind == Kind::Hook).map(|it| it.result).collect();
    assert_eq!(hooks, [Result::Good, Result::Waiting, Result::Good]);
    let gates: Vec<_> =
        story.bars.iter().filter(|it| it.kind == Kind::Gate).map(|it| (it.from, it.to)).collect();
    assert_eq!(gates, [(at(480), at(501))]);
    let names: Vec<&str> = story.bars.iter().take(2).map(|bar| bar.name.as_str()).collect();
    assert_eq!(
        names,
        ["build: node build.mjs --out dist", "upload"],
        "a phase that only asked a hook is not told twice"
    );
    assert_eq!((story.bars[1].from, story.bars[1].to), (at(96), at(110)));
    assert_eq!(
        story.reason(),
        "step 2 (25 %): the canary fails more than stable: 12 of 60 requests (20 %) against 3 of 1140"
    );
    assert_eq!(story.is_good(), Some(false));
}

#[test]
fn each_step_adds_up_what_was_measured_in_it() {
    let steps = story(&record()).steps();
    let [first, second, home] = steps.as_slice() else { panic!("{steps:?}") };
    assert_eq!((first.weight, second.weight, home.weight), (500, 2500, 0));
    assert_eq!((first.from, first.to, second.to, home.to), (at(127), at(502), at(938), at(1000)));
    assert_eq!((first.canary.requests, first.canary.errors), (340, 10));
    assert_eq!((second.canary.requests, second.stable.errors), (22 * 60, 66));
    assert_eq!(second.canary.p95_ms, Some((900.0 + 40.0 * 21.0) * 0.6));
    assert_eq!(second.verdict.as_ref().map(|(verdict, _)| *verdict), Some(Verdict::Fail));
    assert_eq!(home.verdict, None);

    // What is measured at the very moment of a change is the next step's.
    let mut record = record();
    record.evidence.push(measurement(502, 1, 2500, "pass", (1_000, 0), 10));
    let requests: Vec<u64> = story(&record).steps().iter().map(|step| step.canary.requests).collect();
    assert_eq!(requests, [340, 22 * 60 + 1_000, 0]);
}

#[test]
fn a_release_in_flight_and_one_that_measured_nothing_have_reports_too() {
    let flying = Record { ended: None, ..record() };
    assert_eq!((story(&flying).outcome(), story(&flying).is_good()), ("in flight", None));
    assert!(story(&flying).to_html().contains("it has not ended yet"));
    let bare = story(&Record { evidence: Vec::new(), ..record() });
    for text in [bare.to_html(), bare.to_svg(), bare.to_markdown(None)] {
        assert!(!text.contains("NaN") && !text.contains("inf\""), "{text}");
    }
    assert!(!bare.to_html().contains("failed requests"), "what was not measured is not shown as none");
    let first = story(&Record { stable_version: None, ..record() });
    assert!(
        story(&record()).to_svg().contains("area old") && !first.to_svg().contains("area old"),
        "nobody served before"
    );
}

#[test]
fn people_read_it_as_a_page_and_as_markdown() {
    let story = story(&record());
    insta::assert_snapshot!("page", story.to_html());
    insta::assert_snapshot!("text", story.to_text());
    insta::assert_snapshot!("markdown", story.to_markdown(Some("timeline.svg")));
}

/// Everything that a stranger may have written.
const NASTY: &str = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)> \"' ]]> | \u{1b}[31m \u{202e} `x` @all";

fn nasty() -> Record {
    let mut record = record();
    for entry in &mut record.evidence {
        for name in ["text", "phase", "hook", "why"] {
            if entry[name].is_string() {
                entry[name] = NASTY.into();
            }
        }
    }
    record.version = NASTY.into();
    record.stable_version = Some(NASTY.into());
    record.runner = NASTY.into();
    record
        .evidence
        .iter_mut()
        .filter(|it| it["type"] == "weights")
        .for_each(|it| it["variants"][1]["version"] = NASTY.into());
    record.ended = Some(Ended { at: at(1000), outcome: NASTY.into(), text: NASTY.into() });
    record
}

#[test]
fn going_back_is_no_promotion_to_who_reads_it() {
    let ended = Ended {
        at: at(90),
        outcome: "promoted".into(),
        text: "blue 1.4.2 serves everybody (revision 6)".into(),
    };
    let back = Record { command: "rollback".into(), version: "1.4.2".into(), ended: Some(ended), ..record() };
    let text = Story::of(&back, str::to_owned).to_markdown(None);
    assert!(text.starts_with("## ↩️ production is on 1.4.2 again\n"), "{text}");
}

#[test]
fn the_workflow_run_is_a_link_and_nothing_that_only_looks_like_one() {
    let runner = |runner: &str| story(&Record { runner: runner.into(), ..record() }).to_markdown(None);
    let run = "https://github.example/acme/booking/actions/runs/17/attempts/1#deploy";
    assert!(runner(run).contains(&format!("\n| runner | <{run}> |\n")));
    assert!(!runner("https://evil.example/>|<b>").contains("<https:"));
}

#[test]
fn nothing_that_a_stranger_wrote_is_markup() {
    let story = story(&nasty());
    let page = story.to_html();
    for text in [&page, &story.to_svg(), &story.to_markdown(None)] {
        for markup in ["<script", "</script", "<img", "\u{1b}", "\u{202e}"] {
            assert!(!text.contains(markup), "{markup}");
        }
    }
    assert!(page.contains("&lt;script&gt;"));
    // No attribute ends early.
    let labels = page.split("aria-label=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(
        labels.clone().count() == 2
            && labels.into_iter().all(|label| label.ends_with("say the same in words."))
    );
}

#[test]
fn no_secret_reaches_a_report() {
    let mut record = record();
    record
        .evidence
        .push(json!({ "at": at(70), "type": "warning", "text": "the app said: token hunter-2<3" }));
    record.ended = Some(Ended { at: at(1000), outcome: "stuck".into(), text: "stuck: hunter-2<3".into() });
    record.runner = "hunter-2<3".into();
    let told = |story: Story| [story.to_html(), story.to_svg(), story.to_markdown(None), story.to_text()];
    assert!(told(story(&record)).iter().any(|text| text.contains("hunter-2")), "the test means something");
    for text in told(Story::of(&record, |text| text.replace("hunter-2<3", "***"))) {
        assert!(!text.contains("hunter"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_evidence_has_a_report(
        entries in prop::collection::vec((0_usize..40, prop::option::of(("[a-z_-]{1,10}", any::<Option<i64>>()))), 0..30),
        ended in any::<bool>(), length in 0_u64..10_000_000
    ) {
        let all = evidence();
        let mut record = record();
        record.evidence = entries.iter().map(|(which, damage)| {
            let mut entry = all[which % all.len()].clone();
            if let Some((name, value)) = damage {
                let fields: Vec<String> = entry.as_object().unwrap().keys().cloned().collect();
                entry[&fields[name.len() % fields.len()]] = json!(value);
            }
            entry
        }).collect();
        record.ended = ended.then(|| Ended { at: at(60 + length), outcome: "promoted".into(), text: "x".into() });
        let story = story(&record);
        for text in [story.to_html(), story.to_svg(), story.to_markdown(None), story.to_text()] {
            prop_assert!(!text.contains("NaN"));
        }
    }
}
