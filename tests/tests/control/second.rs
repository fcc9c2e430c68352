//! A release that begins while another one is running.

use crate::Stage;

const STEPS: &str = r#"steps = [{ weight = "50%", hold = "5s" }]"#;

#[test]
fn a_second_release_is_refused() {
    let stage = Stage::new(STEPS);
    let mut first = stage.begin();
    stage.until_held(&mut first, "50 %");
    stage.begin_as("3.0.0").end().expect(5).says(&["holds shifted weights until ", "nothing was changed"]);
    first.end().expect(0);
}

#[test]
fn a_second_release_waits_for_the_first() {
    let stage = Stage::new(&format!("{STEPS}\nsecond = \"queue\""));
    let mut first = stage.begin();
    stage.until_held(&mut first, "50 %");
    let mut second = stage.begin_as("2.0.0");
    second.until("waiting for release rel-");
    assert!(!first.has_ended());
    first.end().expect(0);
    // Its slot is the other one now.
    second.end().expect(0);
    assert_eq!(stage.site.table().stable().name.as_str(), "blue");
}

#[test]
fn a_second_release_waits_until_a_dead_ones_lease_has_run_out() {
    let stage = Stage::new("steps = [{ weight = \"50%\", hold = \"3s\" }]\nsecond = \"queue\"");
    let mut first = stage.begin();
    stage.until_held(&mut first, "50 %");
    first.signal(rustix::process::Signal::KILL);
    first.end();
    // Its record is the first that runs out, as it is by default.
    stage.site.edit("release:production", |record| record["expires_at"] = record["started_at"].clone());
    let lease = stage.site.table().lease().unwrap().expires_at;
    let mut second = stage.begin();
    second.until("has left shifted");
    second.end().expect(0);
    assert!(stage.site.table().updated_at() > lease);
    assert_eq!(stage.site.served_version(), "2.0.0");
}

#[test]
fn a_second_release_takes_the_place_of_the_first() {
    let stage = Stage::new("steps = [{ weight = \"50%\", hold = \"1h\" }]\nsecond = \"supersede\"");
    let mut first = stage.begin();
    stage.until_held(&mut first, "50 %");
    let mut second = stage.begin();
    first.end().expect(4).says(&["aborted by release rel-", "superseded"]);
    stage.until_held(&mut second, "50 %");
    assert_eq!(stage.written(), [(5_000, true), (0, false), (5_000, true)]);
    stage.site.run(&["abort"]).expect(0);
    second.end().expect(4);

    // Once more, without anything new: the same place, the same version.
    let mut retried = crossfade_tests::Running::begin(stage.site.command(&["retry", "--json"]));
    stage.until_held(&mut retried, "50 %");
    stage.site.run(&["promote", "--full"]).expect(0);
    let ended = retried.end().expect(0);
    assert!(ended.stdout.contains("promoted 2.0.0"), "{}", ended.stdout);
    stage.site.run(&["retry"]).expect(2).says(&["serves everybody: there is nothing to retry"]);
}
