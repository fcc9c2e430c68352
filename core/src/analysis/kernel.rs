//! The e-value from which everything else is made.
//!
//! A bet of `psi` against "each of `draws` events lands in `hits` with probability at most `chance`" multiplies its stake
//! by `psi^hits / (1 + chance·(psi − 1))^draws`. Under that hypothesis the stake does not grow on average, for `psi` > 1
//! and for `psi` < 1 with "at least". For a canary's share of all errors this is Hoeffding's bound on sampling without
//! replacement (1963, "Probability inequalities for sums of bounded random variables", section 6,
//! <https://doi.org/10.1080/01621459.1963.10500830>); the conditioning on the number of errors is that of Lindon and Malek
//! (2022, <https://arxiv.org/abs/2011.03567>).
//!
//! Logarithms are `libm`'s, computed in software: evidence that is replayed on another machine has the same bits.

use libm::{exp, log, log1p};

/// How many of `draws` events were `hits`, and how probable a hit is at most. Counts may be real: they are divided by the
/// dispersion.
///
/// ```
/// use crossfade_core::analysis::kernel::{Trial, tilt};
///
/// // All three errors on a canary that has 5 % of the requests: a bet on "twice as bad" wins.
/// let trial = Trial { hits: 3.0, draws: 3.0, chance: 0.05 };
/// assert!(trial.ln_e(2.0) > 0.0);
/// // A hit is that probable when the canary may have 1.5 times the odds of stable.
/// assert!((tilt(0.5, 1.5) - 0.6).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Events on the canary.
    pub hits: f64,
    /// All events.
    pub draws: f64,
    /// The probability, 0 to 1, of a hit under the hypothesis.
    pub chance: f64,
}

impl Trial {
    /// The natural logarithm of the e-value of one bet `psi` > 0.
    pub fn ln_e(self, psi: f64) -> f64 {
        self.ln_e_of(psi, log(psi))
    }

    /// The same for a bet whose logarithm is known.
    pub(super) fn ln_e_of(self, psi: f64, ln_psi: f64) -> f64 {
        self.hits * ln_psi - self.draws * log1p(self.chance * (psi - 1.0))
    }

    /// Whether it says anything: without events, or with one side only, every bet keeps its stake.
    pub(super) fn is_empty(self) -> bool {
        !(self.draws > 0.0 && self.chance > 0.0 && self.chance < 1.0)
    }
}

/// The probability of a hit when the canary's odds are `rho` times those of stable.
pub fn tilt(share: f64, rho: f64) -> f64 {
    share * rho / (1.0 + share * (rho - 1.0))
}

/// The logarithm of the mean of exponentials, without overflow.
pub(super) fn ln_mean_exp<const N: usize>(exponents: [f64; N]) -> f64 {
    let most = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let sum: f64 = exponents.iter().map(|exponent| exp(exponent - most)).sum();
    most + log(sum / N as f64)
}
