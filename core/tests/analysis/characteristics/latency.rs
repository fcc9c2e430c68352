//! When slower canaries are found.

use crossfade_core::analysis::{Budget, Counts, Settings};

use crate::counts;
use crate::random::Random;
use crate::rollouts::{Service, failed, judge};

/// Latency alone, as section 7.7 of the reference has it: a lognormal service of 120 ms, edges at 226, 453 and 905 ms.
/// Its edges are those of a coarser histogram; the judge is given counts beyond them, so they are the same here.
#[test]
#[ignore = "minutes"]
fn slower_canaries_are_found_as_in_the_reference() {
    const ROLLOUTS: u32 = 400;
    /// Requests a second, the factor, the share of answers that take 3 s longer, found, the canary's requests until then.
    const CELLS: [(f64, f64, f64, f64, f64); 11] = [
        (2.0, 1.0, 0.0, 0.0, 2172.0),
        (2.0, 1.2, 0.0, 0.0, 2175.0),
        (2.0, 1.5, 0.0, 0.78, 905.0),
        (2.0, 2.0, 0.0, 1.0, 83.0),
        (2.0, 1.0, 0.05, 1.0, 166.0),
        (2.0, 1.0, 0.01, 0.08, 2053.0),
        (20.0, 1.0, 0.0, 0.0, 21718.0),
        (20.0, 1.5, 0.0, 1.0, 373.0),
        (20.0, 2.0, 0.0, 1.0, 70.0),
        (20.0, 1.0, 0.05, 1.0, 98.0),
        (20.0, 1.0, 0.01, 1.0, 992.0),
    ];
    let mut random = Random::new(77);
    println!("ours (reference's)\n| rps | canary | found | canary requests, median |\n|---|---|---|---|");
    for (rps, factor, tail, found, requests) in CELLS {
        let mut fates: Vec<(bool, u64)> = (0..ROLLOUTS)
            .map(|_| {
                let (mut judge, mut canary) = (judge(latency_alone()), 0);
                for mut interval in Service::healthy(rps, 0.0).intervals(&mut random).collect::<Vec<_>>() {
                    canary += interval.canary.requests;
                    interval.canary = answers(interval.canary.requests, factor, tail, &mut random);
                    interval.stable = answers(interval.stable.requests, 1.0, 0.0, &mut random);
                    judge.observe(&interval);
                    if failed(&judge) {
                        return (true, canary);
                    }
                }
                (false, canary)
            })
            .collect();
        fates.sort_unstable_by_key(|(_, requests)| *requests);
        let ours =
            f64::from(fates.iter().map(|(found, _)| u32::from(*found)).sum::<u32>()) / f64::from(ROLLOUTS);
        let median = fates[fates.len() / 2].1 as f64;
        let mean = fates.iter().map(|(_, requests)| requests).sum::<u64>() as f64 / f64::from(ROLLOUTS);
        println!(
            "| {rps} | ×{factor}, {tail} +3 s | {ours:.3} ({found}) | {mean:.0}, {median} ({requests}) |"
        );
        let spread = 4.0 * (f64::midpoint(ours, found) * (1.0 - f64::midpoint(ours, found)) / 200.0).sqrt();
        assert!((ours - found).abs() <= spread + 0.01, "found {ours}, not {found}");
        assert!((mean / requests - 1.0).abs() <= 0.15, "after {mean} requests, not {requests}");
    }
}

/// The whole budget for latency, half of it for each part: the reference does not say how it divided it.
fn latency_alone() -> Settings {
    let budget = Budget {
        errors_relative: 0.0,
        errors_absolute: 0.0,
        errors_history: 0.0,
        availability: 0.0,
        latency_relative: 0.5,
        latency_absolute: 0.5,
    };
    Settings { budget, dispersion: Some(1.0), ..Settings::default() }
}

/// Answers beyond each edge.
fn answers(requests: u64, factor: f64, tail: f64, random: &mut Random) -> Counts {
    let beyond = |edge: f64| {
        let deviations = libm::log(edge / factor / 120.0) / 0.6;
        tail + (1.0 - tail) * 0.5 * libm::erfc(deviations / std::f64::consts::SQRT_2)
    };
    let [one, two, three] = [226.0, 453.0, 905.0].map(beyond);
    let first = random.binomial(requests, one);
    let second = random.binomial(first, two / one);
    counts(requests, 0, Some([first, second, random.binomial(second, three / two)]))
}
