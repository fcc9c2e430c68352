//! Simulated rollouts: 1, 5, 25, 50 and 100 % for ten minutes each, errors only, as the reference simulates them.

use crossfade_core::analysis::{Interval, Judge, Settings, Start, Verdict};

use crate::random::Random;
use crate::{counts, interval, seconds};

/// Weights in basis points, and how long each is held, in seconds.
pub(crate) const LADDER: (&[u16], u64) = (&[100, 500, 2500, 5000, 10_000], 600);

/// A service and its canary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Requests a second to both sides.
    pub(crate) rps: f64,
    /// The share of requests that fail on stable.
    pub(crate) stable: f64,
    /// The share that fail on the canary, once it does.
    pub(crate) canary: f64,
    /// From which second on it does.
    pub(crate) onset: u64,
    /// How often is looked, in seconds.
    pub(crate) poll: u64,
    /// The weights, and how long each is held.
    pub(crate) ladder: (&'static [u16], u64),
}

/// What became of a canary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// When it was rolled back.
    pub(crate) seconds: Option<u64>,
    /// Requests it got until then, or until the end.
    pub(crate) requests: u64,
    /// Those that failed.
    pub(crate) errors: u64,
}

impl Service {
    /// A canary that does what stable does.
    pub(crate) fn healthy(rps: f64, rate: f64) -> Self {
        Self { rps, stable: rate, canary: rate, onset: 0, poll: 30, ladder: LADDER }
    }

    /// What is counted, interval by interval.
    pub(crate) fn intervals(self, random: &mut Random) -> impl Iterator<Item = Interval> {
        let (weights, step) = self.ladder;
        let polls = step / self.poll;
        (0..polls * weights.len() as u64).map(move |index| {
            let weight = weights[(index / polls) as usize];
            let share = f64::from(weight) / 10_000.0;
            let requests = self.rps * self.poll as f64;
            let [canary, stable] = [share, 1.0 - share].map(|share| random.poisson(requests * share));
            let rate = if index * self.poll >= self.onset { self.canary } else { self.stable };
            let errors = [random.binomial(canary, rate), random.binomial(stable, self.stable)];
            interval(self.poll, weight, counts(canary, errors[0], None), counts(stable, errors[1], None))
        })
    }

    /// One rollout, judged by several at once. All of them see the same requests.
    pub(crate) fn roll_out(self, judges: &mut [Judge], random: &mut Random) -> Vec<Fate> {
        let mut fates = vec![Fate::default(); judges.len()];
        let mut now = 0;
        for interval in self.intervals(random) {
            now += self.poll;
            let judging = judges.iter_mut().zip(&mut fates).filter(|(_, fate)| fate.seconds.is_none());
            let mut all_ended = true;
            for (judge, fate) in judging {
                judge.observe(&interval);
                fate.requests += interval.canary.requests;
                fate.errors += interval.canary.errors;
                fate.seconds = failed(judge).then_some(now);
                all_ended &= fate.seconds.is_some();
            }
            if all_ended {
                break;
            }
        }
        fates
    }
}

/// A judge before a rollout of fifty minutes.
pub(crate) fn sequential(false_rollbacks: f64, dispersion: f64) -> Judge {
    judge(Settings { false_rollbacks, dispersion: Some(dispersion), ..Settings::default() })
}

/// The same with other settings.
pub(crate) fn judge(settings: Settings) -> Judge {
    Judge::sequential(settings, &Start { planned: seconds(3000), ..Start::default() }).unwrap()
}

/// Whether it rolls back; without the bounds that a verdict computes.
pub(crate) fn failed(judge: &Judge) -> bool {
    match judge {
        Judge::Sequential(judge) => judge.proof().is_some(),
        judge @ Judge::Thresholds(_) => matches!(judge.verdict(seconds(0)), Verdict::Fail(_)),
    }
}
