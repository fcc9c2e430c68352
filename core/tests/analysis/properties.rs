//! What holds whatever is counted.

use crossfade_core::analysis::bounds::{Sample, lower, upper};
use crossfade_core::analysis::evidence::{EProcess, PSI, Pace};
use crossfade_core::analysis::kernel::{Trial, tilt};
use crossfade_core::analysis::{
    Counting, Counts, Interval, Judge, Part, Sequential, Settings, Start, Verdict,
};
use proptest::prelude::*;

use crate::rollouts::LADDER;
use crate::{counts, interval, seconds};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn one_more_error_or_slow_answer_of_the_canary_never_speaks_for_it(
        seen in seen(), which: prop::sample::Index, kind in 0_usize..4
    ) {
        let mut worse = seen.clone();
        let at = which.index(worse.len());
        let Side { requests, errors, slow } = &mut worse[at].canary;
        match kind {
            3 => *errors = (*errors + 1).min(*requests),
            edge => slow[..=edge].iter_mut().for_each(|slow| *slow = (*slow + 1).min(*requests)),
        }
        let (judge, worse) = (folded(&intervals_of(&seen)), folded(&intervals_of(&worse)));
        // A stratum without any error is not bet on; with one, spreading its stakes anew may cost this much.
        let spreading = seen.iter().map(|seen| seen.seconds as f64 / 3000.0).sum::<f64>();
        for ((part, before), (_, after)) in judge.evidence().into_iter().zip(worse.evidence()) {
            let slack = if matches!(part, Part::ErrorsRelative | Part::LatencyRelative) { spreading } else { 0.0 };
            prop_assert!(
                after >= before - slack - 1e-9 * before.abs().max(1.0),
                "{part:?}: {before} became {after}"
            );
        }
    }

    #[test]
    fn state_that_was_written_and_read_back_goes_on_with_the_same_bits(
        intervals in intervals(), which: prop::sample::Index
    ) {
        let (before, after) = intervals.split_at(which.index(intervals.len()));
        let straight = Judge::Sequential(Box::new(folded(&intervals)));
        let written = serde_json::to_string(&Judge::Sequential(Box::new(folded(before)))).unwrap();
        let mut read: Judge = serde_json::from_str(&written).unwrap();
        for interval in after {
            let stored = serde_json::to_string(interval).unwrap();
            read.observe(&serde_json::from_str(&stored).unwrap());
            // Looks between do nothing.
            let _ = read.verdict(seconds(600));
        }
        prop_assert_eq!(&read, &straight);
        prop_assert_eq!(read.verdict(seconds(600)), straight.verdict(seconds(600)));
    }

    #[test]
    fn it_does_not_matter_how_often_an_idle_service_is_asked(intervals in intervals(), parts in 1_u64..30) {
        let idle = |length| interval(length, intervals[0].weight.basis_points(), Counts::default(), Counts::default());
        let mut once = folded(&intervals[..1]);
        let mut often = once.clone();
        once.observe(&idle(parts));
        (0..parts).for_each(|_| often.observe(&idle(1)));
        for interval in &intervals[1..] {
            once.observe(interval);
            often.observe(interval);
        }
        prop_assert_eq!(once.evidence(), often.evidence());
    }

    #[test]
    fn a_canary_with_the_very_counts_of_stable_is_never_worse_than_stable(
        mut intervals in intervals()
    ) {
        for interval in &mut intervals {
            interval.stable = interval.canary.clone();
        }
        let (mut judge, mut strongest) = (sequential(), f64::NEG_INFINITY);
        for interval in &intervals {
            judge.observe(interval);
            let relative = |part| matches!(part, Part::ErrorsRelative | Part::LatencyRelative);
            let evidence = judge.evidence().into_iter().filter(|(part, _)| relative(*part));
            strongest = evidence.map(|(_, ln)| ln).fold(strongest, f64::max);
        }
        prop_assert!(strongest <= 1e-12, "{strongest}");
    }

    #[test]
    fn evidence_for_the_canary_is_forgotten_within_the_rollout(intervals in intervals()) {
        let (mut judge, mut elapsed) = (sequential(), 0.0);
        for interval in &intervals {
            judge.observe(interval);
            elapsed += interval.length.0.as_secs_f64();
            for (part, ln) in judge.evidence() {
                prop_assert!(ln >= libm::log(0.25) - elapsed / 3000.0 - 1e-9, "{part:?} {ln} after {elapsed} s");
            }
        }
    }

    #[test]
    fn any_counts_at_all_give_finite_evidence_a_sentence_and_a_state_that_can_be_read(
        extremes in prop::collection::vec((any_counts(), any_counts(), 0_u16..=10_000, length()), 1..12),
        start in any_counts(), visitors: bool
    ) {
        let counting = if visitors { Counting::Visitors } else { Counting::Requests };
        let settings = Settings { counting: Some(counting), dispersion: Some(1.0), ..Settings::default() };
        let start = Start { planned: seconds(u64::MAX), stable: start, dispersion: Some(f64::NAN), visitors };
        let mut judge = Sequential::new(settings, &start).unwrap();
        for (canary, stable, weight, length) in extremes {
            judge.observe(&interval(length, weight, canary, stable));
            prop_assert!(judge.evidence().into_iter().all(|(_, ln)| ln.is_finite()), "{:?}", judge.evidence());
            let verdict = judge.verdict(seconds(u64::MAX));
            prop_assert!(!verdict.to_string().contains("NaN"), "{verdict}");
            let written = serde_json::to_string(&judge).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Sequential>(&written).unwrap(), &judge);
        }
    }

    #[test]
    fn bounds_enclose_the_rate_and_tighten(events in 0_u64..500, others in 0_u64..50_000, alpha in 0.001..0.2_f64) {
        let sample = |times: f64| Sample { events: events as f64 * times, of: (events + others) as f64 * times };
        let bounds = |times| (lower(sample(times), alpha, 1.0), upper(sample(times), alpha, 1.0));
        let rate = if events + others == 0 { 0.0 } else { events as f64 / (events + others) as f64 };
        let ((low, high), (lower_later, higher_later)) = (bounds(1.0), bounds(4.0));
        prop_assert!(low <= rate && rate <= high, "{low} {rate} {high}");
        prop_assert!(low <= lower_later + 1e-12 && higher_later <= high + 1e-12);
    }
}

