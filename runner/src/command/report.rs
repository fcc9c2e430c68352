//! `crossfade report`: how releases went.

use crossfade_core::Timestamp;
use serde_json::json;

use super::{Session, print};
use crate::cli::Report;
use crate::error::Error;
use crate::report::{Mode, now};
use crate::summary::Summary;

pub(super) fn run(session: &Session, arguments: &Report) -> Result<(), Error> {
    let now = now();
    let (from, to) = (arguments.from.at(now), arguments.to.map_or(now, |to| to.at(now)));
    if from >= to {
        return Err(Error::Usage(format!("the period would end ({to}) before it begins ({from})")));
    }
    let summary = summary(session, (from, to), now)?;
    print(&match session.reporter.mode() {
        Mode::Json => {
            let mut line = json!({ "version": 1, "type": "deployment_report", "at": now });
            line["summary"] = json!(summary);
            line.to_string()
        }
        Mode::Lines if arguments.markdown => summary.to_markdown(),
        Mode::Lines => summary.to_text(),
    });
    Ok(())
}

/// How releases went in a period.
pub(crate) fn summary(
    session: &Session,
    period: (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Summary, Error> {
    // A release that ended in the period may have begun long before: GitHub ends a job after five days at the latest
    // (<https://docs.github.com/en/actions/reference/limits>).
    const LONGEST: u64 = 5 * 24 * 60 * 60 * 1000;
    let since = period.0.as_millis().saturating_sub(LONGEST);
    let since = Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX));
    let ended = session.ledger.history_since(since, Summary::has_enough)?;
    let last = session.ledger.current()?;
    Ok(Summary::of(session.environment.as_str(), ended, last.as_ref(), period, now))
}
