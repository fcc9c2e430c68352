//! How much of the world was reached, so that nobody trusts a simulation in which nothing happens.

use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

/// What must have happened at least so often in ten thousand runs. Each is about half of what was seen when it was written down.
const FLOORS: &[(&str, u64)] = &[];

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(crate) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.add_many(what, *times));
    }

    fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What happened less often than it must in so many runs.
    pub(crate) fn missing(&self, runs: u64) -> Vec<String> {
        let floor = |floor: u64| floor * runs / 10_000;
        let missed = FLOORS.iter().filter(|(what, least)| self.of(what) < floor(*least));
        missed.map(|(what, least)| format!("{what}: {} of {}", self.of(what), floor(*least))).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(what, times)| format!("{what} {times}")).collect();
        f.write_str(&parts.join(" · "))
    }
}
