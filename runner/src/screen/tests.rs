use std::time::Duration;

use crossfade_core::rollout::{OnTimeout, Stage};
use crossfade_core::table::{Environment, ReleaseId, Weight};
use crossfade_core::{RoutingTable, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use super::*;
use crate::notice::VariantFigures;
use crate::orders::{Letter, Word};
use crate::record::{Answered, Ended, Record};

fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-01-31T12:00:00Z").unwrap().plus(Duration::from_secs(seconds))
}

fn figures(variant: &str, version: &str, requests: u64, errors: u64, p50: f64) -> VariantFigures {
    VariantFigures {
        variant: variant.into(),
        version: version.into(),
        requests,
        errors,
        error_rate: errors as f64 / requests as f64,
        availability: 1.0,
        mean_ms: Some(p50),
        p50_ms: Some(p50),
        p95_ms: Some(p50 * 3.0),
        p99_ms: Some(p50 * 7.0),
    }
}

fn record(stage: Stage) -> Record {
    let id = ReleaseId::new("release", "rel-20260131T120000-0a1b2c").unwrap();
    let environment = Environment::new("environment", "production").unwrap();
    let evidence = vec![
        json!({ "at": at(2), "type": "phase-ended", "phase": "health", "ok": true, "text": "4 of 4", "elapsed_ms": 20 }),
        json!({ "at": at(4), "type": "hook", "phase": "rollout", "hook": "desk", "answer": "pass" }),
        json!({ "at": at(9), "type": "phase-ended", "phase": "switch", "ok": true, "text": "revision 41: green 5 %", "elapsed_ms": 9 }),
        json!({ "at": at(40), "type": "measurement", "verdict": "inconclusive", "why": "460 requests are missing" }),
        json!({ "at": at(50), "type": "what a later version says" }),
        json!({ "at": at(61), "type": "deployment_alert", "text": "green 1.5.0: 20 % of 60 requests failed" }),
    ];
    Record {
        stable_version: Some("1.4.2".into()),
        runner: "process 12 on desk".into(),
        started_at: at(0),
        updated_at: at(60),
        expires_at: at(240),
        phase: "verify".into(),
        stage: Some(stage),
        steps: Some(3),
        evidence,
        ..Record::begin(&id, &environment, "deploy", "1.5.0", "green")
    }
}

fn watching() -> Stage {
    Stage::Watching { step: 0, weight: Weight::from_percent("5").unwrap(), until: at(309) }
}

fn seen(record: Option<Record>) -> Seen {
    let table = json!({
        "schema": 1, "environment": "production", "revision": 41, "release": "rel-20260131T120000-0a1b2c",
        "updated_at": at(9), "stable": "blue", "affinity": { "by": "cookie", "salt": "x" },
        "lease": { "expires_at": at(309) },
        "variants": [
            { "name": "blue", "origin": "https://a.booking.pages.dev", "version": "1.4.2", "weight": 9500 },
            { "name": "green", "origin": "https://b.booking.pages.dev", "version": "1.5.0", "weight": 500 },
        ],
    });
    let edge = json!({ "environment": "production", "revision": 41, "colo": "FRA" });
    Seen {
        balanced: false,
        environment: "production".into(),
        url: "https://booking.example.com".into(),
        table: Ok(Some(RoutingTable::parse(table.to_string().as_bytes()).unwrap())),
        record: Ok(record),
        edge: Ok(serde_json::from_value(edge).unwrap()),
        figures: Ok(vec![figures("blue", "1.4.2", 1_140, 3, 12.0), figures("green", "1.5.0", 60, 12, 31.0)]),
        over: Duration::from_secs(60),
    }
}

/// The screen as somebody reads it.
fn screen(seen: &Seen, dialog: &Dialog, width: u16) -> String {
    sized(seen, dialog, (width, 22))
}

