//! What breaks any test of this kind, and what is done about it: section by section as in the reference.

use crossfade_core::analysis::dispersion::{Halves, dispersion};
use crossfade_core::analysis::{Hold, Interval, Judge, Part, Settings, Start, Verdict};
use crossfade_core::{Span, analysis::Counts};

use crate::random::Random;
use crate::rollouts::{Service, failed, judge, sequential};
use crate::{counts, interval, seconds};

/// Every error comes three times on the same side.
fn bursts_of_three(of: u64, rate: f64, random: &mut Random) -> u64 {
    (random.binomial(of, rate / 3.0) * 3).min(of)
}

#[test]
fn errors_in_bursts_cost_no_budget_once_their_dispersion_is_measured() {
    const ROLLOUTS: usize = 200;
    const RATE: f64 = 0.005;
    let mut random = Random::new(81);
    let halves: Vec<Halves> = (0..2000)
        .map(|_| {
            let requests = [random.poisson(30.0), random.poisson(30.0)];
            Halves { requests, errors: requests.map(|of| bursts_of_three(of, RATE, &mut random)) }
        })
        .collect();
    let measured = dispersion(&halves).unwrap();
    assert!((2.5..3.5).contains(&measured), "{measured}");
    let mut rolled_back = [0; 2];
    for _ in 0..ROLLOUTS {
        let mut judges = [sequential(0.001, 1.0), sequential(0.001, measured)];
        let healthy = Service::healthy(20.0, RATE).intervals(&mut random).collect::<Vec<_>>();
        for mut interval in healthy {
            for side in [&mut interval.canary, &mut interval.stable] {
                side.errors = bursts_of_three(side.requests, RATE, &mut random);
            }
            judges.iter_mut().for_each(|judge| judge.observe(&interval));
        }
        rolled_back.iter_mut().zip(&judges).for_each(|(count, judge)| *count += usize::from(failed(judge)));
    }
    // The reference: 11.6 % taken for independent, 0 % with their dispersion.
    assert!(rolled_back[0] > ROLLOUTS / 20, "{rolled_back:?}");
    assert_eq!(rolled_back[1], 0);
}

/// 2000 visitors, of whom ten fail 30 % of their requests wherever they are.
#[test]
fn a_few_visitors_who_always_fail_are_counted_once() {
    const ROLLOUTS: usize = 100;
    let mut random = Random::new(82);
    let mut rolled_back = [0; 2];
    for _ in 0..ROLLOUTS {
        let judge = |visitors| {
            let start = Start { planned: seconds(3000), visitors, ..Start::default() };
            Judge::sequential(relative(Settings::default()), &start).unwrap()
        };
        let mut judges = [false, true].map(judge);
        // Their place between 0 and 1, their share of all requests, and whether they failed before.
        let visitors: Vec<(f64, f64)> =
            (0..2000).map(|_| (random.uniform(), libm::exp(random.normal()))).collect();
        let all: f64 = visitors.iter().map(|(_, rate)| rate).sum();
        let mut failed_before = [false; 10];
        for mut interval in Service::healthy(200.0, 0.0).intervals(&mut random).collect::<Vec<_>>() {
            let weight = f64::from(interval.weight.basis_points()) / 10_000.0;
            let on_canary: f64 =
                visitors.iter().filter(|(place, _)| *place < weight).map(|(_, rate)| rate).sum();
            let requests = interval.canary.requests + interval.stable.requests;
            interval.canary.requests = random.binomial(requests, on_canary / all);
            interval.stable.requests = requests - interval.canary.requests;
            for ((place, rate), failed_before) in visitors.iter().zip(&mut failed_before) {
                let side = if *place < weight { &mut interval.canary } else { &mut interval.stable };
                let errors = random.poisson(200.0 * 30.0 * rate / all * 0.3).min(side.requests - side.errors);
                side.errors += errors;
                side.newly_failing +=
                    u64::from(errors > 0 && !std::mem::replace(failed_before, errors > 0 || *failed_before));
            }
            judges.iter_mut().for_each(|judge| judge.observe(&interval));
        }
        rolled_back.iter_mut().zip(&judges).for_each(|(count, judge)| *count += usize::from(failed(judge)));
    }
    // The reference: 29 % by requests, 0.3 % by visitors.
    assert!(rolled_back[0] > ROLLOUTS / 10, "{rolled_back:?}");
    assert!(rolled_back[1] <= 2, "{rolled_back:?}");
}

