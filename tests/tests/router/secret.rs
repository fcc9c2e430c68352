//! The override: who holds the secret reaches any variant, by header or by cookie, and nobody else learns of it.

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::{Origin, Received};
use serde_json::json;

use crate::client::Answer;
use crate::edge::{Edge, cookie, table};

/// A router whose `green` has no weight.
fn edge() -> (Edge, Origin, Origin) {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    (Edge::settled(&table(1, &blue, &green, 0)), blue, green)
}

fn by_cookie(variant: &str, token: &str) -> String {
    format!("a=1; crossfade-override={variant}:{token}; b=2")
}

/// What holds for every answer to somebody who asked for a variant.
#[track_caller]
fn is_private(answer: &Answer, variant: &str) {
    assert_eq!(answer.variant(), variant, "{answer:?}");
    assert_eq!(answer.all("cache-control"), ["private, no-store"], "{answer:?}");
    for name in ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control", "set-cookie"] {
        assert_eq!(answer.header(name), None);
    }
}

/// What no origin may ever see.
#[track_caller]
fn knows_no_secret(received: &Received) {
    for (name, value) in &received.headers {
        let name = name.to_lowercase();
        assert!(name != "crossfade-token" && name != "crossfade-variant", "{received:#?}");
        assert!(!value.contains("crossfade-override") && !value.contains(CONTROL_TOKEN), "{received:#?}");
    }
}

#[test]
fn the_right_token_reaches_any_variant_and_nobody_else_may_keep_the_answer() {
    let answer_of = |name: &'static str| {
        Origin::new(move |_, wire| {
            let headers =
                ["cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];
            wire.answer("200 OK", &headers.map(|header| (header, "public, max-age=600")), name);
        })
    };
    let (blue, green) = (answer_of("blue"), answer_of("green"));
    // A split, in which others get a cookie.
    for weight in [0, 5000, 10_000] {
        let edge = Edge::settled(&table(1, &blue, &green, weight));
        for variant in ["blue", "green"] {
            let by_header = [("crossfade-variant", variant), ("crossfade-token", CONTROL_TOKEN)];
            let by_cookie = [("cookie", &*by_cookie(variant, CONTROL_TOKEN))];
            for headers in [&by_header[..], &by_cookie[..]] {
                for method in ["GET", "HEAD", "POST"] {
                    is_private(&edge.ask(method, "/", headers, b""), variant);
                }
            }
            // The header speaks louder.
            let other = if variant == "blue" { "green" } else { "blue" };
            let cookie = self::by_cookie(other, CONTROL_TOKEN);
            is_private(&edge.get("/", &[&by_header[..], &[("cookie", &cookie)]].concat()), variant);
        }
        let visitor = edge.get("/", &[]);
        for name in ["cache-control", "cdn-cache-control"] {
            assert_eq!(visitor.all(name), ["public, max-age=600"], "visitors' answers stay cacheable");
        }
    }
    blue.received().iter().chain(&green.received()).for_each(knows_no_secret);
}

#[test]
fn any_other_token_is_as_good_as_none() {
    let (edge, blue, green) = edge();
    let (long, cut) = ("x".repeat(6000), &CONTROL_TOKEN[1..]);
    let longer = format!("{CONTROL_TOKEN}x");
    let upper = CONTROL_TOKEN.to_uppercase();
    for token in
        ["", "wrong", cut, &longer, &upper, &long, "caf\u{e9}", "\u{80}\u{ff}", "undefined", "null", "%00"]
    {
        for headers in [
            vec![("crossfade-variant", "green"), ("crossfade-token", token)],
            vec![("cookie", &*by_cookie("green", token))],
            vec![("crossfade-variant", "nobody"), ("crossfade-token", token)],
        ] {
            let answer = edge.get("/", &headers);
            assert_eq!((answer.status, answer.variant()), (200, "blue"), "{headers:?}");
            assert_eq!(answer.header("cache-control"), None, "{headers:?}");
        }
    }
    for headers in [
        vec![("crossfade-variant", "green")],
        vec![("crossfade-variant", "green"), ("authorization", &*format!("Bearer {CONTROL_TOKEN}"))],
        vec![("cookie", "crossfade-override=green")],
        vec![("cookie", "crossfade-override=")],
        vec![("cookie", &*format!("crossfade-override={CONTROL_TOKEN}"))],
        vec![("cookie", &*format!("Crossfade-Override=green:{CONTROL_TOKEN}"))],
        vec![("cookie", &*format!("x-crossfade-override=green:{CONTROL_TOKEN}"))],
        // A wrong header does not leave the word to the cookie.
        vec![("crossfade-token", "wrong"), ("cookie", &*by_cookie("green", CONTROL_TOKEN))],
    ] {
        assert_eq!(edge.get("/", &headers).variant(), "blue", "{headers:?}");
    }
    assert!(green.received().is_empty());
    let wrong_too = blue.received().into_iter().filter(|received| {
        received.header("authorization").is_none()
            && !received.header("cookie").unwrap_or_default().contains(CONTROL_TOKEN)
    });
    wrong_too.for_each(|received| knows_no_secret(&received));
}

#[test]
fn a_router_without_a_secret_knows_no_override() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    for token in [None, Some(String::new())] {
        let edge = Edge::with(|options| options.control_token = token);
        edge.put(&table(1, &blue, &green, 0));
        for given in ["", "undefined", "null", CONTROL_TOKEN] {
            let headers = [("crossfade-variant", "green"), ("crossfade-token", given)];
            assert_eq!(edge.get("/", &headers).variant(), "blue", "{given}");
            assert_eq!(edge.get("/", &[("cookie", &by_cookie("green", given))]).variant(), "blue", "{given}");
        }
    }
}

