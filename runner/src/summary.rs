//! How releases went. In: an environment's ended releases and the one in flight. Out: what came of them in a period.
//!
//! | figure | of |
//! |---|---|
//! | success rate | promoted ÷ completed; what another release superseded is neither a success nor a failure |
//! | mean duration | the last 20 that were promoted, whenever that was |
//! | lead time | from commit to everybody: the median of what was promoted and has a known commit |
//! | change-failure rate | changes that visitors met, and that were taken back or got stuck, ÷ changes that visitors met |
//!
//! The last two are DORA's (<https://dora.dev/guides/dora-metrics-four-keys/>). A release is what brings a version; rollbacks and
//! weights by hand are counted apart.

use std::time::Duration;

use crossfade_core::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::record::Record;
use crate::report::millis;

mod cause;
mod said;

pub(crate) use said::markdown;

/// The successes whose durations are averaged.
const SUCCESSES: usize = 20;
/// The causes that are told.
const CAUSES_MAX: usize = 5;

/// How releases of an environment went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Whose.
    pub environment: String,
    /// The period's first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// The release in flight now.
    pub active: Vec<Active>,
    /// What ended in the period.
    pub completed: Completed,
    /// 0 to 1; absent when nothing succeeded or failed.
    pub success_rate: Option<f64>,
    /// Of the last successes, milliseconds.
    pub mean_duration_ms: Option<u64>,
    /// Of how many.
    pub durations: usize,
    /// The median from commit to everybody, milliseconds.
    pub lead_time_ms: Option<u64>,
    /// Of how many.
    pub lead_times: usize,
    /// 0 to 1; absent when visitors met no change.
    pub change_failure_rate: Option<f64>,
    /// Changes that visitors met.
    pub changes: usize,
    /// Those of them that failed.
    pub failed_changes: usize,
    /// Why releases failed, the commonest cause first.
    pub causes: Vec<Cause>,
}

/// A release that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Active {
    /// Its id.
    pub release: String,
    /// What it brings.
    pub version: String,
    /// What it does.
    pub phase: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether its runner was heard of lately.
    pub alive: bool,
}

/// Releases by their outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Completed {
    /// They serve everybody, or did.
    pub promoted: usize,
    /// Visitors went back to the version before.
    pub rolled_back: usize,
    /// No visitor met them.
    pub not_started: usize,
    /// Another release took over.
    pub superseded: usize,
    /// A person was needed.
    pub stuck: usize,
    /// Their runner died.
    pub abandoned: usize,
    /// Not in any of the above: `crossfade rollback` and its like.
    pub rollbacks_by_hand: usize,
}

/// Why releases failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cause {
    /// In a few words.
    pub cause: String,
    /// How many.
    pub releases: usize,
    /// The last of them.
    pub last: String,
}

impl Completed {
    /// All releases.
    pub const fn total(&self) -> usize {
        self.promoted + self.rolled_back + self.not_started + self.superseded + self.stuck + self.abandoned
    }
}

