//! Rules: who goes where whatever the draw says.

use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use crate::edge::{Edge, cookie, table};

/// A router that gives `green` nobody but those for whom a rule holds.
fn ruled(rules: Value) -> (Edge, Origin, Origin) {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(1, &blue, &green, 0);
    routing["rules"] = rules;
    (Edge::settled(&routing), blue, green)
}

/// A request and who must answer it.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[track_caller]
fn check(edge: &Edge, cases: &[Case<'_>]) {
    for (target, headers, variant) in cases {
        let answer = edge.get(target, headers);
        assert_eq!((answer.variant(), answer.text().as_str()), (*variant, *variant), "{target} {headers:?}");
        assert_eq!(answer.header("set-cookie"), None, "a rule needs no cookie: {target} {headers:?}");
    }
}

#[test]
fn a_header_a_cookie_a_path_or_a_country_leads_to_a_variant_without_a_weight() {
    let (edge, _blue, _green) = ruled(json!([
        { "to": "green", "header": { "name": "x-team", "exact": "qa" } },
        { "to": "green", "header": { "name": "user-agent", "contains": "Preview" } },
        { "to": "green", "header": { "name": "x-beta", "present": true } },
        { "to": "green", "cookie": { "name": "plan", "prefix": "pro" } },
        { "to": "green", "path": { "prefix": "/beta/" } },
        { "to": "green", "path": { "exact": "/new" } },
        { "to": "green", "country": ["NZ", "T1"] },
    ]));
    check(
        &edge,
        &[
            ("/", &[], "blue"),
            ("/", &[("x-team", "qa")], "green"),
            ("/", &[("X-Team", "qa")], "green"),
            ("/", &[("x-team", "QA")], "blue"),
            ("/", &[("x-team", "qa2")], "blue"),
            ("/", &[("user-agent", "Some Preview/2")], "green"),
            ("/", &[("user-agent", "Some preview/2")], "blue"),
            ("/", &[("x-beta", "")], "green"),
            ("/", &[("x-beta", "no")], "green"),
            ("/", &[("cookie", "a=b; plan=professional")], "green"),
            ("/", &[("cookie", "plan=free; a=pro")], "blue"),
            ("/", &[("cookie", "myplan=pro")], "blue"),
            ("/beta/", &[], "green"),
            ("/beta/x?y", &[], "green"),
            ("/x/../beta/y", &[], "green"),
            ("/beta", &[], "blue"),
            ("/?/beta/", &[], "blue"),
            ("/beta/../x", &[], "blue"),
            ("/new", &[], "green"),
            ("/new?x=1", &[], "green"),
            ("/new/", &[], "blue"),
            ("/", &[("x-sandbox-cf", r#"{"country":"NZ"}"#)], "green"),
            ("/", &[("x-sandbox-cf", r#"{"country":"T1"}"#)], "green"),
            ("/", &[("x-sandbox-cf", r#"{"country":"DE"}"#)], "blue"),
            ("/", &[("x-sandbox-cf", r#"{"colo":"AKL"}"#)], "blue"),
            ("/", &[("cf-ipcountry", "NZ")], "blue"),
        ],
    );
}

#[test]
fn the_first_rule_that_holds_counts_and_all_its_conditions_must() {
    let (edge, _blue, _green) = ruled(json!([
        { "to": "blue", "header": { "name": "x-team", "exact": "ops" } },
        { "to": "green", "header": { "name": "x-team", "present": true }, "path": { "prefix": "/app" } },
        { "to": "blue", "path": { "exact": "/app/old" } },
        { "to": "green", "cookie": { "name": "beta", "exact": "1" }, "country": ["NZ"] },
        { "to": "green", "path": { "prefix": "/app/old" } },
    ]));
    let nz = r#"{"country":"NZ"}"#;
    check(
        &edge,
        &[
            ("/app", &[("x-team", "ops")], "blue"),
            ("/app", &[("x-team", "qa")], "green"),
            ("/app/old", &[("x-team", "qa")], "green"),
            ("/app/old", &[], "blue"),
            ("/app/older", &[], "green"),
            ("/", &[("x-team", "qa")], "blue"),
            ("/", &[("cookie", "beta=1"), ("x-sandbox-cf", nz)], "green"),
            ("/", &[("cookie", "beta=1")], "blue"),
            ("/", &[("x-sandbox-cf", nz)], "blue"),
        ],
    );
}

#[test]
fn a_rule_without_conditions_is_for_everybody_and_comes_before_the_draw() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(1, &blue, &green, 5000);
    routing["rules"] = json!([{ "to": "green" }]);
    let edge = Edge::settled(&routing);
    for visitor in 0..16 {
        assert_eq!(edge.get("/", &[("cookie", &cookie(visitor))]).variant(), "green");
    }
    assert_eq!(edge.ask("POST", "/", &[], b"x").variant(), "green", "every method");
    assert!(blue.received().is_empty());
}

#[test]
fn no_rule_holds_once_the_lease_has_run_out() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(1, &blue, &green, 10_000);
    routing["rules"] = json!([{ "to": "green" }]);
    routing["lease"] = json!({ "expires_at": "2026-01-31T12:05:00Z" });
    let edge = Edge::settled(&routing);
    let answer = edge.get("/", &[]);
    assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=1, lapsed"#);
    assert!(green.received().is_empty());
}
