//! The routers' counters, as one who asks them is told: what arrived, by revision and side, once for all.

use crossfade_core::Timestamp;
use crossfade_core::analysis::{Counts, LatencyHistogram};
use crossfade_core::rollout::{Counted, Look};
use crossfade_core::table::{Revision, Weight};

use crate::dice::Dice;
use crate::edge::Visit;
use crate::ledger::share;
use crate::story::{Meets, Traffic};

/// What everybody was counted at.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    arrived: Vec<(Timestamp, Revision, [Met; 2])>,
}

/// What the visitors of one side met at once.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    requests: u64,
    errors: u64,
    slow: u64,
}

impl Counters {
    /// All that comes to a router about when this visitor does, the canary's first.
    pub(crate) fn count(
        &mut self,
        now: Timestamp,
        visit: &Visit,
        traffic: &Traffic,
        bad: [bool; 2],
        dice: &mut Dice,
    ) {
        let table = visit.table.table();
        let weight = if visit.lapsed { Weight::ZERO } else { share(table) };
        let of_new = f64::from(weight.basis_points()) / f64::from(Weight::TOTAL.basis_points());
        let to_new = draw(traffic.each_visit, of_new, dice);
        let sides = [(to_new, bad[0]), (traffic.each_visit - to_new, bad[1])].map(|(requests, bad)| {
            let Meets { errors, slow } = if bad { traffic.bad } else { traffic.good };
            Met { requests, errors: draw(requests, errors, dice), slow: draw(requests, slow, dice) }
        });
        self.arrived.push((now, table.revision(), sides));
    }

    /// What was counted from a time on: up to the last second that is over.
    pub(crate) fn look(&self, from: Timestamp, now: Timestamp) -> Look {
        let over = i64::try_from(now.as_millis() / 1_000 * 1_000).unwrap();
        let until = Timestamp::from_millis(over).max(from);
        let first = self.arrived.partition_point(|(at, ..)| *at < from);
        let new = self.arrived[first..].iter().take_while(|(at, ..)| *at < until);
        let mut counts: Vec<Counted> = Vec::new();
        for (_, revision, [canary, stable]) in new {
            let met = Counted { revision: Some(*revision), canary: canary.counts(), stable: stable.counts() };
            match counts.iter_mut().find(|counted| counted.revision == met.revision) {
                Some(sum) => {
                    sum.canary.merge(&met.canary);
                    sum.stable.merge(&met.stable);
                }
                None => counts.push(met),
            }
        }
        Look { from, until, counts, readings: Default::default() }
    }
}

impl Met {
    fn counts(self) -> Counts {
        let mut latency = LatencyHistogram::default();
        (0..self.requests).for_each(|nth| latency.record(if nth < self.slow { 3_000_000 } else { 90_000 }));
        Counts { requests: self.requests, errors: self.errors, latency, ..Counts::default() }
    }
}

/// How many of so many, each by chance.
fn draw(of: u64, probability: f64, dice: &mut Dice) -> u64 {
    match probability {
        0.0 => 0,
        1.0 => of,
        probability => (0..of).filter(|_| dice.chance(probability)).count() as u64,
    }
}
