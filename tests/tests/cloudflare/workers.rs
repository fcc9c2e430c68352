//! wrangler's commands for Workers: scripts with bindings and routes, versions and their shares, rollback, secrets.

use crossfade_sandbox::{ACCOUNT_ID, NAMESPACE_ID};
use crossfade_tests::{openapi, root, sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::wrangler::Wrangler;

#[test]
fn wrangler_deploys_a_worker_shares_traffic_between_versions_and_rolls_back() {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    let project = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(project.path().join(name), text).unwrap();
    let config = json!({
        "name": "router", "main": "index.js", "compatibility_date": "2026-01-01", "workers_dev": true,
        "observability": { "enabled": true }, "vars": { "ENVIRONMENT": "production" },
        "kv_namespaces": [{ "binding": "ROUTING", "id": NAMESPACE_ID }],
        "durable_objects": { "bindings": [{ "name": "COUNTERS", "class_name": "Counters" }] },
        "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Counters"] }],
        "routes": [{ "pattern": "example.com/*", "zone_id": "023e105f4ecef8ad9ca31a8372d0c353" }],
    });
    write("wrangler.json", &config.to_string());
    write("index.js", "export class Counters {}\nexport default { fetch: () => new Response('1') };");
    let wrangler = Wrangler::new(&sandbox).at(project.path());
    let script = format!("/accounts/{ACCOUNT_ID}/workers/scripts/router");
    let result = |path: &str| {
        http::api(&sandbox, "GET", &format!("{script}{path}"), b"").unwrap().json()["result"].clone()
    };
    let versions = || -> Vec<String> {
        let items = result("/versions")["items"].as_array().unwrap().clone();
        items.iter().map(|version| version["id"].as_str().unwrap().to_owned()).collect()
    };
    let shares = || result("/deployments")["deployments"][0]["versions"].clone();

    wrangler.run(&["deploy"]).expect(0).prints(&["Uploaded router", "example.com/*"]);
    // Where nobody asked for workers.dev, wrangler looks at the zone's routes, for others' on the same pattern.
    let mut on_its_zone = config.clone();
    on_its_zone.as_object_mut().unwrap().remove("workers_dev");
    write("wrangler.json", &on_its_zone.to_string());
    wrangler.run(&["deploy"]).expect(0).prints(&["example.com/*"]);
    write("wrangler.json", &config.to_string());
    let bindings = result("/settings")["bindings"].clone();
    assert!(bindings.as_array().unwrap().iter().any(|it| it["namespace_id"] == NAMESPACE_ID), "{bindings}");

    write("secrets.json", r#"{"CROSSFADE_TOKEN":"one","OTHER":"two"}"#);
    wrangler.run(&["secret", "bulk", "secrets.json"]).expect(0);
    wrangler.run_fed(&["secret", "put", "THIRD"], "three").expect(0).prints(&["Uploaded secret THIRD"]);
    wrangler.run(&["secret", "delete", "OTHER"]).expect(0);
    let listed = wrangler.run(&["secret", "list"]).expect(0).stdout;
    assert!(
        listed.contains("CROSSFADE_TOKEN")
            && listed.contains("THIRD")
            && !listed.contains("OTHER")
            && !listed.contains("one"),
        "{listed}"
    );

    // A version upload has no migrations, so it needs a configuration without.
    let mut later = config.clone();
    later.as_object_mut().unwrap().remove("migrations");
    write("wrangler.json", &later.to_string());
    wrangler.run(&["versions", "upload", "--tag", "r7", "--message", "rev 7"]).expect(0);
    let known = versions();
    let [new, old] = [&known[0], &known[1]];
    assert_eq!(shares(), json!([{ "version_id": old, "percentage": 100 }]), "an upload alone moves nothing");
    let split = [format!("{new}@10%"), format!("{old}@90%")];
    wrangler.run(&["versions", "deploy", &split[0], &split[1], "-y", "--message", "canary"]).expect(0);
    let expected = json!([{ "version_id": new, "percentage": 10 }, { "version_id": old, "percentage": 90 }]);
    assert_eq!(shares(), expected);
    wrangler.run(&["deployments", "list"]).expect(0).prints(&["90%", "10%"]);
    wrangler.run(&["rollback", old, "-y", "--message", "back"]).expect(0);
    assert_eq!(shares(), json!([{ "version_id": old, "percentage": 100 }]));
    wrangler.run(&["rollback", "18f97339-c287-4872-9bdd-e2135c07ec12", "-y", "--message", "x"]).expect(1);

    later["kv_namespaces"][0]["id"] = Value::from("0f2ac74b498b48028cb68387c421e279");
    write("wrangler.json", &later.to_string());
    wrangler
        .run(&["deploy"])
        .expect(1)
        .mentions(&["KV namespace '0f2ac74b498b48028cb68387c421e279' not found"]);
    assert!(wrangler.run(&["secret", "list"]).expect(0).stdout.contains("CROSSFADE_TOKEN"), "secrets stay");
    openapi::check(&sandbox.take_exchanges());
}

/// The script of `docs/upstreams.md` that brings a version to Workers.
#[test]
fn the_documented_script_uploads_a_version_and_its_last_line_is_where_that_is() {
    let page = std::fs::read_to_string(root().join("docs/upstreams.md")).unwrap();
    let blocks = page.split("```sh\n").filter_map(|rest| rest.split("```").next());
    let script = blocks.into_iter().find(|block| block.contains("npx wrangler versions upload")).unwrap();
    let sandbox = sandbox(|options| options.worker = None);
    let project = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(project.path().join(name), text).unwrap();
    let config = json!({
        "name": "site", "main": "index.js", "compatibility_date": "2026-01-01", "workers_dev": true, "preview_urls": true,
    });
    write("wrangler.json", &config.to_string());
    write("index.js", "export default { fetch: () => new Response('1') };");
    let wrangler = Wrangler::new(&sandbox).at(project.path());
    wrangler.run(&["deploy"]).expect(0);
    let said = wrangler.run_script(script, &[("CROSSFADE_VERSION", "1.1.0")]).expect(0).stdout;
    let path = format!("/accounts/{ACCOUNT_ID}/workers/scripts/site/versions");
    let newest = http::api(&sandbox, "GET", &path, b"").unwrap().json()["result"]["items"][0].clone();
    assert_eq!(newest["annotations"]["workers/tag"], "1.1.0", "{newest}");
    let short = &newest["id"].as_str().unwrap()[..8];
    assert_eq!(said.lines().last(), Some(format!("https://{short}-site.sandbox.workers.dev").as_str()));
}
