//! From nothing to the router, to another router, to nothing again, under load.

use crossfade_tests::{Ended, Visitors, openapi, root};
use serde_json::{Value, json};

use super::{Ground, WORKER, built, failing_router, other_router};

#[test]
fn the_router_comes_is_replaced_and_goes_and_no_request_fails() {
    let ground = Ground::new();
    ground.sandbox.take_exchanges();
    let visitors = Visitors::at(&ground.url(), 3);

    // What is printed is what is done.
    let dry = ground.run(&["deploy", "--dry-run", "--json"]).expect(0).event("plan");
    ground.assert_untouched();
    assert_eq!(ground.changes(), []);
    ground.run(&["status"]).expect(0).prints(&["nothing leads to it", "would", "make the KV namespace"]);
    let done = ground.run(&["deploy", "--json"]).expect(0);
    let said: Vec<String> = done.events().iter().filter_map(change).collect();
    let planned: Vec<&str> =
        dry["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    let planned: Vec<&str> = planned.into_iter().filter(|step| !step.starts_with("check")).collect();
    assert_eq!(said, planned);
    ground.assert_installed();
    let config = std::fs::read_to_string(ground.config()).unwrap();
    let id = ground
        .api("/storage/kv/namespaces")
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["title"] == WORKER)
        .unwrap()["id"]
        .clone();
    assert!(config.contains(&format!("kv_namespace = {id}")), "{config}");

    // Nothing is done twice.
    let before = ground.changes().len();
    ground.run(&["deploy"]).expect(0).prints(&["nothing had to be changed"]);
    ground.run(&["upgrade"]).expect(0).prints(&["nothing had to be changed"]);
    assert_eq!(ground.changes().len(), before);
    ground.run(&["status"]).expect(0).prints(&[
        "100 %",
        "CROSSFADE_TOKEN",
        "route localhost/*",
        "serves revision 1",
        "would change nothing",
    ]);

    // Somebody's own binding stays, and the secret too.
    let add = json!({ "name": "THEIRS", "text": "kept", "type": "secret_text" });
    let url = format!(
        "{}/accounts/{}/workers/scripts/{WORKER}/secrets",
        ground.sandbox.api_url(),
        crossfade_sandbox::ACCOUNT_ID
    );
    let bearer = format!("Bearer {}", crossfade_sandbox::API_TOKEN);
    ureq::put(url).header("authorization", bearer).send_json(add).unwrap();
    let index = std::fs::read_to_string(built().join("index.js")).unwrap();
    let newer = other_router(&format!("{index}// newer\n"));
    let upgraded = ground.run_with(&["upgrade", "--hold", "500ms", "--json"], &newer).expect(0);
    let shares: Vec<String> =
        upgraded.events().iter().filter_map(change).filter(|text| text.contains('%')).collect();
    assert_eq!(
        shares[1..],
        [
            "send 10 % of the requests to it",
            "send 50 % of the requests to it",
            "send 100 % of the requests to it"
        ]
    );
    let status = ground.run_with(&["status", "--json"], &newer).expect(0).event("router");
    assert_eq!(
        (status["would"].clone(), status["deployed"][0]["bundle"].clone()),
        (json!([]), status["carried"].clone())
    );
    let settings = ground.api(&format!("/workers/scripts/{WORKER}/settings"));
    let bound: Vec<&str> =
        settings["bindings"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    for name in ["CROSSFADE_TOKEN", "THEIRS", "ROUTING", "COUNTERS", "DEFAULT_ORIGIN"] {
        assert!(bound.contains(&name), "{bound:?}");
    }

    // One that fails is found out before a visitor meets it.
    let broken = failing_router("!path.startsWith('/__crossfade')");
    let refused = ground.run_with(&["upgrade", "--hold", "500ms"], &broken).expect(3);
    refused.says(&["answers 500, where it was 200 before", "undone"]);
    assert_eq!(ground.run_with(&["status", "--json"], &newer).expect(0).event("router")["would"], json!([]));

    ground.run(&["remove", "--dry-run"]).expect(0).prints(&["lead localhost/* no longer"]);
    ground.run(&["remove", "--purge"]).expect(0).prints(&["is served without the router"]);
    ground.assert_untouched();
    assert!(!std::fs::read_to_string(ground.config()).unwrap().contains("kv_namespace"));
    ground.run(&["remove"]).expect(0).prints(&["there is no router"]);

    let visits: Vec<_> = visitors.leave().into_iter().flatten().collect();
    let failed: Vec<_> = visits.iter().filter(|visit| visit.status != 200).collect();
    assert!(failed.is_empty(), "of {}: {failed:?}", visits.len());
    assert!(visits.iter().any(|visit| visit.variant == "blue"), "nobody met the router");
    openapi::check(&ground.sandbox.take_exchanges());
}

/// What a phase that changed something did.
fn change(event: &Value) -> Option<String> {
    let phase = event["phase"].as_str()?;
    let text = event["text"].as_str()?;
    (event["type"] == "phase-ended" && !["look", "check", "undo"].contains(&phase)).then(|| text.to_owned())
}

#[test]
fn a_router_that_fails_only_visitors_is_put_back_with_exit_code_4() {
    let ground = Ground::new();
    ground.run(&["deploy"]).expect(0);
    let old =
        ground.api(&format!("/workers/scripts/{WORKER}/deployments"))["deployments"][0]["versions"].clone();
    let broken = failing_router(
        "!path.startsWith('/__crossfade') && !request.headers.has('cloudflare-workers-version-overrides')",
    );
    let ended = ground.run_with(&["upgrade", "--hold", "60s"], &broken).expect(4);
    ended.says(&["answers 500, where it was 200 before"]);
    let now =
        ground.api(&format!("/workers/scripts/{WORKER}/deployments"))["deployments"][0]["versions"].clone();
    assert_eq!(now, old);
    ground.assert_installed();
}

#[test]
fn a_host_without_a_record_becomes_the_workers_own_and_a_program_without_a_router_says_so() {
    let ground = Ground::new();
    ground.sandbox.take_exchanges();
    ground.sandbox.unpoint(crossfade_sandbox::ZONE_NAME);
    ground.run(&["deploy"]).expect(0).prints(&["make localhost the custom domain"]);
    assert!(ground.served().1.is_some());
    ground.run(&["remove"]).expect(3).says(&["this Worker's own domain", "docs/migration.md"]);
    ground.run(&["remove", "--force", "--purge"]).expect(0);
    assert_eq!((ground.left(), ground.served().0), ((vec![], vec![], vec![]), 530));
    openapi::check(&ground.sandbox.take_exchanges());

    // The program carries the router that was there when it was built.
    let carries = root().join("runner/bundle/index.js").is_file();
    let alone = Ended::of(ground.plain_command(&["deploy", "--dry-run"]));
    match carries {
        true => drop(alone.expect(0).prints(&["nothing was changed"])),
        false => drop(alone.expect(2).says(&["was built without it", "--bundle DIR"])),
    }
    let nothing = tempfile::TempDir::new().unwrap();
    let ended = ground.run_with(&["deploy"], &nothing).expect(2);
    ended.says(&["has no router", "cargo xtask build-worker"]);
}
