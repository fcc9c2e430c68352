//! How many requests a release will need, before it begins. Right within about 10 % of simulated rollouts.

use libm::{log, log1p};

/// Requests of both sides together until a canary that fails `canary` of its requests, at a share `weight` of them, beside
/// a stable that fails `stable`, is told from it. Rates and weight from 0 to 1, `alpha` is the budget, `share` the part of
/// it that relative errors have.
pub fn requests_to_tell_apart(weight: f64, stable: f64, canary: f64, alpha: f64, share: f64) -> f64 {
    let errors = weight * canary + (1.0 - weight) * stable;
    evidence_needed(alpha, share) / (errors * divergence(weight * canary / errors, weight))
}

/// Requests of the canary alone until one that fails `canary` of them has certainly crossed `slo`. In a total failure
/// three errors are needed whatever this says.
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
