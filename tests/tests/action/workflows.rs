//! Workflows from their first step to their last, as people write them.

use crossfade_tests::{Site, origin::Origin};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::act::Act;
use crate::executor::programs_with;
use crate::stage::{QUARTER, configuration, shift};

#[test]
fn each_release_says_how_it_went_and_visitors_are_where_it_says() {
    let site = Site::new();
    site.deploy("1.0.0", &[]).expect(0);
    let act = Act::new(&site);
    let ended = act.begin("releases.yml").end().expect(0);
    let seen = act.seen();
    for line in &seen {
        println!("{line:#}");
    }
    println!("{}", ended.stdout);
    assert_eq!(told(&seen, "served"), ["1.1.0", "1.1.0", "1.1.0", "1.1.0", "1.1.0", "1.0.0"]);
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
    for line in &seen {
        println!("{line:#}");
    }

    let [program] = programs_with(&act.mark())[..] else { panic!("one program runs") };
    kill_process(program, Signal::KILL).unwrap();
    let ended = running.end();
    println!("{}", ended.stdout);
    assert_eq!(ended.code, 1);
    let last = act.seen().pop().unwrap();
    println!("{last:#}");
    assert_eq!((shift(&production, "3.0.0"), production.served_version()), ((0, false), "2.0.0".into()));
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
