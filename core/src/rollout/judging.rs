//! Judging what visitors meet: what was counted goes into the judge once, cut where the weight changed.

use serde::{Deserialize, Serialize};

use super::{Look, Verdict};
use crate::analysis::threshold::End;
use crate::analysis::{
    self, Counts, Failure, Inconclusive, Interval, Judge, LatencyHistogram, Verdict as Judged,
};
use crate::table::{Revision, Weight};
use crate::{Span, Timestamp};

/// The judge of a release, and up to when he has seen.
///
/// ```
/// # use std::time::Duration;
/// # use crossfade_core::Timestamp;
/// # use crossfade_core::analysis::{Counts, Judge, Settings, Start};
/// # use crossfade_core::rollout::*;
/// # let rollout: Rollout = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rollout/example.rs"));
/// let begin = Timestamp::from_millis(0);
/// let judge = Judge::sequential(Settings::default(), &Start::default()).unwrap();
/// let mut rollout = rollout.judged_by(Judging::new(judge, begin));
/// assert!(rollout.is_judged());
/// # let _ = rollout.handle(begin, Event::Started);
/// # let _ = rollout.handle(begin, Event::Published(Ok(())));
/// # let Effect::Measure { .. } = rollout.handle(begin, Event::Confirmed(Confirmation::Served)) else { panic!() };
/// let (canary, stable) = (Counts { requests: 20, errors: 20, ..Counts::default() }, Counts::default());
/// let (until, counts) = (begin.plus(Duration::from_secs(5)), vec![Counted { revision: None, canary, stable }]);
/// let look = Look { from: begin, until, counts, readings: Default::default() };
/// let measured = Measurement { counted: Some(Ok(look)), ..Verdict::Pass.into() };
/// let Effect::Publish { urgent: true, .. } = rollout.handle(until, Event::Measured(measured)) else { panic!() };
///
/// // What it was that sent everybody home.
/// let evidence: Vec<Evidence> = rollout.evidence();
/// let Evidence { canary: Side { requests, errors, .. }, verdict, .. } = &evidence[0];
/// assert_eq!((*requests, *errors, *verdict), (20, 20, Word::Fail));
/// assert!(rollout.replies().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    judge: Judge,
    seen_until: Timestamp,
}

/// What one look came to, as it is told and kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Index into [`super::Plan::steps`].
    pub step: usize,
    /// The canary's weight, basis points.
    pub weight: Weight,
    /// From when it was counted, milliseconds since 1970 by the clock of who counts.
    #[serde(rename = "from", serialize_with = "millis")]
    pub since: Timestamp,
    /// Up to when.
    #[serde(rename = "to", serialize_with = "millis")]
    pub until: Timestamp,
    /// What the canary's visitors met.
    pub canary: Side,
    /// What stable's met.
    pub stable: Side,
    /// What the measurement comes to.
    pub verdict: Word,
    /// Why.
    pub why: String,
}

/// One side's counts in brief.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The median of the time to first byte, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// Its 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Its 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

/// What a measurement comes to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The canary is to be rolled back.
    Fail,
    /// It may go on.
    Pass,
    /// Not enough is known.
    Inconclusive,
    /// Nothing is to be concluded now.
    Hold,
    /// It could not be measured.
    Error,
}

/// What the judge says, for the machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ruling {
    Pass(String),
    Fail(String),
    /// More requests would decide it.
    Undecided(String),
    /// Nobody is to go on, and nobody is to blame.
    Hold(String),
    /// This time it could not be measured.
    Blind(String),
    /// That was so too often for one of the metrics.
    TooBlind {
        times: u32,
        why: String,
    },
}

impl Judging {
    /// A judge who has seen nothing yet of what is counted from `from` on.
    pub fn new(mut judge: Judge, from: Timestamp) -> Self {
        // The first visitors of the canary are a change of weight like every other one: routers learn of it one by one.
        judge.observe(&interval(Span(std::time::Duration::ZERO), Weight::ZERO));
        Self { judge, seen_until: from }
    }

    /// From when on it is to be counted.
    pub(super) const fn seen_until(&self) -> Timestamp {
        self.seen_until
    }

