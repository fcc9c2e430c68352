//! Releases that nothing happens to, and what people do with them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossfade_sandbox::{Action, Fault, POOL_IDS};
use crossfade_tests::Balanced;
use rustix::process::Signal;
use serde_json::{Value, json};

#[test]
fn a_release_moves_the_weights_step_by_step_and_every_command_does_what_it_does_with_a_router() {
    let stage =
        Balanced::new(r#"steps = [{ weight = "25%", hold = "1s" }, { weight = "100%", hold = "1s" }]"#);
    let sandbox = &stage.site.sandbox;
    let theirs = |document: Value, ours: &[&str]| {
        let mut fields = document.as_object().unwrap().clone();
        fields.retain(|name, _| !ours.contains(&name.as_str()));
        fields
    };
    let fields = || {
        let balancer = sandbox.load_balancer();
        let ours = ["steering_policy", "random_steering", "fallback_pool", "modified_on"];
        let pools = POOL_IDS.map(|id| theirs(sandbox.pool(id), &["enabled", "origins", "modified_on"]));
        (theirs(balancer, &ours), pools)
    };
    let before = fields();
    let mut running = stage.begin_in("1");
    let visitors = std::thread::scope(|scope| {
        let visiting = scope.spawn(|| visit_until(&stage, &|| stage.weights() == [0.0, 1.0]));
        stage.until_held(&mut running, "25 %");
        assert_eq!((stage.weights(), stage.enabled()), ([0.75, 0.25], [true, true]));
        stage.site.run(&["status"]).expect(0).prints(&["blue          75 %", "load balancer: revision "]);
        visiting.join().unwrap()
    });
    assert_eq!(
        visitors.keys().collect::<Vec<_>>(),
        ["1.0.0", "2.0.0"],
        "nobody was turned away: {visitors:?}"
    );
    running.end().expect(0).prints(&["should this process die, its weights stay as they are"]);
    assert_eq!((stage.weights(), stage.enabled()), ([0.0, 1.0], [false, true]));
    assert_eq!(stage.site.live(), ("2.0.0".into(), true));
    let written = stage.written();
    // That the token may do all of it is found out first, with what is there anyway. Then KV, the pool, its visitors.
    assert_eq!(written[..5], ["balancer", "pool green", "kv", "pool green", "balancer"]);
    // Settled: nobody is left on blue before KV says so.
    assert_eq!(written[written.len() - 3..], ["balancer", "pool blue", "kv"]);
    assert_eq!(fields(), before, "what is not ours is as it was");
    assert_eq!(sandbox.pool(POOL_IDS[0])["origins"][0]["name"], "theirs");

    let only = |version: &str| assert_eq!(stage.land(20).keys().collect::<Vec<_>>(), [version]);
    only("2.0.0");
    stage.site.run(&["rollback"]).expect(0);
    only("1.0.0");
    assert_eq!((stage.weights(), stage.enabled()), ([1.0, 0.0], [true, false]));
    stage.site.run(&["promote"]).expect(0);
    only("2.0.0");
    stage.site.run(&["weights", "stable=60", "canary=40"]).expect(0);
    assert_eq!((stage.weights(), stage.enabled()), ([0.4, 0.6], [true, true]));
    assert_eq!(stage.land(100).len(), 2);
    stage
        .site
        .run(&["rollback", "--to", "1.0.0"])
        .expect(2)
        .says(&["`1.0.0` is no release or version of the history"]);
}

/// Where visitors land who come until everybody lands on the new version, or long enough.
fn visit_until(stage: &Balanced, met: &dyn Fn() -> bool) -> BTreeMap<String, usize> {
    let (begun, mut landed) = (Instant::now(), BTreeMap::new());
    while !met() && begun.elapsed() < Duration::from_secs(30) {
        for (version, visits) in stage.land(10) {
            *landed.entry(version).or_insert(0) += visits;
        }
    }
    landed
}

#[test]
fn it_is_paused_resumed_and_aborted_from_elsewhere_and_a_failure_brings_it_home() {
    let stage = Balanced::new(r#"steps = [{ weight = "25%", hold = "1h" }]"#);
    let mut running = stage.begin_in("1");
    stage.until_held(&mut running, "25 %");
    for command in ["pause", "resume"] {
        stage.site.run(&[command]).expect(0);
        assert_eq!(stage.weights(), [0.75, 0.25], "{command}");
    }
    stage.site.run(&["abort"]).expect(0);
    running.end().expect(4);
    assert_eq!((stage.weights(), stage.enabled()), ([1.0, 0.0], [true, false]));
    assert_eq!(stage.written().last(), Some(&"kv"), "home is home before KV says so");
    assert_eq!(stage.site.live(), ("1.0.0".into(), true));

    let mut running = stage.begin_in("2");
    stage.until_held(&mut running, "25 %");
    stage.fails(true);
    running.end().expect(4);
    assert_eq!(stage.land(20).keys().collect::<Vec<_>>(), ["1.0.0"]);
}

#[test]
fn a_signal_brings_everybody_home_within_six_seconds_sessions_too_and_whatever_the_api_takes() {
    let stage = Balanced::new(r#"steps = [{ weight = "60%", hold = "1h" }]"#);
    stage.by_hand(&json!({ "session_affinity": "cookie" }));
    let mut running = stage.begin_in("1");
    stage.until_held(&mut running, "60 %");
    let bound = std::iter::repeat_with(|| stage.visit(None)).find(|(version, _)| version == "2.0.0");
    let cookie = bound.unwrap().1.unwrap();
    stage.site.sandbox.fault(Fault {
        method: None,
        path: "/".into(),
        after: 0,
        times: None,
        action: Action::Latency { ms: 1_300 },
    });
    running.signal(Signal::TERM);
    let home = stage
        .until("visitors are home", || stage.weights() == [1.0, 0.0] && stage.enabled() == [true, false]);
    assert!(home < Duration::from_secs(6), "{home:?}");
    assert_eq!(stage.visit(Some(&cookie)).0, "1.0.0", "a session ends with its pool");
    stage.site.sandbox.clear_faults();
    running.end().expect(4);
}
