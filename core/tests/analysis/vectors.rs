//! Every vector of the reference, to 1e-9.

use crossfade_core::analysis::bounds::{Rate, Sample, below, error_free, lower, upper};
use crossfade_core::analysis::dispersion::{Halves, dispersion};
use crossfade_core::analysis::evidence::{EProcess, PSI, Pace};
use crossfade_core::analysis::kernel::{Trial, tilt};
use crossfade_core::analysis::planning::{requests_to_cross, requests_to_tell_apart};
use crossfade_core::analysis::{Budget, Part, Sequential, Settings, Start, Verdict};
use serde_json::Value;

use crate::{counts, interval, reference, seconds};

#[test]
fn single_bets_are_those_of_the_reference() {
    let reference = reference();
    assert_eq!(numbers(&reference["meta"]["psi"]), PSI);
    let cases = rows(&reference["kernel"]);
    assert_eq!(cases.len(), 18);
    for case in cases {
        let trial = Trial { hits: number(&case["x"]), draws: number(&case["K"]), chance: number(&case["q"]) };
        close(trial.ln_e(number(&case["psi"])), &case["ln_e"], case);
    }
    for case in rows(&reference["tilt"]) {
        close(tilt(number(&case["q"]), number(&case["rho"])), &case["out"], case);
    }
}

#[test]
fn evidence_grows_as_in_the_reference() {
    let reference = reference();
    let sequences = rows(&reference["eprocess"]);
    assert_eq!(sequences.len(), 9);
    for sequence in sequences {
        let pace = Pace { tau: number(&sequence["tau"]), phi: number(&sequence["phi"]) };
        let mut process = EProcess::default();
        for row in rows(&sequence["rows"]) {
            let trial =
                Trial { hits: number(&row["x"]), draws: number(&row["K"]), chance: number(&row["q"]) };
            process.update(trial, number(&row["dt"]), pace);
            close(process.ln(), &row["ln_M"], &sequence["name"]);
        }
        for (stake, wanted) in process.stakes().into_iter().zip(rows(&sequence["final_posterior_cash_first"]))
        {
            close(stake, wanted, &sequence["name"]);
        }
    }
}

#[test]
fn rollouts_are_judged_as_in_the_reference() {
    const PARTS: [(Part, &str); 5] = [
        (Part::ErrorsRelative, "err_rel"),
        (Part::ErrorsAbsolute, "err_abs"),
        (Part::ErrorsHistory, "err_hist"),
        (Part::LatencyRelative, "lat_rel"),
        (Part::LatencyAbsolute, "lat_abs"),
    ];
    let reference = reference();
    let scenarios = rows(&reference["engine"]);
    assert_eq!(scenarios.len(), 9);
    for scenario in scenarios {
        let (name, of) = (&scenario["name"], |field: &str, default: f64| {
            scenario["config"][field].as_f64().unwrap_or(default)
        });
        let settings = Settings {
            dispersion: Some(of("phi", 1.0)),
            false_rollbacks: of("alpha", 0.001),
            // The reference has no availability; what ours gets is its latency's.
            budget: Budget { availability: 0.0, latency_absolute: 0.15, ..Budget::default() },
            ..Settings::default()
        };
        let start = Start {
            planned: seconds(of("tau", 3000.0) as u64),
            stable: counts(of("hist_n", 0.0) as u64, of("hist_x", 0.0) as u64, None),
            ..Start::default()
        };
        let mut judge = Sequential::new(settings, &start).unwrap();
        let mut first_fail = Value::Null;
        for (index, row) in rows(&scenario["intervals"]).iter().enumerate() {
            let side = |arm: u8| {
                let count = |of: &str| row[format!("{of}{arm}")].as_u64().unwrap();
                let slow = rows(&row[format!("s{arm}")]).iter().map(|count| count.as_u64().unwrap());
                counts(count("n"), count("x"), slow.collect::<Vec<_>>().try_into().ok())
            };
            let weight = (number(&row["w"]) * 10_000.0).round() as u16;
            judge.observe(&interval(row["dt"].as_u64().unwrap(), weight, side(1), side(0)));
            for (part, field) in PARTS {
                let (_, ln) = judge.evidence().into_iter().find(|(kind, _)| *kind == part).unwrap();
                close(ln, &row["out"][field], &format_args!("{name} {index} {field}"));
            }
            close(judge.strongest().1, &row["out"]["ln_total"], &format_args!("{name} {index} total"));
            assert_eq!(judge.shared_incident(), row["out"]["shared_incident"], "{name} {index}");
            let failed = matches!(judge.verdict(seconds(0)), Verdict::Fail(_));
            assert_eq!(failed, row["out"]["fail"], "{name} {index}");
            if failed && first_fail.is_null() {
                first_fail = index.into();
            }
        }
        let (bounds, last) = (judge.error_bounds(), &scenario["final"]);
        close(bounds.canary_upper, &last["canary_upper"], name);
        close(bounds.stable_lower, &last["baseline_lower"], name);
        assert_eq!(first_fail, last["first_fail_interval"], "{name}");
        let verdict = match (judge.verdict(seconds(0)), bounds.canary_upper <= bounds.stable_lower + 0.01) {
            (Verdict::Fail(_), _) => "FAIL",
            (_, true) => "PASS",
            (_, false) => "INCONCLUSIVE",
        };
        assert_eq!(verdict, last["verdict"], "{name}");
    }
}

