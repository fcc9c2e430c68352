//! A site's life: nothing, the first release ever, the second, back and forward again.

use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::{Ended, Site};
use serde_json::Value;

#[test]
fn a_site_is_released_for_the_first_time_then_again_and_brought_back_and_forward() {
    let site = Site::new();
    site.configure("keep = 3", "keep = 1");

    // Nothing to compare with, and the smoke tests count all the same.
    let ended = site.deploy("0.9.0", &["smoke-booking"]).expect(3);
    ended.says(&["smoke: booking creation: POST /api/bookings: status is 500", "booking fails on request"]);
    assert_eq!(site.sandbox.kv("routing:production"), None);
    assert_eq!(site.writes("routing:production"), 0);

    first_release(&site);
    second_release(&site);
    status_tells(&site);
    history_tells(&site);

    let ended = site.run(&["rollback"]).expect(0);
    ended.prints(&["✓ home       revision 5: blue 100 %, served at the edge"]);
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    assert_eq!(site.table().stable().name.as_str(), "blue");
    site.run(&["status"]).expect(0).prints(&["last: promoted 1.0.0", "1.0.0", "stable"]);

    site.run(&["rollback"]).expect(0).prints(&["green 1.1.0 serves everybody (revision 6)"]);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    assert_eq!(site.table().stable().name.as_str(), "green");
    let history = site.run(&["history", "--json", "-n", "2"]).expect(0).events();
    let outcomes: Vec<&Value> = history.iter().map(|line| &line["release"]["command"]).collect();
    assert_eq!(outcomes, ["rollback", "rollback"]);
}

fn first_release(site: &Site) {
    let ended = site.deploy("1.0.0", &[]).expect(0);
    let ended =
        ended.prints(&["booking 1.0.0 → blue (nothing serves yet", "promoted 1.0.0: it serves everybody"]);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    let table = site.table();
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    assert_eq!((table.stable().name.as_str(), table.variants().len()), ("blue", 1));
    // 0.9.0 was uploaded and then refused: the one deployment that nobody needs, and that has its time of grace.
    ended.prints(&["cleanup    nothing to remove"]);
    assert_eq!((removed(site), site.sandbox.deployments().len()), (0, 2));
    site.configure("keep = 1", "keep = 1\ngrace = \"0s\"");
}

fn second_release(site: &Site) {
    let mut command = site.command(&["deploy", "--as", "1.1.0", "--json"]);
    command.env("BOOKING_FAIL", "");
    let ended = Ended::of(command).expect(0);
    events_are_complete(&ended);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    let table = site.table();
    assert_eq!(table.stable().name.as_str(), "green", "the slots are swapped");
    let [blue, green] = table.variants() else { panic!("{table:?}") };
    assert_eq!((blue.version.as_str(), blue.weight.basis_points()), ("1.0.0", 0));
    assert_eq!((green.version.as_str(), green.weight.basis_points()), ("1.1.0", 10_000));
    // Two tables for a release: switched and settled.
    assert_eq!((table.revision().number(), site.writes("routing:production")), (4, 4));
    // `keep` is 1, and the table still names 1.0.0: it stays for the way back.
    assert_eq!((removed(site), site.sandbox.deployments().len()), (1, 2));

    let record = site.document("release:production");
    assert_eq!((&record["ended"]["outcome"], &record["version"]), (&"promoted".into(), &"1.1.0".into()));
    assert_eq!(record["stable_version"], "1.0.0");
    let id = record["id"].as_str().unwrap();
    assert_eq!(table.release().as_str(), id);
    let evidence = site.document(&format!("history:production:{id}"))["evidence"].clone();
    let phases: Vec<&Value> = evidence
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "phase-ended" && event["ok"] == true)
        .map(|event| &event["phase"])
        .collect();
    assert_eq!(
        phases,
        ["build", "database", "upload", "live", "health", "smoke", "switch", "verify", "settle"]
    );
}

/// One JSON object a line, each with version, type and time, from the first to the last.
fn events_are_complete(ended: &Ended) {
    let events = ended.events();
    for event in &events {
        assert_eq!(event["version"], 1, "{event}");
        assert!(
            event["type"].is_string() && event["at"].as_str().is_some_and(|at| at.ends_with('Z')),
            "{event}"
        );
    }
    assert_eq!(events[0]["type"], "release-started");
    assert_eq!((&events[0]["deploying"], &events[0]["slot"]), (&"booking 1.1.0".into(), &"green".into()));
    assert_eq!(events[0]["stable"], "blue 1.0.0");
    let smoke: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "progress" && event["phase"] == "smoke")
        .filter_map(|event| event["text"].as_str())
        .collect();
    assert!(smoke.iter().any(|text| text.starts_with("payment processing ")), "{smoke:?}");
    let finished = ended.event("finished");
    assert_eq!(
        (&finished["outcome"], &finished["text"]),
        (&"promoted".into(), &"promoted 1.1.0: it serves everybody".into())
    );
    assert!(!ended.stdout.contains("\"error\""), "{}", ended.stdout);
}

fn status_tells(site: &Site) {
    site.run(&["status"]).expect(0).prints(&[
        "production at http://127.0.0.1:",
        "revision 4 of rel-",
        "blue           0 %  1.0.0  http://127.0.0.1:",
        "green        100 %  1.1.0  http://127.0.0.1:",
        "stable\n  edge: revision 4",
        "last: promoted 1.1.0 (rel-",
    ]);
    let status = site.run(&["status", "--json"]).expect(0).events();
    let [status] = status.as_slice() else { panic!("{status:?}") };
    assert_eq!((&status["version"], &status["type"]), (&1.into(), &"status".into()));
    assert_eq!((&status["table"]["revision"], &status["edge"]["revision"]), (&4.into(), &4.into()));
    assert_eq!(
        (&status["table"]["stable"], &status["release"]["version"]),
        (&"green".into(), &"1.1.0".into())
    );
}

fn history_tells(site: &Site) {
    let text = site.run(&["history"]).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    let [second, first, refused] = lines.as_slice() else { panic!("{text}") };
    assert!(second.contains("  deploy   1.1.0        promoted     it serves everybody"), "{second}");
    assert!(first.contains("  deploy   1.0.0        promoted "), "{first}");
    assert!(refused.contains("  not-started  smoke: booking creation: POST"), "{refused}");
    let records = site.run(&["history", "--json", "-n", "2"]).expect(0).events();
    let versions: Vec<&Value> = records.iter().map(|line| &line["release"]["version"]).collect();
    assert_eq!(versions, ["1.1.0", "1.0.0"]);
    assert!(records[0]["release"]["evidence"].as_array().is_some_and(|evidence| evidence.len() > 10));
}

fn removed(site: &Site) -> usize {
    let requests = site.sandbox.requests();
    assert!(
        requests.iter().all(|request| !request.path.contains(NAMESPACE_ID) || request.method != "DELETE")
    );
    requests.iter().filter(|request| request.method == "DELETE" && request.status == 200).count()
}
