//! Workers Analytics Engine by its SQL API (<https://developers.cloudflare.com/analytics/analytics-engine/sql-api/>).
//!
//! A row is a sample and stands for `_sample_interval` requests. Where rows are judged as evidence they are counted as rows:
//! estimated totals taken for counts would roll back most healthy releases. Plain thresholds compare shares, and get the totals.

use crossfade_core::Timestamp;
use crossfade_core::analysis::{Counts, Reading};
use crossfade_core::probe::Place;
use crossfade_core::rollout::Counted;
use crossfade_core::table::Revision;
use serde_json::Value;

use super::Who;
use super::number::{Asker, value_of};
use crate::cloudflare::Cloudflare;
use crate::config::AnalyticsEngine;
use crate::report;

/// How long after they were written rows are counted: later ones are rare, and what has been judged is not judged again.
const SETTLED_AFTER: u64 = 60 * 1_000;

/// How rows count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Each is one.
    Seen,
    /// Each is as many as it stands for.
    Estimated,
}

/// What is asked for, and by whom.
pub(super) struct Engine<'a> {
    pub(super) source: &'a AnalyticsEngine,
    pub(super) client: &'a Cloudflare,
    pub(super) asker: Asker<'a>,
}

impl Engine<'_> {
    /// The first row's first column.
    pub(super) fn number(&self, query: &str) -> Reading {
        self.asker.read(|| {
            let query = self.asker.fill(query, Place::Text)?;
            let answer = self.ask(&format!("{query} FORMAT JSON"))?;
            let column = answer.pointer("/meta/0/name").and_then(Value::as_str).unwrap_or_default();
            let row = answer.pointer("/data/0");
            value_of(row.and_then(|row| row.get(column)), &format!("column `{column}`"))
        })
    }

    /// What the router wrote since then. Its row: `blob1` environment, `blob2` release, `blob3` variant, `blob4` version, `blob5`
    /// outcome (`ok`, `5xx`, `exception`, `timeout`); `double1` requests that it stands for, `double2` revision.
    pub(super) fn look(
        &self,
        who: &Who,
        from: Timestamp,
        rows: Rows,
    ) -> Result<(Timestamp, Vec<Counted>), String> {
        let over = report::now().as_millis().saturating_sub(SETTLED_AFTER) / 1_000 * 1_000;
        let until = Timestamp::from_millis(i64::try_from(over).unwrap_or(i64::MAX));
        if until <= from {
            return Ok((from, Vec::new()));
        }
        let count = match rows {
            Rows::Seen => "count()",
            Rows::Estimated => "sum(_sample_interval * double1)",
        };
        let query = format!(
            "SELECT blob2 AS release, blob3 AS variant, blob4 AS version, blob5 AS outcome, double2 AS revision, {count} AS requests \
             FROM {} WHERE blob1 = '{}' AND timestamp >= toDateTime({}) AND timestamp < toDateTime({}) \
             GROUP BY release, variant, version, outcome, revision FORMAT JSON",
            self.source.dataset,
            who.environment,
            from.as_millis() / 1_000,
            until.as_millis() / 1_000,
        );
        let answer = self.ask(&query)?;
        let found = answer.get("data").and_then(Value::as_array);
        let found = found.ok_or("the answer has no `data`")?;
        let counted = found.iter().filter_map(|row| counted(who, row)).collect();
        Ok((until, counted))
    }

    fn ask(&self, query: &str) -> Result<Value, String> {
        self.asker.patience.again(self.asker.cancel, &|| {
            self.client
                .sql(query, self.asker.patience.within)
                .map_err(|error| (error.is_transient(), error.to_string()))
        })
    }
}

/// One row of the answer; `None` when it is nobody's that is compared.
fn counted(who: &Who, row: &Value) -> Option<Counted> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    // Numbers of 64 bits come as text.
    let number = |name: &str| match row.get(name)? {
        Value::String(text) => text.parse::<f64>().ok(),
        value => value.as_f64(),
    };
    let (variant, version) = (text("variant")?, text("version")?);
    let revision = Revision::new(number("revision")? as u64);
    let requests = number("requests")? as u64;
    let (failed, unanswered) = match text("outcome")? {
        "ok" => (0, 0),
        "exception" | "timeout" => (requests, requests),
        _ => (requests, 0),
    };
    let counts = Counts { requests, errors: failed, unanswered, ..Counts::default() };
    let is_canary = text("release")? == who.release.as_str() && variant == who.canary.0.as_str();
    let is_stable = variant == who.stable.0.as_str() && version == who.stable.1.as_str();
    match (is_canary, is_stable) {
        (true, _) => Some(Counted { revision, canary: counts, stable: Counts::default() }),
        (_, true) => Some(Counted { revision, canary: Counts::default(), stable: counts }),
        (false, false) => None,
    }
}
