//! `[router]`: what the file says of the router is in the tables that a release writes.

use crossfade_tests::Site;
use serde_json::{Value, json};

#[test]
fn a_release_carries_what_the_file_says_of_the_router_and_rules_for_the_canary_end_with_it() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.append(
        r#"
[router]
affinity = { by = "header", header = "x-user" }
rescue = { budget = "30%", deadline = "2s" }
breaker = { failures = 3, sweep = "1m", ejection = "5s" }
mirror = "5%"
rules = [
  { to = "canary", header = { name = "x-team", exact = "qa" } },
  { to = "stable", path = { prefix = "/legal/" } },
  { to = "blue", cookie = { name = "old", present = true } },
]
"#,
    );
    site.run(&["validate"]).expect(0);
    site.sandbox.take_exchanges();
    let mut command = site.command(&["deploy", "--as", "1.1.0"]);
    command.env("BOOKING_FAIL", "");
    crossfade_tests::Ended::of(command).expect(0);
    let exchanges = site.sandbox.take_exchanges().into_iter();
    let written = exchanges.filter(|it| it.method == "PUT" && it.path.contains("/values/routing"));
    let tables: Vec<Value> =
        written.map(|exchange| serde_json::from_slice(&exchange.request.body).unwrap()).collect();
    let [shifted, settled] = tables.as_slice() else { panic!("{tables:#?}") };
    for table in [shifted, settled] {
        assert_eq!(
            (&table["affinity"]["by"], &table["affinity"]["header"]),
            (&json!("header"), &json!("x-user"))
        );
        assert_eq!(table["affinity"]["salt"], table["release"], "drawn anew with each release");
        assert_eq!(table["rescue"], json!({ "budget": 3000, "deadline_ms": 2000 }));
        assert_eq!(table["breaker"], json!({ "failures": 3, "sweep_ms": 60_000, "ejection_ms": 5000 }));
    }
    let old = json!({ "to": "blue", "cookie": { "name": "old", "present": true } });
    let legal = |stable: &str| json!({ "to": stable, "path": { "prefix": "/legal/" } });
    let team = json!({ "to": "green", "header": { "name": "x-team", "exact": "qa" } });
    assert_eq!(shifted["stable"], "blue");
    assert_eq!(shifted["rules"], json!([team, legal("blue"), old]));
    assert_eq!(shifted["mirror"], json!({ "to": "green", "weight": 500 }));
    assert_eq!(settled["stable"], "green");
    assert_eq!(settled["rules"], json!([legal("green"), old]));
    assert_eq!(settled["mirror"], Value::Null, "there is nobody to repeat it on");
}
