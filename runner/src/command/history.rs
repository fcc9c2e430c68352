//! `crossfade history`: the releases that ended.

use serde_json::json;

use super::{Session, back, print};
use crate::cli::History;
use crate::error::Error;
use crate::record::Ended;
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
                    reason(ended, &record.version)
                ));
            }
        }
    }
    Ok(())
}

/// What the columns before do not say: a report's last line names outcome and version itself.
fn reason<'a>(ended: &'a Ended, version: &str) -> &'a str {
    let outcome = ended.outcome.replace('-', " ");
    let after = |text: &'a str, said: &str| text.strip_prefix(said)?.strip_prefix(": ");
    let text = ended.text.as_str();
    after(text, &format!("{outcome} {version}"))
        .or_else(|| after(text, &outcome))
        .or_else(|| after(text, &format!("{version} was not released")))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_history_says_nothing_twice() {
        for (outcome, text, said) in [
            ("promoted", "promoted 1.1.0: it serves everybody", "it serves everybody"),
            ("rolled-back", "rolled back 1.1.0: health failed", "health failed"),
            ("not-started", "1.1.0 was not released: smoke: red", "smoke: red"),
            ("superseded", "superseded: rel-7 took over", "rel-7 took over"),
            ("stuck", "stuck: no answer", "no answer"),
            (
                "promoted",
                "blue 1.1.0 serves everybody (revision 7)",
                "blue 1.1.0 serves everybody (revision 7)",
            ),
        ] {
            let ended = Ended { at: crate::report::now(), outcome: outcome.into(), text: text.into() };
            assert_eq!(reason(&ended, "1.1.0"), said);
        }
    }
}