/// Section 3 of the method, by brute force: over all ways in which `k` errors fall on both sides, with odds `rho` times as
/// high on the canary, no bet wins on average.
#[test]
fn no_bet_wins_on_average_while_the_canary_is_no_worse() {
    for (canary, stable) in (0..=12_u32).flat_map(|one| (0..=12_u32).map(move |two| (one, two))) {
        for errors in 0..=canary + stable {
            for (rho, worst) in [(1.0, 1.0), (1.5, 1.5), (1.5, 1.0)] {
                let ways = |hits: u32| {
                    choose(canary, hits) * choose(stable, errors - hits) * libm::pow(worst, f64::from(hits))
                };
                let possible = errors.saturating_sub(stable)..=errors.min(canary);
                let all: f64 = possible.clone().map(ways).sum();
                for psi in PSI {
                    let chance = tilt(f64::from(canary) / f64::from(canary + stable).max(1.0), rho);
                    let e = |hits: u32| {
                        let trial = Trial { hits: f64::from(hits), draws: f64::from(errors), chance };
                        libm::exp(trial.ln_e(psi))
                    };
                    let mean: f64 = possible.clone().map(|hits| ways(hits) / all * e(hits)).sum();
                    assert!(mean <= 1.0 + 1e-12, "{canary} {stable} {errors} {rho} {psi}: {mean}");
                }
            }
        }
    }
}

