//! What the simulation found once, by name, each with many different worlds around it.

use std::time::Duration;

use crossfade_core::rollout::{Crew, Instance, Order, Outcome, Reason, Subject};
use crossfade_core::table::Weight;

use crate::dice::Dice;
use crate::faults::{Faults, Moment};
use crate::story::{Health, Meets, Story, Traffic};
use crate::tables::instances;
use crate::world::World;

const WORLDS: u64 = 40;
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Plays it in many worlds, in all of which the rules must hold; how each runner ended.
fn play(story: &Story, faults: &Faults) -> Vec<Vec<Option<Outcome>>> {
    let run = |seed| {
        let ended = World::new(story.clone(), faults.clone(), Dice::new(seed), true).run();
        let trace = || ended.world.trace.lines().join("\n");
        assert!(ended.broken.is_none(), "{}\n{}", ended.broken.clone().unwrap(), trace());
        ended.world.runners.iter().map(|runner| runner.outcome.clone()).collect()
    };
    (0..WORLDS).map(run).collect()
}

fn slow() -> Faults {
    Faults { lag_max: Faults::LAG_USUAL, ..Faults::NONE }
}

#[test]
fn in_a_calm_world_a_good_version_is_promoted_without_fail() {
    for story in [Story::canary(&[(5, 60), (50, 60), (100, 30)]), Story::fleet(4, 2)] {
        let outcomes = play(&story, &slow());
        assert!(outcomes.iter().flatten().all(|outcome| *outcome == Some(Outcome::Promoted)), "{outcomes:?}");
    }
}

const TRAFFIC: Traffic = Traffic {
    each_visit: 60,
    good: Meets { errors: 0.005, slow: 0.002 },
    bad: Meets { errors: 0.3, slow: 0.002 },
};

#[test]
fn only_the_judge_sees_what_visitors_meet_from_a_quarter_on() {
    let late = Meets { errors: 0.005, slow: 0.5 };
    for bad in [TRAFFIC.bad, late] {
        let story = Story::canary(&[(5, 120), (25, 120), (100, 60)])
            .nature(|nature| {
                (nature.new, nature.passes_bad) = (Health::BadAbove(Weight::new(500).unwrap()), 1.0)
            })
            .judged(Traffic { bad, ..TRAFFIC });
        for outcome in play(&story, &slow()).into_iter().flatten() {
            let Some(Outcome::RolledBack(Reason::MeasurementFailed { step: 1, why, .. })) = outcome else {
                panic!("{outcome:?}")
            };
            assert!(why.starts_with("the canary "), "{why}");
        }
    }
}

#[test]
fn the_judge_lets_a_good_version_pass_and_without_visitors_nothing() {
    let story = Story::canary(&[(5, 120), (50, 60), (100, 30)]).judged(TRAFFIC);
    let outcomes = play(&story, &slow());
    assert!(outcomes.iter().flatten().all(|outcome| *outcome == Some(Outcome::Promoted)), "{outcomes:?}");

    let story = story.limits(|limits| limits.deadline = Some(Duration::from_secs(900)));
    for outcome in play(&story.judged(Traffic { each_visit: 0, ..TRAFFIC }), &slow()) {
        assert!(
            matches!(outcome[..], [Some(Outcome::RolledBack(Reason::TooSlow { .. }))]),
            "no data is no pass: {outcome:?}"
        );
    }
}

#[test]
fn nobody_is_sent_to_an_instance_that_is_replaced_or_undone_while_locations_differ() {
    let story = Story::fleet(6, 2).nature(|nature| nature.deploying = Duration::from_secs(60));
    play(&story, &slow());
    let story = story.nature(|nature| nature.new = Health::BadFrom(Duration::from_secs(500), FOR_EVER));
    for outcome in play(&story, &slow()).into_iter().flatten() {
        assert!(matches!(outcome, Some(Outcome::RolledBack(Reason::TooManyFailed { .. }))), "{outcome:?}");
    }
}

#[test]
fn a_fleet_of_old_and_new_instances_finds_its_way_home() {
    // The first is overwritten, the second is not, the third is new: after the last one has failed nobody has the version
    // before, and none of those that could get it back was chosen.
    for in_place in [[true, false, true], [true, true, true], [false, true, false]] {
        let mut story = Story::fleet(3, 1)
            .nature(|nature| nature.new = Health::BadAbove(Weight::new(7_000).unwrap()))
            .limits(|limits| limits.failed_max = Weight::ZERO);
        story.base = Some(instances(2));
        let Subject::Fleet(crew) = &mut story.subject else { panic!() };
        crew.instances.iter_mut().zip(in_place).for_each(|(instance, in_place)| instance.in_place = in_place);
        for outcome in play(&story, &slow()).into_iter().flatten() {
            assert!(matches!(outcome, Some(Outcome::RolledBack(_))), "{in_place:?}: {outcome:?}");
        }
    }
}

