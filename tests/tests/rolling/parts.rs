//! Ways that lead around the draw: rules, files that other versions have, and the way back after settling.

use crossfade_tests::{Fleet, Visitors};

use crate::good::no_failures;

#[test]
fn no_rule_leads_to_an_instance_that_is_being_replaced() {
    let fleet = Fleet::new(3, 1);
    fleet.site.append("[router]\nrules = [{ to = \"i0\", path = { prefix = \"/page\" } }]");
    fleet.instances[0].mark("slow", "2");
    let visitors = Visitors::of(&fleet, 6);
    fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(0);
    let visits = visitors.leave();
    no_failures(&visits);
    fleet.nobody_met_a_busy_one();
    assert!(
        visits.iter().all(|seen| seen.last().unwrap().variant == "i0"),
        "the rule holds when it has settled"
    );
}

#[test]
fn a_settled_fleet_goes_back_as_a_rolling_release_backwards() {
    let fleet = Fleet::new(4, 2);
    fleet.site.run(&["rollback"]).expect(2).says(&["what the instances were before is not known"]);
    fleet.site.run(&["deploy", "--as", "1.1.0"]).expect(0);
    let visitors = Visitors::of(&fleet, 8);
    fleet
        .site
        .run(&["rollback"])
        .expect(0)
        .prints(&["without i0, i1", "promoted 1.0.0: it serves everybody"]);
    no_failures(&visitors.leave());
    fleet.nobody_met_a_busy_one();
    assert_eq!(fleet.versions(), ["1.0.0"; 4]);
    assert_eq!(fleet.instances[0].log(), ["deploy 1.1.0", "rollback 1.0.0"]);
    fleet.site.run(&["history"]).expect(0).prints(&["rollback 1.0.0"]);

    // One that cannot go back keeps everybody where they are.
    fleet.site.run(&["deploy", "--as", "1.2.0"]).expect(0);
    fleet.instances[2].mark("fail-rollback", "");
    fleet.site.run(&["rollback"]).expect(4).says(&["`i2` could not be deployed"]);
    assert_eq!(fleet.versions(), ["1.2.0"; 4]);
    assert!(fleet.site.table().lease().is_none());
}
