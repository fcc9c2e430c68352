//! Both production halves in one process: the real rollout machine writes to a simulated KV, the real assignment and lease
//! code routes simulated visitors. Clock, network and people are simulated, from a seed: the same seed is the same run.
//!
//! `SIM_SEED=17 cargo test -p crossfade-core --test simulation` replays one run and prints what happened in it;
//! `SIM_FIRST_SEED` and `SIM_RUNS` choose others than the usual ten thousand. What must hold is in `rules`; what was found
//! here once is in `scenarios`.

#![expect(clippy::unwrap_used, reason = "what cannot be fails the test")]

mod counters;
mod counts;
mod dice;
mod driver;
mod edge;
mod faults;
mod judge;
mod kv;
mod ledger;
mod origins;
mod people;
mod rules;
mod runner;
mod scenarios;
mod story;
mod tables;
mod trace;
mod visitors;
mod world;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use counts::Counts;
use world::World;

/// How many runs there are unless somebody wants another number.
const RUNS: u64 = 10_000;
/// Threads; CI's machines have at least as many processors.
const THREADS: u64 = 2;

#[test]
fn the_rules_hold_in_ten_thousand_worlds() {
    if let Some(seed) = number("SIM_SEED") {
        return replay(seed);
    }
    let (first, runs) = (number("SIM_FIRST_SEED").unwrap_or(0), number("SIM_RUNS").unwrap_or(RUNS));
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let counts = Mutex::new(Counts::default());
    let work = || {
        let mut mine = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs {
                break;
            }
            let ended = World::of_seed(seed, false).run();
            mine.merge(&ended.world.counts);
            if let Some(broken) = ended.broken {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push((seed, broken));
            }
        }
        counts.lock().unwrap_or_else(PoisonError::into_inner).merge(&mine);
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let (counts, mut failed) = (counts.into_inner().unwrap(), failed.into_inner().unwrap());
    say(format_args!("simulation of {runs} runs from seed {first}: {counts}"));
    failed.sort_by_key(|(seed, broken)| (broken.rule, *seed));
    let lines: Vec<String> = failed
        .iter()
        .take(40)
        .map(|(seed, broken)| {
            let how: String = broken.how.chars().take(300).collect();
            format!(
                "SIM_SEED={seed} cargo test -p crossfade-core --test simulation   # {:?}: {how}",
                broken.rule
            )
        })
        .collect();
    assert!(failed.is_empty(), "{} of {runs} runs broke a rule:\n{}", failed.len(), lines.join("\n"));
    assert_eq!(counts.missing(runs), [""; 0], "the simulation reaches too little");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let hash = || World::of_seed(seed, false).run().world.trace.hash();
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

fn replay(seed: u64) {
    let ended = World::of_seed(seed, true).run();
    for line in ended.world.trace.lines() {
        say(format_args!("{line}"));
    }
    say(format_args!("simulation of seed {seed}: {}", ended.world.counts));
    assert!(
        ended.broken.is_none(),
        "seed {seed}: {}",
        ended.broken.map(|it| it.to_string()).unwrap_or_default()
    );
}

/// Says something although the test passes: what `print` says is only shown when it fails.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "which runs, is said by whoever runs the test")]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
