//! All chance in the simulation: a generator whose numbers are the same for a seed everywhere and for ever.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// A seeded source of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.random_bool(probability)
    }

    pub(crate) fn number(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    pub(crate) fn bits(&mut self) -> u128 {
        u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64())
    }

    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())].clone()
    }

    /// So many seconds, to the millisecond.
    pub(crate) fn seconds(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range.start() * 1_000..=range.end() * 1_000))
    }

    pub(crate) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// Small numbers as often as large ones: half of them are below the square root.
    pub(crate) fn scale(&mut self, max: u64) -> u64 {
        let ceiling = self.number(1..=u64::from(max.ilog2()) + 1);
        self.number(1..=(1 << ceiling).min(max))
    }
}
