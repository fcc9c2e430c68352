//! `crossfade history`: the releases that ended.

use serde_json::json;

use super::{Session, back, print};
use crate::cli::History;
use crate::error::Error;
use crate::report::Mode;

pub(super) fn run(session: &Session, arguments: &History) -> Result<(), Error> {
    let records = session.ledger.history(arguments.limit)?;
    match session.reporter.mode() {
        Mode::Json => {
            for record in &records {
                let at = record.ended.as_ref().map(|ended| ended.at);
                print(&json!({ "version": 1, "type": "release", "at": at, "release": record }).to_string());
            }
        }
        Mode::Lines if records.is_empty() => print("no release has ended yet"),
        Mode::Lines => {
            for record in &records {
                let Some(ended) = &record.ended else { continue };
                print(&format!(
                    "{} {:<24}  {:<8} {:<12} {:<12} {}",
                    if back::is_possible(record) { '*' } else { ' ' },
                    record.started_at.to_string(),
                    record.command,
                    record.version,
                    ended.outcome,
                    ended.reason(&record.version)
                ));
            }
        }
    }
    Ok(())
}
