//! What a release is told while its runner is alive.

use crossfade_tests::Running;
use serde_json::json;

use crate::{Stage, until};

const STEPS: &str = r#"steps = [{ weight = "5%", hold = "1h" }, { weight = "50%", hold = "1h" }]"#;

#[test]
fn a_release_is_promoted_paused_and_aborted_from_elsewhere() {
    let stage = Stage::new(STEPS);
    let mut running = stage.begin();
    stage.until_held(&mut running, "5 %");

    // One step further: the hold is cut short, and a measurement passes there.
    stage.site.run(&["promote", "--why", "looks well"]).expect(0).prints(&["was told to promote, and does"]);
    stage.until_held(&mut running, "50 %");
    assert_eq!(stage.weight(), 5_000);

    stage.site.run(&["pause"]).expect(0).prints(&["was told to pause, and does"]);
    stage.site.run(&["pause"]).expect(2).says(&["did not pause: it is paused already"]);
    stage.site.run(&["approve"]).expect(2).says(&["no step waits for an approval now"]);
    stage.site.run(&["resume"]).expect(0);
    stage.site.run(&["resume"]).expect(2).says(&["it is not paused"]);

    // Who said what stands in the record.
    let answered = stage.record()["answered"].clone();
    assert_eq!((&answered["order"], &answered["refused"]), (&"resume".into(), &"it is not paused".into()));

    let home = stage.site.run(&["abort", "--why", "wrong version"]).expect(0);
    home.prints(&["rolled back 2.0.0: cancelled: aborted by ", "wrong version"]);
    running.end().expect(4).says(&["aborted by ", ": wrong version"]);
    assert_eq!(stage.site.served_version(), "1.0.0");
    assert_eq!(stage.written(), [(500, true), (5_000, true), (0, false)]);
    let history = stage.site.run(&["history"]).expect(0).stdout;
    assert!(history.contains("aborted by "), "{history}");
    stage.site.run(&["report", "2.0.0"]).expect(0).prints(&[
        "✓ pause",
        "step 2: paused at 50 % (by order)",
        "home        0 %",
        "step 2 of 3, 50 %: cancelled: aborted by ",
    ]);

    stage
        .site
        .run(&["pause"])
        .expect(2)
        .says(&["nothing is in flight: release rel-", "has ended (rolled-back)"]);
}

#[test]
fn in_full_means_straight_to_the_last_step() {
    let stage = Stage::new(
        r#"steps = [{ weight = "5%", hold = "1h" }, { weight = "50%", hold = "1h", approval = true }, { weight = "100%", hold = "1h" }]"#,
    );
    let mut running = stage.begin();
    stage.until_held(&mut running, "5 %");
    stage.site.run(&["promote", "--full"]).expect(0);
    running.end().expect(0);
    assert_eq!(stage.written(), [(500, true), (10_000, true), (10_000, false)], "50 % was left out");
    assert_eq!(stage.site.served_version(), "2.0.0");

    // Back, and forward again, as simple as that: one write each.
    let stage_writes = stage.site.writes("routing:production");
    stage.site.run(&["promote"]).expect(2).says(&["nothing is in flight", "no rollback"]);
    stage.site.run(&["rollback"]).expect(0);
    assert_eq!(stage.site.served_version(), "1.0.0");
    stage.site.run(&["promote"]).expect(0).prints(&["2.0.0 serves everybody"]);
    assert_eq!(
        (stage.site.served_version(), stage.site.writes("routing:production")),
        ("2.0.0".into(), stage_writes + 2)
    );

    // Nothing removes an origin that was there before its release, so it can be gone to by its name as well.
    stage.site.run(&["rollback"]).expect(0);
    stage.site.run(&["rollback", "--to", "2.0.0"]).expect(0).prints(&["2.0.0 serves everybody"]);
}

