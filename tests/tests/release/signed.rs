//! Releases to a router that wants its tables signed.

use crossfade_tests::{Ended, Site, signed};

const KEY: &str = "CROSSFADE_SIGNING_KEY";
const SIGNING_KEY: &str = "signing-key-4711";
const WRONG_KEY: &str = "signing-key-4712";

/// `crossfade` with this key.
fn run(site: &Site, key: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = site.command(arguments);
    command.env("BOOKING_FAIL", "");
    if let Some(key) = key {
        command.env(KEY, key);
    }
    Ended::of(command)
}

/// Every table that was written since the last time, as it was sent.
fn tables(site: &Site) -> Vec<serde_json::Value> {
    let exchanges = site
        .sandbox
        .take_exchanges()
        .into_iter()
        .filter(|exchange| exchange.method == "PUT" && exchange.path.contains("/values/routing"));
    exchanges.map(|exchange| serde_json::from_slice(&exchange.request.body).unwrap()).collect()
}

#[test]
fn every_table_that_any_command_writes_is_signed_and_another_key_moves_nobody() {
    let (site, _origins) = Site::serving_with(&[("blue", "1.0.0")], |options| {
        options.signing_key = Some(SIGNING_KEY.into());
    });
    let table = "routing:production";
    site.put(table, &signed(&site.document(table), SIGNING_KEY));
    site.configure("[rollout]", "prepare = [{ run = \"env >> environment\" }]\n\n[rollout]");
    site.sandbox.take_exchanges();
    let mut said = String::new();
    for (arguments, serves, writes) in [
        (&["deploy", "--as", "1.1.0"][..], "1.1.0", 2),
        (&["rollback"], "1.0.0", 1),
        (&["weights", "blue=100"], "1.0.0", 1),
    ] {
        let ended = run(&site, Some(SIGNING_KEY), arguments).expect(0);
        said += &format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(site.served_version(), serves, "{arguments:?}");
        let written = tables(&site);
        assert_eq!(written.len(), writes, "{arguments:?}");
        for table in written {
            assert_eq!(table, signed(&table, SIGNING_KEY), "{arguments:?}");
        }
    }

    // With another key, and with none, the edge follows nothing of what is written, and says why.
    site.configure("confirm_within = \"30s\"", "confirm_within = \"3s\"");
    let before = site.sandbox.kv(table).unwrap();
    for (key, why, arguments) in [
        (Some(WRONG_KEY), "the table's signature is wrong", &["deploy", "--as", "2.0.0"][..]),
        (Some(WRONG_KEY), "the table's signature is wrong", &["rollback"]),
        (None, "the table is not signed", &["weights", "green=100"]),
    ] {
        let ended = run(&site, key, arguments);
        said += &format!("{}{}", ended.stdout, ended.stderr);
        ended.expect(6).says(&["error: stuck: ", why]);
        assert!(!tables(&site).is_empty(), "it was written: {arguments:?}");
        assert_eq!(site.served_version(), "1.0.0", "{arguments:?}");
        site.sandbox.put_kv(table, &before);
    }

    // The right one mends it.
    run(&site, Some(SIGNING_KEY), &["weights", "green=100"]).expect(0);
    assert_eq!(site.served_version(), "1.1.0");

    for key in site.sandbox.kv_keys() {
        said += &String::from_utf8_lossy(&site.sandbox.kv(&key).unwrap());
    }
    said += &std::fs::read_to_string(site.path().join("environment")).unwrap();
    assert!(said.contains("CROSSFADE_VERSION=2.0.0") && said.contains("hmac-sha256="));
    for secret in [SIGNING_KEY, WRONG_KEY, KEY] {
        assert!(!said.contains(secret), "`{secret}` is in:\n{said}");
    }
}