/// A thousand million requests: in the log domain nothing overflows, and a hundredth of a percent is told apart.
#[test]
fn a_thousand_million_requests_are_judged() {
    let judged = |errors: u64| {
        let mut judge = sequential();
        for _ in 0..10 {
            let stable = counts(90_000_000, 90_000, None);
            judge.observe(&interval(60, 1000, counts(10_000_000, errors, None), stable));
        }
        judge.verdict(seconds(600))
    };
    assert!(matches!(judged(10_000), Verdict::Pass(_)), "{}", judged(10_000));
    assert!(
        matches!(judged(11_000), Verdict::Pass(_)),
        "below the floor of 0.1 % nothing is rolled back… {}",
        judged(11_000)
    );
    assert!(matches!(judged(13_000), Verdict::Fail(_)), "{}", judged(13_000));
}

#[test]
fn stakes_always_sum_to_one() {
    let (mut process, pace) = (EProcess::default(), Pace { tau: 600.0, phi: 1.0 });
    for step in 0..2000_u32 {
        let draws = f64::from(step % 7) * libm::pow(10.0, f64::from(step % 11));
        process.update(
            Trial { hits: draws * f64::from(step % 3) / 3.0, draws, chance: 0.3 },
            f64::from(step % 40),
            pace,
        );
        assert!((process.stakes().iter().sum::<f64>() - 1.0).abs() < 1e-12, "{process:?}");
    }
}

fn sequential() -> Sequential {
    let settings = Settings { dispersion: Some(1.0), ..Settings::default() };
    Sequential::new(
        settings,
        &Start { planned: seconds(3000), stable: counts(3000, 6, None), ..Start::default() },
    )
    .unwrap()
}

fn folded(intervals: &[Interval]) -> Sequential {
    let mut judge = sequential();
    intervals.iter().for_each(|interval| judge.observe(interval));
    judge
}

/// What is counted on one side: requests, errors, answers slower than each edge.
#[derive(Clone, Copy, Debug)]
struct Side {
    requests: u64,
    errors: u64,
    slow: [u64; 3],
}

/// What is counted in an interval of so many seconds.
#[derive(Clone, Copy, Debug)]
struct Seen {
    canary: Side,
    stable: Side,
    climbs: bool,
    seconds: u64,
}

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    let side = || {
        (0_u64..200).prop_flat_map(|requests| {
            let errors = prop_oneof![3 => 0..=requests.min(2), 1 => 0..=requests];
            let slow = prop::array::uniform3(0..=requests);
            (Just(requests), errors, slow).prop_map(|(requests, errors, mut slow)| {
                slow.sort_unstable();
                slow.reverse();
                Side { requests, errors, slow }
            })
        })
    };
    let one = (side(), side(), prop::bool::weighted(0.1), 1_u64..60)
        .prop_map(|(canary, stable, climbs, seconds)| Seen { canary, stable, climbs, seconds });
    prop::collection::vec(one, 1..40)
}

fn intervals() -> impl Strategy<Value = Vec<Interval>> {
    seen().prop_map(|seen| intervals_of(&seen))
}

/// A rollout up the ladder.
fn intervals_of(seen: &[Seen]) -> Vec<Interval> {
    let mut step = 0;
    let side = |side: Side| counts(side.requests, side.errors, Some(side.slow));
    seen.iter()
        .map(|seen| {
            step += usize::from(seen.climbs);
            interval(seen.seconds, LADDER.0[step.min(4)], side(seen.canary), side(seen.stable))
        })
        .collect()
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 0_u64..1000, Just(1_000_000_000)]
}

fn any_counts() -> impl Strategy<Value = Counts> {
    let histogram = (any_count(), prop::collection::vec((0_u64..60, any_count()), 0..4));
    (any_count(), any_count(), any_count(), histogram).prop_map(
        |(requests, errors, newly_failing, (micros, runs))| {
            let runs = runs.into_iter().flat_map(|(empty, count)| [empty, count.max(1)]);
            let numbers: Vec<u64> = std::iter::once(micros).chain(runs).collect();
            let latency = serde_json::from_value(serde_json::json!(numbers)).unwrap();
            Counts { requests, errors, unanswered: errors, newly_failing, latency }
        },
    )
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0_u64..100]
}

fn choose(of: u32, some: u32) -> f64 {
    (0..some).map(|index| f64::from(of - index) / f64::from(index + 1)).product()
}
