//! Operating characteristics against the reference's: thousands of rollouts a cell, so on request only:
//! `cargo test --release -p crossfade-core --test analysis characteristics -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "the table is what these are run for")]

mod gate;
mod latency;

use crossfade_core::analysis::planning::{requests_to_cross, requests_to_tell_apart};
use serde_json::Value;

use crate::random::Random;
use crate::reference;
use crate::rollouts::{Fate, LADDER, Service, sequential};

/// The judges of the reference's cells: budget and dispersion.
const RULES: [(&str, f64, f64); 3] = [
    ("recommended alpha=0.01", 0.01, 1.0),
    ("recommended alpha=0.001", 0.001, 1.0),
    ("recommended alpha=0.001 phi=2", 0.001, 2.0),
];

#[test]
#[ignore = "minutes"]
fn regressions_from_the_start_are_found_as_in_the_reference() {
    compare("start", 2000);
}

#[test]
#[ignore = "minutes"]
fn regressions_that_begin_late_are_found_as_in_the_reference() {
    compare("late", 2000);
    compare("at100", 2000);
}

#[test]
#[ignore = "minutes"]
fn healthy_canaries_survive_as_in_the_reference() {
    compare("null", 2000);
}

/// The hard limits of the reference: 20,000 rollouts, at most the budget.
#[test]
#[ignore = "minutes"]
fn twenty_thousand_healthy_canaries_stay_within_the_budget() {
    const ROLLOUTS: u32 = 20_000;
    let mut random = Random::new(1);
    println!("| rps | error rate | false rollbacks at 1 % | at 0.1 % |\n|---|---|---|---|");
    for (rps, rate) in [(2.0, 0.005), (20.0, 0.02), (200.0, 0.001)] {
        let mut failed = [0; 2];
        for _ in 0..ROLLOUTS {
            let mut judges = [sequential(0.01, 1.0), sequential(0.001, 1.0)];
            let fates = Service::healthy(rps, rate).roll_out(&mut judges, &mut random);
            failed
                .iter_mut()
                .zip(fates)
                .for_each(|(failed, fate)| *failed += u32::from(fate.seconds.is_some()));
        }
        let [at_1, at_01] = failed.map(|failed| f64::from(failed) * 100.0 / f64::from(ROLLOUTS));
        println!("| {rps} | {rate} | {at_1:.3} % | {at_01:.3} % |");
        assert!(at_1 <= 1.0 && at_01 <= 0.1);
    }
}

