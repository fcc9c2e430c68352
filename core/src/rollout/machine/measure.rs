//! Measuring a step: probes ask every so often, what visitors meet is looked at more often; the worse of the two decides.

use std::time::Duration;

use crate::Timestamp;
use crate::rollout::judging::{Ruling, Side, Word};
use crate::rollout::{
    Effect, Evidence, Judging, Limits, Look, Measurement, OnInconclusive, Reason, Rollout, Verdict,
};

use super::voice::Voice;
use super::{Goal, State, Watch};

impl Rollout {
    /// Measures, and renews the lease meanwhile when it is time: a measurement may take longer than the lease.
    pub(super) fn measure(&mut self, now: Timestamp, watch: Watch) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Measuring(watch))));
        }
        let (step, weight) = (watch.step, self.share(watch.step));
        let counts = self.judging.as_ref().map(Judging::seen_until);
        let probes = counts.is_none() || now >= watch.probes_at;
        self.state = State::Measuring(watch);
        Effect::Measure { step, weight, probes, counts, until: self.renewal() }
    }

    pub(super) fn measured(&mut self, now: Timestamp, mut watch: Watch, measurement: Measurement) -> Effect {
        let limits = *self.plan.limits();
        let (step, weight) = (watch.step, self.share(watch.step));
        let Measurement { probes, counted } = measurement;
        let ruling = counted.and_then(|counted| self.rule(step, counted, probes.as_ref()));
        if let Some(probes) = &probes {
            watch.probes.says(probes);
            watch.probes_at = now.plus(limits.measure_every);
        }
        if let Some(ruling) = &ruling {
            watch.judge.rules(ruling);
        }
        watch.next = match &self.judging {
            Some(_) => watch.probes_at.min(now.plus(patience(&watch.judge, &limits))),
            None => watch.probes_at,
        };
        match worst(&watch, probes, ruling, limits.errors_max) {
            Some(Trouble::Failed(why)) => {
                self.failed(now, watch, Reason::MeasurementFailed { step, weight, why })
            }
            Some(Trouble::Blind(times, why)) => {
                self.go_home(now, Reason::CouldNotMeasure { step, times, why })
            }
            None => self.watch(now, watch),
        }
    }

    /// Whether the step may be left when its time is over.
    pub(super) fn passes(&self, watch: &Watch) -> bool {
        let promotes = self.plan.trouble().inconclusive == OnInconclusive::Promote;
        let judge = &watch.judge;
        let judged = self.judging.is_none() || judge.is_content() || (promotes && judge.is_short());
        watch.probes.is_content() && judged
    }

    /// What the judge says now that this was counted; it is kept as evidence.
    fn rule(
        &mut self,
        step: usize,
        counted: Result<Look, String>,
        probes: Option<&Verdict>,
    ) -> Option<Ruling> {
        let (weight, hold) = (self.share(step), self.plan.steps()[step].hold);
        let judging = self.judging.as_mut()?;
        let since = judging.seen_until();
        let (ruling, until, [canary, stable]) = match counted {
            Ok(look) => {
                judging.take_in(&look, weight, self.first_of_step);
                let sides = [
                    Side::of(look.counts.iter().map(|counted| &counted.canary)),
                    Side::of(look.counts.iter().map(|counted| &counted.stable)),
                ];
                (judging.ruling(weight, hold), look.until, sides)
            }
            Err(why) => (Ruling::Blind(why), since, [Side::default(); 2]),
        };
        let (verdict, why) = Word::combined(ruling.clone().into_word(), probes);
        self.evidence.push(Evidence { step, weight, since, until, canary, stable, verdict, why });
        Some(ruling)
    }
}

/// What a measurement leads to at once.
enum Trouble {
    Failed(String),
    Blind(u32, String),
}

/// A failure goes before what could not be measured too often.
fn worst(watch: &Watch, probes: Option<Verdict>, ruling: Option<Ruling>, errors_max: u32) -> Option<Trouble> {
    let of = |voice: &Voice, verdict| match verdict {
        Verdict::Fail(why) => Some(Trouble::Failed(why)),
        Verdict::Error(why) if voice.errors() > errors_max => Some(Trouble::Blind(voice.errors(), why)),
        Verdict::Pass | Verdict::Inconclusive(_) | Verdict::Error(_) => None,
    };
    let probes = probes.and_then(|verdict| of(&watch.probes, verdict));
    let judge = match ruling {
        Some(Ruling::TooBlind { times, why }) => Some(Trouble::Blind(times, why)),
        ruling => ruling.and_then(|ruling| of(&watch.judge, ruling.verdict())),
    };
    match (probes, judge) {
        (Some(Trouble::Failed(why)), _) | (_, Some(Trouble::Failed(why))) => Some(Trouble::Failed(why)),
        (probes, judge) => probes.or(judge),
    }
}

/// How long until the next look; longer after each one that failed, so that what is away for a minute is not given up.
fn patience(judge: &Voice, limits: &Limits) -> Duration {
    let longer = limits.judge_every.saturating_mul(1 << judge.errors().min(8));
    longer.min(limits.measure_every.max(limits.judge_every))
}
