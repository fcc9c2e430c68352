//! Response times in buckets that are the same everywhere: the router counts into them, the judge freezes three of their
//! edges, reports read percentiles from them.
//!
//! From 1 ms to 50 s each 1–2–5 interval is cut into equal ratios (15 from 1 to 2, 20 from 2 to 5, 15 from 5 to 10), so a
//! bucket is at most 4.8 % wide and the limits that people write (200 ms, 1 s, 2 s, 5 s) are edges themselves. A bucket
//! holds what is above its lower edge and up to its upper one, like `le` in Prometheus
//! (<https://prometheus.io/docs/concepts/metric_types/#histogram>).
//!
//! Nothing here needs a logarithm: the router pays for eight comparisons a request.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Edges in microseconds, the first 1 ms, the last 60 s.
pub(crate) const EDGES: [u32; 240] = edges();
/// Buckets: one below each edge, and one above the last.
const BUCKETS: usize = EDGES.len() + 1;

/// One of the 240 edges between buckets, by its index.
///
/// ```
/// use crossfade_core::analysis::Edge;
///
/// let edge = Edge::nearest(200_000);
/// assert_eq!(edge.micros(), 200_000);
/// assert_eq!(Edge::new(edge.index()), Some(edge));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge(u8);

impl Edge {
    /// The edge by its index; `None` past the last.
    pub const fn new(index: usize) -> Option<Self> {
        if index < EDGES.len() { Some(Self(index as u8)) } else { None }
    }

    /// The edge nearest to a time by ratio, at most 2.4 % away between 1 ms and 60 s; exact for 1, 2 and 5 times a power
    /// of ten.
    pub fn nearest(micros: u64) -> Self {
        let above = bucket(micros).min(EDGES.len() - 1);
        let below = above.saturating_sub(1);
        let (low, high) = (u128::from(EDGES[below]), u128::from(EDGES[above]));
        let nearer = u128::from(micros).pow(2) < low * high;
        Self(if nearer { below } else { above } as u8)
    }

    /// Microseconds, 1000 to 60,000,000.
    pub const fn micros(self) -> u32 {
        EDGES[self.0 as usize]
    }

    /// Its place among the edges.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How many answers took how long. Counts saturate, merging is addition: in any order, from any number of isolates.
///
/// ```
/// use crossfade_core::analysis::LatencyHistogram;
///
/// let (mut canary, mut other) = (LatencyHistogram::default(), LatencyHistogram::default());
/// [12_000, 15_000, 900_000].into_iter().for_each(|micros| canary.record(micros));
/// other.record(13_000);
/// canary.merge(&other);
/// assert_eq!((canary.count(), canary.sum()), (4, 940_000));
/// assert_eq!(canary.mean(), Some(235_000.0));
/// assert!((900_000.0..945_000.0).contains(&canary.quantile(0.95).unwrap()));
/// assert_eq!(canary.buckets().iter().sum::<u64>(), 4);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// By bucket, without the empty ones at the end: equal histograms have one form.
    counts: Vec<u64>,
    /// The sum of all times, microseconds.
    micros: u64,
}

impl LatencyHistogram {
    /// Counts one answer.
    pub fn record(&mut self, micros: u64) {
        self.add(bucket(micros), 1);
        self.micros = self.micros.saturating_add(micros);
    }

    /// Counts everything that another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.counts.iter().enumerate() {
            self.add(bucket, *count);
        }
        self.micros = self.micros.saturating_add(other.micros);
    }

    /// All answers.
    pub fn count(&self) -> u64 {
        total(&self.counts)
    }

    /// Answers that took longer than this.
    pub(crate) fn slower_than(&self, edge: Edge) -> u64 {
        total(self.counts.get(edge.index() + 1..).unwrap_or_default())
    }

    /// The mean, microseconds, of the times as they were, not of their buckets; `None` without answers.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.micros as f64 / count as f64)
    }

    /// The upper edge, microseconds, of the bucket that holds the quantile (0 to 1): at most 4.8 % too high. 60 s for
    /// what took longer, as nothing better is known. `None` without answers.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((count as f64 * quantile).ceil() as u64).clamp(1, count.max(1));
        let mut below = 0_u64;
        let bucket = self.counts.iter().position(|count| {
            below = below.saturating_add(*count);
            below >= rank && *count > 0
        })?;
        Some(f64::from(EDGES[bucket.min(EDGES.len() - 1)]))
    }

    /// The sum of all times, microseconds.
    pub const fn sum(&self) -> u64 {
        self.micros
    }

    /// Counts by bucket, without the empty ones at the end.
    pub fn buckets(&self) -> &[u64] {
        &self.counts
    }

    /// As it is written.
    pub(crate) fn runs(&self) -> Vec<u64> {
        let mut numbers = vec![self.micros];
        let mut empty = 0;
        for count in &self.counts {
            if *count == 0 {
                empty += 1;
            } else {
                numbers.extend([std::mem::take(&mut empty), *count]);
            }
        }
        numbers
    }

    fn add(&mut self, bucket: usize, count: u64) {
        if count == 0 {
            return;
        }
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
    }
}

