//! Rescue: a canary that fails, in whatever way, is no visitor's trouble, and still its own failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use crate::edge::{Edge, Nobody, now, only, table};

/// What stable says.
const RESCUED: &str = r#"variant="blue", version="1.4.2", revision=1, rescued"#;
/// What the canary says when its answer stands.
const FAILED: &str = r#"variant="green", version="1.5.0", revision=1"#;
/// How many requests a budget's window always rescues, and how long it is; see `crossfade_core::rescue`.
const ALWAYS: u64 = 10;
const WINDOW_MILLIS: u64 = 10_000;

/// A canary that everybody is sent to and that fails as the path says.
fn failing() -> Origin {
    Origin::new(|received, wire| match received.target.as_str() {
        "/hangs" => wire.wait_for_the_end(),
        "/closes" => wire.close(),
        "/breaks-off-in-its-head" => {
            wire.send("HTTP/1.1 200 OK\r\ncontent-le");
            wire.close();
        }
        "/speaks-something-else" => {
            wire.send("220 mail.example.com ESMTP\r\n");
            wire.close();
        }
        "/traceback" => {
            wire.send("Traceback (most recent call last):\r\n  File \"app.py\", line 1, in <module>\r\n\r\n");
            wire.close();
        }
        "/503" => wire.answer("503 Service Unavailable", &[("retry-after", "1")], vec![b'x'; 300_000]),
        _ => {
            // The runtime itself repeats a bodiless request whose reused connection breaks, and fails any other one that never
            // arrived; only where it is told that no connection is reused, every request is the router's and is seen.
            let headers = [("set-cookie", "broken=1"), ("connection", "close")];
            wire.answer("500 Internal Server Error", &headers, "oops");
            wire.close();
        }
    })
}

/// A table with everything on the canary and these policies.
fn canary(blue: &Origin, green: &Origin, policy: Value) -> Value {
    let mut routing = table(1, blue, green, 10_000);
    routing.as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
    routing
}

/// Rescues all, and no breaker keeps requests from the canary.
fn all() -> Value {
    json!({ "rescue": { "budget": 10_000, "deadline_ms": 250 }, "breaker": { "failures": 0 } })
}

#[test]
fn whatever_the_canary_fails_by_no_visitor_sees_it_and_every_failure_counts() {
    let (blue, green, nobody) = (Origin::saying("fine"), failing(), Nobody::new());
    let mut routing = canary(&blue, &green, all());
    let edge = Edge::settled(&routing);
    let mut requests = 0;
    for path in [
        "/500",
        "/503",
        "/hangs",
        "/closes",
        "/breaks-off-in-its-head",
        "/speaks-something-else",
        "/traceback",
    ] {
        for method in ["GET", "HEAD", "GET"] {
            let answer = edge.ask(method, path, &[("x-own", "1")], b"");
            let body = if method == "GET" { "fine" } else { "" };
            assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method} {path}");
            assert_eq!(answer.crossfade(), RESCUED, "{method} {path}");
            assert_eq!(answer.header("set-cookie"), None, "nothing of the failed answer");
            let (failed, rescued) = (green.only(), blue.only());
            assert_eq!((&failed.method, &failed.target), (&rescued.method, &rescued.target));
            assert_eq!(rescued.header("x-own"), Some("1"));
            green.forget();
            blue.forget();
            requests += 1;
        }
    }
    let tally = edge.tally("green");
    for what in ["requests", "failures", "rescued"] {
        assert_eq!(tally[what], requests, "{tally}");
    }
    routing["variants"][1]["origin"] = json!(nobody.url());
    let edge = Edge::settled(&routing);
    for method in ["GET", "HEAD"] {
        let answer = edge.ask(method, "/", &[], b"");
        assert_eq!((answer.status, answer.crossfade()), (200, RESCUED), "connection refused");
    }
    assert_eq!(
        (edge.tally("green")["failures"].as_u64(), edge.tally("green")["rescued"].as_u64()),
        (Some(2), Some(2))
    );
}