#[test]
fn bounds_are_those_of_the_reference() {
    let reference = reference();
    let cases = rows(&reference["bounds"]);
    assert_eq!(cases.len(), 11);
    for case in cases {
        let sample = Sample { events: number(&case["x"]), of: number(&case["n"]) };
        let (alpha, phi) = (number(&case["alpha"]), number(&case["phi"]));
        close(upper(sample, alpha, phi), &case["upper"], case);
        close(lower(sample, alpha, phi), &case["lower"], case);
    }
    for case in rows(&reference["n_required_error_free"]) {
        let enough = error_free(number(&case["q"]), number(&case["alpha"]), 1.0);
        assert_eq!(enough, case["n"].as_u64(), "{case}");
    }
    for case in rows(&reference["telemetry_guard"]) {
        let (canary, stable) = (number(&case["n1"]), number(&case["n0"]));
        let sample = Sample { events: canary, of: canary + stable };
        close(below(sample, number(&case["w"]) / 2.0, 1.0), &case["ln_e"], case);
    }
}

#[test]
fn dispersion_and_plans_are_those_of_the_reference() {
    let reference = reference();
    let phi = &reference["phi_hat"];
    let halves = |row: &Value| {
        let [na, nb, xa, xb] = [0, 1, 2, 3].map(|index| row[index].as_u64().unwrap());
        Halves { requests: [na, nb], errors: [xa, xb] }
    };
    let stretches: Vec<Halves> = rows(&phi["strata_na_nb_xa_xb"]).iter().map(halves).collect();
    close(dispersion(&stretches).unwrap(), &phi["used"], phi);
    assert_eq!(dispersion(&[]), None);
    for case in rows(&reference["planning"]["rel"]) {
        let [weight, stable, canary, alpha, share] =
            ["w", "p0", "p1", "alpha", "pi"].map(|field| number(&case[field]));
        close(requests_to_tell_apart(weight, stable, canary, alpha, share), &case["N_total"], case);
    }
    for case in rows(&reference["planning"]["abs"]) {
        let [slo, canary, alpha, share] = ["q", "p1", "alpha", "pi"].map(|field| number(&case[field]));
        close(requests_to_cross(slo, canary, alpha, share), &case["n_canary"], case);
    }
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let reference = reference();
    let (theirs, ours) = (&reference["meta"]["defaults"], Settings::default());
    let budget = &theirs["pi"];
    let pairs = [
        (ours.false_rollbacks, &theirs["alpha"]),
        (ours.budget.errors_relative, &budget["err_rel"]),
        (ours.budget.errors_absolute, &budget["err_abs"]),
        (ours.budget.errors_history, &budget["err_hist"]),
        (ours.budget.latency_relative, &budget["lat_rel"]),
        (ours.budget.latency_absolute + ours.budget.availability, &budget["lat_abs"]),
        (ours.error_rate, &theirs["p_slo"]),
        (ours.slow_rate, &theirs["p_lat"]),
        (ours.margin, &theirs["delta"]),
        (ours.false_passes, &theirs["alpha_pass"]),
        (ours.error_tolerance, &theirs["rho_err"]),
        (ours.latency_tolerance, &theirs["rho_lat"]),
        (ours.error_floor, &theirs["floor"]),
        (ours.past_tolerance, &theirs["kappa_abs"]),
        (ours.history_tolerance, &theirs["kappa_hist"]),
        (ours.history_min as f64, &theirs["hist_min"]),
        (ours.stratum as f64, &theirs["nmin"]),
        (ours.settle.0.as_secs_f64(), &theirs["settle"]),
        (ours.incident_window.0.as_secs_f64(), &theirs["shared_win"]),
    ];
    for (ours, theirs) in pairs {
        close(ours, theirs, theirs);
    }
}

#[test]
fn a_share_of_nothing_is_nothing() {
    assert_eq!(Rate::new(3, 0), Rate { events: 0, of: 0 });
    assert_eq!(Rate::default().share(), 0.0);
}

fn close(ours: f64, theirs: &Value, what: &dyn std::fmt::Display) {
    let theirs = number(theirs);
    let tolerance = 1e-9 * theirs.abs().max(1e-6);
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} is not {theirs}");
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    rows(value).iter().map(number).collect()
}
