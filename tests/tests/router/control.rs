//! `/__crossfade/status`: for those who hold the secret, from the router itself, never from a cache.

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::edge::{Edge, table};

const STATUS: &str = "/__crossfade/status";

fn bearer() -> String {
    format!("Bearer {CONTROL_TOKEN}")
}

/// What holds for every answer of the router's own.
#[track_caller]
fn never_cached(answer: &Answer) {
    assert_eq!(answer.all("cache-control"), ["no-store"], "{answer:?}");
    assert_eq!(answer.header("crossfade"), None, "no variant had a part in it");
    assert_eq!(answer.header("set-cookie"), None);
}

#[test]
fn status_tells_the_table_in_use_and_what_became_of_it() {
    let origin = Origin::saying("hello");
    let mut routing = table(42, &origin, &origin, 500);
    routing["lease"] = json!({ "expires_at": "2999-01-31T12:05:00Z" });
    routing["previous"] = json!([{ "origin": origin.url(), "version": "1.4.1" }]);
    let edge = Edge::with(|options| {
        options.refresh_seconds = 3600;
        options.default_origin = Some("https://booking.pages.dev".into());
    });
    edge.put(&routing);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = edge.get(STATUS, &[("authorization", &format!("{scheme} {CONTROL_TOKEN}"))]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        never_cached(&answer);
        let mut status = answer.json();
        for time in ["now", "checked_at"] {
            let text = status[time].take();
            assert!(crossfade_core::Timestamp::parse(text.as_str().unwrap()).is_some(), "{time}: {text}");
        }
        let unasked = ["blue", "green"].map(|name| {
            let breaker = json!({ "state": "closed", "failures_in_a_row": 0 });
            json!({ "variant": name, "requests": 0, "failures": 0, "rescued": 0, "breaker": breaker })
        });
        let expected = json!({
            "environment": "production", "revision": 42, "release": "rel-42", "table": routing,
            "lease_expires_at": "2999-01-31T12:05:00Z", "lapsed": false, "trouble": null, "colo": null,
            "refresh_seconds": 3600, "default_origin": "https://booking.pages.dev", "now": null, "checked_at": null,
            "isolate": unasked,
        });
        assert_eq!(status, expected);
    }
    let head = edge.ask("HEAD", STATUS, &[("authorization", &bearer())], b"");
    assert_eq!(head.status, 200);
    never_cached(&head);
    assert!(origin.received().is_empty());
}

#[test]
fn without_the_secret_there_is_only_401() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 500));
    let wrong = [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer wrong".into(),
        format!("Bearer {}", &CONTROL_TOKEN[1..]),
        format!("Bearer {}", &CONTROL_TOKEN[..CONTROL_TOKEN.len() - 1]),
        format!("Bearer {CONTROL_TOKEN}x"),
        format!("Bearer {}", CONTROL_TOKEN.to_uppercase()),
        format!("Bearer {CONTROL_TOKEN} {CONTROL_TOKEN}"),
        format!("Bearer {CONTROL_TOKEN}, Bearer x"),
        format!("Bearer {CONTROL_TOKEN}{}", "x".repeat(8000)),
        format!("Bearer {}", CONTROL_TOKEN.repeat(300)),
        format!("Bearer {CONTROL_TOKEN}\u{e9}"),
        format!("Bearer \u{a0}{CONTROL_TOKEN}"),
        "Bearer \u{c3}\u{bc}\u{ff}\u{80}".into(),
        format!("Basic {CONTROL_TOKEN}"),
        format!("Bearer{CONTROL_TOKEN}"),
        CONTROL_TOKEN.to_owned(),
    ];
    let headers = wrong.iter().map(|value| vec![("authorization", value.as_str())]);
    let elsewhere = [vec![("crossfade-token", CONTROL_TOKEN)], vec![("cookie", CONTROL_TOKEN)], vec![]];
    for headers in headers.chain(elsewhere) {
        for (method, path) in [("GET", STATUS), ("HEAD", STATUS), ("POST", STATUS), ("GET", "/__crossfade/x")]
        {
            let answer = edge.ask(method, path, &headers, b"");
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.text().contains("rel-1"), "{}", answer.text());
            never_cached(&answer);
        }
    }
    assert_eq!(edge.get(&format!("{STATUS}?token={CONTROL_TOKEN}"), &[]).status, 401);
    assert!(origin.received().is_empty());
}

#[test]
fn a_router_without_a_secret_keeps_its_endpoints_shut() {
    for token in [None, Some(String::new())] {
        let edge = Edge::with(|options| options.control_token = token.clone());
        for given in ["", "Bearer", "Bearer ", "Bearer  ", "Bearer undefined", "Bearer null", &bearer()] {
            let answer = edge.get(STATUS, &[("authorization", given)]);
            assert_eq!(answer.status, 401, "secret {token:?}, given `{given}`");
        }
        assert_eq!(edge.get(STATUS, &[]).status, 401);
    }
}

#[test]
fn other_paths_and_methods_are_refused_and_never_sent_on() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 500));
    let ask = |method: &str, path: &str| {
        let answer = edge.ask(method, path, &[("authorization", &bearer())], b"");
        never_cached(&answer);
        answer
    };
    for path in [
        "/__crossfade",
        "/__crossfade/",
        "/__crossfade/status/",
        "/__crossfade/Status",
        "/__crossfade/x/status",
    ] {
        for method in ["GET", "POST", "HEAD"] {
            assert_eq!(ask(method, path).status, 404, "{method} {path}");
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = ask(method, STATUS);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(ask("GET", &format!("{STATUS}?x=1")).status, 200, "a query changes nothing");
    assert!(origin.received().is_empty());
}

#[test]
fn status_answers_without_any_table() {
    let edge = Edge::new();
    let status = edge.status();
    assert_eq!(
        (&status["revision"], &status["table"], &status["lapsed"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    assert_eq!(status["trouble"], "KV has no `routing:production`");
}
