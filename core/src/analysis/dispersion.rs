//! How much more errors cluster than independent ones would.
//!
//! A page that fires ten failing requests is one error, not ten: without this, bursts of three roll back 12 % of healthy
//! releases instead of 0.1 %. Dividing each increment of evidence by the dispersion restores the budget: exactly for
//! clusters of at most that size (by Jensen's inequality), and otherwise as quasi-likelihood does (McCullagh and Nelder
//! 1989, "Generalized Linear Models", section 4.5).

use serde::{Deserialize, Serialize};

/// What is assumed of a service whose errors nobody has looked at: bursts of two.
pub(super) const UNKNOWN: f64 = 2.0;

/// One stretch of stable's own requests, cut in two by a hash of the request: the two differ by chance alone.
///
/// ```
/// use crossfade_core::analysis::dispersion::{Halves, dispersion};
///
/// // Four errors at a time, each time in one half: a page that fires four failing requests.
/// let bursts = [[4, 0], [0, 4], [4, 0], [0, 4]].map(|errors| Halves { requests: [100, 100], errors });
/// assert_eq!(dispersion(&bursts), Some(4.0));
/// assert_eq!(dispersion(&[]), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halves {
    /// Requests in each half.
    pub requests: [u64; 2],
    /// Errors in each half.
    pub errors: [u64; 2],
}

/// The dispersion of errors: the observed variance of the halves' errors over that of independent ones. At least 1;
/// `None` without errors to judge by. From 36 errors it is right within ±20 % when the truth is 1.
pub fn dispersion(stretches: &[Halves]) -> Option<f64> {
    let (mut seen, mut independent) = (0.0, 0.0);
    for Halves { requests: [na, nb], errors: [xa, xb] } in stretches.iter().copied() {
        let errors = xa as f64 + xb as f64;
        let share = na as f64 / (na as f64 + nb as f64);
        if errors > 0.0 && share > 0.0 && share < 1.0 {
            seen += (xa as f64 - errors * share).powi(2);
            independent += errors * share * (1.0 - share);
        }
    }
    (independent > 0.0).then(|| (seen / independent).max(1.0))
}
