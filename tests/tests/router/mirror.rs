//! The mirror: a share of stable's GET requests is repeated elsewhere, and nobody notices.

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::{Origin, Received};
use serde_json::{Value, json};

use crate::edge::{Edge, Nobody, table};

/// A table with everybody on `blue`, this share of whose requests is repeated on `green`.
fn mirrored(blue: &Origin, green: &Origin, weight: u16) -> Value {
    let mut routing = table(1, blue, green, 0);
    routing["mirror"] = json!({ "to": "green", "weight": weight });
    routing
}

/// The copies so far, once the one of a request that comes after all others is there.
#[track_caller]
fn copies(edge: &Edge, green: &Origin) -> Vec<Received> {
    assert_eq!(edge.get("/the-last", &[]).status, 200);
    // A log has a request from its head on.
    green.until(|all| all.iter().any(|it| it.target == "/the-last") && all.iter().all(|it| it.complete));
    green.received().into_iter().filter(|received| received.target != "/the-last").collect()
}

#[test]
fn a_copy_asks_the_same_and_does_not_say_for_whom() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let edge = Edge::settled(&mirrored(&blue, &green, 10_000));
    let headers = [
        ("accept-language", "de"),
        ("user-agent", "Browser/1"),
        ("cookie", "session=1"),
        ("authorization", "Bearer visitor"),
        ("proxy-authorization", "Basic eDp5"),
        ("crossfade-token", CONTROL_TOKEN),
        ("crossfade-variant", "blue"),
        ("crossfade-mirror", "0"),
        ("cf-connecting-ip", "203.0.113.9"),
    ];
    let answer = edge.get("/a%2Fb//c?q=%20&r", &headers);
    assert_eq!((answer.status, answer.text().as_str(), answer.variant()), (200, "blue", "blue"));
    let copies = copies(&edge, &green);
    let [copy] = copies.as_slice() else { panic!("one copy was expected: {copies:#?}") };
    assert_eq!((copy.method.as_str(), copy.target.as_str()), ("GET", "/a%2Fb//c?q=%20&r"));
    assert_eq!((copy.header("accept-language"), copy.header("user-agent")), (Some("de"), Some("Browser/1")));
    assert_eq!(copy.header("crossfade-mirror"), Some("1"));
    for private in [
        "cookie",
        "authorization",
        "proxy-authorization",
        "x-forwarded-for",
        "crossfade-token",
        "crossfade-variant",
    ] {
        assert_eq!(copy.header(private), None, "{private}: {copy:#?}");
    }
    let original = &blue.received()[0];
    assert_eq!(
        (original.header("cookie"), original.header("authorization")),
        (Some("session=1"), Some("Bearer visitor"))
    );
    assert_eq!(original.header("host"), Some(blue.host().as_str()));
    assert_eq!(copy.header("host"), Some(green.host().as_str()));
    for public in ["x-forwarded-host", "x-forwarded-proto"] {
        assert_eq!(copy.header(public), original.header(public), "the copy knows the public address too");
    }
}

#[test]
fn only_get_is_repeated_and_never_its_body_or_a_socket() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let edge = Edge::settled(&mirrored(&blue, &green, 10_000));
    for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        assert_eq!(edge.ask(method, "/x", &[], b"").status, 200, "{method}");
    }
    edge.get(
        "/socket",
        &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    );
    edge.ask("GET", "/with-body", &[], b"a body");
    let copies = copies(&edge, &green);
    let seen: Vec<_> = copies.iter().map(|copy| (copy.method.as_str(), copy.target.as_str())).collect();
    assert!(seen.iter().all(|copy| *copy == ("GET", "/with-body")), "{seen:?}");
    assert!(copies.iter().all(|copy| copy.body.is_empty() && copy.complete), "{copies:#?}");
}

#[test]
fn only_the_share_is_repeated() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let edge = Edge::settled(&mirrored(&blue, &green, 2_500));
    let mut client = edge.connect();
    for number in 0..400 {
        client.get(&format!("/{number}"), &[]);
    }
    // The 401st and those after it, until one of them was repeated: then all copies before it are there too.
    while !green.received().iter().any(|received| received.target.starts_with("/after")) {
        client.get("/after", &[]);
    }
    let copies = green.received().iter().filter(|received| received.target != "/after").count();
    // 100 are expected with a standard deviation of 8.7; once in a billion runs it is more than six of those away.
    assert!((48..=152).contains(&copies), "{copies} of 400");
}

#[test]
fn what_the_mirror_comes_to_is_nobodys_business() {
    let (blue, nobody) = (Origin::saying("blue"), Nobody::new());
    let green = Origin::new(|received, wire| match received.target.as_str() {
        "/hangs" => wire.wait_for_the_end(),
        "/breaks" => wire.close(),
        "/huge" => {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1_u64 << 40));
            wire.fill(usize::MAX);
            wire.close();
        }
        _ => wire.answer("500 Internal Server Error", &[("set-cookie", "mirror=1")], "oops"),
    });
    let mut routing = mirrored(&blue, &green, 10_000);
    let edge = Edge::settled(&routing);
    let mut client = edge.connect();
    for round in 1..=3 {
        for path in ["/hangs", "/breaks", "/huge", "/500"] {
            // The visitor's own connection goes on while all these copies are under way.
            let answer = client.get(path, &[]);
            assert_eq!(
                (answer.status, answer.text().as_str(), answer.header("set-cookie")),
                (200, "blue", None)
            );
            assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=1"#);
            green.until(|all| all.iter().filter(|received| received.target == path).count() == round);
        }
    }
    let tally = edge.tally("green");
    assert_eq!((&tally["requests"], &tally["failures"]), (&json!(0), &json!(0)), "copies count for nothing");
    routing["variants"][1]["origin"] = json!(nobody.url());
    let edge = Edge::settled(&routing);
    for _ in 0..5 {
        assert_eq!(edge.get("/", &[]).text(), "blue");
    }
}

#[test]
fn the_canarys_own_visitors_are_not_repeated_and_nobody_is_once_the_lease_has_run_out() {
    let (blue, green, third) = (Origin::saying("blue"), Origin::saying("green"), Origin::saying("third"));
    let mut routing = mirrored(&blue, &green, 10_000);
    let more = json!({ "name": "third", "origin": third.url(), "version": "2", "weight": 0 });
    routing["variants"].as_array_mut().unwrap().push(more);
    routing["mirror"]["to"] = json!("third");
    routing["rules"] = json!([{ "to": "green", "path": { "exact": "/canary" } }]);
    let edge = Edge::settled(&routing);
    assert_eq!(edge.get("/canary", &[]).text(), "green");
    assert!(copies(&edge, &third).is_empty());

    third.forget();
    routing["lease"] = json!({ "expires_at": "2026-01-31T12:05:00Z" });
    let edge = Edge::settled(&routing);
    for _ in 0..5 {
        assert_eq!(edge.get("/", &[]).text(), "blue");
    }
    // A copy would be on its way by now: the canary is asked by the same runtime, afterwards.
    let headers = [("crossfade-variant", "third"), ("crossfade-token", CONTROL_TOKEN)];
    edge.get("/", &headers);
    assert!(third.received().is_empty(), "{:#?}", third.received());
}
