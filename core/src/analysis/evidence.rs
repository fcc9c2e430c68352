//! Evidence that grows, and may be looked at, at any time.

use libm::{exp, expm1, log};
use serde::{Deserialize, Serialize};

use super::kernel::Trial;

/// Odds multipliers that are bet on, from "a third worse" to "everything fails". Results are flat in the exact values.
pub const PSI: [f64; 6] = [1.3, 2.0, 4.0, 10.0, 50.0, 1000.0];
/// [`PSI`]'s natural logarithms.
const LN_PSI: [f64; 6] = [
    0.262_364_264_467_491_06,
    std::f64::consts::LN_2,
    1.386_294_361_119_890_6,
    std::f64::consts::LN_10,
    3.912_023_005_428_146,
    6.907_755_278_982_137,
];
/// Stakes before anything is seen: a quarter is kept as cash, which never loses, the rest is spread evenly.
const STAKES: [f64; 7] = [0.25, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125];

/// How evidence is weighed, the same for all that one judge collects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Seconds over which stakes are spread anew: the planned duration of the rollout, at least 600.
    pub tau: f64,
    /// The variance of error counts over that of independent errors, 1 or more ([`super::dispersion`]).
    pub phi: f64,
}

/// An e-process: the wealth of a gambler who bets against a hypothesis. While the hypothesis holds, it exceeds `1/α` at
/// any time whatsoever with probability at most `α` (Ville 1939, "Étude critique de la notion de collectif").
///
/// Stakes are mixed over six bets and cash, and slowly spread anew (the fixed share of Herbster and Warmuth 1998,
/// "Tracking the best expert", <https://doi.org/10.1023/A:1007424614876>): the logarithm never falls below
/// `ln(1/4) − time/τ`, so a regression that begins late is found nearly as fast as one from the start.
///
/// ```
/// use crossfade_core::analysis::evidence::{EProcess, PSI, Pace};
/// use crossfade_core::analysis::kernel::Trial;
///
/// let pace = Pace { tau: 600.0, phi: 1.0 };
/// let mut evidence = EProcess::default();
/// // "At most 2 % fail" is no longer believable when 10 of 20 do.
/// evidence.update(Trial { hits: 10.0, draws: 20.0, chance: 0.02 }, 5.0, pace);
/// assert!(evidence.ln() > 1000_f64.ln());
/// // Most of the stake is on one of the larger multipliers now, and little is cash.
/// assert_eq!(evidence.stakes().len(), PSI.len() + 1);
/// assert!(evidence.stakes()[0] < 0.01);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    ln_wealth: f64,
    stakes: [f64; 7],
}

impl Default for EProcess {
    fn default() -> Self {
        Self { ln_wealth: 0.0, stakes: STAKES }
    }
}

impl EProcess {
    /// Bets on what was seen in `seconds`. What says nothing changes nothing: it does not matter how often an idle service
    /// is asked.
    pub fn update(&mut self, trial: Trial, seconds: f64, pace: Pace) {
        if trial.is_empty() {
            return;
        }
        let spread = -expm1(-seconds / pace.tau);
        let mut gains = [0.0; 7];
        for (gain, (psi, ln_psi)) in gains[1..].iter_mut().zip(PSI.into_iter().zip(LN_PSI)) {
            *gain = trial.ln_e_of(psi, ln_psi) / pace.phi;
        }
        for (stake, first) in self.stakes.iter_mut().zip(STAKES) {
            *stake = (1.0 - spread) * *stake + spread * first;
        }
        // Only bets with a stake count: in an interval of no length one may have vanished to zero.
        let staked = gains.iter().zip(self.stakes).filter(|(_, stake)| *stake > 0.0);
        let most = staked.fold(f64::NEG_INFINITY, |most, (gain, _)| gain.max(most));
        for (stake, gain) in self.stakes.iter_mut().zip(gains) {
            // Zero times infinity is not a number, a bet without a stake has no gain.
            *stake = if *stake > 0.0 { *stake * exp(gain - most) } else { 0.0 };
        }
        let sum: f64 = self.stakes.iter().sum();
        self.ln_wealth += most + log(sum);
        self.stakes.iter_mut().for_each(|stake| *stake /= sum);
    }

    /// The natural logarithm of the wealth, which began at 0.
    pub fn ln(&self) -> f64 {
        self.ln_wealth
    }

    /// The stakes now, cash first; they sum to 1.
    pub fn stakes(&self) -> [f64; 7] {
        self.stakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithms_are_those_of_the_bets() {
        assert_eq!(PSI.map(log), LN_PSI);
        assert_eq!(STAKES.iter().sum::<f64>(), 1.0);
    }

    #[test]
    fn an_interval_of_no_length_after_a_landslide_is_still_a_number() {
        let (mut process, pace) = (EProcess::default(), Pace { tau: 600.0, phi: 1.0 });
        for hits in [0.0, 1e9, 0.0, 1e19] {
            process.update(Trial { hits, draws: 1e19, chance: 0.02 }, 0.0, pace);
            assert!(process.ln().is_finite(), "{process:?}");
            assert!((process.stakes().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
