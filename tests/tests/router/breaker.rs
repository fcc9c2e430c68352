//! The breaker: a canary that fails again and again is left alone for a while, and then tried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_tests::origin::Origin;
use serde_json::json;

use crate::client::Answer;
use crate::edge::{Edge, now, table};

const EJECTION: Duration = Duration::from_millis(700);

/// A router that opens after three failures, and a canary that fails as long as the flag says so.
fn edge(fails: &Arc<AtomicBool>) -> (Edge, Origin, Origin) {
    let fails = Arc::clone(fails);
    let blue = Origin::saying("blue");
    let green = Origin::new(move |_, wire| {
        let status = if fails.load(Ordering::SeqCst) { "500 Internal Server Error" } else { "200 OK" };
        wire.answer(status, &[], "green");
    });
    let mut routing = table(1, &blue, &green, 10_000);
    routing["breaker"] =
        json!({ "failures": 3, "sweep_ms": 3_600_000, "ejection_ms": EJECTION.as_millis() as u64 });
    (Edge::settled(&routing), blue, green)
}

/// The end of the ejection that `status` tells of; there must be one.
#[track_caller]
fn open_until(edge: &Edge) -> Timestamp {
    let tally = edge.tally("green");
    assert_eq!(tally["breaker"]["state"], "open", "{tally}");
    Timestamp::parse(tally["breaker"]["until"].as_str().unwrap()).unwrap()
}

fn wait_until(time: Timestamp) {
    while now() < time {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An answer of stable's because the canary was not even asked.
#[track_caller]
fn is_stables_alone(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "blue"));
    assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=1"#);
}

#[test]
fn it_opens_after_its_failures_tries_once_with_a_get_and_closes_when_that_succeeds() {
    let fails = Arc::new(AtomicBool::new(true));
    let (edge, _blue, green) = edge(&fails);
    let mut client = edge.connect();
    for number in 1..=3 {
        let tally = edge.tally("green");
        assert_eq!(tally["breaker"], json!({ "state": "closed", "failures_in_a_row": number - 1 }));
        assert_eq!(client.get("/", &[]).status, 200, "rescued");
    }
    let mut lasted = EJECTION;
    for ejection in 1..=3 {
        let until = open_until(&edge);
        let left = until.since(now());
        assert!(left <= lasted, "ejection {ejection} lasts {left:?} and not {lasted:?}");
        assert!(
            left > lasted - EJECTION,
            "ejection {ejection} lasts {left:?}, no longer than the one before"
        );
        let asked = green.received().len();
        let mut refused = 0;
        while now().plus(Duration::from_millis(100)) < until {
            for (method, body) in [("GET", &b""[..]), ("HEAD", b""), ("POST", b"x")] {
                let answer = client.ask(method, "/", &[], body);
                if now() < until {
                    refused += 1;
                    assert_eq!((answer.status, answer.variant()), (200, "blue"), "{method}");
                    assert!(!answer.crossfade().contains("rescued"));
                    assert_eq!(green.received().len(), asked, "{method} reached the canary");
                }
            }
        }
        assert!(refused > 0);
        wait_until(until);
        // What could not be rescued is no trial.
        is_stables_alone(&client.ask("POST", "/", &[], b"order"));
        is_stables_alone(&client.ask("GET", "/", &[], b"a body"));
        is_stables_alone(&client.ask("DELETE", "/", &[], b""));
        assert_eq!(green.received().len(), asked);
        if ejection == 3 {
            break;
        }
        let trial = client.get("/", &[]);
        assert_eq!((trial.status, trial.text().as_str()), (200, "blue"), "the trial failed and was rescued");
        assert!(trial.crossfade().ends_with(", rescued"));
        assert_eq!(green.received().len(), asked + 1);
        lasted += EJECTION;
    }
    fails.store(false, Ordering::SeqCst);
    assert_eq!(client.get("/", &[]).text(), "green", "the trial succeeded");
    assert_eq!(edge.tally("green")["breaker"], json!({ "state": "closed", "failures_in_a_row": 0 }));
    for method in ["POST", "GET", "PUT"] {
        assert_eq!(client.ask(method, "/", &[], b"").text(), "green");
    }
}

