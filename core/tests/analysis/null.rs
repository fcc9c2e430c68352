//! Healthy canaries: how many are rolled back.

use crossfade_core::analysis::{Judge, Thresholds};

use crate::random::Random;
use crate::rollouts::{Service, sequential};

/// With a budget of 1 % a service may lose 4 of 400 rollouts on average; the reference measured less than one in a thousand.
/// The naive rule, one measurement above 2 %, loses most of them on the very same requests.
#[test]
fn healthy_canaries_are_not_rolled_back_more_often_than_the_budget_says() {
    const ROLLOUTS: u32 = 400;
    let mut random = Random::new(20_260_131);
    for (rps, rate, naive_at_least) in [(2.0, 0.005, 380), (20.0, 0.02, 400), (0.2, 0.005, 220)] {
        let (mut ours, mut naive) = (0, 0);
        for _ in 0..ROLLOUTS {
            let limits = Thresholds::canary().into_iter().take(1).collect();
            let mut judges = [sequential(0.01, 1.0), Judge::Thresholds(Thresholds::new(limits))];
            let fates = Service::healthy(rps, rate).roll_out(&mut judges, &mut random);
            ours += u32::from(fates[0].seconds.is_some());
            naive += u32::from(fates[1].seconds.is_some());
        }
        assert!(
            ours <= ROLLOUTS / 100,
            "{rps} rps at {rate}: {ours} of {ROLLOUTS} healthy canaries rolled back"
        );
        assert!(naive >= naive_at_least, "{rps} rps at {rate}: the naive rule rolled back {naive}");
    }
}

/// The bound holds for each look, so more looks may not cost more.
#[test]
fn looking_six_times_as_often_costs_no_budget() {
    const ROLLOUTS: u32 = 100;
    let mut random = Random::new(5);
    let often = Service { poll: 5, ..Service::healthy(20.0, 0.005) };
    let rolled_back = (0..ROLLOUTS)
        .filter(|_| often.roll_out(&mut [sequential(0.01, 1.0)], &mut random)[0].seconds.is_some())
        .count();
    assert!(rolled_back <= 1, "{rolled_back}");
}
