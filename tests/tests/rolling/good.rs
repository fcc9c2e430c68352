//! All goes well: nobody meets an instance that is being replaced, and only the drained ones' visitors move.

use std::collections::BTreeSet;

use crossfade_tests::{Fleet, Visit, Visitors};

#[test]
fn a_fleet_is_replaced_two_at_a_time_and_its_visitors_do_not_notice() {
    let fleet = Fleet::new(6, 2);
    fleet.site.configure("drain = \"300ms\"", "drain = \"1800ms\"");
    let (visitors, slow) = (Visitors::of(&fleet, 24), Visitors::asking(&fleet, 12, "/slow"));
    let ended = fleet.site.run(&["deploy", "--as", "1.1.0", "--json"]).expect(0);
    let visits = visitors.leave();
    no_failures(&slow.leave());

    assert_eq!(fleet.versions(), ["1.1.0"; 6]);
    let table = fleet.site.table();
    assert!(table.lease().is_none(), "it has settled");
    let weights: u32 = table.variants().iter().map(|it| u32::from(it.weight.basis_points())).sum();
    assert_eq!((weights, table.variants().len()), (10_000, 6));
    assert!(table.variants().iter().all(|it| it.weight.basis_points().abs_diff(1_667) <= 1), "{table:?}");
    for instance in &fleet.instances {
        assert_eq!(instance.log(), ["deploy 1.1.0"]);
    }
    fleet.nobody_met_a_busy_one();
    no_failures(&visits);
    for seen in &visits {
        // Each is at home on one instance, leaves it for as long as it is drained, and comes back.
        let home = &seen[0].variant;
        assert_eq!(&seen.last().unwrap().variant, home);
        let changes = seen.windows(2).filter(|pair| pair[0].variant != pair[1].variant).count();
        assert!(changes <= 4, "visitor {} was moved {changes} times: {seen:?}", seen[0].visitor);
        let batch = |name: &str| name[1..].parse::<usize>().unwrap() / 2;
        let away: BTreeSet<&str> =
            seen.iter().map(|visit| visit.variant.as_str()).filter(|it| it != home).collect();
        assert!(away.iter().all(|it| batch(it) != batch(home)), "{home} went to {away:?}");
    }
    let homes: BTreeSet<&str> = visits.iter().map(|seen| seen[0].variant.as_str()).collect();
    assert!(homes.len() >= 4, "24 visitors are on {homes:?} only");

    let phases: Vec<String> = ended
        .events()
        .iter()
        .filter(|event| event["type"] == "phase-ended")
        .map(|event| format!("{} {}", event["phase"].as_str().unwrap(), event["text"].as_str().unwrap()))
        .collect();
    assert_eq!(phases[0], "drain revision 2: without i0, i1, served at the edge", "{phases:?}");
    assert_eq!(phases[1], "deploy i0, i1", "{phases:?}");
    assert_eq!(phases[2], "restore revision 3: with i0, i1, served at the edge", "{phases:?}");
    assert!(phases[3].starts_with("verify i0, i1, step 2 of 6, 33.33 %"), "{phases:?}");
    assert_eq!(ended.event("release-started")["slot"], "fleet");
    fleet.site.run(&["history"]).expect(0).prints(&["deploy   1.1.0        promoted"]);
    fleet.site.run(&["status"]).expect(0).prints(&["i5 ", "1.1.0", "16.6"]);
}

#[test]
fn the_first_release_ever_needs_nobody_to_be_led_around_it() {
    let fleet = Fleet::fresh(3, 1);
    let ended = fleet.site.run(&["deploy", "--as", "1.1.0", "--json"]).expect(0);
    assert_eq!(fleet.versions(), ["1.1.0"; 3]);
    assert_eq!(fleet.site.table().variants().len(), 3);
    assert_eq!(ended.event("release-started")["stable"], serde_json::Value::Null);
    assert_eq!(fleet.site.served_version(), "1.1.0");
}

#[test]
fn an_instance_may_come_and_another_go_between_two_releases() {
    let mut fleet = Fleet::new(3, 1);
    fleet.add();
    let entries: String = fleet.instances[1..].iter().map(crossfade_tests::Instance::entry).collect();
    fleet.configure(1, &entries);
    let visitors = Visitors::of(&fleet, 8);
    fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(0);
    no_failures(&visitors.leave());
    fleet.nobody_met_a_busy_one();
    let table = fleet.site.table();
    let mut names: Vec<&str> = table.variants().iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["i1", "i2", "i3"]);
    assert_eq!(fleet.versions(), ["1.0.0", "1.1.0", "1.1.0", "1.1.0"], "who has left is left alone");
    assert!(fleet.weight("i3").abs_diff(3_333) <= 1, "it has the usual share");
}

/// No visitor saw anything but good answers.
#[track_caller]
pub(crate) fn no_failures(visits: &[Vec<Visit>]) {
    let failed: Vec<&Visit> = visits.iter().flatten().filter(|visit| visit.status != 200).collect();
    assert!(failed.is_empty(), "{} of {} failed: {failed:?}", failed.len(), visits.iter().flatten().count());
    assert!(visits.iter().all(|seen| seen.len() >= 5), "hardly anybody came");
}