#[test]
fn a_success_in_between_begins_the_count_anew_and_posts_count_too() {
    let fails = Arc::new(AtomicBool::new(true));
    let (edge, blue, green) = edge(&fails);
    for (method, failing) in
        [("GET", true), ("POST", true), ("GET", false), ("POST", true), ("GET", true), ("POST", false)]
    {
        fails.store(failing, Ordering::SeqCst);
        edge.ask(method, "/", &[], b"");
    }
    assert_eq!(green.received().len(), 6);
    fails.store(true, Ordering::SeqCst);
    blue.forget();
    for _ in 0..3 {
        assert_eq!(edge.ask("POST", "/", &[], b"x").status, 500);
    }
    open_until(&edge);
    assert!(blue.received().is_empty());
}

#[test]
fn beside_the_trial_nobody_is_let_through() {
    let (go, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    let fails = AtomicBool::new(true);
    let blue = Origin::saying("blue");
    let green = Origin::new(move |_, wire| {
        if fails.load(Ordering::SeqCst) {
            fails.store(false, Ordering::SeqCst);
            return wire.answer("500 Internal Server Error", &[], "");
        }
        let _ = gone.lock().unwrap().recv();
        wire.answer("200 OK", &[], "green");
    });
    let mut routing = table(1, &blue, &green, 10_000);
    routing["breaker"] = json!({ "failures": 1, "ejection_ms": 1 });
    let edge = Edge::settled(&routing);
    assert_eq!(edge.get("/", &[]).text(), "blue");
    wait_until(open_until(&edge).plus(Duration::from_millis(1)));
    let mut trial = edge.connect();
    trial.request("GET", "/", &[], b"");
    green.until(|received| received.len() == 2);
    for _ in 0..5 {
        is_stables_alone(&edge.get("/", &[]));
    }
    let breaker = &edge.tally("green")["breaker"];
    assert_eq!(breaker["state"], "half-open");
    assert!(Timestamp::parse(breaker["since"].as_str().unwrap()).is_some(), "{breaker}");
    go.send(()).unwrap();
    assert_eq!(trial.answer("GET").text(), "green");
    assert_eq!(edge.tally("green")["breaker"]["state"], "closed");
    assert_eq!(green.received().len(), 2);
}

#[test]
fn a_rule_cannot_send_anybody_past_it_and_a_new_table_does_not_forget_it() {
    let fails = Arc::new(AtomicBool::new(true));
    let (blue, green) = (
        Origin::saying("blue"),
        Origin::new({
            let fails = Arc::clone(&fails);
            move |_, wire| match fails.load(Ordering::SeqCst) {
                true => wire.close(),
                false => wire.answer("200 OK", &[], "green"),
            }
        }),
    );
    let mut routing = table(1, &blue, &green, 0);
    routing["rules"] = json!([{ "to": "green" }]);
    routing["breaker"] = json!({ "failures": 2, "ejection_ms": 600_000 });
    let edge = Edge::routing(&routing);
    for _ in 0..4 {
        assert_eq!(edge.get("/", &[]).text(), "blue");
    }
    assert_eq!(green.received().len(), 2);
    let until = open_until(&edge);
    routing["revision"] = json!(2);
    edge.put(&routing);
    edge.until_revision(2);
    assert_eq!(open_until(&edge), until, "the origin is the same");
    // Another origin under that name is another matter.
    fails.store(false, Ordering::SeqCst);
    let new = Origin::saying("new");
    routing["revision"] = json!(3);
    routing["variants"][1]["origin"] = json!(new.url());
    edge.put(&routing);
    edge.until_revision(3);
    assert_eq!(edge.get("/", &[]).text(), "new");
}
