//! `crossfade pages list`, `retry` and `delete`: what a project keeps.

use std::process::Command;

use crossfade_sandbox::{NAMESPACE_ID, Sandbox};
use crossfade_tests::{Ended, crossfade, openapi, sandbox, try_upload};
use serde_json::{Value, json};
use tempfile::TempDir;

/// More than a page of the API.
const DEPLOYMENTS: usize = 27;

fn pages(sandbox: &Sandbox, place: &TempDir, arguments: &[&str]) -> Ended {
    let mut command: Command = crossfade();
    command.arg("pages").args(arguments).current_dir(place.path()).envs(sandbox.variables());
    Ended::of(command)
}

#[test]
fn deployments_are_listed_found_made_once_more_and_removed_unless_visitors_are_sent_there() {
    let sandbox = sandbox(|options| {
        options.worker = None;
        options.serve_pages = false;
    });
    sandbox.take_exchanges();
    let (site, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let named = ["--project-name", "booking"];
    let run = |arguments: &[&str]| pages(&sandbox, &place, arguments);
    run(&[&["list"], &named[..]].concat()).expect(0).prints(&["there is none"]);
    run(&["list"]).expect(2).says(&["names no `project`"]);
    for number in 0..DEPLOYMENTS {
        std::fs::write(site.path().join("index.html"), number.to_string()).unwrap();
        try_upload(&sandbox, site.path(), None).unwrap();
    }
    let mut command = crossfade();
    command
        .args(["pages", "deploy"])
        .arg(site.path())
        .args(named)
        .args(["--commit-message", "1.4.2 (rel-1)"]);
    command.args(["--commit-hash", "0a1b2c3d4e"]).current_dir(place.path()).envs(sandbox.variables());
    command.args(["--branch", "main", "--json"]);
    let newest = Ended::of(command).expect(0).event("deployed")["id"].clone();

    let listed = run(&[&["list", "--json"], &named[..]].concat()).expect(0).events();
    assert_eq!((listed.len(), &listed[0]["id"]), (DEPLOYMENTS + 1, &newest), "all pages, the newest first");
    for version in ["1.4.2", "0a1b2c3"] {
        let found = run(&[&["list", "--as", version, "--json"], &named[..]].concat()).expect(0).events();
        assert_eq!(found.iter().map(|it| &it["id"]).collect::<Vec<_>>(), [&newest], "{version}");
    }
    run(&[&["list", "--as", "1.4"], &named[..]].concat()).expect(0).prints(&["there is none"]);

    let short = &newest.as_str().unwrap()[..8];
    let again = run(&[&["retry", short, "--json"], &named[..]].concat()).expect(0).event("deployed").clone();
    assert!(again["id"] != newest && sandbox.deployments().len() == DEPLOYMENTS + 2, "{again}");
    run(&[&["retry", "zzz"], &named[..]].concat())
        .expect(2)
        .says(&["no deployment of `booking` has an id like `zzz`"]);
    run(&[&["retry", ""], &named[..]].concat()).expect(2).says(&["several deployments"]);

    // Without a configuration nobody knows where visitors are sent, so nothing is removed.
    run(&[&["delete", short], &named[..]].concat()).expect(2).says(&["the configuration"]);
    std::fs::write(
        place.path().join("crossfade.toml"),
        format!(
            "project = \"booking\"\n[environments.production]\nurl = \"http://127.0.0.1:1\"\nkv_namespace = \"{NAMESPACE_ID}\"\n"
        ),
    )
    .unwrap();
    let origin = |index: usize| listed[index]["url"].clone();
    let table = json!({
        "schema": 1, "environment": "production", "revision": 7, "release": "rel-1",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "blue", "affinity": { "by": "cookie", "salt": "rel-1" },
        "variants": [{ "name": "blue", "origin": origin(1), "version": "1.4.1", "weight": 10_000 }],
        "previous": [{ "origin": origin(2), "version": "1.4.0" }],
    });
    sandbox.put_kv("routing:production", table.to_string().as_bytes());
    let id = |index: usize| listed[index]["id"].as_str().unwrap().to_owned();
    for named in [1, 2] {
        run(&["delete", &id(named)]).expect(2).says(&["the routing table of production names"]);
    }
    assert_eq!(sandbox.deployments().len(), DEPLOYMENTS + 2, "nothing was removed");
    run(&["delete", &id(3)]).expect(0).prints(&["removed: "]);
    let left: Vec<Value> = run(&["list", "--json"]).expect(0).events();
    assert!(left.len() == DEPLOYMENTS + 1 && left.iter().all(|it| it["id"] != listed[3]["id"]));
    openapi::check(&sandbox.take_exchanges());
}
