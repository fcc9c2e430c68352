//! What happened in a release, a line each. Records outlive versions: what is unknown is passed over.

use crossfade_core::Timestamp;
use serde_json::Value;

use crate::report::time_of_day;

/// The newest `max` of a record's events.
pub(super) fn last_events(evidence: &[Value], max: usize) -> Vec<String> {
    let mut lines: Vec<String> = evidence.iter().rev().filter_map(line).take(max).collect();
    lines.reverse();
    lines
}

fn line(entry: &Value) -> Option<String> {
    let text = |name: &str| entry[name].as_str();
    let mark = |ok: bool| if ok { "✓" } else { "✗" };
    let said = match text("type")? {
        "phase-ended" => format!("{} {}: {}", mark(entry["ok"] == true), text("phase")?, text("text")?),
        "gate" => format!("{} {}: {}", mark(entry["ok"] == true), text("gate")?, text("text")?),
        "measurement" => format!("{} {}", verdict(text("verdict")?), text("why")?),
        "deployment_alert" => format!("▲ {}", text("text")?),
        "warning" => format!("! {}", text("text")?),
        "hook" if text("answer") != Some("pass") => {
            format!("· {} {}: {}", text("phase")?, text("hook")?, text("answer")?)
        }
        _ => return None,
    };
    let at = Timestamp::parse(text("at")?)?;
    Some(format!("{} {said}", time_of_day(at).trim_end_matches(" UTC")))
}

const fn verdict(word: &str) -> &'static str {
    match word.as_bytes() {
        b"pass" => "✓",
        b"fail" => "✗",
        b"hold" => "‖",
        b"error" => "!",
        _ => "?",
    }
}