/// `[sum of the times, empty buckets, count, empty buckets, count, …]`: a typical second fits in a hundred bytes.
impl Serialize for LatencyHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.runs().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<u64>::deserialize(deserializer)?;
        let Some((micros, pairs)) = numbers.split_first() else {
            return Err(D::Error::custom("a histogram begins with the sum of its times"));
        };
        let mut histogram = Self { counts: Vec::new(), micros: *micros };
        for pair in pairs.chunks(2) {
            let [empty, count] = *pair else {
                return Err(D::Error::custom("a histogram's buckets come in pairs: empty ones, a count"));
            };
            let bucket = (histogram.counts.len() as u64).saturating_add(empty);
            if bucket >= BUCKETS as u64 || count == 0 {
                return Err(D::Error::custom(format!(
                    "a histogram has {BUCKETS} buckets, and counts above 0"
                )));
            }
            histogram.add(bucket as usize, count);
        }
        Ok(histogram)
    }
}

/// The first bucket whose upper edge the time does not exceed.
fn bucket(micros: u64) -> usize {
    EDGES.partition_point(|edge| u64::from(*edge) < micros)
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

const fn edges() -> [u32; 240] {
    /// Intervals of a decade: buckets, lower edge, ratio of neighbouring edges (2^(1/15), 2.5^(1/20), 2^(1/15)).
    const DECADE: [(usize, f64, f64); 3] = [
        (15, 1.0, 1.047_294_122_820_626_7),
        (20, 2.0, 1.046_880_234_976_865_6),
        (15, 5.0, 1.047_294_122_820_626_7),
    ];
    let mut edges = [0; 240];
    let (mut at, mut decade) = (0, 1000.0);
    while at < edges.len() {
        let mut interval = 0;
        while interval < DECADE.len() {
            let (buckets, lower, ratio) = DECADE[interval];
            let (mut edge, mut step) = (lower * decade, 0);
            while step < buckets && at < edges.len() {
                edges[at] = (edge + 0.5) as u32;
                (edge, step, at) = (edge * ratio, step + 1, at + 1);
            }
            interval += 1;
        }
        decade *= 10.0;
    }
    // Its own place in the sequence is 60.15 s.
    edges[239] = 60_000_000;
    edges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        times.iter().for_each(|micros| histogram.record(*micros));
        histogram
    }

    #[test]
    fn edges_rise_by_less_than_five_percent_from_one_millisecond_to_a_minute() {
        for pair in EDGES.windows(2) {
            let ratio = f64::from(pair[1]) / f64::from(pair[0]);
            assert!((1.04..1.048).contains(&ratio), "{pair:?}");
        }
        assert_eq!((EDGES[0], EDGES[239]), (1000, 60_000_000));
    }

    #[test]
    fn the_limits_that_people_write_are_edges() {
        for millis in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 60_000] {
            assert_eq!(Edge::nearest(millis * 1000).micros(), millis as u32 * 1000, "{millis} ms");
        }
        assert_eq!([0, 300, u64::MAX].map(|time| Edge::nearest(time).micros()), [1000, 1000, 60_000_000]);
    }

    #[test]
    fn what_took_exactly_the_limit_is_not_slower() {
        let histogram = of(&[1_999_999, 2_000_000, 2_000_001, 70_000_000]);
        assert_eq!(histogram.slower_than(Edge::nearest(2_000_000)), 2);
        assert_eq!(histogram.slower_than(Edge::nearest(60_000_000)), 1);
        assert_eq!((histogram.quantile(0.5), histogram.quantile(1.0)), (Some(2e6), Some(6e7)));
        assert_eq!((of(&[]).quantile(0.5), of(&[]).mean()), (None, None));
    }

    #[test]
    fn it_is_written_as_runs_and_what_is_none_is_refused() {
        let histogram = of(&[500, 900, 1_000_001]);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(text, "[1001401,0,2,150,1]");
        for wrong in
            ["[]", "[5,0]", "[5,0,0]", "[5,241,1]", "[5,240,1,0,1]", "[5,18446744073709551615,1]", "[-1]"]
        {
            assert!(serde_json::from_str::<LatencyHistogram>(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn merging_and_writing_lose_nothing(
            one in prop::collection::vec(0_u64..100_000_000, 0..50), two in prop::collection::vec(0_u64..9_000_000, 0..50)
        ) {
            let all = of(&[one.clone(), two.clone()].concat());
            let (mut ab, mut ba) = (of(&one), of(&two));
            ab.merge(&of(&two));
            ba.merge(&of(&one));
            prop_assert_eq!((&ab, &ba), (&all, &all));
            let text = serde_json::to_string(&all).unwrap();
            prop_assert_eq!(&serde_json::from_str::<LatencyHistogram>(&text).unwrap(), &all);
            for edge in [0, 17, 165, 239].map(|index| Edge::new(index).unwrap()) {
                let slower = one.iter().chain(&two).filter(|time| **time > u64::from(edge.micros())).count();
                prop_assert_eq!(all.slower_than(edge), slower as u64);
            }
        }

        #[test]
        fn a_quantile_is_at_most_one_bucket_too_high(mut times in prop::collection::vec(1000_u64..60_000_000, 1..80), q in 0.0..1.0_f64) {
            let told = of(&times).quantile(q).unwrap();
            times.sort_unstable();
            let rank = ((times.len() as f64 * q).ceil() as usize).max(1);
            let exact = times[rank - 1] as f64;
            prop_assert!(exact <= told && told <= exact * 1.048, "{exact} {told}");
        }
    }
}
