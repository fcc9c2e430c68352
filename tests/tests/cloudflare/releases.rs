//! Whole releases: everything that our program sends and is answered on the way is in Cloudflare's own description.

use std::collections::BTreeSet;

use crossfade_sandbox::{Exchange, Limits};
use crossfade_tests::{Balanced, Site, openapi};

#[test]
fn all_calls_of_releases_and_of_going_back_are_as_cloudflare_describes_them() {
    let site = Site::new();
    site.configure("keep = 3", "keep = 1\ngrace = \"0s\"");
    site.sandbox.take_exchanges();
    site.deploy("1.0.0", &[]).expect(0);
    site.deploy("1.1.0", &["smoke-payment"]).expect(3);
    site.deploy("1.2.0", &[]).expect(0);
    for command in [&["rollback"][..], &["status"], &["history"], &["weights", "stable=90", "canary=10"]] {
        site.run(command).expect(0);
    }
    let exchanges = site.sandbox.take_exchanges();
    openapi::check(&exchanges);
    // No kind of call that the program makes was left out.
    let kinds: BTreeSet<String> = exchanges.iter().map(kind).collect();
    let expected = [
        "DELETE deployments/…",
        "GET deployments/…",
        "GET keys",
        "GET projects/…",
        "GET upload-token",
        "GET values/…",
        "POST check-missing",
        "POST deployments",
        "POST upload",
        "POST upsert-hashes",
        "PUT values/…",
    ];
    assert_eq!(kinds.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn all_calls_of_a_release_behind_a_load_balancer_are_as_cloudflare_describes_them() {
    let stage = Balanced::new(r#"steps = [{ weight = "25%", hold = "0s" }]"#);
    stage.site.sandbox.take_exchanges();
    stage.release().expect(0);
    stage.site.run(&["rollback"]).expect(0);
    let exchanges = stage.site.sandbox.take_exchanges();
    openapi::check(&exchanges);
    let kinds: BTreeSet<String> = exchanges.iter().map(kind).collect();
    let expected = [
        "GET keys",
        "GET load_balancers/…",
        "GET pools/…",
        "GET values/…",
        "PATCH load_balancers/…",
        "PATCH pools/…",
        "PUT values/…",
    ];
    assert_eq!(kinds.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_release_gets_on_where_each_key_may_be_written_once_a_second() {
    let site = Site::new();
    site.sandbox.set_limits(Limits { kv_key_writes: true, ..Limits::default() });
    site.deploy("1.0.0", &[]).expect(0);
    assert_eq!(site.live(), ("1.0.0".to_owned(), true));
    let refused = site.sandbox.requests().iter().filter(|request| request.status == 429).count();
    assert!(refused > 0, "the limit was never met, and this test shows nothing");
}

fn kind(exchange: &Exchange) -> String {
    let segments: Vec<&str> = exchange.path.split('/').collect();
    let place = match segments[..] {
        [.., what @ ("projects" | "deployments" | "values" | "load_balancers" | "pools"), _] => {
            format!("{what}/…")
        }
        [.., last] => last.to_owned(),
        [] => String::new(),
    };
    format!("{} {place}", exchange.method)
}
