//! Signed tables: with a key at the router, who can write KV alone moves nobody; and with a list of origins, nobody is sent to
//! another one.

use crossfade_tests::origin::Origin;
use crossfade_tests::signed;
use serde_json::{Value, json};

use crate::edge::{Edge, KEY, table};

const SIGNING_KEY: &str = "a key that only the runner and the router have";

/// A router that wants tables signed, and what answers while there is none.
fn edge() -> (Edge, Origin) {
    let default = Origin::saying("default");
    let edge = Edge::with(|options| {
        options.signing_key = Some(SIGNING_KEY.into());
        options.default_origin = Some(default.url());
    });
    (edge, default)
}

/// Refuses a table in a fresh isolate: the default origin answers, and the status says why.
#[track_caller]
fn refuses(edge: &mut Edge, routing: &Value, why: &str) {
    edge.put(routing);
    edge.sandbox.restart_router().unwrap();
    assert_eq!(edge.get("/", &[]).text(), "default", "{why}: {routing}");
    let status = edge.status();
    assert!(status["trouble"].as_str().is_some_and(|trouble| trouble.contains(why)), "{why}: {status:#}");
    assert!(!status.to_string().contains(SIGNING_KEY), "{status}");
}

#[test]
fn a_table_with_a_good_signature_is_followed_however_it_is_written() {
    let (good, new) = (Origin::saying("good"), Origin::saying("new"));
    let (edge, _default) = edge();
    edge.put(&signed(&table(1, &good, &good, 0), SIGNING_KEY));
    assert_eq!(edge.get("/", &[]).text(), "good");
    let mut routing = table(2, &new, &new, 0);
    routing["of-a-newer-runner"] = json!({ "ü": [1, 2.5, null, "\u{1f600}"], "a": {} });
    let pretty = serde_json::to_string_pretty(&signed(&routing, SIGNING_KEY)).unwrap();
    edge.sandbox.put_kv(KEY, pretty.replace('\u{fc}', "\\u00fc").as_bytes());
    edge.until_revision(2);
    assert_eq!(edge.get("/", &[]).text(), "new");
    assert_eq!(edge.status()["trouble"], Value::Null);
}

#[test]
fn the_last_good_table_stays_in_force_and_status_says_why() {
    let (good, evil) = (Origin::saying("good"), Origin::saying("evil"));
    let (edge, _default) = edge();
    edge.put(&signed(&table(1, &good, &good, 0), SIGNING_KEY));
    edge.until_revision(1);
    let plain = table(2, &evil, &evil, 0);
    for (routing, why) in
        [(plain.clone(), "the table is not signed"), (signed(&plain, "another key"), "signature is wrong")]
    {
        edge.put(&routing);
        let status =
            edge.until(why, |status| status["trouble"].as_str().is_some_and(|trouble| trouble.contains(why)));
        assert_eq!(status["revision"], 1);
        let answer = edge.get("/", &[]);
        assert_eq!((answer.text().as_str(), answer.revision()), ("good", 1), "{why}");
    }
    assert!(evil.received().is_empty(), "nobody was sent there");
}

#[test]
fn without_a_good_signature_a_table_is_none() {
    let evil = Origin::saying("evil");
    let (mut edge, _default) = edge();
    let plain = table(2, &evil, &evil, 0);
    let right = signed(&plain, SIGNING_KEY);
    let with = |signature: Value| {
        let mut routing = plain.clone();
        routing["signature"] = signature;
        routing
    };
    let text = right["signature"].as_str().unwrap();
    for (routing, why) in [
        (plain.clone(), "the table is not signed"),
        (with(json!(null)), "the table is not signed"),
        (with(json!(7)), "the table is not signed"),
        (with(json!("")), "the table is not signed"),
        (with(json!(text.replace("hmac-sha256=", ""))), "the table is not signed"),
        (with(json!(format!("{text}0"))), "the table is not signed"),
        (with(json!(text.replace("sha256", "sha1"))), "the table is not signed"),
        (with(json!("hmac-sha256=")), "signature is wrong"),
        (with(json!(&text[..text.len() - 2])), "signature is wrong"),
        (with(json!(format!("hmac-sha256={}", "0".repeat(64)))), "signature is wrong"),
        (signed(&plain, "another key"), "signature is wrong"),
        (signed(&plain, ""), "signature is wrong"),
    ] {
        refuses(&mut edge, &routing, why);
    }
    assert!(evil.received().is_empty(), "nobody was sent there");
}

