//! Versions that are not at Pages: a site that moves to a Worker step by step, and back, and on to a bucket.

use std::collections::BTreeSet;

use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::origin::Origin;
use crossfade_tests::{Running, Site};

/// A Worker's version, or a bucket: whatever answers HTTPS and says which version it is.
fn upstream(version: &'static str) -> Origin {
    Origin::new(move |_, wire| {
        let body = format!(r#"{{"version":"{version}","status":"ok"}}"#);
        wire.answer("200 OK", &[("content-type", "application/json")], body);
    })
}

fn configure(site: &Site, run: &str) {
    let url = site.sandbox.public_url().unwrap();
    let config = format!(
        r#"project = "booking"

[environments.production]
url = "{url}"
kv_namespace = "{NAMESPACE_ID}"

[version]
path = "/version.json"

[deploy]
run = '''{run}'''

[rollout]
strategy = "canary"
steps = [{{ weight = "50%", hold = "2s" }}, {{ weight = "100%", hold = "0s" }}]
lease = "60s"
renew_every = "10s"
propagation = "5s"
measure_every = "1s"

[[health]]
name = "basic"
path = "/api/health/basic"
expect = {{ json = {{ "/status" = "ok" }} }}
"#
    );
    site.write("crossfade.toml", &config);
}

/// Which versions forty browsers get.
fn met(site: &Site) -> BTreeSet<String> {
    let url = format!("{}/version.json", site.sandbox.public_url().unwrap());
    (0..40)
        .map(|browser| {
            let request = ureq::get(&url).header("user-agent", format!("browser {browser}"));
            let document: serde_json::Value = request.call().unwrap().body_mut().read_json().unwrap();
            document["version"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_site_moves_from_pages_to_a_worker_step_by_step_and_back_and_to_any_origin() {
    let site = Site::new();
    site.deploy("1.0.0", &[]).expect(0);
    let (worker, bucket) = (upstream("2.0.0"), upstream("3.0.0"));

    for (run, says) in [
        ("echo no address", "did not say where the version is"),
        ("echo https://a.example/path", "did not say where the version is"),
        ("exit 7", "`exit 7` ended with exit status: 7"),
    ] {
        configure(&site, run);
        site.run(&["deploy", "--as", "2.0.0"]).expect(3).says(&["deploy: ", says]);
    }
    let told =
        r#"test -z "$CLOUDFLARE_API_TOKEN" && echo "$CROSSFADE_VERSION $CROSSFADE_SLOT" > brought && echo "#;
    configure(&site, &format!("{told}{}", worker.url()));
    let mut running = Running::begin(site.command(&["deploy", "--json", "--as", "2.0.0"]));
    running.until("50 %; passed\"}");
    assert_eq!(met(&site), BTreeSet::from(["1.0.0".into(), "2.0.0".into()]));
    running.end().expect(0);
    assert_eq!((site.live(), met(&site).len()), (("2.0.0".into(), true), 1));
    let brought = std::fs::read_to_string(site.path().join("brought")).unwrap();
    assert_eq!(brought, "2.0.0 green\n");

    site.run(&["rollback"]).expect(0);
    assert_eq!(site.served_version(), "1.0.0", "Pages has it still");
    site.run(&["rollback", "--to", "2.0.0"]).expect(0);
    assert_eq!(site.served_version(), "2.0.0", "what a command brought somewhere is still there");
    site.run(&["rollout", "--origin", &bucket.url(), "--as", "3.0.0"]).expect(0);
    assert_eq!(met(&site), BTreeSet::from(["3.0.0".into()]));
}
