//! Workflows from their first step to their last, as people write them.

use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, CONTROL_TOKEN};
use crossfade_tests::{Site, origin::Origin};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::act::Act;
use crate::processes::programs_with;
use crate::stage::{QUARTER, configuration, shift};

#[test]
fn each_release_says_how_it_went_and_visitors_are_where_it_says() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let act = Act::new(&site);
    let ended = act.begin("releases.yml").end().expect(0);
    assert!(!ended.stdout.contains(API_TOKEN) && !ended.stdout.contains(CONTROL_TOKEN), "{}", ended.stdout);
    let seen = act.seen();
    let [good, red, failing, nonsense, tokenless, back] = &seen[..] else { panic!("six steps: {seen:#?}") };
    for (step, outcome, of_the_program, served, why) in [
        (good, "success", "promoted", "1.1.0", "1.1.0"),
        (red, "failure", "not-started", "1.1.0", "database is down"),
        (failing, "failure", "rolled-back", "1.1.0", "does not work behind the public host"),
        (nonsense, "failure", "failed", "1.1.0", "`mode` is `frobnicate`"),
        (tokenless, "failure", "failed", "1.1.0", "CLOUDFLARE_API_TOKEN is not set"),
        (back, "success", "promoted", "1.0.0", "1.0.0"),
    ] {
        assert_eq!((&step["outcome"], &step["served"]), (&outcome.into(), &served.into()), "{step:#}");
        assert_eq!(step["outputs"]["outcome"], of_the_program, "{step:#}");
        assert!(step["outputs"]["reason"].as_str().unwrap().contains(why), "{step:#}");
    }
    assert_eq!(good["outputs"]["revision"], "3", "{good:#}");
    let url = good["outputs"]["deployment-url"].as_str().unwrap();
    assert!(site.sandbox.deployments().iter().any(|(_, its)| its == url), "{url}");
    assert_eq!(good["outputs"]["pages-deployment-id"], good["outputs"]["stable-deployment-id"]);
}

#[test]
fn environments_are_released_side_by_side_and_a_killed_one_is_home_after_its_job() {
    let (production, origins) = Site::serving(&[("blue", "1.0.0"), ("green", "2.0.0"), ("red", "3.0.0")]);
    let (staging, staging_origins) = serving_staging();
    let both = [("production", &production), ("staging", &staging)];
    production.write("crossfade.toml", &configuration(&both, ""));
    production.write("canary.toml", &configuration(&both[..1], QUARTER));
    let act = Act::new(&production)
        .variable("PRODUCTION_ORIGIN", origins[1].url())
        .variable("KILLED_ORIGIN", origins[2].url())
        .variable("STAGING_API", staging.sandbox.api_url())
        .variable("STAGING_URL", staging.sandbox.public_url().unwrap())
        .variable("STAGING_ORIGIN", staging_origins[1].url());
    let mut running = act.begin("environments.yml");
    running.until_met("3.0.0 has a quarter", |_| shift(&production, "3.0.0") == (2_500, true));
    let mut seen = act.seen();
    seen.sort_by_key(|line| line["step"].to_string());
    assert_eq!(told(&seen, "step"), ["production", "staging"]);
    assert_eq!(told(&seen, "served"), ["2.0.0", "2.0.0"]);
    assert!(seen.iter().all(|line| line["outputs"]["outcome"] == "promoted"), "{seen:#?}");

    let [program] = programs_with(&act.mark())[..] else { panic!("one program runs") };
    kill_process(program, Signal::KILL).unwrap();
    running.end().expect(1).prints(&["The release did not settle: visitors are brought back."]);
    let seen = act.seen();
    let last = seen.last().unwrap();
    assert_eq!((&last["step"], &last["outputs"]["outcome"]), (&"killed".into(), &"failed".into()));
    assert_eq!((shift(&production, "3.0.0"), production.served_version()), ((0, false), "2.0.0".into()));
}

#[test]
fn the_workflows_that_people_copy_release_and_roll_back() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure("[rollout]", "[rollout]\nsteps = [{ weight = \"25%\", hold = \"1s\" }]");
    let act = Act::new(&site).variable("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID);
    let ended = act.begin_example("canary.yml", &["push"]).end().expect(0);
    let sha = site.table().stable().version.to_string();
    assert!(sha.len() == 40 && site.served_version() == sha, "{}", ended.stdout);
    ended.prints(&[&format!("promoted promoted {sha}: it serves everybody")]);

    let dispatched = ["workflow_dispatch", "--input", "environment=production"];
    act.begin_example("rollback.yml", &dispatched).end().expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    let to = format!("to={sha}");
    act.begin_example("rollback.yml", &[&dispatched[..], &["--input", &to]].concat()).end().expect(0);
    assert_eq!(site.served_version(), sha);

    let revision = site.table().revision();
    act.begin_example("recovery.yml", &["workflow_dispatch"]).end().expect(0);
    assert_eq!(site.table().revision(), revision, "there was nothing to recover");
}

/// A site of the environment `staging`, with its versions.
fn serving_staging() -> (Site, Vec<Origin>) {
    let (site, origins) = Site::serving_with(&[("blue", "1.0.0"), ("green", "2.0.0")], |options| {
        options.environment = "staging".into()
    });
    let mut table = site.document("routing:production");
    table["environment"] = "staging".into();
    site.put("routing:staging", &table);
    (site, origins)
}

/// A field of each step.
fn told<'a>(seen: &'a [Value], field: &str) -> Vec<&'a str> {
    seen.iter().map(|line| line[field].as_str().unwrap()).collect()
}
