//! The router's own counters, `/__crossfade/metrics`. They are kept by the second of their arrival, so a second that is over
//! never changes; an answer has only such, and says up to when (`to`): there the next question begins.

use std::collections::BTreeMap;
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::analysis::Counts;
use crossfade_core::analysis::dispersion::{Halves, dispersion};
use crossfade_core::counters::{By, Metrics, Query, SCHEMA, Series};
use crossfade_core::rollout::Counted;
use crossfade_core::table::Revision;
use ureq::http;

use super::ask::Patience;
use super::{Past, Who};
use crate::cancel::Cancel;
use crate::edge::ControlToken;
use crate::report;

/// Over how long stable is looked at second by second, for how much its errors cluster.
const CLUSTERS_OVER: Duration = Duration::from_secs(30 * 60);
/// Errors below which that says too little: 36 are right within a fifth (`core/src/analysis/dispersion.rs`).
const ERRORS_MIN: u64 = 36;

/// The counters behind a public URL.
pub struct EdgeCounters {
    url: String,
    token: ControlToken,
    patience: Patience,
    cancel: Cancel,
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

impl EdgeCounters {
    /// The counters of the router at this URL.
    pub fn new(url: &str, token: ControlToken, patience: Patience, cancel: Cancel) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), token, patience, cancel }
    }

    /// What stable's visitors met lately, and from when on the release is counted.
    ///
    /// # Errors
    /// See [`NoCounts`].
    pub fn past(&self, who: &Who, over: Duration) -> Result<Past, NoCounts> {
        let total = self.ask(report::now().minus(over), By::Total)?;
        let mut stable = Counts::default();
        let its = total.series.iter().filter(|series| who.is_stable(series));
        its.for_each(|series| stable.merge(&series.tally.counts()));
        let dispersion = if stable.errors < ERRORS_MIN {
            None
        } else {
            clusters(&self.ask(total.to.minus(over.min(CLUSTERS_OVER)), By::Second)?.series, who)
        };
        Ok(Past { stable, dispersion, until: total.to })
    }

    /// What was counted since then.
    pub(super) fn look(&self, who: &Who, from: Timestamp) -> Result<(Timestamp, Vec<Counted>), String> {
        let answer = self.ask(from, By::Total).map_err(|error| error.to_string())?;
        Ok((answer.to, who.sort(&answer.series)))
    }

    fn ask(&self, from: Timestamp, by: By) -> Result<Metrics, NoCounts> {
        let environment = String::new();
        let query = Query { environment, from: Some(from), by, ..Query::default() };
        let url = format!("{}/__crossfade/metrics?{query}", self.url);
        let bearer = format!("Bearer {}", self.token.expose());
        let request = || http::Request::builder().uri(&url).header("authorization", &bearer);
        let trouble = |why| NoCounts::Trouble(format!("/__crossfade/metrics: {why}"));
        let answer = self.patience.ask(&self.cancel, &request).map_err(trouble)?;
        if answer.status == 404 {
            return Err(NoCounts::NotThere);
        }
        let metrics: Metrics = answer.json().map_err(trouble)?;
        if metrics.schema != SCHEMA {
            return Err(trouble(format!("it speaks schema {}, and this program {SCHEMA}", metrics.schema)));
        }
        Ok(metrics)
    }
}

impl Who {
    fn is_stable(&self, Series { subject, .. }: &Series) -> bool {
        subject.variant == self.stable.0.as_str() && subject.version == self.stable.1.as_str()
    }

    fn is_canary(&self, Series { subject, .. }: &Series) -> bool {
        subject.release == self.release.as_str() && subject.variant == self.canary.0.as_str()
    }

    /// Counts by revision. What another release's table led to is stable's alone.
    fn sort(&self, series: &[Series]) -> Vec<Counted> {
        let mut sorted = BTreeMap::<u64, [Counts; 2]>::new();
        for one in series {
            let [canary, stable] = sorted.entry(one.subject.revision).or_default();
            if self.is_canary(one) {
                canary.merge(&one.tally.counts());
            } else if self.is_stable(one) {
                stable.merge(&one.tally.counts());
            }
        }
        let counted = |(revision, [canary, stable]): (u64, [Counts; 2])| {
            Some(Counted { revision: Some(Revision::new(revision)?), canary, stable })
        };
        sorted.into_iter().filter_map(counted).collect()
    }
}

/// How much stable's errors cluster: its even seconds against its odd ones, minute by minute. What happens within a second counts
/// as one cluster, which is the safe side.
fn clusters(series: &[Series], who: &Who) -> Option<f64> {
    let mut minutes = BTreeMap::<u64, Halves>::new();
    for one in series.iter().filter(|series| who.is_stable(series)) {
        let seconds = one.at?.as_millis() / 1_000;
        let half = usize::from(seconds % 2 == 1);
        let minute = minutes.entry(seconds / 60).or_default();
        minute.requests[half] += one.tally.requests;
        minute.errors[half] += one.tally.errors;
    }
    dispersion(&minutes.into_values().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use crossfade_core::counters::{Subject, Tally};
    use crossfade_core::table::{Environment, ReleaseId, VariantName, Version};

    use super::*;

    fn who() -> Who {
        let side = |name: &str, version: &str| {
            (VariantName::new("name", name).unwrap(), Version::new("version", version).unwrap())
        };
        Who {
            environment: Environment::new("environment", "production").unwrap(),
            release: ReleaseId::new("release", "rel-new").unwrap(),
            canary: side("green", "2.0.0"),
            stable: side("blue", "1.0.0"),
        }
    }

    fn series(at: u64, revision: u64, of: [&str; 3], requests: u64, errors: u64) -> Series {
        let [release, variant, version] = of.map(str::to_owned);
        let subject = Subject { revision, release, variant, version };
        let tally = Tally { requests, errors, exceptions: errors, ..Tally::default() };
        Series { at: Some(Timestamp::from_millis(i64::try_from(at * 1_000).unwrap())), subject, tally }
    }

    #[test]
    fn the_slots_version_before_is_neither_canary_nor_stable() {
        let counted = who().sort(&[
            series(0, 7, ["rel-old", "blue", "1.0.0"], 50, 1),
            series(0, 7, ["rel-old", "green", "0.9.0"], 9, 9),
            series(0, 8, ["rel-new", "green", "2.0.0"], 5, 2),
            series(0, 8, ["rel-new", "blue", "1.0.0"], 95, 0),
            series(0, 9, ["rel-new", "green", "2.0.0"], 6, 0),
        ]);
        let told: Vec<_> = counted
            .iter()
            .map(|it| {
                (it.revision.unwrap().number(), it.canary.requests, it.canary.unanswered, it.stable.requests)
            })
            .collect();
        assert_eq!(told, [(7, 0, 0, 50), (8, 5, 2, 95), (9, 6, 0, 0)]);
    }

    #[test]
    fn errors_that_come_ten_in_a_second_cluster_and_single_ones_do_not() {
        let of = ["rel-old", "blue", "1.0.0"];
        let every = |seconds: u64, errors: u64| -> f64 {
            let second =
                |at: u64| series(at, 7, of, 100, if at.is_multiple_of(seconds) { errors } else { 0 });
            clusters(&(0..1_800).map(second).collect::<Vec<_>>(), &who()).unwrap()
        };
        assert!(every(7, 1) < 1.5, "{}", every(7, 1));
        assert!(every(71, 10) > 5.0, "{}", every(71, 10));
    }
}
