//! When steps are passed.

use crossfade_core::analysis::{Sequential, Settings, Start};

use crate::random::Random;
use crate::rollouts::{LADDER, Service};
use crate::{reference, seconds};

/// What is said at the end of each step: pass, fail or inconclusive, and never a pass of what is worse by the margin.
#[test]
#[ignore = "minutes"]
fn steps_are_passed_as_in_the_reference() {
    const ROLLOUTS: usize = 300;
    let reference = reference();
    let (mut random, mut worse) = (Random::new(6), Vec::new());
    println!(
        "ours (reference's)\n| margin | rps | rates | step | pass/fail at the end of each step |\n|---|---|---|---|---|"
    );
    for cell in reference["operating_characteristics"]["gate"].as_array().unwrap() {
        let of = |field: &str| cell[field].as_f64().unwrap();
        let (margin, stable, step) = (of("delta"), of("p0"), of("step_intervals") as u64 * 30);
        let planned = seconds(step) * 5;
        let service = Service {
            rps: of("rps"),
            stable,
            canary: stable + of("d"),
            onset: 0,
            poll: 30,
            ladder: (LADDER.0, step),
        };
        let (mut said, mut ever) = ([[0.0; 2]; 5], 0);
        for _ in 0..ROLLOUTS {
            let settings = Settings { margin, dispersion: Some(1.0), ..Settings::default() };
            let mut judge = Sequential::new(settings, &Start { planned, ..Start::default() }).unwrap();
            let mut passed = false;
            for (index, interval) in service.intervals(&mut random).enumerate() {
                judge.observe(&interval);
                let polls = index as u64 + 1;
                if polls.is_multiple_of(step / 30) {
                    let said = &mut said[(polls * 30 / step) as usize - 1];
                    let bounds = judge.error_bounds();
                    let [pass, fail] = match judge.proof() {
                        Some(_) => [false, true],
                        None => [bounds.canary_upper <= bounds.stable_lower + margin, false],
                    };
                    said.iter_mut().zip([pass, fail]).for_each(|(sum, one)| *sum += f64::from(u8::from(one)));
                    passed |= pass;
                }
            }
            ever += usize::from(passed);
        }
        let mut told = Vec::new();
        for (ours, theirs) in
            said.into_iter().zip(cell["pass_fail_inconclusive_per_step"].as_array().unwrap())
        {
            for (index, ours) in ours.into_iter().enumerate() {
                let (ours, theirs) = (ours / ROLLOUTS as f64, theirs[index].as_f64().unwrap());
                let rate = f64::midpoint(ours, theirs);
                let tolerance = 4.0 * (rate * (1.0 - rate) * 2.0 / ROLLOUTS as f64).sqrt() + 0.01;
                if (ours - theirs).abs() > tolerance {
                    worse.push(format!("{cell}: {ours} is not {theirs}"));
                }
                told.push(format!("{ours:.2} ({theirs:.2})"));
            }
        }
        println!("| {margin} | {} | {stable} + {} | {step} s | {} |", of("rps"), of("d"), told.join(" · "));
        if of("d") >= margin {
            assert!(ever as f64 <= 0.05 * ROLLOUTS as f64, "{cell}: {ever} of {ROLLOUTS} passed");
        }
    }
    assert!(worse.is_empty(), "{} {worse:#?}", worse.len());
}
