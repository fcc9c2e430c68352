//! How many requests a release will need, before it begins. Right within about 10 % of simulated rollouts.

use libm::{log, log1p};

/// Requests of both sides together until a canary that fails `canary` of its requests, at a share `weight` of them, beside
/// a stable that fails `stable`, is told from it. Rates and weight from 0 to 1, `alpha` is the budget, `share` the part of
/// it that relative errors have.
///
/// ```
/// use crossfade_core::analysis::planning::requests_to_tell_apart;
///
/// // 5 % instead of 0.5 % at a weight of 5 %: some three thousand requests, one in twenty of them to the canary.
/// let requests = requests_to_tell_apart(0.05, 0.005, 0.05, 0.001, 0.35);
/// assert!((3_000.0..3_600.0).contains(&requests));
/// ```
pub fn requests_to_tell_apart(weight: f64, stable: f64, canary: f64, alpha: f64, share: f64) -> f64 {
    let errors = weight * canary + (1.0 - weight) * stable;
    evidence_needed(alpha, share) / (errors * divergence(weight * canary / errors, weight))
}

/// Requests of the canary alone until one that fails `canary` of them has certainly crossed `slo`. In a total failure
/// three errors are needed whatever this says.
///
/// ```
/// use crossfade_core::analysis::planning::requests_to_cross;
///
/// // One in ten fails where one in fifty may.
/// assert!((80.0..150.0).contains(&requests_to_cross(0.02, 0.1, 0.001, 0.25)));
/// ```
pub fn requests_to_cross(slo: f64, canary: f64, alpha: f64, share: f64) -> f64 {
    evidence_needed(alpha, share) / divergence(canary, slo)
}

/// The threshold, and what spreading the stakes over eight bets costs.
fn evidence_needed(alpha: f64, share: f64) -> f64 {
    -log(alpha) - log(share) + log(8.0)
}

/// Kullback and Leibler's divergence of a coin that shows heads with probability `p` from one with `q`.
fn divergence(p: f64, q: f64) -> f64 {
    let heads = if p > 0.0 { p * log(p / q) } else { 0.0 };
    let tails = if p < 1.0 { (1.0 - p) * (log1p(-p) - log1p(-q)) } else { 0.0 };
    heads + tails
}
