//! The router's own counters, `/__crossfade/metrics`. They are kept by the second of their arrival, so a second that is over
//! never changes; up to which one that is, every answer says (`until`).

use std::sync::atomic::{AtomicI64, Ordering};

use crossfade_core::Timestamp;
use crossfade_core::analysis::dispersion::{Halves, dispersion};
use crossfade_core::analysis::{Counts, LatencyHistogram};
use crossfade_core::rollout::Counted;
use crossfade_core::table::Revision;
use serde::Deserialize;
use ureq::http;

use super::ask::Patience;
use super::{Past, Who};
use crate::cancel::Cancel;
use crate::edge::ControlToken;
use crate::report;

/// Over how long stable is looked at second by second, for how much its errors cluster.
const CLUSTERS_OVER: u64 = 30 * 60 * 1_000;
/// Errors below which that says too little: 36 are right within a fifth (`core/src/analysis/dispersion.rs`).
const ERRORS_MIN: u64 = 36;

/// The counters behind a public URL.
pub struct EdgeCounters {
    url: String,
    token: ControlToken,
    patience: Patience,
    cancel: Cancel,
    /// How far the last second that is over was ahead of this machine's clock, in milliseconds.
    ahead: AtomicI64,
}

/// Why they say nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoCounts {
    /// The router has none.
    #[error("the router has no counters")]
    NotThere,
    /// They could not be asked.
    #[error("{0}")]
    Trouble(String),
}

#[derive(Deserialize)]
struct Answer {
    schema: u64,
    until: u64,
    series: Vec<Series>,
}

/// What was counted of one variant under one revision, in one second or in all.
#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    at: Option<u64>,
    revision: u64,
    release: String,
    variant: String,
    version: String,
    requests: u64,
    errors: u64,
    #[serde(default)]
    exceptions: u64,
    #[serde(default)]
    timeouts: u64,
    #[serde(default)]
    newly_failing: u64,
    #[serde(default)]
    latency: LatencyHistogram,
}

impl EdgeCounters {
    /// The counters of the router at this URL.
    pub fn new(url: &str, token: ControlToken, patience: Patience, cancel: Cancel) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), token, patience, cancel, ahead: AtomicI64::new(0) }
    }

    /// What stable's visitors met lately, and from when on the release is counted.
    ///
    /// # Errors
    /// See [`NoCounts`].
    pub fn past(&self, who: &Who, over: std::time::Duration) -> Result<Past, NoCounts> {
        let millis = |time: u64| Timestamp::from_millis(i64::try_from(time).unwrap_or(i64::MAX));
        let now = report::now().as_millis();
        // Which second is over, only they know.
        let until = self.ask(millis(now.saturating_sub(1_000)), millis(now), "total")?.until;
        let over = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        let total = self.ask(millis(until.saturating_sub(over)), millis(until), "total")?;
        let mut stable = Counts::default();
        total.series.iter().filter(|series| series.is_stable(who)).for_each(|it| stable.merge(&it.counts()));
        let dispersion = if stable.errors < ERRORS_MIN {
            None
        } else {
            let from = until.saturating_sub(over.min(CLUSTERS_OVER));
            clusters(&self.ask(millis(from), millis(until), "second")?.series, who)
        };
        Ok(Past { stable, dispersion, until: millis(until) })
    }

    /// What was counted since then.
    pub(super) fn look(&self, who: &Who, from: Timestamp) -> Result<(Timestamp, Vec<Counted>), String> {
        let millis = |time: i64| Timestamp::from_millis(time);
        let here = i64::try_from(report::now().as_millis()).unwrap_or(i64::MAX);
        let over = (here.saturating_add(self.ahead.load(Ordering::Relaxed)) / 1_000 * 1_000).max(0);
        let mut to = millis(over);
        if to <= from {
            return Ok((from, Vec::new()));
        }
        let mut answer = self.ask(from, to, "total").map_err(|error| error.to_string())?;
        let until = millis(i64::try_from(answer.until).unwrap_or(i64::MAX));
        if until < to {
            // What is not over yet may still grow.
            to = until.max(from);
            if to == from {
                return Ok((from, Vec::new()));
            }
            answer = self.ask(from, to, "total").map_err(|error| error.to_string())?;
        }
        Ok((to, who.sort(&answer.series)))
    }

    fn ask(&self, from: Timestamp, to: Timestamp, by: &str) -> Result<Answer, NoCounts> {
        let url = format!(
            "{}/__crossfade/metrics?from={}&to={}&by={by}",
            self.url,
            from.as_millis(),
            to.as_millis()
        );
        let bearer = format!("Bearer {}", self.token.expose());
        let request = || {
            http::Request::builder()
                .uri(&url)
                .header("authorization", &bearer)
                .header("accept", "application/json")
        };
        let trouble = |why| NoCounts::Trouble(format!("/__crossfade/metrics: {why}"));
        let answer = self.patience.ask(&self.cancel, &request).map_err(trouble)?;
        if answer.status == 404 {
            return Err(NoCounts::NotThere);
        }
        let answer: Answer = answer.json().map_err(trouble)?;
        if answer.schema != 1 {
            return Err(trouble(format!("schema {} is newer than this program", answer.schema)));
        }
        let here = i64::try_from(report::now().as_millis()).unwrap_or(i64::MAX);
        let there = i64::try_from(answer.until).unwrap_or(i64::MAX);
        self.ahead.store(there.saturating_sub(here), Ordering::Relaxed);
        Ok(answer)
    }
}

impl Series {
    fn is_stable(&self, who: &Who) -> bool {
        self.variant == who.stable.0.as_str() && self.version == who.stable.1.as_str()
    }

    fn is_canary(&self, who: &Who) -> bool {
        self.release == who.release.as_str() && self.variant == who.canary.0.as_str()
    }

    fn counts(&self) -> Counts {
        Counts {
            requests: self.requests,
            errors: self.errors,
            unanswered: self.exceptions.saturating_add(self.timeouts),
            newly_failing: self.newly_failing,
            latency: self.latency.clone(),
        }
    }
}

impl Who {
    /// Counts by revision. What another release's table led to is stable's alone.
    fn sort(&self, series: &[Series]) -> Vec<Counted> {
        let mut counted: Vec<Counted> = Vec::new();
        for one in series.iter().filter(|one| one.is_stable(self) || one.is_canary(self)) {
            let Some(revision) = Revision::new(one.revision) else { continue };
            let at = counted.iter().position(|it| it.revision == Some(revision)).unwrap_or_else(|| {
                let (canary, stable) = (Counts::default(), Counts::default());
                counted.push(Counted { revision: Some(revision), canary, stable });
                counted.len() - 1
            });
            let Counted { canary, stable, .. } = &mut counted[at];
            if one.is_canary(self) { canary } else { stable }.merge(&one.counts());
        }
        counted
    }
}

/// How much stable's errors cluster: its even seconds against its odd ones, minute by minute. What happens within a second counts
/// as one cluster, which is the safe side.
fn clusters(series: &[Series], who: &Who) -> Option<f64> {
    let mut minutes = std::collections::BTreeMap::<u64, Halves>::new();
    for one in series.iter().filter(|series| series.is_stable(who)) {
        let seconds = one.at? / 1_000;
        let half = usize::from(seconds % 2 == 1);
        let minute = minutes.entry(seconds / 60).or_default();
        minute.requests[half] += one.requests;
        minute.errors[half] += one.errors;
    }
    dispersion(&minutes.into_values().collect::<Vec<_>>())
}
