//! A notice as a chat shows it: Slack, and what takes Slack's messages (Mattermost, Rocket.Chat, Discord's `/slack`)
//! (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).

use serde_json::{Value, json};

use crate::notice::{AlertState, Notice};
use crate::report::{percent, seconds};
use crossfade_core::alert::Severity;

/// The longest text; Slack takes 40,000 characters, others fewer.
const LENGTH_MAX: usize = 3_000;

/// The message of a notice.
pub(super) fn message(notice: &Notice) -> Value {
    let (mark, color) = mood(notice);
    let headline = escaped(&notice.headline());
    let fields: Vec<Value> = fields(notice)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": escaped(&value), "short": true }))
        .collect();
    json!({
        "text": format!("{mark} {headline}"),
        "attachments": [{ "color": color, "fallback": headline, "fields": fields }],
    })
}

const GREEN: &str = "#12753a";
const RED: &str = "#c0232c";
const AMBER: &str = "#c98a00";
const BLUE: &str = "#1d5fd1";

fn mood(notice: &Notice) -> (&'static str, &'static str) {
    match notice {
        Notice::Started(_) => ("🚀", BLUE),
        Notice::Metrics(_) | Notice::Report(_) => ("📊", BLUE),
        Notice::Alert(alert) => match (alert.state, alert.severity) {
            (AlertState::Resolved, _) => ("✅", GREEN),
            (AlertState::Unwatched, _) => ("⏹️", AMBER),
            (AlertState::Raised, Severity::Critical) => ("🔥", RED),
            (AlertState::Raised, Severity::Warning) => ("⚠️", AMBER),
        },
        Notice::Completed(it) => match it.outcome.as_str() {
            "promoted" => ("✅", GREEN),
            "superseded" => ("⏭️", AMBER),
            _ => ("❌", RED),
        },
    }
}

fn fields(notice: &Notice) -> Vec<(&'static str, String)> {
    match notice {
        Notice::Started(it) => vec![("release", it.release.clone()), ("runner", it.runner.clone())],
        Notice::Metrics(it) => it
            .variants
            .iter()
            .map(|it| {
                (
                    "failed",
                    format!("{} {}: {} of {}", it.variant, it.version, percent(it.error_rate), it.requests),
                )
            })
            .collect(),
        Notice::Alert(it) => {
            let severity = match it.severity {
                Severity::Critical => "critical",
                Severity::Warning => "warning",
            };
            vec![("severity", severity.into()), ("since", it.since.to_string())]
        }
        Notice::Completed(it) => {
            let took = seconds(std::time::Duration::from_millis(it.elapsed_ms));
            vec![("release", it.release.clone()), ("took", took)]
        }
        Notice::Report(_) => Vec::new(),
    }
}

/// A text that means itself (<https://docs.slack.dev/messaging/formatting-message-text#escaping>), so that nobody is
/// mentioned and nothing is a link by what a stranger wrote.
fn escaped(text: &str) -> String {
    let text = match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Completed;

    #[test]
    fn a_stranger_can_neither_mention_anybody_nor_make_a_link() {
        let text = "rolled back 2.0: <!channel> @here <https://evil.example|fine> & so on";
        let notice = Notice::Completed(Completed {
            environment: "production".into(),
            release: "rel-1".into(),
            new_version: "2.0".into(),
            stable_version: None,
            outcome: "rolled-back".into(),
            text: text.into(),
            elapsed_ms: 65_000,
        });
        let message = message(&notice);
        let said = message["text"].as_str().unwrap();
        assert_eq!(
            said,
            "❌ production: rolled back 2.0: &lt;!channel&gt; @\u{200b}here &lt;https://evil.example|fine&gt; &amp; so on"
        );
        let [attachment] = message["attachments"].as_array().unwrap().as_slice() else { panic!("{message}") };
        assert_eq!(
            (&attachment["color"], &attachment["fields"][1]["value"]),
            (&RED.into(), &"1 min 5 s".into())
        );
        let long = escaped(&"ä".repeat(5_000));
        assert_eq!(long.chars().count(), LENGTH_MAX + 1);
    }
}
