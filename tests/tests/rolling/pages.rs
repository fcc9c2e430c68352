//! A fleet of Pages projects: nothing is overwritten, so that going back is one write.

use crossfade_sandbox::API_TOKEN;
use crossfade_tests::Site;
use serde_json::json;

/// A site whose fleet is these projects.
fn site(projects: &[&str]) -> Site {
    let site = Site::new();
    let api = format!("{}/accounts/{}/pages/projects", site.sandbox.api_url(), crossfade_sandbox::ACCOUNT_ID);
    let mut instances = String::new();
    for project in projects {
        ureq::post(&api)
            .header("authorization", format!("Bearer {API_TOKEN}"))
            .send_json(json!({ "name": project, "production_branch": "main" }))
            .unwrap();
        instances += &format!("[[instances]]\nname = \"{project}\"\nproject = \"{project}\"\n");
    }
    site.configure(
        "propagation = \"5s\"",
        "propagation = \"1100ms\"\nmeasure_every = \"300ms\"\nstrategy = \"rolling\"",
    );
    site.configure("keep = 3", "keep = 1\ngrace = \"0s\"");
    site.append(&format!(
        "[rollout.rolling]\nbatch = 1\ndrain = \"0s\"\nwatch = \"500ms\"\nbetween = \"0s\"\n{instances}"
    ));
    site
}

fn state(site: &Site) -> Vec<(String, String, String, u16)> {
    let table = site.table();
    let of = |it: &crossfade_core::table::Variant| {
        (it.name.to_string(), it.version.to_string(), it.origin.to_string(), it.weight.basis_points())
    };
    table.variants().iter().map(of).collect()
}

#[test]
fn every_project_gets_a_deployment_of_its_own_and_one_write_goes_back() {
    let site = site(&["booking-eu", "booking-us"]);
    site.deploy("1.0.0", &[]).expect(0);
    let first = state(&site);
    assert_eq!(
        first.iter().map(|it| (it.0.as_str(), it.1.as_str(), it.3)).collect::<Vec<_>>(),
        [("booking-eu", "1.0.0", 5_000), ("booking-us", "1.0.0", 5_000),]
    );

    site.deploy("1.1.0", &[]).expect(0).prints(&[
        "✓ drain",
        "✓ deploy     booking-eu",
        "· booking-us 1.1.0 at http",
    ]);
    let second = state(&site);
    assert!(second.iter().zip(&first).all(|(new, old)| new.1 == "1.1.0" && new.2 != old.2 && new.3 == 5_000));
    let record = site.document("release:production");
    assert_eq!(record["instances"].as_array().unwrap().len(), 2, "{record}");
    assert!(record["instances"][0]["deployment_id"].is_string(), "{record}");

    // One that fails its smoke test is never met, and takes nobody's deployment away.
    site.deploy("1.2.0", &["smoke-payment"]).expect(4).says(&["2 instances failed", "payment"]);
    assert_eq!(state(&site), second);

    let before = site.writes("routing:production");
    site.run(&["rollback"]).expect(0).prints(&["1.0.0 serves everybody on every instance"]);
    assert_eq!(site.writes("routing:production") - before, 1);
    assert_eq!(state(&site), first);
    assert_eq!(site.served_version(), "1.0.0");
    site.run(&["rollback"]).expect(0).prints(&["1.1.0 serves everybody on every instance"]);
    assert_eq!(state(&site), second);
    site.run(&["rollback", "--to", "1.0.0"]).expect(2).says(&["this is a fleet: deploy that version again"]);

    // Two releases later the first one's deployments are removed, and what the table names never is.
    site.deploy("1.3.0", &[]).expect(0);
    site.run(&["history"]).expect(0).prints(&["1.3.0", "promoted"]);
    let alive: Vec<String> = site.sandbox.deployments().into_iter().map(|(_, url)| url).collect();
    for (_, _, origin, _) in state(&site) {
        assert!(alive.contains(&origin), "{origin} is in the table and not in {alive:?}");
    }
}