#[test]
fn sampling_weights_taken_for_counts_would_roll_back_most_healthy_canaries() {
    const ROLLOUTS: usize = 50;
    let mut random = Random::new(83);
    let mut rolled_back = [0; 2];
    for _ in 0..ROLLOUTS {
        let mut judges = [sequential(0.001, 1.0), sequential(0.001, 1.0)];
        // One request in ten is sampled: a row stands for ten.
        for interval in Service::healthy(2.0, 0.005).intervals(&mut random) {
            judges[1].observe(&interval);
            let tenfold = |side: Counts| counts(side.requests * 10, side.errors * 10, None);
            let [canary, stable] = [interval.canary, interval.stable].map(tenfold);
            judges[0].observe(&Interval { canary, stable, ..interval });
        }
        rolled_back.iter_mut().zip(&judges).for_each(|(count, judge)| *count += usize::from(failed(judge)));
    }
    assert!(rolled_back[0] > ROLLOUTS / 2, "{rolled_back:?}");
    assert_eq!(rolled_back[1], 0);
}

/// Half of an interval at 5 % and 0.2 % errors, the other at 25 % and 5 % errors, on both sides alike.
#[test]
fn an_interval_that_straddles_a_change_of_weight_is_not_compared() {
    let evidence = |settle: u64| {
        let settings =
            Settings { settle: Span(seconds(settle)), dispersion: Some(1.0), ..Settings::default() };
        let mut judge = judge(settings);
        let steady = |weight| {
            interval(30, weight, counts(3000 * u64::from(weight) / 5000, 1, None), counts(5400, 11, None))
        };
        (0..5).for_each(|_| judge.observe(&steady(500)));
        judge.observe(&interval(30, 2500, counts(150 + 750, 38, None), counts(2850 + 2250, 118, None)));
        let Judge::Sequential(judge) = judge else { unreachable!() };
        judge.evidence().into_iter().find(|(part, _)| *part == Part::ErrorsRelative).unwrap().1
    };
    assert!(evidence(0) > 2.0 && evidence(30) < 0.0, "{} {}", evidence(0), evidence(30));
}

#[test]
fn an_incident_of_both_sides_holds_and_a_canary_that_is_worse_in_it_is_still_caught() {
    let mut random = Random::new(85);
    for (worse_by, caught) in [(0.0, false), (0.1, true)] {
        for _ in 0..20 {
            let (mut judge, mut held) = (sequential(0.001, 1.0), 0);
            let healthy: Vec<_> = Service::healthy(20.0, 0.005).intervals(&mut random).collect();
            for (index, mut interval) in healthy.into_iter().enumerate() {
                if (45..55).contains(&index) {
                    interval.stable.errors = random.binomial(interval.stable.requests, 0.05);
                    interval.canary.errors = random.binomial(interval.canary.requests, 0.05 + worse_by);
                }
                judge.observe(&interval);
                held += u32::from((45..55).contains(&index) && is_shared(&judge));
            }
            assert_eq!(failed(&judge), caught, "{}", judge.verdict(seconds(600)));
            assert!(caught || held >= 9, "held in {held} of 10 intervals");
        }
    }
}

#[test]
fn a_canary_is_not_blamed_for_being_as_slow_as_stable() {
    let mut judge = sequential(0.001, 1.0);
    let mut observe = |canary, stable| {
        judge.observe(&interval(30, 2500, counts(150, 0, Some(canary)), counts(450, 0, Some(stable))));
        (is_shared(&judge), failed(&judge))
    };
    (0..10).for_each(|_| assert_eq!(observe([0; 3], [0; 3]), (false, false)));
    (0..4).for_each(|_| assert_eq!(observe([60, 40, 30], [180, 120, 90]), (true, false)));
    assert!(observe([150; 3], [0; 3]).1, "but for being slower it is");
}

#[test]
fn a_canary_is_not_blamed_for_leaving_as_much_unanswered_as_stable() {
    let mut judge = sequential(0.001, 1.0);
    let silent = |requests, unanswered| Counts { unanswered, ..counts(requests, unanswered, None) };
    let mut observe = |canary, stable| {
        judge.observe(&interval(30, 5000, silent(500, canary), silent(500, stable)));
        (is_shared(&judge), failed(&judge))
    };
    // Below the error rate that is allowed, and above what may be unanswered.
    assert_eq!(observe(8, 8), (true, false));
    // Once it has always been so it is no incident any more.
    (0..100).for_each(|_| assert!(!observe(8, 8).1));
    assert!((0..10).any(|_| observe(60, 8).1), "but for leaving more it is");
}

fn is_shared(judge: &Judge) -> bool {
    matches!(judge.verdict(seconds(600)), Verdict::Hold(Hold::SharedIncident { .. }))
}

/// Only the sides are compared.
fn relative(mut settings: Settings) -> Settings {
    settings.budget.errors_absolute = 0.0;
    settings.dispersion = Some(1.0);
    settings
}
