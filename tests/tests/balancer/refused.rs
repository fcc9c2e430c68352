//! What a load balancer cannot do, or may not, is said before anything is done.

use crossfade_sandbox::{Action, Fault, LOAD_BALANCER_ID, POOL_IDS};
use crossfade_tests::Balanced;
use serde_json::json;

#[test]
fn a_configuration_that_needs_the_router_is_refused() {
    let stage = Balanced::new("");
    let config = std::fs::read_to_string(stage.site.path().join("crossfade.toml")).unwrap();
    let [blue, green] = POOL_IDS;
    for (from, to, says) in [
        (
            "[[health]]",
            "[router]\nmirror = \"5%\"\n[[health]]",
            "which cannot do what the router does: `router.mirror`",
        ),
        ("[[health]]", "[router]\nrules = [{ to = \"canary\" }]\n[[health]]", "`router.rules`"),
        ("[[health]]", "[analysis]\nsource = \"edge\"\n[[health]]", "`analysis` by what the router counts"),
        ("[[health]]", "[analysis]\n[[health]]", "`analysis` by what the router counts"),
        ("strategy = \"canary\"", "strategy = \"rolling\"", "strategy = \"rolling\" in `rollout`"),
        (
            "[[health]]",
            "[[rollout.steps]]\nweight = \"0%\"\nhold = \"1m\"\n[[health]]",
            "a first step of 0 %",
        ),
        (green, blue, "gives blue and green the same pool: a version is alone in its pool"),
        (green, "94ee", "`environments.production.load_balancer.pools.green` is `94ee`: it must be an id"),
        ("green = ", "teal = ", "it must have a pool for each of `rollout.slots`, blue and green"),
    ] {
        assert!(config.contains(from));
        stage.site.write("crossfade.toml", &config.replacen(from, to, 1));
        stage.site.run(&["validate"]).expect(2).says(&[says]);
    }
    let staging = config.replace("[environments.production]", "[environments.staging]");
    let staging = &staging[staging.find("[environments").unwrap()..staging.find("[version]").unwrap()];
    stage.site.write("crossfade.toml", &format!("{config}\n{staging}"));
    stage.site.run(&["validate"]).expect(2).says(&["a release of one would move the visitors of the other"]);
    // Counting by probes, and numbers of one's own, need no router.
    let own = "[analysis]\njudge = \"threshold\"\n[[analysis.metrics]]\nname = \"errors\"\npass = { at-most = 1 }\n\
               source = { prometheus = { url = \"https://prometheus.example\", query = \"errors\" } }\n[[health]]";
    for analysis in ["[analysis]\nsource = { probe = { requests = 5, path = \"/\" } }\n[[health]]", own] {
        stage.site.write("crossfade.toml", &config.replacen("[[health]]", analysis, 1));
        stage.site.run(&["validate"]).expect(0);
    }
}

#[test]
fn a_load_balancer_or_a_token_that_will_not_do_is_told_before_anything_is_changed() {
    let stage = Balanced::new(r#"steps = [{ weight = "25%", hold = "1s" }]"#);
    let before = (stage.site.table(), stage.site.sandbox.load_balancer());
    for (fields, says) in [
        (json!({ "proxied": false }), "the load balancer cannot be used: it is not proxied"),
        (
            json!({ "proxied": true, "default_pools": [POOL_IDS[0]] }),
            "the two of `load_balancer.pools` and no others",
        ),
    ] {
        stage.by_hand(&fields);
        stage.release().expect(3).says(&[says, "at Cloudflare's dashboard"]);
    }
    let rule = json!({ "name": "api", "condition": "", "overrides": { "default_pools": [POOL_IDS[1]] } });
    stage.by_hand(&json!({ "default_pools": POOL_IDS, "rules": [rule] }));
    stage.release().expect(3).says(&["its rule \"api\" sends requests to pools of its own choice"]);
    stage.by_hand(&json!({ "rules": [] }));
    let refused = || Action::Answer {
        status: 403,
        code: 10_000,
        message: "Authentication error".into(),
        retry_after: None,
    };
    for (method, path, permission) in [
        ("GET", format!("/load_balancers/{LOAD_BALANCER_ID}"), "\"Load Balancers: Edit\" on this zone"),
        ("PATCH", format!("/load_balancers/{LOAD_BALANCER_ID}"), "\"Load Balancers: Edit\" on this zone"),
        ("PATCH", "/pools/".to_owned(), "\"Load Balancing: Monitors and Pools: Edit\" on this account"),
    ] {
        stage.site.sandbox.fault(Fault::new(method, &path, refused()));
        stage.release().expect(3).says(&[permission]);
        stage.site.sandbox.clear_faults();
    }
    let same = |name: &str| assert_eq!(stage.site.sandbox.load_balancer()[name], before.1[name], "{name}");
    assert_eq!(stage.site.table(), before.0);
    ["default_pools", "steering_policy", "fallback_pool"].into_iter().for_each(same);
    assert_eq!((stage.weights(), stage.enabled()), ([1.0, 0.0], [true, false]));
}
