//! What recognises a visitor, as the table says: a cookie and its attributes, a header, or the address alone.

use std::collections::BTreeSet;

use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use crate::edge::{Edge, cookie, table};

/// A router that splits visitors evenly and recognises them by `affinity`.
fn split(affinity: Value) -> (Edge, Origin, Origin) {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(1, &blue, &green, 5000);
    routing["affinity"] = affinity;
    (Edge::settled(&routing), blue, green)
}

/// The variants of these visitors, each of them asked for with whatever else may change between two requests.
#[track_caller]
fn variants(edge: &Edge, visitors: &[Vec<(&str, &str)>], changes: &[(&str, &str)]) -> BTreeSet<String> {
    let mut client = edge.connect();
    let mut seen = BTreeSet::new();
    for visitor in visitors {
        let first = client.get("/", visitor);
        for change in changes {
            let again = client.get("/other?path", &[&visitor[..], &[*change]].concat());
            assert_eq!(again.variant(), first.variant(), "{visitor:?} with {change:?}");
        }
        seen.insert(first.variant().to_owned());
    }
    seen
}

fn both() -> BTreeSet<String> {
    ["blue".to_owned(), "green".to_owned()].into()
}

#[test]
fn the_cookie_has_the_attributes_that_the_table_says() {
    for (more, proto, expected) in [
        (json!({}), "https", "__Host-crossfade HttpOnly; SameSite=Lax; Secure; Path=/"),
        (json!({ "same_site": "lax", "path": "/" }), "http", "crossfade HttpOnly; SameSite=Lax; Path=/"),
        (
            json!({ "same_site": "strict" }),
            "https",
            "__Host-crossfade HttpOnly; SameSite=Strict; Secure; Path=/",
        ),
        (json!({ "same_site": "none" }), "https", "__Host-crossfade HttpOnly; SameSite=None; Secure; Path=/"),
        // `__Host-` is for the path `/` alone.
        (json!({ "path": "/shop" }), "https", "crossfade HttpOnly; SameSite=Lax; Secure; Path=/shop"),
        (
            json!({ "same_site": "strict", "path": "/a/b" }),
            "http",
            "crossfade HttpOnly; SameSite=Strict; Path=/a/b",
        ),
    ] {
        let mut affinity = json!({ "by": "cookie", "salt": "s" });
        affinity.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (edge, _blue, _green) = split(affinity);
        let answer = edge.get("/", &[("x-forwarded-proto", proto)]);
        let set = answer.all("set-cookie").join(" | ");
        let (name, rest) = set.split_once('=').unwrap();
        let (id, attributes) = rest.split_once("; ").unwrap();
        assert_eq!(format!("{name} {attributes}"), format!("{expected}; Max-Age=31536000"), "{more}");
        let again = format!("{name}={id}");
        let known = edge.get("/", &[("x-forwarded-proto", proto), ("cookie", &again), ("user-agent", "x")]);
        assert_eq!(known.header("set-cookie"), None, "{more}: {again}");
        assert_eq!(known.variant(), answer.variant(), "{more}");
    }
}

#[test]
fn no_cookie_says_which_variant_it_stands_for() {
    let (edge, _blue, _green) = split(json!({ "by": "cookie", "salt": "s" }));
    let mut seen = BTreeSet::new();
    for visitor in 0..16 {
        let answer = edge.get("/", &[("user-agent", &format!("Browser/{visitor}"))]);
        let set = answer.all("set-cookie").join(" ").to_lowercase();
        for name in ["blue", "green", "1.4.2", "1.5.0", "rel-1"] {
            assert!(!set.contains(name), "{set}");
        }
        seen.insert(answer.variant().to_owned());
    }
    assert_eq!(seen, both());
    // Nor does one that does choose it.
    for variant in ["blue", "green"] {
        let named = format!("crossfade={variant}; __Host-crossfade={variant}; crossfade-variant={variant}");
        let plain = edge.get("/", &[("user-agent", "x")]);
        let forged = edge.get("/", &[("user-agent", "x"), ("cookie", &named)]);
        assert_eq!(forged.variant(), plain.variant(), "{named}");
    }
}

#[test]
fn clients_that_keep_no_cookie_stay_with_their_variant_too() {
    let (edge, _blue, _green) = split(json!({ "by": "cookie", "salt": "s" }));
    let agents: Vec<String> = (0..16).map(|number| format!("Bot/{number}")).collect();
    let visitors: Vec<_> = agents.iter().map(|agent| vec![("user-agent", agent.as_str())]).collect();
    let changes = [("accept", "*/*"), ("cookie", "theme=dark"), ("x-request-id", "7")];
    assert_eq!(variants(&edge, &visitors, &changes), both());
}

#[test]
fn a_header_recognises_a_visitor_on_every_device() {
    let (edge, blue, _green) = split(json!({ "by": "header", "header": "x-user", "salt": "s" }));
    let users: Vec<String> = (0..16).map(|number| format!("user-{number}")).collect();
    let visitors: Vec<_> = users.iter().map(|user| vec![("x-user", user.as_str())]).collect();
    let changes = [
        ("user-agent", "another"),
        ("cf-connecting-ip", "203.0.113.7"),
        ("accept-language", "de"),
        ("cookie", &cookie(7)),
    ];
    assert_eq!(variants(&edge, &visitors, &changes), both());
    assert!(blue.received().iter().all(|received| received.header("x-user").is_some()), "it passes on");
    // Without the header the address and browser count, and no cookie is set in either case.
    let agents: Vec<String> = (0..16).map(|number| format!("Browser/{number}")).collect();
    let strangers: Vec<_> = agents.iter().map(|agent| vec![("user-agent", agent.as_str())]).collect();
    assert_eq!(variants(&edge, &strangers, &[("cookie", &cookie(7)), ("x-user", "")]), both());
    assert_eq!(edge.get("/", &[("x-user", "user-1")]).header("set-cookie"), None);
    assert_eq!(edge.get("/", &[]).header("set-cookie"), None);
}

#[test]
fn by_address_no_cookie_is_set_and_none_counts() {
    let (edge, _blue, _green) = split(json!({ "by": "address", "salt": "s" }));
    let addresses: Vec<String> = (0..16).map(|number| format!("203.0.113.{number}")).collect();
    let visitors: Vec<_> =
        addresses.iter().map(|address| vec![("cf-connecting-ip", address.as_str())]).collect();
    let cookies: Vec<String> = (0..4).map(cookie).collect();
    let changes: Vec<_> = cookies.iter().map(|cookie| ("cookie", cookie.as_str())).collect();
    assert_eq!(variants(&edge, &visitors, &changes), both());
    assert_eq!(edge.get("/", &[]).header("set-cookie"), None);
}
