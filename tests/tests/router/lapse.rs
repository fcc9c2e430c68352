//! The lease: when it has run out everybody is home, to the millisecond and without anybody's word.

use std::time::Duration;

use crossfade_sandbox::KvFault;
use crossfade_tests::origin::Origin;
use serde_json::json;

use crate::edge::{Edge, KEY, now, table};

#[test]
fn when_the_lease_has_run_out_everybody_is_home_at_that_millisecond() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut edge = Edge::with(|options| options.refresh_seconds = 3600);
    let ends = now().plus(Duration::from_secs(2));
    let mut routing = table(7, &blue, &green, 10_000);
    routing["lease"] = json!({ "expires_at": ends.to_string() });
    edge.put(&routing);
    let mut client = edge.connect();
    let (mut before, mut after) = (0, 0);
    while after < 100 {
        let asked = now();
        let answer = client.get("/", &[]);
        let answered = now();
        if answered < ends {
            before += 1;
            assert_eq!(answer.text(), "green");
            assert_eq!(answer.crossfade(), r#"variant="green", version="1.5.0", revision=7"#);
        } else if asked >= ends {
            after += 1;
            assert_eq!(answer.text(), "blue");
            assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=7, lapsed"#);
        }
    }
    assert!(before > 0);
    assert_eq!(edge.sandbox.kv_reads(), 1, "nobody had to say so");
    assert_eq!(edge.sandbox.kv(KEY), Some(routing.to_string().into_bytes()), "nothing was written");
    assert_eq!(edge.status()["lapsed"], true);

    edge.sandbox.restart_router().unwrap();
    assert_eq!(edge.get("/", &[]).text(), "blue", "a fresh isolate sees it the same way");
}

#[test]
fn a_lease_that_runs_out_while_a_fresh_isolate_waits_for_its_table_has_run_out() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let edge = Edge::with(|options| options.refresh_seconds = 3600);
    edge.sandbox.set_kv_fault(KvFault { delay_ms: 1500, ..KvFault::default() });
    let ends = now().plus(Duration::from_millis(700));
    let mut routing = table(7, &blue, &green, 10_000);
    routing["lease"] = json!({ "expires_at": ends.to_string() });
    edge.put(&routing);
    let answer = edge.get("/", &[]);
    assert_eq!(answer.crossfade(), r#"variant="blue", version="1.4.2", revision=7, lapsed"#);
}

#[test]
fn a_lapsed_split_sets_no_cookie_and_a_lease_far_away_changes_nothing() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut routing = table(7, &blue, &green, 9999);
    routing["lease"] = json!({ "expires_at": "2026-01-31T12:05:00Z" });
    let edge = Edge::settled(&routing);
    for visitor in 0..20 {
        let answer = edge.get("/", &[("user-agent", &format!("Browser/{visitor}"))]);
        assert_eq!((answer.text().as_str(), answer.header("set-cookie")), ("blue", None));
    }
    routing["lease"] = json!({ "expires_at": "2999-12-31T23:59:59Z" });
    let edge = Edge::settled(&routing);
    let answer = edge.get("/", &[]);
    assert_eq!((answer.text().as_str(), answer.header("set-cookie").is_some()), ("green", true));
    assert_eq!(answer.crossfade(), r#"variant="green", version="1.5.0", revision=7"#);
}