fn sized(seen: &Seen, dialog: &Dialog, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let view = View::of(seen, dialog, at(69));
    terminal.draw(|frame| draw(&view, frame)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_step_that_is_watched_is_one_screen() {
    let seen = seen(Some(record(watching())));
    insta::assert_snapshot!("watched", screen(&seen, &Dialog::Quiet, 110));
    let asking = Dialog::Asking(Word::Abort, "rel-20260131T120000-0a1b2c".into());
    insta::assert_snapshot!("narrow_and_asking", screen(&seen, &asking, 72));
}

#[test]
fn the_smallest_terminals_still_say_which_version_serves_whom() {
    let seen = seen(Some(record(watching())));
    for size in [(60, 20), (40, 12), (30, 8), (200, 10)] {
        let screen = sized(&seen, &Dialog::Quiet, size);
        for row in ["blue ● 1.4.2", "green 1.5.0"] {
            let line = screen.lines().find(|line| line.contains(row));
            assert!(line.is_some_and(|line| line.contains("5 %")), "{size:?}: {row}\n{screen}");
        }
        assert!(screen.contains("abort"), "{size:?}\n{screen}");
    }
    insta::assert_snapshot!("small", sized(&seen, &Dialog::Quiet, (40, 12)));
}

#[test]
fn a_pause_a_gate_and_an_end_are_told() {
    let weight = Weight::from_percent("5").unwrap();
    let paused = Stage::Paused { step: 0, weight, why: "by order".into(), since: at(60), until: at(21_660) };
    insta::assert_snapshot!("paused", screen(&seen(Some(record(paused))), &Dialog::Quiet, 110));
    let waits = Stage::Waiting {
        step: 1,
        gate: "approval".into(),
        until: Some(at(669)),
        then: Some(OnTimeout::Abort),
    };
    insta::assert_snapshot!("waits", screen(&seen(Some(record(waits))), &Dialog::Quiet, 110));
    let ended =
        Ended { at: at(65), outcome: "promoted".into(), text: "promoted 1.5.0: it serves everybody".into() };
    let ended = Record { ended: Some(ended), stage: None, ..record(watching()) };
    insta::assert_snapshot!("ended", screen(&seen(Some(ended)), &Dialog::Quiet, 110));
}

#[test]
fn what_cannot_be_told_says_why_in_its_place() {
    let blind = Seen {
        table: Err("cannot read `routing:production` in KV: 503".into()),
        record: Ok(None),
        edge: Err("CROSSFADE_TOKEN is not set".into()),
        figures: Err("the router has no counters (no COUNTERS binding)".into()),
        ..seen(None)
    };
    insta::assert_snapshot!("blind", screen(&blind, &Dialog::Quiet, 110));

    // The cause is what a long sentence ends with.
    let long = format!("GET /accounts/{}/values/routing: cannot reach the API: refused", "0".repeat(32));
    let narrow = screen(&Seen { table: Err(long.clone()), record: Err(long), ..blind }, &Dialog::Quiet, 60);
    assert_eq!(narrow.matches("refused").count(), 2, "{narrow}");
}

#[test]
fn a_word_is_said_only_after_it_was_confirmed() {
    let record = record(watching());
    let press = |keys: &str| {
        keys.chars().fold((Dialog::Quiet, None), |(dialog, _), key| {
            let key = if key == '^' { Key::Escape } else { Key::Letter(key) };
            dialog.key(key, Some(&record), at(69))
        })
    };
    let says = |keys: &str| match press(keys).1 {
        Some(Wish::Say(word, release)) if release == record.id => Some(word),
        wish => {
            assert_eq!(wish, None, "{keys}");
            None
        }
    };
    for (keys, word) in [
        ("ay", Some(Word::Abort)),
        ("AY", Some(Word::Abort)),
        ("py", Some(Word::Pause)),
        ("fy", Some(Word::Promote)),
        ("a", None),
        ("an", None),
        ("any", None),
        ("ap", None),
        ("a^y", None),
        ("y", None),
        // It is not paused, and waits for nobody.
        ("ry", None),
        ("oy", None),
        ("aq", None),
    ] {
        assert_eq!(says(keys), word, "{keys}");
    }
    assert_eq!(press("q").1, Some(Wish::Leave));
    let (_, wish) = press("a").0.key(Key::Interrupt, Some(&record), at(69));
    assert_eq!(wish, Some(Wish::Leave));
    // Its runner is dead: nobody would hear.
    let (dialog, wish) = Dialog::Quiet.key(Key::Letter('a'), Some(&record), at(9_000));
    assert!(matches!(dialog, Dialog::Failed(why) if why.contains("`crossfade abort`")) && wish.is_none());
}

#[test]
fn what_happened_stays_when_the_release_has_ended() {
    let before = seen(Some(record(watching())));
    let ended = Record { evidence: Vec::new(), ..record(Stage::Settling) };
    let events = |after: Seen| View::of(&after, &Dialog::Quiet, at(69)).events.len();
    assert_eq!(events(seen(Some(ended.clone())).after(Some(&before))), 4);
    let next = Record { id: "rel-next".into(), ..ended };
    assert_eq!(events(seen(Some(next)).after(Some(&before))), 0);
}

#[test]
fn what_became_of_a_word_is_told() {
    let letter = Letter::new("rel-20260131T120000-0a1b2c", Word::Pause, None, "ada".into());
    let note = |record: &Record| {
        let seen = seen(Some(record.clone()));
        View::of(&seen, &Dialog::Said(letter.clone()), at(69)).note.unwrap()
    };
    let quiet = record(watching());
    assert_eq!(note(&quiet), "told to pause …");
    let heard = Record { heard: Some(letter.id.clone()), ..quiet.clone() };
    assert_eq!(note(&heard), "told to pause: it has heard");
    let done = Record { answered: Some(Answered::to(&letter, Ok(()))), ..heard.clone() };
    assert_eq!(note(&done), "told to pause: it does");
    let refused = Answered::to(&letter, Err("it is paused already".into()));
    assert_eq!(
        note(&Record { answered: Some(refused), ..heard }),
        "told to pause: refused, it is paused already"
    );
}
