//! What would lead away from the public host, or betray a preview host, is put right on the way.

use crossfade_tests::origin::Origin;
use serde_json::json;

use crate::edge::{Edge, only, table};

/// An origin whose answers have these header lines.
fn with_headers(lines: &'static str) -> Origin {
    Origin::new(move |_, wire| wire.send(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n")))
}

#[test]
fn the_origins_own_domain_is_dropped_from_its_cookies_and_nothing_else_of_them() {
    let origin = with_headers(
        "set-cookie: a=1; Domain=127.0.0.1; Path=/\r\n\
         set-cookie: b=2; Expires=Sat, 31 Jan 2026 12:00:00 GMT\r\n\
         set-cookie: c=3; domain=.127.0.0.1; Secure\r\n\
         set-cookie: d=4; Domain=example.com; HttpOnly\r\n\
         set-cookie: e=5;Path=/;DOMAIN = 127.0.0.1\r\n\
         set-cookie: a=6; Expires=Sat, 31 Jan 2026 12:00:00 GMT; Domain=127.0.0.1; SameSite=Lax\r\n",
    );
    let expected = [
        "a=1; Path=/",
        "b=2; Expires=Sat, 31 Jan 2026 12:00:00 GMT",
        "c=3; Secure",
        "d=4; Domain=example.com; HttpOnly",
        "e=5;Path=/",
        "a=6; Expires=Sat, 31 Jan 2026 12:00:00 GMT; SameSite=Lax",
    ];
    // With a split the visitor's own cookie comes last.
    for (weight, more) in [(0, 0), (5000, 1), (10_000, 0)] {
        let edge = Edge::settled(&table(1, &origin, &origin, weight));
        for method in ["GET", "HEAD", "POST"] {
            let answer = edge.ask(method, "/", &[("host", "www.example.com")], b"");
            let cookies = answer.all("set-cookie");
            assert_eq!(cookies[..expected.len()], expected, "{weight} {method}");
            assert_eq!(cookies.len(), expected.len() + more);
            assert!(cookies[expected.len()..].iter().all(|cookie| cookie.starts_with("crossfade=")));
        }
    }
    let spaced = with_headers("set-cookie: f=1; domain =127.0.0.1\r\n");
    let edge = Edge::with(|options| options.default_origin = Some(spaced.url()));
    assert_eq!(
        edge.get("/", &[("host", "www.example.com")]).all("set-cookie"),
        ["f=1"],
        "without a table too"
    );
}

#[test]
fn a_cookie_for_the_public_host_and_its_neighbours_keeps_its_domain() {
    let origin = with_headers("set-cookie: sso=1; Domain=localhost\r\nset-cookie: b=2\r\n");
    let mut routing = only(1, &origin);
    routing["variants"][0]["origin"] = json!(origin.url().replace("127.0.0.1", "localhost"));
    let edge = Edge::settled(&routing);
    for (host, first) in [
        ("www.localhost:8080", "sso=1; Domain=localhost"),
        ("localhost", "sso=1; Domain=localhost"),
        ("www.example.com", "sso=1"),
        ("mylocalhost", "sso=1"),
    ] {
        assert_eq!(edge.get("/", &[("host", host)]).all("set-cookie"), [first, "b=2"], "{host}");
    }
}

#[test]
fn a_preview_hosts_noindex_is_taken_away_in_production_only_and_only_when_it_is_all() {
    const CASES: [(&str, Option<&str>); 8] = [
        ("x-robots-tag: noindex\r\n", None),
        ("X-Robots-Tag: noindex\r\n", None),
        ("x-robots-tag: noindex, nofollow\r\n", Some("noindex, nofollow")),
        ("x-robots-tag: noindex\r\nx-robots-tag: nofollow\r\n", Some("noindex, nofollow")),
        ("x-robots-tag: googlebot: noindex\r\n", Some("googlebot: noindex")),
        ("x-robots-tag: nofollow\r\n", Some("nofollow")),
        ("x-robots-tag: all\r\n", Some("all")),
        ("", None),
    ];
    let origin = Origin::new(|received, wire| {
        let (lines, _) = CASES[received.target[1..].parse::<usize>().unwrap()];
        wire.send(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n"));
    });
    for environment in ["production", "staging"] {
        for weight in [0, 10_000] {
            let mut routing = table(1, &origin, &origin, weight);
            routing["environment"] = json!(environment);
            let edge = Edge::with(|options| options.environment = environment.into());
            edge.sandbox.put_kv(&format!("routing:{environment}"), routing.to_string().as_bytes());
            for (number, (lines, kept)) in CASES.into_iter().enumerate() {
                let answer = edge.get(&format!("/{number}"), &[]);
                let alone = lines.to_lowercase() == "x-robots-tag: noindex\r\n";
                let expected =
                    if environment == "staging" && alone { "noindex" } else { kept.unwrap_or_default() };
                assert_eq!(
                    answer.all("x-robots-tag").join(", "),
                    expected,
                    "{environment} {lines:?} {weight}"
                );
                assert_eq!(answer.revision(), 1);
            }
        }
    }
}

#[test]
fn the_origin_learns_the_clients_address_from_the_network_alone() {
    let origin = Origin::saying("hello");
    for weight in [0, 10_000] {
        let edge = Edge::settled(&table(1, &origin, &origin, weight));
        for (given, expected) in [
            (&[("cf-connecting-ip", "203.0.113.9")][..], Some("203.0.113.9")),
            (
                &[("cf-connecting-ip", "2001:db8::1"), ("x-forwarded-for", "10.0.0.1, 10.0.0.2")],
                Some("2001:db8::1"),
            ),
            (&[("x-forwarded-for", "10.0.0.1")], Some("10.0.0.1")),
            (&[], None),
        ] {
            edge.ask("POST", "/", given, b"x");
            edge.get("/", given);
            for received in origin.received() {
                assert_eq!(received.header("x-forwarded-for"), expected, "{given:?}");
                let several =
                    received.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
                assert!(several.count() <= 1);
            }
            origin.forget();
        }
    }
}