#[test]
fn nothing_of_a_signed_table_can_be_changed() {
    let (good, evil) = (Origin::saying("good"), Origin::saying("evil"));
    let (mut edge, _default) = edge();
    let mut routing = table(2, &good, &good, 0);
    routing["lease"] = json!({ "expires_at": "2999-01-31T12:05:00Z" });
    routing["note"] = json!("of no importance");
    let right = signed(&routing, SIGNING_KEY);
    for (at, value) in [
        ("/revision", json!(3)),
        ("/release", json!("rel-3")),
        ("/variants/0/origin", json!(evil.url())),
        ("/variants/0/version", json!("6.6.6")),
        ("/stable", json!("green")),
        ("/lease/expires_at", json!("2999-01-31T12:06:00Z")),
        ("/affinity/salt", json!("another")),
        ("/note", json!("of some")),
    ] {
        let mut changed = right.clone();
        *changed.pointer_mut(at).unwrap() = value;
        refuses(&mut edge, &changed, "signature is wrong");
    }
    for (name, value) in [("mirror", json!({ "to": "green", "weight": 1 })), ("x", json!(1))] {
        let mut more = right.clone();
        more[name] = value;
        refuses(&mut edge, &more, "signature is wrong");
    }
    let mut less = right.clone();
    less.as_object_mut().unwrap().remove("lease");
    refuses(&mut edge, &less, "signature is wrong");
    assert!(evil.received().is_empty());
    edge.put(&right);
    edge.until_revision(2);
}

#[test]
fn a_router_without_a_key_takes_any_signature_for_none() {
    let good = Origin::saying("good");
    let edge = Edge::with(|options| options.signing_key = None);
    edge.put(&signed(&table(1, &good, &good, 0), "whatever"));
    assert_eq!(edge.get("/", &[]).text(), "good");
}

#[test]
fn a_guard_that_is_bound_but_empty_lets_nothing_pass() {
    let (good, default) = (Origin::saying("good"), Origin::saying("default"));
    for (key, allowed, why) in
        [(Some(""), None, "SIGNING_KEY is bound, and empty"), (None, Some(" , "), "ALLOWED_ORIGINS")]
    {
        let mut edge = Edge::with(|options| {
            options.signing_key = key.map(str::to_owned);
            options.default_origin = Some(default.url());
            options.allowed_origins = allowed.map(str::to_owned);
        });
        refuses(&mut edge, &signed(&table(1, &good, &good, 5000), "guessed"), why);
        assert_eq!(edge.get("/", &[]).text(), "default");
    }
}

#[test]
fn an_origin_that_is_not_allowed_is_refused_even_when_it_is_signed() {
    let (good, evil, default) = (Origin::saying("good"), Origin::saying("evil"), Origin::saying("default"));
    let mut edge = Edge::with(|options| {
        options.signing_key = Some(SIGNING_KEY.into());
        options.default_origin = Some(default.url());
        options.allowed_origins = Some(format!("https://*.booking.pages.dev, {}", good.url()));
    });
    let refused = |origin: &str| format!("{origin}, which is not among ALLOWED_ORIGINS");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut routing = table(2, &good, &good, 5000);
        change(&mut routing);
        signed(&routing, SIGNING_KEY)
    };
    for origin in [evil.url().as_str(), "https://evil.example", "https://a.b.booking.pages.dev"] {
        // As a variant without any weight too: a rule, a mirror, the override or a missing file would lead there.
        for at in [0, 1] {
            let routing = changed(&|routing| routing["variants"][at]["origin"] = json!(origin));
            refuses(&mut edge, &routing, &refused(origin));
        }
        let routing = changed(&|routing| routing["previous"] = json!([{ "origin": origin, "version": "1" }]));
        refuses(&mut edge, &routing, &refused(origin));
    }
    assert!(evil.received().is_empty());
    let allowed = "https://0a1b2c3d.booking.pages.dev";
    edge.put(&changed(&|routing| routing["previous"] = json!([{ "origin": allowed, "version": "1" }])));
    edge.until_revision(2);
}
