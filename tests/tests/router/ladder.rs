//! Who answers when the table is of no use: the last good one, then `DEFAULT_ORIGIN`, then a clear 503.

use std::time::{Duration, Instant};

use crossfade_sandbox::{KvFault, Sandbox};
use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use crate::edge::{Edge, KEY, Nobody, only};

/// A way in which KV gives no table.
#[derive(Clone, Debug)]
enum Trouble {
    Holds(String),
    HoldsNothing,
    Fails,
}

impl Trouble {
    fn begin(&self, sandbox: &Sandbox) {
        match self {
            Self::Holds(text) => sandbox.put_kv(KEY, text.as_bytes()),
            Self::HoldsNothing => sandbox.delete_kv(KEY),
            Self::Fails => sandbox.set_kv_fault(KvFault { status: Some(503), ..KvFault::default() }),
        }
    }
}

/// All of them, each with what `status` says then.
fn troubles(origin: &Origin) -> Vec<(Trouble, &'static str)> {
    let good = only(9, origin);
    let changed = |at: &str, value: Value| {
        let mut table = good.clone();
        *table.pointer_mut(at).unwrap() = value;
        Trouble::Holds(table.to_string())
    };
    let cut_off = good.to_string()[..40].to_owned();
    vec![
        (Trouble::Holds(cut_off), "`(document)` is `EOF while parsing"),
        (Trouble::Holds(String::new()), "`(document)` is `EOF while parsing"),
        (
            changed("/variants/0/weight", json!(5000)),
            "`variants[].weight` is `5000`: the weights must make exactly 10000",
        ),
        (changed("/stable", json!("green")), "`stable` is `green`: no variant has this name"),
        (
            changed("/schema", json!(2)),
            "`schema` is `2`: this version reads schema 1 only; use a newer Crossfade",
        ),
        (changed("/environment", json!("staging")), "the table belongs to environment `staging`"),
        (Trouble::HoldsNothing, "KV has no `routing:production`"),
        (Trouble::Fails, "KV: "),
    ]
}

#[test]
fn the_last_good_table_stays_in_force_and_status_says_why() {
    let origin = Origin::saying("hello");
    let edge = Edge::routing(&only(1, &origin));
    assert_eq!(edge.get("/", &[]).revision(), 1);
    for (trouble, text) in troubles(&origin) {
        trouble.begin(&edge.sandbox);
        let says_so =
            |status: &Value| status["trouble"].as_str().is_some_and(|trouble| trouble.contains(text));
        let status = edge.until(&format!("in trouble: {text}"), says_so);
        assert_eq!(status["revision"], 1, "{trouble:?}");
        let answer = edge.get("/", &[]);
        assert_eq!((answer.status, answer.revision()), (200, 1), "{trouble:?}");
    }
    edge.sandbox.clear_faults();
    edge.put(&only(2, &origin));
    edge.until_revision(2);
    assert_eq!(edge.status()["trouble"], Value::Null);
}

#[test]
fn without_any_table_the_default_origin_answers() {
    let (origin, fallback) = (Origin::saying("variant"), Origin::saying("default"));
    for (trouble, text) in troubles(&origin) {
        let edge = Edge::with(|options| options.default_origin = Some(fallback.url()));
        trouble.begin(&edge.sandbox);
        let answer = edge.ask("POST", "/x?y", &[], b"body");
        assert_eq!((answer.status, answer.text().as_str()), (200, "default"), "{trouble:?}");
        assert_eq!(answer.crossfade(), r#"variant="default", version="", revision=0"#, "{trouble:?}");
        let status = edge.status();
        assert!(status["trouble"].as_str().unwrap().contains(text), "{trouble:?}: {status:#}");
        assert_eq!((&status["table"], &status["revision"]), (&Value::Null, &Value::Null), "{trouble:?}");
        let received = fallback.only();
        assert_eq!((received.target.as_str(), received.body.as_slice()), ("/x?y", b"body".as_slice()));
        fallback.forget();
    }
    assert!(origin.received().is_empty(), "no table that was refused sent anybody anywhere");
}

#[test]
fn with_neither_a_table_nor_a_default_origin_there_is_a_clear_503() {
    let nobody = Nobody::new();
    for default in [None, Some(nobody.url().as_str()), Some("http://example.com"), Some("no origin")] {
        let edge = Edge::with(|options| options.default_origin = default.map(str::to_owned));
        let answer = edge.get("/", &[]);
        assert_eq!(answer.status, 503, "{default:?}: {answer:?}");
        assert!(answer.header("retry-after").is_some_and(|text| text.parse::<u32>().is_ok()), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(answer.text().contains("there is no routing table yet"), "{}", answer.text());
        assert_eq!(edge.ask("HEAD", "/", &[], b"").status, 503);
    }
}

#[test]
fn the_first_table_takes_over_from_the_default_origin() {
    let (origin, fallback) = (Origin::saying("variant"), Origin::saying("default"));
    // Without a table KV is asked every second, however long a table would be kept.
    let edge = Edge::with(|options| {
        options.default_origin = Some(fallback.url());
        options.refresh_seconds = 3600;
    });
    assert_eq!(edge.get("/", &[]).text(), "default");
    edge.put(&only(1, &origin));
    edge.until_revision(1);
    assert_eq!(edge.get("/", &[]).text(), "variant");
}

#[test]
fn a_kv_that_never_answers_the_first_read_leads_to_the_default_origin() {
    let (origin, fallback) = (Origin::saying("variant"), Origin::saying("default"));
    let edge = Edge::with(|options| options.default_origin = Some(fallback.url()));
    edge.put(&only(1, &origin));
    edge.sandbox.set_kv_fault(KvFault { hang: true, ..KvFault::default() });
    assert_eq!(edge.get("/", &[]).text(), "default");
    assert_eq!(edge.status()["trouble"], "KV did not answer within 3 s");
    // Whoever comes next does not wait those three seconds again, one after the other.
    let asked = Instant::now();
    for _ in 0..20 {
        assert_eq!(edge.get("/", &[]).text(), "default");
    }
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    edge.sandbox.clear_faults();
    edge.until_revision(1);
    assert_eq!(edge.get("/", &[]).text(), "variant");
}

#[test]
fn a_kv_that_is_slower_than_a_first_request_waits_still_brings_the_table() {
    let (origin, fallback) = (Origin::saying("variant"), Origin::saying("default"));
    let edge = Edge::with(|options| options.default_origin = Some(fallback.url()));
    edge.put(&only(1, &origin));
    edge.sandbox.set_kv_fault(KvFault { delay_ms: 4000, ..KvFault::default() });
    assert_eq!(edge.get("/", &[]).text(), "default");
    edge.until_revision(1);
    assert_eq!(edge.get("/", &[]).text(), "variant");
}
