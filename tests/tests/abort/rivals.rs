//! Two at once: one is in charge, the other finds that out and touches nothing.

use std::time::Duration;

use crossfade_tests::{Running, Site};
use serde_json::Value;

use crate::partner::Partner;

#[test]
fn of_two_releases_one_goes_on_and_the_other_writes_nothing() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    // Both wait here until the test has seen how it stands.
    site.configure(
        "[rollout]",
        "prepare = [{ name = \"wait\", run = \"until test -e go; do sleep 0.05; done\" }]\n[rollout]",
    );
    let mut running = vec![site.begin_deploy("1.1.0", &[]), site.begin_deploy("1.2.0", &[])];
    let loser = loop {
        if let Some(index) = running.iter_mut().position(Running::has_ended) {
            break running.remove(index).end().expect(5);
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let loser = loser.says(&[
        "error: release rel-",
        " is in charge of production",
        "nothing was changed",
        "hint: `crossfade status`",
    ]);
    let lost = loser.event("finished");
    assert_eq!(lost["outcome"], "superseded");
    let loser_id = loser.event("release-started")["release"].clone();

    // A third one that comes later does not even claim.
    running[0].until_phase("prepare");
    let writes = || site.sandbox.requests().iter().filter(|request| request.method != "GET").count();
    let before = writes();
    site.deploy("1.3.0", &[]).expect(5).says(&["is in charge of production (prepare, "]);
    assert_eq!(writes(), before);

    site.write("go", "");
    let winner = running.remove(0).end().expect(0);
    let winner_id = winner.event("release-started")["release"].clone();
    let version = site.document("release:production")["version"].clone();
    assert_eq!(
        (site.served_version().into(), site.table().release().as_str().into()),
        (version, winner_id.clone())
    );
    assert_ne!(winner_id, loser_id);
    assert_eq!(site.writes("routing:production"), 2, "the winner's switch and settling");
    let uploads = site.changes().into_iter().filter(|request| request.path.ends_with("/deployments")).count();
    assert_eq!(uploads, 1);
    let history = site.run(&["history", "--json"]).expect(0).events();
    let ids: Vec<&Value> = history.iter().map(|line| &line["release"]["id"]).collect();
    assert_eq!(ids, [&winner_id]);
}

#[test]
fn whoever_is_taken_over_stops_and_leaves_everything_to_the_other() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let before = site.document("routing:production");
    let partner = Partner::new();
    partner.take_part_in(&site);

    // In the verification a table of somebody else's appears.
    partner.hold(1);
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until_held();
    site.edit("routing:production", |table| {
        table["revision"] = 9.into();
        table["release"] = "rel-foreign".into();
        table["lease"] = Value::Null;
    });
    let foreign = site.document("routing:production");
    partner.release();
    let ended = running.end().expect(5);
    ended.says(&[
        "error: revision 9 of release rel-foreign took over; this release wrote nothing more",
        "hint: ",
    ]);
    assert_eq!(site.document("routing:production"), foreign);
    assert_eq!(site.writes("routing:production"), 1, "the switch, and nothing after it");

    // Another release in charge of the environment: found out at the next step, its record is left alone. That is how a
    // laptop wakes up whose release was given up as dead.
    site.put("routing:production", &before);
    site.edit("routing:production", |table| table["revision"] = 10.into());
    partner.hold(0);
    let running = site.begin_deploy("1.2.0", &[]);
    partner.until_held();
    site.edit("release:production", |record| record["id"] = "rel-in-charge".into());
    let record = site.document("release:production");
    partner.release();
    let ended = running.end().expect(5);
    ended.says(&["error: release rel-in-charge took over; this release wrote nothing more"]);
    assert_eq!(site.document("release:production"), record);
    assert_eq!(site.writes("routing:production"), 1);
    let history = site.run(&["history"]).expect(0).stdout;
    assert_eq!(history.matches("superseded").count(), 2, "{history}");

    // By force, a person takes over: the release stops by itself, here while it waits.
    site.sandbox.delete_kv("release:production");
    partner.hold(1);
    let running = site.begin_deploy("1.3.0", &[]);
    partner.until_held();
    site.run(&["rollback", "--to", "1.0.0"])
        .expect(5)
        .says(&["of 1.3.0 is in charge", "with --force it is taken over and stops by itself"]);
    assert_eq!(site.served_version(), "1.3.0");
    site.run(&["rollback", "--force"]).expect(0).prints(&["blue 1.0.0 serves everybody"]);
    assert_eq!(site.served_version(), "1.0.0");
    let writes = site.writes("routing:production");
    let table = site.table();
    let [blue] = table.variants() else {
        panic!("1.3.0 never settled: it is no version to go back to: {table:?}")
    };
    assert_eq!((blue.version.as_str(), table.previous()[0].version.as_str()), ("1.0.0", "1.3.0"));
    site.run(&["rollback"]).expect(2).says(&["blue 1.0.0 is the only version there is"]);
    partner.release();
    running.end().expect(5).says(&["took over; this release wrote nothing more"]);
    assert_eq!((site.writes("routing:production"), site.served_version()), (writes, "1.0.0".into()));
    assert_eq!(site.document("release:production")["command"], "rollback", "the last word is the person's");
}
