//! Not all goes well: the fleet has the version before again, and nobody notices.

use std::time::{Duration, Instant};

use crossfade_tests::{Ended, Fleet, Running, Visitors};
use rustix::process::Signal;

use crate::good::no_failures;

/// What the contract gives a release to bring traffic home after a signal.
const HOME_WITHIN: Duration = Duration::from_secs(6);

fn begin(fleet: &Fleet, arguments: &[&str]) -> Running {
    Running::begin(fleet.site.command(&[arguments, &["--json"]].concat()))
}

#[track_caller]
fn until(what: &str, met: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !met() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everybody has 1.0.0 again, and the table is the one before.
#[track_caller]
fn is_home(fleet: &Fleet) {
    assert_eq!(fleet.versions(), vec!["1.0.0"; fleet.instances.len()]);
    let table = fleet.site.table();
    assert!(
        table.lease().is_none() && table.variants().iter().all(|it| it.version.as_str() == "1.0.0"),
        "{table:?}"
    );
    assert!(table.variants().iter().all(|it| it.weight.basis_points() > 0), "{table:?}");
    fleet.nobody_met_a_busy_one();
}

#[test]
fn one_bad_deploy_brings_the_whole_release_back() {
    let fleet = Fleet::new(6, 2);
    fleet.instances[3].mark("fail-deploy", "");
    let visitors = Visitors::of(&fleet, 12);
    let ended = fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(4);
    no_failures(&visitors.leave());
    is_home(&fleet);
    ended.says(&["rolled back: `i3` could not be deployed: `sh deploy.sh deploy` ended with exit status: 1"]);
    for (index, instance) in fleet.instances.iter().enumerate() {
        let expected: &[&str] = if index < 4 { &["deploy 1.1.0", "rollback 1.0.0"] } else { &[] };
        assert_eq!(instance.log(), expected, "{}", instance.name);
    }
    assert_eq!(fleet.site.document("release:production")["ended"]["outcome"], "rolled-back");
}

/// Begins a release and makes an instance of the first batch sick once visitors are back on it.
fn sick_after_the_restore(fleet: &Fleet) -> Ended {
    let mut running = begin(fleet, &["deploy", "--as", "1.1.0"]);
    running.until_phase("restore");
    fleet.instances[0].mark("sick", "1.1.0");
    running.end()
}

#[test]
fn a_batch_whose_errors_rise_goes_back_and_too_many_failed_instances_end_the_release() {
    let fleet = Fleet::new(6, 2);
    let visitors = Visitors::of(&fleet, 12);
    let ended = sick_after_the_restore(&fleet).expect(4);
    ended.says(&["rolled back: 2 of 6 instances failed: ", "1 of 2 health checks failed; i0: basic: status"]);
    is_home(&fleet);
    assert_eq!(fleet.instances[2].log(), [] as [&str; 0], "no further batch was begun");

    // When that many may fail, the release goes on without the batch.
    fleet.site.configure("[rollout.rolling]", "[rollout.rolling]\nfailed_max = \"40%\"");
    fleet.instances[0].unmark("sick");
    let ended = sick_after_the_restore(&fleet).expect(0);
    no_failures(&visitors.leave());
    assert_eq!(fleet.versions(), ["1.0.0", "1.0.0", "1.1.0", "1.1.0", "1.1.0", "1.1.0"]);
    assert_eq!(
        ended.event("finished")["text"],
        "promoted 1.1.0: 4 of 6 instances have it; i0, i1 kept 1.0.0"
    );
    let table = fleet.site.table();
    assert_eq!(table.variants()[0].version.as_str(), "1.0.0", "the table says what is there");
    assert!(fleet.weight("i0") > 0, "and it serves");
    fleet.nobody_met_a_busy_one();
}

#[test]
fn nine_of_ten_well_instances_are_enough_for_a_batch() {
    let fleet = Fleet::new(11, 10);
    fleet.instances[4].mark("sick", "1.1.0");
    let ended = fleet.site.run(&["deploy", "--as", "1.1.0", "--json"]).expect(0);
    assert_eq!(ended.event("finished")["text"], "promoted 1.1.0: 10 of 11 instances have it; i4 kept 1.0.0");
    assert_eq!(fleet.instances[4].log(), ["deploy 1.1.0", "rollback 1.0.0"]);

    // Two of ten are too many: the batch goes back, and with it the release.
    fleet.instances[4].mark("sick", "1.2.0");
    fleet.instances[5].mark("sick", "1.2.0");
    fleet.site.run(&["deploy", "--as", "1.2.0"]).expect(4).says(&["10 of 11 instances failed"]);
    assert_eq!(fleet.instances[0].version(), "1.1.0");
}

#[test]
fn an_instance_that_cannot_be_brought_back_is_named_and_has_no_visitors() {
    let fleet = Fleet::new(3, 1);
    fleet.instances[0].mark("fail-rollback", "");
    fleet.instances[1].mark("fail-deploy", "");
    let visitors = Visitors::of(&fleet, 8);
    let ended = fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(6);
    no_failures(&visitors.leave());
    ended.says(&[
        "stuck: `i1` could not be deployed",
        "`i0`: `sh deploy.sh rollback` ended with",
        "`crossfade weights`",
    ]);
    assert_eq!(fleet.versions(), ["1.1.0", "1.0.0", "1.0.0"]);
    // The others share its visitors for good: no lease runs out that would send everybody to one of them.
    assert_eq!(["i0", "i1", "i2"].map(|name| fleet.weight(name)), [0, 5_000, 5_000]);
    assert!(fleet.site.table().lease().is_none(), "{:?}", fleet.site.table());
    assert_eq!(fleet.site.document("release:production")["ended"]["outcome"], "stuck");
    fleet.nobody_met_a_busy_one();

    // A release begins from there, and brings it back into the fleet.
    fleet.instances[1].unmark("fail-deploy");
    fleet.site.run(&["deploy", "--as", "1.2.0"]).expect(0);
    assert_eq!(fleet.versions(), ["1.2.0"; 3]);
}

#[test]
fn cancelled_while_a_batch_is_replaced_visitors_are_home_at_once_and_then_everything_is_undone() {
    let fleet = Fleet::new(6, 2);
    fleet.instances[2].mark("slow", "30");
    let visitors = Visitors::of(&fleet, 12);
    let running = begin(&fleet, &["deploy", "--as", "1.1.0"]);
    until("the second batch is being replaced", || fleet.instances[2].is_busy());
    assert!(fleet.weight("i0") > 0 && fleet.instances[0].version() == "1.1.0");
    running.signal(Signal::TERM);
    let signalled = Instant::now();
    while fleet.weight("i0") > 0 {
        assert!(
            signalled.elapsed() < HOME_WITHIN,
            "visitors are still on the new version: {:?}",
            fleet.site.table()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    fleet.instances[2].mark("slow", "0.2");
    running.end().expect(4).says(&["rolled back: cancelled: SIGTERM"]);
    no_failures(&visitors.leave());
    // The command that was cut short left its mark.
    fleet.instances[2].unmark("busy");
    is_home(&fleet);
    for instance in &fleet.instances[..4] {
        assert_eq!(instance.log().last().unwrap(), "rollback 1.0.0", "{}", instance.name);
    }
}

/// Kills the program while an instance is busy with its command, and forgets the runner.
fn killed_at(fleet: &Fleet, instance: usize, running: Running) {
    until("the instance is being replaced", || fleet.instances[instance].is_busy());
    running.signal(Signal::KILL);
    running.end();
    fleet.instances[instance].mark("slow", "0.2");
    fleet.site.edit("release:production", |record| record["expires_at"] = "2026-01-01T00:00:00Z".into());
}

#[test]
fn a_rollback_whose_runner_died_is_gone_on_with_backwards() {
    let fleet = Fleet::new(2, 1);
    fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(0);
    fleet.instances[1].mark("slow", "12");
    killed_at(&fleet, 1, begin(&fleet, &["rollback"]));
    fleet.site.run(&["resume"]).expect(0);
    assert_eq!(fleet.versions(), ["1.0.0"; 2]);
    assert_eq!(
        fleet.instances[0].log(),
        ["deploy 1.1.0", "rollback 1.0.0"],
        "what was done is not done again"
    );
    assert!(fleet.site.table().lease().is_none());

    // Aborted, it is undone: everybody has the version again that was to be left.
    fleet.site.run(&["deploy", "--as", "1.2.0"]).expect(0);
    fleet.instances[1].mark("slow", "12");
    killed_at(&fleet, 1, begin(&fleet, &["rollback"]));
    fleet.site.run(&["abort"]).expect(4);
    assert_eq!(fleet.versions(), ["1.2.0"; 2]);
    fleet.nobody_met_a_busy_one();
}

#[test]
fn on_a_fleet_that_is_half_replaced_nothing_begins_before_somebody_has_brought_it_together() {
    let fleet = Fleet::new(3, 1);
    fleet.site.configure("lease = \"60s\"", "lease = \"5s\"");
    fleet.site.configure("renew_every = \"10s\"", "renew_every = \"1s\"");
    fleet.instances[1].mark("slow", "12");
    killed_at(&fleet, 1, begin(&fleet, &["deploy", "--as", "1.1.0"]));
    until("the lease has run out", || fleet.site.has_lapsed());
    let written = fleet.site.writes("routing:production");
    fleet.site.run(&["deploy", "--as", "1.2.0"]).expect(3).says(&[
        "of 1.1.0 died while it replaced the fleet",
        "`crossfade resume`",
        "`crossfade abort`",
    ]);
    assert_eq!(fleet.site.writes("routing:production"), written);
    fleet.site.run(&["abort"]).expect(4);
    is_home(&fleet);

    // What went home can be tried once more, in the state in which it was.
    fleet.site.run(&["retry"]).expect(0);
    assert_eq!(fleet.versions(), ["1.1.0"; 3]);
    fleet.site.run(&["retry"]).expect(2).says(&["serves everybody: there is nothing to retry"]);
}

#[test]
fn when_the_program_is_killed_everybody_goes_to_an_instance_that_is_well_and_another_one_resumes() {
    let fleet = Fleet::new(4, 1);
    fleet.site.configure("lease = \"60s\"", "lease = \"6s\"");
    fleet.site.configure("renew_every = \"10s\"", "renew_every = \"2s\"");
    fleet.instances[1].mark("slow", "12");
    let visitors = Visitors::of(&fleet, 8);
    let running = begin(&fleet, &["deploy", "--as", "1.1.0"]);
    until("the second batch is being replaced", || fleet.instances[1].is_busy());
    running.signal(Signal::KILL);
    running.end();
    let stable = fleet.site.table().stable().name.to_string();
    assert_eq!(fleet.site.table().stable().version.as_str(), "1.0.0");
    let ends = fleet.site.table().lease().unwrap().expires_at;
    until("the lease has run out", || {
        let url = fleet.site.sandbox.public_url().unwrap();
        let answer = ureq::get(url).call().unwrap();
        let said = answer.headers()["crossfade"].to_str().unwrap().to_owned();
        said.contains("lapsed") && said.contains(&format!("\"{stable}\""))
    });
    fleet.site.run(&["status"]).expect(0).prints(&[&format!("the lease ran out at {ends}")]);
    fleet.instances[1].mark("slow", "0.2");
    assert!(fleet.instances[1].is_busy(), "its command died with the program, half way");
    fleet.nobody_met_a_busy_one();

    fleet.site.edit("release:production", |record| record["expires_at"] = "2026-01-01T00:00:00Z".into());
    fleet.site.run(&["resume"]).expect(0);
    no_failures(&visitors.leave());
    assert_eq!(fleet.versions(), ["1.1.0"; 4]);
    assert_eq!(fleet.instances[0].log(), ["deploy 1.1.0"], "what was done is not done again");
    assert!(fleet.site.table().lease().is_none());
    fleet.nobody_met_a_busy_one();
}

#[test]
fn a_rollback_undoes_what_a_program_that_was_killed_has_begun() {
    let fleet = Fleet::new(4, 1);
    fleet.instances[1].mark("slow", "12");
    let running = begin(&fleet, &["deploy", "--as", "1.1.0"]);
    until("the second batch is being replaced", || fleet.instances[1].is_busy());
    fleet.site.run(&["rollback", "--to", "1.0.0"]).expect(5).says(&["is in charge", "--force"]);
    running.signal(Signal::KILL);
    running.end();
    fleet.instances[1].mark("slow", "0.2");
    fleet.site.run(&["rollback", "--force", "--to", "1.0.0"]).expect(2).says(&["is a fleet's"]);
    fleet.site.run(&["rollback", "--force"]).expect(0);
    is_home(&fleet);
    let logs: Vec<_> = fleet.instances.iter().map(crossfade_tests::Instance::log).collect();
    assert_eq!(logs[0], ["deploy 1.1.0", "rollback 1.0.0"]);
    assert_eq!(logs[2..], [[""; 0], [""; 0]]);
    assert_eq!(fleet.site.document("release:production")["ended"]["outcome"], "rolled-back");
}