    /// Takes in what was counted. What routers counted that followed a table before `first`, which gave the canary this
    /// weight, is late.
    pub(super) fn take_in(&mut self, look: &Look, weight: Weight, first: Option<Revision>) {
        // Each count is judged once, whoever asks again.
        if look.from != self.seen_until || look.until <= look.from {
            return;
        }
        let mut now = interval(Span(look.until.since(look.from)), weight);
        let (mut canary, mut stable) = (Counts::default(), Counts::default());
        for counted in &look.counts {
            let is_late = counted.revision.is_some_and(|revision| Some(revision) < first);
            let sums = if is_late { (&mut canary, &mut stable) } else { (&mut now.canary, &mut now.stable) };
            sums.0.merge(&counted.canary);
            sums.1.merge(&counted.stable);
        }
        if canary.requests > 0 || stable.requests > 0 {
            self.judge.late(&canary, &stable);
        }
        now.readings.clone_from(&look.readings);
        self.judge.observe(&now);
        self.seen_until = look.until;
    }

    /// What is known now; `hold` is how long the step lasts.
    pub(super) fn ruling(&self, weight: Weight, hold: std::time::Duration) -> Ruling {
        let verdict = self.judge.verdict(hold);
        let aside = self.judge.aside().map_or_else(String::new, |aside| format!("; {aside}"));
        let why = format!("{verdict}{aside}");
        match verdict {
            Judged::Fail(Failure::Threshold(broken)) if broken.end == End::CouldNotMeasure => {
                Ruling::TooBlind { times: broken.times, why }
            }
            Judged::Fail(_) => Ruling::Fail(why),
            // Without visitors there is nothing to prove.
            _ if weight == Weight::ZERO => Ruling::Pass("no visitor meets the canary at this weight".into()),
            // How long a step lasts is the machine's affair.
            Judged::Pass(_) | Judged::Inconclusive(Inconclusive::Time { .. }) => Ruling::Pass(why),
            Judged::Inconclusive(Inconclusive::Requests(_) | Inconclusive::Thresholds(_)) => {
                Ruling::Undecided(why)
            }
            Judged::Hold(_) => Ruling::Hold(why),
        }
    }
}

impl Ruling {
    /// The same as the machine hears it from probes.
    pub(super) fn verdict(&self) -> Verdict {
        match self.clone() {
            Self::Pass(_) => Verdict::Pass,
            Self::Fail(why) => Verdict::Fail(why),
            Self::Undecided(why) | Self::Hold(why) => Verdict::Inconclusive(why),
            Self::Blind(why) | Self::TooBlind { why, .. } => Verdict::Error(why),
        }
    }

    pub(super) fn into_word(self) -> (Word, String) {
        match self {
            Self::Pass(why) => (Word::Pass, why),
            Self::Fail(why) => (Word::Fail, why),
            Self::Undecided(why) => (Word::Inconclusive, why),
            Self::Hold(why) => (Word::Hold, why),
            Self::Blind(why) | Self::TooBlind { why, .. } => (Word::Error, why),
        }
    }
}

impl Word {
    /// What decides when two speak: fail, then error, then whatever keeps it from going on.
    const fn weight(self) -> u8 {
        match self {
            Self::Fail => 4,
            Self::Error => 3,
            Self::Hold => 2,
            Self::Inconclusive => 1,
            Self::Pass => 0,
        }
    }

    /// What the probes say beside what the judge says.
    pub(super) fn combined((judge, why): (Self, String), probes: Option<&Verdict>) -> (Self, String) {
        let (word, said) = match probes {
            None | Some(Verdict::Pass) => return (judge, why),
            Some(Verdict::Fail(why)) => (Self::Fail, why),
            Some(Verdict::Error(why)) => (Self::Error, why),
            Some(Verdict::Inconclusive(why)) => (Self::Inconclusive, why),
        };
        if word.weight() > judge.weight() { (word, said.clone()) } else { (judge, why) }
    }
}

impl Side {
    /// All that was counted of one side.
    pub(super) fn of<'a>(counts: impl Iterator<Item = &'a Counts>) -> Self {
        let mut sum = Counts::default();
        counts.for_each(|counts| sum.merge(counts));
        let ms = |latency: &LatencyHistogram, quantile| latency.quantile(quantile).map(|micros| micros / 1e3);
        let [p50_ms, p95_ms, p99_ms] = [0.5, 0.95, 0.99].map(|quantile| ms(&sum.latency, quantile));
        Self { requests: sum.requests, errors: sum.errors, p50_ms, p95_ms, p99_ms }
    }
}

fn interval(length: Span, weight: Weight) -> Interval {
    let (canary, stable) = (Counts::default(), Counts::default());
    analysis::Interval { length, weight, canary, stable, readings: Default::default() }
}

fn millis<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_millis())
}