#[test]
fn a_step_waits_for_somebody_who_approves_it() {
    let stage = Stage::new(
        r#"steps = [{ weight = "0%", hold = "0s" }, { weight = "25%", hold = "0s", approval = true }]
approval_above = "50%"
approve_within = "2s""#,
    );
    let mut running = stage.begin();
    stage.until_held(&mut running, "0 %");
    running.until("step 2 waits for approval, until 2");
    // Nobody meets it yet, and who decides can look at it all the same.
    assert_eq!((stage.weight(), stage.site.served_version()), (0, "1.0.0".into()));
    stage.site.run(&["approve"]).expect(0).prints(&["was told to approve, and does"]);
    // The next one, above the cap, nobody approves.
    let ended = running.end().expect(4).says(&["nobody approved step 3 within 2 s"]);
    // How long was waited for whom is in the record, for the report.
    let gates: Vec<(String, bool)> = ended
        .events()
        .iter()
        .filter(|event| event["type"] == "gate")
        .map(|event| (format!("{} {}", event["gate"].as_str().unwrap(), event["step"]), event["ok"] == true))
        .collect();
    assert_eq!(gates, [("approval 2".into(), true), ("approval 3".into(), false)]);
    assert_eq!(stage.written(), [(0, true), (2_500, true), (0, false)]);
}

#[test]
fn an_abort_before_traffic_moves_starts_nothing() {
    let stage = Stage::new(STEPS);
    let running = before_traffic_moves(&stage);
    stage.site.run(&["abort"]).expect(0);
    running.end().expect(3).says(&["aborted by "]);
    assert_eq!(stage.written(), []);
}

#[test]
fn a_release_that_finds_another_one_in_charge_is_superseded_and_not_cancelled() {
    let stage = Stage::new(STEPS);
    let running = before_traffic_moves(&stage);
    let id = stage.record()["id"].as_str().unwrap().to_owned();
    stage.site.edit("release:production", |record| record["id"] = "rel-another".into());
    // What is said to it makes it look at its record now, and not within three quarters of a minute.
    stage.site.put(
        "order:production",
        &json!({ "schema": 1, "id": "1", "release": id, "order": "pause", "by": "me", "at": "2026-01-01T00:00:00Z" }),
    );
    running.end().expect(5).says(&["release rel-another took over; this release wrote nothing more"]);
    assert_eq!(stage.record()["id"], "rel-another");
    assert_eq!(stage.written(), []);
}

#[test]
fn an_abort_is_heard_while_another_order_waits() {
    let stage = Stage::new(STEPS);
    let running = before_traffic_moves(&stage);
    // There is nothing to pause yet, so this waits.
    let pausing = Running::begin(stage.site.command(&["pause"]));
    until("it is heard", || !stage.record()["heard"].is_null());
    stage.site.run(&["abort"]).expect(0);
    running.end().expect(3).says(&["aborted by "]);
    pausing.end().expect(2).says(&["did not answer"]);
    assert_eq!(stage.written(), []);
}

/// A release that stays in its preparation until somebody ends it.
fn before_traffic_moves(stage: &Stage) -> Running {
    stage.site.append("[hooks]\nprepare = [{ name = \"wait\", run = \"sleep 3071\" }]\n");
    let mut running = stage.begin();
    running.until_phase("prepare");
    running
}

#[test]
fn an_order_does_not_wait_for_a_hook_that_takes_its_time() {
    let stage = Stage::new(STEPS);
    stage.site.append("[hooks]\nconfirm_traffic_increase = [{ run = \"sleep 3072\", timeout = \"1h\" }]\n");
    let mut running = stage.begin();
    running.until("asking confirm-traffic-increase");
    stage.site.run(&["pause", "--why", "lunch"]).expect(0).prints(&["was told to pause, and does"]);
    running.until("paused at 0 % (by order)");
    assert_eq!(stage.record()["answered"]["order"], "pause");
    // While a release is in flight, the version before is home.
    stage
        .site
        .run(&["rollback"])
        .expect(0)
        .prints(&["rolled back 2.0.0: cancelled: aborted by ", "rollback"]);
    running.end().expect(4);
    assert_eq!(stage.written(), [(0, true), (0, false)]);
}
