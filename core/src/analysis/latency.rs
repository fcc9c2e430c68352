//! Latency as a question of yes or no: how many answers were slower than an edge that was fixed beforehand.
//!
//! "The 95th percentile is above L" is the same as "more than 5 % are slower than L", and a share can be judged exactly,
//! from a handful of requests: bands around whole distributions (Howard and Ramdas 2022,
//! <https://arxiv.org/abs/1906.09712>) need 2 to 125 times as many.

use serde::{Deserialize, Serialize};

use super::bounds::Rate;
use super::{Counts, Edge, LatencyHistogram};

/// Answers below which stable's histogram says too little about its tail: 1 in 20 must be seen a few times.
const ANSWERS_MIN: u64 = 100;

/// The edges of one release, fixed before its first interval.
///
/// ```
/// use crossfade_core::analysis::{FrozenEdges, LatencyHistogram};
///
/// // Nothing is known of stable: a quarter and half of the SLO, and the SLO itself.
/// let edges = FrozenEdges::new(&LatencyHistogram::default(), 2_000_000).edges();
/// assert_eq!(edges.map(|edge| edge.micros()), [500_000, 1_000_000, 2_000_000]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "[usize; 3]", try_from = "[usize; 3]")]
pub struct FrozenEdges([Edge; 3]);

impl FrozenEdges {
    /// Where the last edge, the SLO's, is.
    pub(super) const SLO: usize = 2;

    /// The first edges that at most 25 % and 5 % of stable's answers exceeded, and the one nearest to the SLO
    /// (microseconds). Without a history, a quarter and half of the SLO.
    pub fn new(stable: &LatencyHistogram, slo_micros: u64) -> Self {
        let slo = Edge::nearest(slo_micros);
        if stable.count() < ANSWERS_MIN {
            return Self([Edge::nearest(slo_micros / 4), Edge::nearest(slo_micros / 2), slo]);
        }
        let within = |quantile| match stable.quantile(quantile) {
            Some(micros) => Edge::nearest(micros as u64),
            None => slo,
        };
        Self([within(0.75), within(0.95), slo])
    }

    /// The three edges.
    pub fn edges(self) -> [Edge; 3] {
        self.0
    }
}

impl From<FrozenEdges> for [usize; 3] {
    fn from(frozen: FrozenEdges) -> Self {
        frozen.0.map(Edge::index)
    }
}

impl TryFrom<[usize; 3]> for FrozenEdges {
    type Error = &'static str;

    fn try_from(indices: [usize; 3]) -> Result<Self, Self::Error> {
        match indices.map(Edge::new) {
            [Some(one), Some(two), Some(three)] => Ok(Self([one, two, three])),
            _ => Err("not an edge of the histogram"),
        }
    }
}

/// One side's counts, reduced to what is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arm {
    /// Errors of requests.
    pub(super) errors: Rate,
    /// Requests without any answer.
    #[serde(default)]
    pub(super) unanswered: Rate,
    /// Answers slower than each edge, of those whose time is known.
    pub(super) slow: [Rate; 3],
    /// Visitors who failed for the first time.
    pub(super) newly_failing: u64,
}

impl Arm {
    pub(super) fn new(counts: &Counts, frozen: FrozenEdges) -> Self {
        let answers = counts.latency.count();
        Self {
            errors: Rate::new(counts.errors, counts.requests),
            unanswered: Rate::new(counts.unanswered, counts.requests),
            slow: frozen.0.map(|edge| Rate::new(counts.latency.slower_than(edge), answers)),
            newly_failing: counts.newly_failing,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.errors.add(other.errors);
        self.unanswered.add(other.unanswered);
        self.slow.iter_mut().zip(other.slow).for_each(|(sum, more)| sum.add(more));
        self.newly_failing = self.newly_failing.saturating_add(other.newly_failing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_frozen_where_a_quarter_and_a_twentieth_of_stable_is_slower() {
        let mut stable = LatencyHistogram::default();
        let frozen = |stable: &_| FrozenEdges::new(stable, 2_000_000).edges().map(Edge::micros);
        assert_eq!(frozen(&stable), [500_000, 1_000_000, 2_000_000], "without a history");
        (0..750).for_each(|_| stable.record(99_000));
        (0..200).for_each(|_| stable.record(199_000));
        (0..50).for_each(|_| stable.record(70_000_000));
        assert_eq!(frozen(&stable), [100_000, 200_000, 2_000_000]);
    }

    #[test]
    fn frozen_edges_are_read_back_and_others_are_refused() {
        let frozen = FrozenEdges::new(&LatencyHistogram::default(), 300_000);
        let text = serde_json::to_string(&frozen).unwrap();
        assert_eq!(serde_json::from_str::<FrozenEdges>(&text).unwrap(), frozen, "{text}");
        assert!(serde_json::from_str::<FrozenEdges>("[1,2,240]").is_err());
    }
}
