//! How much of the world was reached, so that nobody trusts a simulation in which nothing happens.

use std::collections::BTreeMap;
use std::fmt;

use crossfade_core::rollout::{Outcome, Reason, Traffic, Word};

/// How often each thing happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>, BTreeMap<(&'static str, &'static str), u64>);

/// What must have happened at least so often in ten thousand runs: a third to a half of what was seen when this was written.
const FLOORS: &[(&str, u64)] = &[
    ("visitors", 4_000_000),
    ("visitors on the new version", 1_500_000),
    ("visitors on a bad one", 150_000),
    ("writes", 60_000),
    ("writes applied late", 150),
    ("writes done, answer lost", 3_000),
    ("writes lost", 6_000),
    ("writes not now", 6_000),
    ("writes refused", 100),
    ("foreign writes", 200),
    ("orders obeyed", 800),
    ("orders declined", 700),
    ("takeovers", 1_300),
    ("takeovers refused", 20),
    ("runners asleep", 200),
    ("cancels", 450),
    ("kills", 1_500),
    ("promoted", 2_000),
    ("rolled back", 2_000),
    ("not started", 140),
    ("superseded", 350),
    ("stuck", 250),
];

/// What may happen at most so often in ten thousand runs. In about two thousand of them a good version is judged, and one in a
/// thousand of those may be failed by chance; eight are never chance.
const CEILINGS_OF: &[(&str, &str, u64)] = &[("judge fails", "a good version", 8)];

/// What must have happened, for kinds of something.
const FLOORS_OF: &[(&str, &str, u64)] = &[
    ("killed", "saving", 200),
    ("killed", "looking", 300),
    ("killed", "writing", 150),
    ("killed", "writing home", 20),
    ("killed", "looking up", 30),
    ("killed", "confirming", 250),
    ("killed", "measuring", 100),
    ("killed", "asking", 7),
    ("killed", "deploying", 25),
    ("killed", "undoing", 6),
    ("killed", "waiting", 300),
    ("cancelled", "saving", 60),
    ("cancelled", "looking", 70),
    ("cancelled", "writing", 50),
    ("cancelled", "writing home", 8),
    ("cancelled", "looking up", 9),
    ("cancelled", "confirming", 80),
    ("cancelled", "measuring", 30),
    ("cancelled", "deploying", 8),
    ("cancelled", "waiting", 80),
    ("asleep", "saving", 25),
    ("asleep", "looking", 30),
    ("asleep", "writing", 20),
    ("judge fails", "a bad version", 100),
    ("looks", "pass", 5_000),
    ("looks", "inconclusive", 20_000),
    ("looks", "hold", 1_000),
    ("looks", "error", 2_000),
    ("looks", "fail", 250),
    ("not started", "cancelled", 80),
    ("not started", "write failed", 40),
    ("rolled back", "cancelled", 300),
    ("rolled back", "could not measure", 50),
    ("rolled back", "deploy failed", 35),
    ("rolled back", "inconclusive", 150),
    ("rolled back", "measurement failed", 400),
    ("rolled back", "not approved", 150),
    ("rolled back", "not confirmed", 5),
    ("rolled back", "paused too long", 400),
    ("rolled back", "refused", 40),
    ("rolled back", "too many failed", 250),
    ("rolled back", "too slow", 50),
    ("rolled back", "write failed", 80),
    ("stuck", "home not confirmed", 5),
    ("stuck", "home not written", 120),
    ("stuck", "instances not undone", 15),
    ("stuck", "nothing to return to", 100),
];

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(crate) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.add_many(what, *times));
        other.1.iter().for_each(|(kind, times)| *self.1.entry(*kind).or_default() += times);
    }

    /// Counts a kind of something.
    pub(crate) fn add_of(&mut self, what: &'static str, kind: &'static str) {
        *self.1.entry((what, kind)).or_default() += 1;
    }

    fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What happened less often than it must in so many runs. A few runs prove nothing.
    pub(crate) fn missing(&self, runs: u64) -> Vec<String> {
        if runs < 10_000 {
            return Vec::new();
        }
        let all = FLOORS.iter().map(|(what, least)| ((*what).to_owned(), self.of(what), *least));
        let kinds = FLOORS_OF.iter().map(|(what, kind, least)| {
            let seen = self.1.get(&(*what, *kind)).copied().unwrap_or(0);
            (format!("{what} {kind}"), seen, *least)
        });
        let missed = all.chain(kinds).filter(|(_, seen, least)| *seen < least * (runs / 10_000));
        let few = missed.map(|(what, seen, least)| format!("{what}: {seen}, not {least}"));
        let too_many = CEILINGS_OF.iter().filter_map(|(what, kind, most)| {
            let seen = self.1.get(&(*what, *kind)).copied().unwrap_or(0);
            (seen > most * (runs / 10_000)).then(|| format!("{what} {kind}: {seen}, more than {most}"))
        });
        few.chain(too_many).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().map(|(what, times)| format!("{what} {times}"));
        let kinds = self.1.iter().map(|((what, kind), times)| format!("{what} {kind} {times}"));
        f.write_str(&all.chain(kinds).collect::<Vec<_>>().join(" · "))
    }
}

/// How it ended, and the kind of that.
pub(crate) fn ending(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Promoted => ("promoted", "in the end"),
        Outcome::NotStarted(reason) => ("not started", why(reason)),
        Outcome::RolledBack(reason) => ("rolled back", why(reason)),
        Outcome::Superseded(_) => ("superseded", "by others"),
        Outcome::Stuck { traffic, .. } => (
            "stuck",
            match traffic {
                Traffic::NothingToReturnTo => "nothing to return to",
                Traffic::HomeNotWritten { .. } => "home not written",
                Traffic::HomeNotConfirmed { .. } => "home not confirmed",
                Traffic::InstancesNotUndone { .. } => "instances not undone",
            },
        ),
    }
}

/// What a look came to.
pub(crate) const fn looked(word: Word) -> &'static str {
    match word {
        Word::Fail => "fail",
        Word::Pass => "pass",
        Word::Inconclusive => "inconclusive",
        Word::Hold => "hold",
        Word::Error => "error",
    }
}

fn why(reason: &Reason) -> &'static str {
    match reason {
        Reason::MeasurementFailed { .. } => "measurement failed",
        Reason::CouldNotMeasure { .. } => "could not measure",
        Reason::Inconclusive { .. } => "inconclusive",
        Reason::Refused { .. } => "refused",
        Reason::NotApproved { .. } => "not approved",
        Reason::PausedTooLong { .. } => "paused too long",
        Reason::TooSlow { .. } => "too slow",
        Reason::DeployFailed { .. } => "deploy failed",
        Reason::TooManyFailed { .. } => "too many failed",
        Reason::NotConfirmed { .. } => "not confirmed",
        Reason::WriteFailed(_) => "write failed",
        Reason::Cancelled(_) => "cancelled",
    }
}