#[test]
fn a_variant_that_does_not_exist_is_a_404_that_lists_those_that_do() {
    let (edge, blue, green) = edge();
    for name in ["red", "", "Green", "green ", "blue,green", "caf\u{e9}"] {
        let by_header = [("crossfade-variant", name), ("crossfade-token", CONTROL_TOKEN)];
        let cookie = by_cookie(name, CONTROL_TOKEN);
        for headers in [&by_header[..], &[("cookie", &cookie)]] {
            if name == "green " {
                continue; // Blanks around a header's value are none of it, RFC 9110, section 5.5.
            }
            let answer = edge.get("/", headers);
            assert_eq!(answer.status, 404, "`{name}`");
            assert!(answer.text().contains("there are blue, green"), "{}", answer.text());
            assert_eq!(answer.all("cache-control"), ["no-store"]);
            assert!(!answer.text().contains(CONTROL_TOKEN));
        }
    }
    assert!(blue.received().is_empty() && green.received().is_empty());
}

/// On every way that a request can take: on its own, from another version, to the default origin.
#[test]
fn no_origin_learns_the_secret_and_other_cookies_stay() {
    let gone = |name: &'static str| Origin::new(move |_, wire| wire.answer("404 Not Found", &[], name));
    let (blue, green, default) = (gone("blue"), gone("green"), gone("default"));
    for weight in [0, 5000] {
        let edge = Edge::with(|options| options.default_origin = Some(default.url()));
        let token = [("crossfade-variant", "green"), ("crossfade-token", CONTROL_TOKEN)];
        for table_is_there in [false, true] {
            if table_is_there {
                edge.put(&table(1, &blue, &green, weight));
                edge.until_revision(1);
            }
            for (cookies, rest) in [
                (by_cookie("green", CONTROL_TOKEN), Some("a=1; b=2")),
                (by_cookie("green", "wrong"), Some("a=1; b=2")),
                (format!("{}; {}", cookie(7), by_cookie("green", "")), Some("a=1; b=2")),
                (format!("crossfade-override=green:{CONTROL_TOKEN}"), None),
                (format!("crossfade-override=x; crossfade-override=green:{CONTROL_TOKEN}; c=3"), Some("c=3")),
            ] {
                for target in ["/", "/app-8f3a2c1d.js"] {
                    edge.get(target, &[&token[..], &[("cookie", &cookies)]].concat());
                    edge.get(target, &[("cookie", &cookies)]);
                }
                let received: Vec<Received> =
                    [&blue, &green, &default].into_iter().flat_map(Origin::received).collect();
                assert!(!received.is_empty());
                for received in received {
                    knows_no_secret(&received);
                    let cookies =
                        received.header("cookie").map(|cookies| cookies.replace(&(cookie(7) + "; "), ""));
                    assert_eq!(cookies.as_deref(), rest, "{received:#?}");
                }
                [&blue, &green, &default].into_iter().for_each(Origin::forget);
            }
        }
    }
}

#[test]
fn what_the_holder_of_the_secret_meets_is_not_rescued_and_no_visitors_measure() {
    let blue = Origin::saying("blue");
    let green = Origin::new(|_, wire| wire.answer("500 Internal Server Error", &[], "green fails"));
    let edge = Edge::settled(&table(1, &blue, &green, 0));
    let headers = [("crossfade-variant", "green"), ("crossfade-token", CONTROL_TOKEN)];
    for _ in 0..12 {
        let answer = edge.get("/", &headers);
        assert_eq!((answer.status, answer.text().as_str()), (500, "green fails"));
        is_private(&answer, "green");
    }
    assert_eq!(green.received().len(), 12, "no breaker keeps them from it");
    let tally = edge.tally("green");
    assert_eq!((&tally["requests"], &tally["failures"]), (&json!(0), &json!(0)), "{tally}");
    assert!(blue.received().is_empty());
}

#[test]
fn a_second_line_of_cookies_does_not_take_the_secret_to_an_origin() {
    let (edge, blue, _green) = edge();
    let by_cookie = by_cookie("green", CONTROL_TOKEN);
    edge.get("/", &[("cookie", "x=1"), ("cookie", &by_cookie.replacen("a=1; ", "", 1))]);
    let received = blue.only();
    knows_no_secret(&received);
    assert_eq!(received.header("cookie"), Some("x=1; b=2"));
}

#[test]
fn the_override_beats_the_rules_and_the_lease_beats_the_override() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(1, &blue, &green, 0);
    routing["rules"] = json!([{ "to": "blue" }]);
    let headers = [("crossfade-variant", "green"), ("crossfade-token", CONTROL_TOKEN)];
    is_private(&Edge::settled(&routing).get("/", &headers), "green");

    routing["lease"] = json!({ "expires_at": "2026-01-31T12:05:00Z" });
    let edge = Edge::settled(&routing);
    green.forget();
    let unknown = [("crossfade-variant", "red"), ("crossfade-token", CONTROL_TOKEN)];
    for headers in [&headers[..], &unknown, &[("cookie", &by_cookie("green", CONTROL_TOKEN))]] {
        let answer = edge.get("/", headers);
        assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=1, lapsed"#);
    }
    assert!(green.received().is_empty());
    blue.received().iter().for_each(knows_no_secret);
}