/// One weight for an hour, R = 500 in the reference.
#[test]
#[ignore = "minutes"]
fn single_weights_find_regressions_as_in_the_reference() {
    let reference = reference();
    let (mut random, mut worse) = (Random::new(3), Vec::new());
    println!("| rps | weight | rates | found | errors | requests |\n|---|---|---|---|---|---|");
    for cell in reference["operating_characteristics"]["single_weight_60min_alpha_0.001"].as_array().unwrap()
    {
        let of = |field: &str| cell[field].as_f64().unwrap();
        let weights: &[u16] = match of("w") {
            0.01 => &[100],
            0.05 => &[500],
            0.25 => &[2500],
            _ => &[5000],
        };
        let (stable, canary) = (of("p0"), (of("p0") + of("delta")).min(1.0));
        let service = Service { rps: of("rps"), stable, canary, onset: 0, poll: 30, ladder: (weights, 3600) };
        let fates: Vec<Fate> =
            (0..500).map(|_| service.roll_out(&mut [sequential(0.001, 1.0)], &mut random)[0]).collect();
        let seen = Seen::of(&fates);
        let (found, theirs) = (seen.found, of("det"));
        // So few rollouts that "none" and "all" are estimates too: the spread is that of both together.
        worse.extend(differs(&seen, cell, f64::midpoint(found, theirs), [500.0; 2]));
        println!(
            "| {} | {} % | {stable} → {canary} | {:.3} ({:.3}) | {:.1} ({:.1}) | {:.0} ({:.0}) |",
            of("rps"),
            f64::from(weights[0]) / 100.0,
            seen.found,
            of("det"),
            seen.errors,
            of("cerr"),
            seen.requests,
            of("creq")
        );
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

/// How many requests of both sides a regression takes, against the planning formula.
#[test]
#[ignore = "minutes"]
fn detection_takes_about_as_many_requests_as_planned() {
    const ROLLOUTS: usize = 400;
    let mut random = Random::new(4);
    println!(
        "| rates | weight | planned | median | canary requests | canary errors |\n|---|---|---|---|---|---|"
    );
    for (stable, canary) in [(0.001, 0.01), (0.005, 0.01), (0.005, 0.025), (0.001, 0.021), (0.005, 0.105)] {
        for weights in [&[500], &[2500], &[5000]] {
            let weight = f64::from(weights[0]) / 10_000.0;
            // Whichever of the two kinds of evidence is faster.
            let relative = requests_to_tell_apart(weight, stable, canary, 0.001, 0.35);
            let absolute = if canary > 0.02 {
                requests_to_cross(0.02, canary, 0.001, 0.25) / weight
            } else {
                f64::INFINITY
            };
            let planned = relative.min(absolute);
            // Twenty minutes if the plan is right, so that the length of a poll does not matter.
            let rps = planned / 1200.0;
            let service = Service { rps, stable, canary, onset: 0, poll: 5, ladder: (weights, 7200) };
            let mut fates: Vec<Fate> = (0..ROLLOUTS)
                .map(|_| service.roll_out(&mut [sequential(0.001, 1.0)], &mut random)[0])
                .collect();
            fates.sort_by_key(|fate| fate.seconds.unwrap_or(u64::MAX));
            let median = rps * fates[ROLLOUTS / 2].seconds.map_or(f64::INFINITY, |seconds| seconds as f64);
            let mean = |of: fn(&Fate) -> u64| fates.iter().map(of).sum::<u64>() / ROLLOUTS as u64;
            println!(
                "| {stable} → {canary} | {} % | {planned:.0} | {median:.0} | {} | {} |",
                weight * 100.0,
                mean(|fate| fate.requests),
                mean(|fate| fate.errors)
            );
            assert!((median / planned - 1.0).abs() < 0.25, "planned {planned}, median {median}");
        }
    }
}

/// What a cell of the reference's tables holds.
struct Seen {
    found: f64,
    errors: f64,
    requests: f64,
    median: f64,
}

impl Seen {
    fn of(fates: &[Fate]) -> Self {
        let all = fates.len() as f64;
        let mut times: Vec<u64> = fates.iter().map(|fate| fate.seconds.unwrap_or(3000)).collect();
        times.sort_unstable();
        Self {
            found: fates.iter().filter(|fate| fate.seconds.is_some()).count() as f64 / all,
            errors: fates.iter().map(|fate| fate.errors).sum::<u64>() as f64 / all,
            requests: fates.iter().map(|fate| fate.requests).sum::<u64>() as f64 / all,
            median: times[times.len() / 2] as f64,
        }
    }
}

fn compare(which: &str, rollouts: usize) {
    let reference = reference();
    let characteristics = &reference["operating_characteristics"];
    let theirs = characteristics["R"][which].as_f64().unwrap();
    let cells: Vec<&Value> =
        characteristics["cells"].as_array().unwrap().iter().filter(|cell| cell["which"] == which).collect();
    let (mut random, mut worse) = (Random::new(2), Vec::new());
    println!(
        "ours (reference's)\n| {which}: rps | rates | rule | found | canary errors | median |\n|---|---|---|---|---|---|"
    );
    for group in cells.chunks(RULES.len()) {
        let of = |field: &str| group[0][field].as_f64().unwrap();
        let (stable, canary) = (of("p0"), (of("p0") + of("delta")).min(1.0));
        let onset = of("onset_interval") as u64 * 30;
        let service = Service { rps: of("rps"), stable, canary, onset, poll: 30, ladder: LADDER };
        let mut fates = vec![Vec::new(); RULES.len()];
        for _ in 0..rollouts {
            let mut judges = RULES.map(|(_, budget, phi)| sequential(budget, phi));
            let ended = service.roll_out(&mut judges, &mut random);
            fates.iter_mut().zip(ended).for_each(|(fates, fate)| fates.push(fate));
        }
        for ((rule, ..), fates) in RULES.into_iter().zip(fates) {
            let cell = group.iter().find(|cell| cell["rule"] == rule).unwrap();
            let seen = Seen::of(&fates);
            println!(
                "| {} | {stable} → {canary} | {rule} | {:.4} ({}) | {:.1} ({}) | {} s ({}) |",
                of("rps"),
                seen.found,
                cell["det"],
                seen.errors,
                cell["cerr"],
                seen.median,
                cell["tmed"]
            );
            let found = cell["det"].as_f64().unwrap();
            worse.extend(
                differs(&seen, cell, found, [rollouts as f64, theirs])
                    .map(|why| format!("{which} {rule} {why}")),
            );
        }
    }
    assert!(worse.is_empty(), "{} of {} cells differ: {worse:#?}", worse.len(), cells.len());
}

/// The reference's own tolerances: four standard deviations of a difference at this rate, and 10 % of the errors.
fn differs(seen: &Seen, cell: &Value, rate: f64, [ours, theirs]: [f64; 2]) -> Option<String> {
    let (found, errors) = (cell["det"].as_f64().unwrap(), cell["cerr"].as_f64().unwrap());
    let tolerance = 4.0 * (rate * (1.0 - rate) * (1.0 / ours + 1.0 / theirs)).sqrt() + 0.002;
    let alike = (seen.found - found).abs() <= tolerance && (seen.errors - errors).abs() <= 0.1 * errors + 0.3;
    (!alike).then(|| format!("{cell}: found {}, errors {}", seen.found, seen.errors))
}
