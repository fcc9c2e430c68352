//! Somebody else at the same load balancer, and an API on a bad day.

use crossfade_sandbox::{Action, Fault, POOL_IDS};
use crossfade_tests::Balanced;
use serde_json::json;

#[test]
fn who_changes_the_weights_by_hand_is_in_charge_of_them_from_then_on() {
    let stage = Balanced::new(r#"steps = [{ weight = "25%", hold = "1h" }]"#);
    let mut running = stage.begin_in("1");
    stage.until_held(&mut running, "25 %");
    let [blue, green] = POOL_IDS;
    stage.by_hand(
        &json!({ "random_steering": { "default_weight": 0, "pool_weights": { blue: 1, green: 0 } } }),
    );
    let ended = running.end().expect(5);
    ended.says(&["somebody else has changed the load balancer: it gives blue 100 %, green 0 %"]);
    assert_eq!(stage.weights(), [1.0, 0.0], "nothing more was written");
    stage.site.run(&["rollback", "--force"]).expect(0);

    // Visitors are on a slot that is about to get another version.
    stage.by_hand(
        &json!({ "random_steering": { "default_weight": 0, "pool_weights": { blue: 0, green: 1 } } }),
    );
    let before = stage.written();
    stage.release().expect(3).says(&[
        "the load balancer does not do what revision",
        "(it gives blue 0 %, green 100 %): `crossfade weights blue=100`, or other weights, make it follow",
    ]);
    assert_eq!(stage.written(), before);
    stage.site.run(&["weights", "blue=100"]).expect(0);
    assert_eq!((stage.weights(), stage.enabled()), ([1.0, 0.0], [true, false]));
}

#[test]
fn a_lost_answer_and_an_api_that_is_away_are_got_over_and_a_shift_that_cannot_be_made_goes_home() {
    let stage = Balanced::new(r#"steps = [{ weight = "25%", hold = "1s" }]"#);
    let away = || Action::Answer { status: 503, code: 10_001, message: "trouble".into(), retry_after: None };
    let balancer = format!("/load_balancers/{}", crossfade_sandbox::LOAD_BALANCER_ID);
    // The first two are the proof that the token may; then the way to 25 %.
    stage.site.sandbox.fault(Fault::new("PATCH", &balancer, Action::AppliedThenReset).after(1).times(1));
    stage.site.sandbox.fault(Fault::new("PATCH", "/load_balancers/pools/", away()).after(1).times(2));
    stage.release().expect(0);
    assert_eq!((stage.site.live(), stage.weights()), (("2.0.0".into(), true), [0.0, 1.0]));

    stage.site.run(&["rollback"]).expect(0);
    let begun = stage.written().len();
    stage.site.sandbox.fault(Fault::new("PATCH", "/load_balancers/pools/", away()).after(1).times(12));
    let ended = stage.release().expect(4);
    ended.says(&["the routing table could not be written", "trouble"]);
    assert!(!stage.written()[begun..].contains(&"pool blue"));
    assert_eq!((stage.site.live().0, stage.weights()), ("1.0.0".into(), [1.0, 0.0]));
}

#[test]
fn the_first_release_takes_a_load_balancer_over_as_it_is() {
    let stage = Balanced::new(r#"steps = [{ weight = "100%", hold = "0s" }]"#);
    let [blue, green] = POOL_IDS;
    let (table, sandbox) = (stage.site.table(), &stage.site.sandbox);
    sandbox.delete_kv("routing:production");
    // Failover to the first, an endpoint without a Host header, a second pool that is a spare.
    stage.by_hand(&json!({ "steering_policy": "off", "fallback_pool": green }));
    let mut endpoint = sandbox.pool(blue)["origins"][0].clone();
    endpoint.as_object_mut().unwrap().remove("header");
    sandbox.change_pool(blue, json!({ "origins": [endpoint] }).as_object().unwrap().clone());
    let served = table.stable().origin.as_str();
    stage
        .site
        .run(&["rollout", "--origin", served, "--as", "1.0.0"])
        .expect(0)
        .prints(&["read back from the load balancer"]);
    assert_eq!((stage.weights(), stage.enabled()), ([1.0, 0.0], [true, false]));
    assert_eq!((stage.site.live(), stage.land(20).len()), (("1.0.0".into(), true), 1));
    assert_eq!(sandbox.load_balancer()["steering_policy"], "random");
}