#[test]
fn a_dead_canary_with_every_default_costs_no_visitor_anything() {
    let (blue, green) = (Origin::saying("fine"), failing());
    for weight in [5000, 10_000] {
        let edge = Edge::settled(&table(1, &blue, &green, weight));
        for visitor in 0..60 {
            let answer = edge.get("/500", &[("user-agent", &format!("Browser/{visitor}"))]);
            assert_eq!((answer.status, answer.text().as_str(), answer.variant()), (200, "fine", "blue"));
        }
        let tally = edge.tally("green");
        assert_eq!(tally["failures"], tally["requests"], "all of them failed: {tally}");
        assert_eq!(tally["rescued"], tally["requests"]);
        assert_eq!(green.received().len() as u64, tally["requests"].as_u64().unwrap());
        green.forget();
    }
}

/// Requests that are under way together fail together: more of them than a budget allows, before the breaker knows.
#[test]
fn a_dead_canary_costs_nobody_anything_however_many_ask_at_once() {
    const VISITORS: usize = 60;
    let blue = Origin::saying("fine");
    let green = Origin::new(|received, wire| {
        if received.target == "/hangs" {
            return wire.wait_for_the_end();
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        wire.answer("500 Internal Server Error", &[("connection", "close")], "oops");
        wire.close();
    });
    for path in ["/500", "/hangs"] {
        let edge = Edge::settled(&canary(&blue, &green, json!({ "rescue": { "deadline_ms": 500 } })));
        edge.status();
        let mut clients: Vec<_> = (0..VISITORS).map(|_| edge.connect()).collect();
        for client in &clients {
            client.request("GET", path, &[], b"");
        }
        for client in &mut clients {
            let answer = client.answer("GET");
            assert_eq!((answer.status, answer.variant()), (200, "blue"), "{path}");
        }
        let tally = edge.tally("green");
        assert!(tally["requests"].as_u64().unwrap() > ALWAYS, "{tally}");
        assert_eq!(tally["failures"], tally["requests"], "{tally}");
        assert_eq!(tally["rescued"], tally["requests"], "{tally}");
    }
}

/// Home is written, and names the canary no more, while a visitor waits for its answer.
#[test]
fn what_is_under_way_to_a_canary_that_is_gone_from_the_table_is_rescued_too() {
    let (blue, gone) = (Origin::saying("fine"), Arc::new(AtomicBool::new(false)));
    let its = Arc::clone(&gone);
    let green = Origin::new(move |_, wire| {
        while !its.load(Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        wire.answer("500 Internal Server Error", &[("connection", "close")], "oops");
        wire.close();
    });
    let edge = Edge::routing(&canary(&blue, &green, json!({})));
    let mut visitor = edge.connect();
    visitor.request("GET", "/", &[], b"");
    while green.received().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    edge.put(&only(2, &blue));
    edge.until_revision(2);
    gone.store(true, Ordering::Relaxed);
    let answer = visitor.answer("GET");
    assert_eq!((answer.status, answer.text().as_str(), answer.crossfade()), (200, "fine", RESCUED));
}

#[test]
fn what_may_have_changed_something_is_asked_once_and_its_failure_stands() {
    let (blue, green) = (Origin::saying("fine"), failing());
    let edge = Edge::settled(&canary(&blue, &green, all()));
    let mut requests = 0;
    for (method, body) in [
        ("POST", &b"order"[..]),
        ("POST", b""),
        ("PUT", b"x"),
        ("PATCH", b"x"),
        ("DELETE", b""),
        ("OPTIONS", b""),
        ("PROPFIND", b""),
        ("GET", b"a body"),
    ] {
        for (path, status) in [("/500", 500), ("/closes", 502), ("/speaks-something-else", 502)] {
            let answer = edge.ask(method, path, &[], body);
            assert_eq!((answer.status, answer.crossfade()), (status, FAILED), "{method} {path}");
            assert_eq!((green.only().body.as_slice(), green.only().method.as_str()), (body, method));
            green.forget();
            requests += 1;
        }
    }
    assert!(blue.received().is_empty());
    let tally = edge.tally("green");
    assert_eq!((&tally["requests"], &tally["failures"]), (&json!(requests), &json!(requests)), "{tally}");
    assert_eq!(tally["rescued"], 0);
}

#[test]
fn once_the_body_has_begun_there_is_no_way_back() {
    let blue = Origin::saying("fine");
    let green = Origin::new(|_, wire| {
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart");
        wire.close();
    });
    let edge = Edge::settled(&canary(&blue, &green, all()));
    let mut client = edge.connect();
    client.request("GET", "/", &[], b"");
    let (status, head) = client.head();
    let mut body = Vec::new();
    let broken = client.body(&head, |bytes| body.extend_from_slice(bytes));
    assert_eq!((status, head.header("crossfade"), body.as_slice()), (200, Some(FAILED), &b"part"[..]));
    assert!(broken.is_err());
    green.only();
    assert!(blue.received().is_empty(), "nobody was asked a second time");
}

/// The deadline is for the beginning of an answer, not for its end.
#[test]
fn an_answer_that_has_begun_may_take_longer_than_the_deadline() {
    let blue = Origin::saying("fine");
    let green = Origin::new(|_, wire| {
        wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        let begun = now();
        while now().since(begun).as_millis() < 600 {
            wire.send("9\r\ndata: 1\n\n\r\n");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        wire.send("0\r\n\r\n");
    });
    let edge = Edge::settled(&canary(&blue, &green, all()));
    let answer = edge.get("/", &[]);
    assert_eq!((answer.status, answer.crossfade()), (200, FAILED));
    assert!(answer.text().ends_with("data: 1\n\n"), "to its end");
    assert_eq!(edge.tally("green")["failures"], 0);
}

#[test]
fn errors_that_are_the_visitors_own_are_no_failures() {
    let blue = Origin::saying("fine");
    let green =
        Origin::new(|received, wire| wire.answer(&format!("{} Word", &received.target[1..]), &[], ""));
    let edge = Edge::settled(&canary(&blue, &green, all()));
    for status in [200, 204, 302, 304, 400, 401, 403, 404, 409, 418, 429, 451, 499] {
        let answer = edge.get(&format!("/{status}"), &[]);
        assert_eq!((answer.status, answer.crossfade()), (status, FAILED));
    }
    let tally = edge.tally("green");
    assert_eq!((&tally["requests"], &tally["failures"]), (&json!(13), &json!(0)));
    assert!(blue.received().is_empty());
}

#[test]
fn when_stable_fails_too_its_answer_stands() {
    let blue = Origin::new(|_, wire| wire.answer("503 Service Unavailable", &[], "blue is down too"));
    let green = failing();
    let edge = Edge::settled(&canary(&blue, &green, all()));
    let answer = edge.get("/500", &[]);
    assert_eq!((answer.status, answer.text().as_str()), (503, "blue is down too"));
    assert_eq!(answer.crossfade(), RESCUED);
    drop(blue);
    let nobody = Nobody::new();
    let mut routing = canary(&green, &green, all());
    routing["variants"][0]["origin"] = json!(nobody.url());
    let answer = Edge::settled(&routing).get("/500", &[]);
    assert_eq!((answer.status, answer.variant()), (502, "blue"));
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_budget_bounds_what_stable_has_to_bear() {
    let (blue, green) = (Origin::saying("fine"), failing());
    for (basis_points, requests, rescued) in
        [(0, 15, 0), (1, 40, ALWAYS), (2_000, 60, 12), (5_000, 60, 30), (10_000, 60, 60)]
    {
        let policy = json!({ "rescue": { "budget": basis_points }, "breaker": { "failures": 0 } });
        let mut edge = Edge::settled(&canary(&blue, &green, policy));
        loop {
            let window = || now().as_millis() / WINDOW_MILLIS;
            let (begun, mut client) = (window(), edge.connect());
            let saved = (0..requests).filter(|_| client.get("/500", &[]).status == 200).count() as u64;
            let tally = edge.tally("green");
            // The counts begin anew with each window: one that ended on the way says nothing.
            if window() == begun {
                assert_eq!(saved, rescued, "{basis_points} of 10000");
                assert_eq!(
                    (&tally["failures"], &tally["rescued"]),
                    (&json!(requests), &json!(rescued)),
                    "{tally}"
                );
                break;
            }
            edge.sandbox.restart_router().unwrap();
        }
    }
    assert!(blue.received().iter().all(|received| received.target == "/500"));
}