#[test]
fn visitors_are_not_given_back_to_the_only_instance_while_it_is_replaced() {
    // New instances first; they are not well, so nobody could serve instead.
    let mut story = Story::fleet(2, 1)
        .nature(|nature| nature.unhealthy = 1.0)
        .limits(|limits| limits.failed_max = Weight::TOTAL);
    story.base = Some(instances(1));
    let Subject::Fleet(Crew { instances: crew, .. }) = &mut story.subject else { panic!() };
    crew.reverse();
    assert_eq!(crew.iter().map(|Instance { name, .. }| name.as_str()).collect::<Vec<_>>(), ["i1", "i0"]);
    for outcome in play(&story, &slow()).into_iter().flatten() {
        let Some(Outcome::RolledBack(Reason::TooManyFailed { why, .. })) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(why, "none is left to serve while `i0` is replaced");
    }
}

#[test]
fn a_paused_rolling_release_stays_paused_when_its_batch_fails() {
    let story = Story::fleet(6, 2)
        .nature(|nature| nature.new = Health::BadFrom(Duration::from_secs(180), FOR_EVER))
        .limits(|limits| limits.failed_max = Weight::TOTAL);
    // While the first batch is drained; it is obeyed when that is watched, and fails.
    let faults = Faults { orders: vec![(Duration::from_secs(100), Order::Pause)], ..slow() };
    for outcome in play(&story, &faults).into_iter().flatten() {
        assert!(matches!(outcome, Some(Outcome::RolledBack(_))), "{outcome:?}");
    }
}

#[test]
fn a_dead_runners_release_goes_home_by_itself_or_is_gone_on_with() {
    for phase in 1..80 {
        let story = Story::canary(&[(5, 30), (50, 30), (100, 30)]);
        for later in [None, Some(Duration::from_secs(20)), Some(Duration::from_secs(400))] {
            let faults = Faults { kill: Some((Moment::Phase(phase), later)), ..slow() };
            let ended = World::new(story.clone(), faults, Dice::new(phase), false).run();
            assert!(ended.broken.is_none(), "phase {phase}, {later:?}: {}", ended.broken.unwrap());
            let last = ended.world.runners.last().unwrap();
            assert!(later.is_none() || last.outcome == Some(Outcome::Promoted), "phase {phase}, {later:?}");
        }
    }
}

#[test]
fn a_runner_that_dies_at_home_is_not_taken_for_one_that_has_settled() {
    // Home is written before the record: whoever takes over reads that the release was at a step, and finds no lease.
    for story in [Story::canary(&[(5, 30), (50, 300), (100, 30)]), Story::fleet(3, 1)] {
        for (phase, seed) in (1..80).flat_map(|phase| [(phase, phase), (phase, phase + 1_000)]) {
            let kill = Some((Moment::Doing("writing home", 1), Some(Duration::from_secs(20))));
            let faults = Faults { cancel: Some(Moment::Phase(phase)), kill, api_fails: 0.3, ..slow() };
            let ended = World::new(story.clone(), faults, Dice::new(seed), false).run();
            assert!(ended.broken.is_none(), "phase {phase}: {}", ended.broken.unwrap());
        }
    }
}

#[test]
fn a_cancellation_in_any_phase_brings_traffic_home() {
    for (story, phases) in [(Story::canary(&[(5, 30), (100, 30)]), 60), (Story::fleet(4, 2), 150)] {
        for phase in 1..phases {
            let faults = Faults { cancel: Some(Moment::Phase(phase)), ..slow() };
            let ended = World::new(story.clone(), faults, Dice::new(phase), false).run();
            assert!(ended.broken.is_none(), "phase {phase}: {}", ended.broken.unwrap());
            let outcome = ended.world.runners[0].outcome.clone();
            let home = matches!(
                outcome,
                Some(Outcome::RolledBack(Reason::Cancelled(_)) | Outcome::NotStarted(_) | Outcome::Promoted)
            );
            assert!(home, "phase {phase}: {outcome:?}");
        }
    }
}