impl Summary {
    /// How the `ended` releases went between `from` and `to`; `last` is the environment's record, whether ended or not.
    pub fn of(
        environment: &str,
        mut ended: Vec<Record>,
        last: Option<&Record>,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Self {
        ended.sort_by_key(|record| record.started_at);
        let taken_back = taken_back(&ended);
        let at = |record: &Record| record.ended.as_ref().is_some_and(|end| from <= end.at && end.at < to);
        let mut completed = Completed::default();
        let (mut changes, mut failed_changes) = (0, 0);
        let (mut causes, mut lead_times) = (Vec::new(), Vec::new());
        for (index, record) in ended.iter().enumerate().filter(|(_, record)| at(record)) {
            let outcome = outcome(record);
            if !record.is_release() {
                let promoted = record.command == "rollback" && outcome == "promoted";
                completed.rollbacks_by_hand += usize::from(promoted);
                continue;
            }
            let counted = match outcome {
                "promoted" => &mut completed.promoted,
                "rolled-back" => &mut completed.rolled_back,
                "superseded" => &mut completed.superseded,
                "stuck" => &mut completed.stuck,
                "abandoned" => &mut completed.abandoned,
                _ => &mut completed.not_started,
            };
            *counted += 1;
            let failed = outcome != "promoted" && outcome != "superseded";
            let met =
                matches!(outcome, "promoted" | "rolled-back" | "stuck") || (failed && record.saved.is_some());
            let taken_back = taken_back.contains(&index);
            changes += usize::from(met);
            failed_changes += usize::from(met && (failed || taken_back));
            if failed || taken_back {
                note(&mut causes, if taken_back { cause::BY_HAND.into() } else { cause::of(record) }, record);
            }
            if let ("promoted", Some(end), Some(commit)) = (outcome, &record.ended, &record.commit) {
                lead_times.push(end.at.since(commit.at));
            }
        }
        causes.sort_by(|one: &Cause, other: &Cause| {
            (other.releases, &one.cause).cmp(&(one.releases, &other.cause))
        });
        causes.truncate(CAUSES_MAX);
        let durations = last_durations(&ended);
        Self {
            environment: environment.to_owned(),
            from,
            to,
            active: last
                .filter(|record| record.ended.is_none())
                .map(|it| Active::of(it, now))
                .into_iter()
                .collect(),
            success_rate: share(completed.promoted, completed.total() - completed.superseded),
            completed,
            mean_duration_ms: mean(&durations).map(millis),
            durations: durations.len(),
            lead_times: lead_times.len(),
            lead_time_ms: median(lead_times).map(millis),
            change_failure_rate: share(failed_changes, changes),
            changes,
            failed_changes,
            causes,
        }
    }

    /// Whether these records hold all the successes whose durations are averaged.
    pub fn has_enough(ended: &[Record]) -> bool {
        last_durations(ended).len() >= SUCCESSES
    }
}

impl Active {
    fn of(record: &Record, now: Timestamp) -> Self {
        Self {
            release: record.id.clone(),
            version: record.version.clone(),
            phase: record.phase.clone(),
            started_at: record.started_at,
            alive: record.in_charge(now),
        }
    }
}

fn outcome(record: &Record) -> &str {
    record.ended.as_ref().map_or("", |ended| ended.outcome.as_str())
}

/// Releases that were promoted and taken back by hand while nothing newer had been promoted: their places among the records.
fn taken_back(in_order: &[Record]) -> Vec<usize> {
    let mut serving: Option<usize> = None;
    let mut taken_back = Vec::new();
    for (index, record) in in_order.iter().enumerate().filter(|(_, record)| outcome(record) == "promoted") {
        if record.is_release() {
            serving = Some(index);
        } else if let Some(at) = serving
            && record.command == "rollback"
            && record.stable_version.as_ref() == in_order.get(at).map(|serving| &serving.version)
            // Forward again, to a release that had not made it, takes nothing back.
            && !in_order.iter().skip(at + 1).any(|later| later.is_release() && later.version == record.version)
        {
            taken_back.push(at);
            serving = None;
        }
    }
    taken_back
}

/// How long the last successes took, the newest first.
fn last_durations(ended: &[Record]) -> Vec<Duration> {
    let mut successes: Vec<(Timestamp, Duration)> = ended
        .iter()
        .filter(|record| record.is_release() && outcome(record) == "promoted")
        .filter_map(|record| {
            let end = record.ended.as_ref()?.at;
            Some((end, end.since(record.started_at)))
        })
        .collect();
    successes.sort_by_key(|(end, _)| std::cmp::Reverse(*end));
    successes.into_iter().take(SUCCESSES).map(|(_, took)| took).collect()
}

fn note(causes: &mut Vec<Cause>, cause: String, record: &Record) {
    match causes.iter_mut().find(|known| known.cause == cause) {
        Some(known) => {
            known.releases += 1;
            known.last.clone_from(&record.id);
        }
        None => causes.push(Cause { cause, releases: 1, last: record.id.clone() }),
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(durations: &[Duration]) -> Option<Duration> {
    let count = u32::try_from(durations.len()).ok().filter(|count| *count > 0)?;
    Some(durations.iter().sum::<Duration>() / count)
}

/// Of an even number of times the mean of the two in the middle.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    let middle = times.len().checked_sub(1)? / 2;
    mean(times.get(middle..=times.len() / 2)?)
}

#[cfg(test)]
mod tests;
