//! `docs/migration.md`: from a Pages custom domain to the router, releases there, and back.

use std::process::Command;

use crossfade_sandbox::{NAMESPACE_ID, Tools, ZONE_NAME};
use crossfade_tests::{Ended, Site, Visitors, documented, openapi, root};

#[test]
fn a_pages_site_moves_behind_the_router_and_back_and_no_request_fails() {
    let site = Site::with(|options| {
        options.worker = None;
        options.hosts = true;
    });
    let url = site.sandbox.public_url().unwrap();
    site.configure(&format!("kv_namespace = \"{NAMESPACE_ID}\""), "");
    site.configure("[version]", "[environments.production.worker]\nrefresh = \"1s\"\n\n[version]");
    let tools = Tools::load().unwrap();
    let mut build = Command::new(&tools.node);
    build
        .arg(root().join("example/build.mjs"))
        .args(["--version", "1.0.0", "--out"])
        .arg(site.path().join("dist"));
    Ended::of(build).expect(0);
    site.run(&["pages", "deploy"]).expect(0);
    site.sandbox.point(ZONE_NAME, "booking.pages.dev", None, true);
    assert_eq!(site.served_version(), "1.0.0");

    let visitors = Visitors::at(&url, 2);
    site.run(&["deploy"])
        .expect(2)
        .says(&["`kv_namespace` of this environment is not set", "crossfade router deploy"]);
    // All pages say the same: what brings the router, and what takes it away.
    let bundle = tools.worker.unwrap();
    let mut lines: Vec<String> = documented("sh router");
    lines.iter_mut().for_each(|line| line.truncate(line.split(" #").next().unwrap().trim_end().len()));
    lines.sort();
    lines.dedup();
    let [deploy, plan, remove, plan_of_removal] = &lines[..] else { panic!("{lines:?}") };
    let with_bundle =
        |line: &str| Ended::of(site.shell(&format!("{line} --bundle {}", bundle.display()))).expect(0);
    with_bundle(plan).prints(&["of which change something; nothing was changed"]);
    with_bundle(deploy);
    // Pages serves a new version at its own host name as soon as it is there; visitors keep the one they have.
    site.deploy("1.1.0", &["real-host"]);
    assert_eq!(site.served_version(), "1.0.0");
    site.sandbox.take_exchanges();
    // So what lies beneath the router is not what they have, until it is made to be.
    Ended::of(site.shell(plan_of_removal)).expect(0).prints(&["make the Pages project serve deployment"]);
    Ended::of(site.shell(remove)).expect(0);
    assert_eq!(site.served_version(), "1.0.0");
    openapi::check(&site.sandbox.take_exchanges());
    let visits: Vec<_> = visitors.leave().into_iter().flatten().collect();
    let failed: Vec<_> = visits.iter().filter(|visit| visit.status != 200).collect();
    assert!(failed.is_empty(), "of {}: {failed:?}", visits.len());
    assert!(visits.iter().any(|visit| !visit.variant.is_empty()), "nobody met the router");
}
