//! The program dies: between the two writes, in both directions, and with visitors on a version that nobody vouches for.

use crossfade_sandbox::{Action, Fault};
use crossfade_tests::{Balanced, Running};
use rustix::process::Signal;
use serde_json::json;

const STEPS: &str = r#"steps = [{ weight = "25%", hold = "1h" }]"#;

/// The program is killed when this call of it hangs.
fn die_at(stage: &Balanced, call: Fault, make: impl FnOnce() -> Running) {
    let hung = || stage.site.sandbox.requests().iter().filter(|it| it.status == 0).count();
    let before = hung();
    stage.site.sandbox.fault(call);
    let running = make();
    stage.until("the call hangs", || hung() > before);
    running.signal(Signal::KILL);
    running.end();
    stage.site.sandbox.clear_faults();
}

fn home(stage: &Balanced) -> bool {
    stage.weights() == [1.0, 0.0] && stage.land(20).len() == 1
}

#[test]
fn who_dies_between_kv_and_the_load_balancer_leaves_visitors_at_home_and_a_lease_that_tells() {
    let stage = Balanced::new(STEPS);
    stage.site.configure("lease = \"6s\"", "lease = \"60s\"");
    // On the way out: KV has it, the load balancer has not. Two calls were the proof that the token may.
    die_at(&stage, Fault::new("PATCH", "/load_balancers/", Action::Hang).after(2), || stage.begin_in("1"));
    let table = stage.site.table();
    assert!(table.lease().is_some() && home(&stage), "{:?}", stage.written());
    stage
        .site
        .run(&["status"])
        .expect(0)
        .prints(&["load balancer: does not follow: it gives blue 100 %, green 0 %"]);
    stage.post("another").expect(0);
    assert_eq!(stage.site.table(), table, "a release of another run is not this one's");
    stage.post("1").expect(0);
    assert_eq!((stage.site.live(), home(&stage)), (("1.0.0".into(), true), true));

    // On the way home: the load balancer has it, KV has not.
    let mut running = stage.begin_in("2");
    stage.until_held(&mut running, "25 %");
    die_at(&stage, Fault::new("PUT", "/values/routing", Action::Hang), || {
        running.signal(Signal::TERM);
        running
    });
    assert!(stage.site.table().lease().is_some() && home(&stage), "{:?}", stage.written());
    stage.post("2").expect(0);
    assert_eq!((stage.site.live(), home(&stage)), (("1.0.0".into(), true), true));
}

#[test]
fn weights_of_the_dead_stay_until_somebody_comes_and_the_next_release_is_somebody() {
    let stage = Balanced::new(STEPS);
    let mut running = stage.begin_in("1");
    stage.until_held(&mut running, "25 %");
    running.signal(Signal::KILL);
    running.end();
    stage.until("the lease has run out", || {
        let status = stage.site.run(&["status"]).expect(0);
        status
            .stdout
            .contains("a load balancer knows none: `crossfade rollback` brings visitors home to blue")
    });
    assert_eq!((stage.weights(), stage.land(100).len()), ([0.75, 0.25], 2), "there is no lease at the edge");
    stage.site.edit("release:production", |record| record["expires_at"] = json!("2026-01-01T00:00:00Z"));

    // Whoever takes it over goes on from its step, and brings it home as well.
    let aborted = stage.site.run(&["abort"]).expect(4);
    assert!(home(&stage) && aborted.stdout.contains("is taken over from step 1 on"), "{}", aborted.stdout);

    let mut running = stage.begin_in("2");
    stage.until_held(&mut running, "25 %");
    running.signal(Signal::KILL);
    running.end();
    stage.site.edit("release:production", |record| record["expires_at"] = json!("2026-01-01T00:00:00Z"));
    stage
        .site
        .edit("routing:production", |table| table["lease"]["expires_at"] = json!("2026-01-01T00:00:00Z"));
    stage.site.configure(r#"hold = "1h""#, r#"hold = "0s""#);
    let next = stage.release().expect(0);
    next.prints(&["stopped without settling", "visitors are brought home now, to blue"]);
    assert_eq!((stage.site.live(), stage.weights()), (("2.0.0".into(), true), [0.0, 1.0]));
}
