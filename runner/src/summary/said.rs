//! A summary for people: as lines, and as Markdown.

use std::time::Duration;

use super::{Active, Completed, Summary};
use crate::report::{counted, percent, seconds};

impl Summary {
    /// As lines on a terminal.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!("{} from {} to {}", self.environment, self.from, self.to)];
        for (name, what) in self.rows() {
            for (at, line) in what.iter().enumerate() {
                lines.push(format!("  {:<19} {line}", if at == 0 { name } else { "" }));
            }
        }
        lines.join("\n")
    }

    /// As Markdown. Nothing in it is markup of somebody else's.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "## Releases of {}\n\n{} to {}\n\n| | |\n|---|---|\n",
            markdown(&self.environment),
            self.from,
            self.to
        );
        for (name, what) in self.rows() {
            let what: Vec<String> = what.iter().map(|line| markdown(line)).collect();
            text.push_str(&format!("| **{name}** | {} |\n", what.join("<br>")));
        }
        text
    }

    fn rows(&self) -> Vec<(&'static str, Vec<String>)> {
        let none = |what: &str| vec![what.to_owned()];
        let Completed { promoted, rollbacks_by_hand, .. } = self.completed;
        let tried = self.completed.total() - self.completed.superseded;
        let millis = Duration::from_millis;
        vec![
            (
                "active",
                if self.active.is_empty() { none("none") } else { self.active.iter().map(active).collect() },
            ),
            ("completed", vec![self.completed.in_words()]),
            (
                "success rate",
                self.success_rate.map_or_else(
                    || none("nothing to tell it from"),
                    |rate| vec![format!("{} ({promoted} of {tried})", percent(rate))],
                ),
            ),
            (
                "mean duration",
                self.mean_duration_ms.map_or_else(
                    || none("nothing succeeded yet"),
                    |mean| {
                        vec![format!("{}, of the last {}", seconds(millis(mean)), successes(self.durations))]
                    },
                ),
            ),
            (
                "lead time",
                self.lead_time_ms.map_or_else(
                    || none("no commit is known"),
                    |time| {
                        vec![format!(
                            "{} from commit to everybody, median of {}",
                            seconds(millis(time)),
                            counted(self.lead_times, "release")
                        )]
                    },
                ),
            ),
            (
                "change-failure rate",
                self.change_failure_rate.map_or_else(
                    || none("no visitor met a change"),
                    |rate| {
                        vec![format!(
                            "{} ({} of {} that visitors met)",
                            percent(rate),
                            self.failed_changes,
                            counted(self.changes, "change")
                        )]
                    },
                ),
            ),
            ("rollbacks by hand", vec![rollbacks_by_hand.to_string()]),
            (
                "causes of failure",
                if self.causes.is_empty() {
                    none("none")
                } else {
                    self.causes
                        .iter()
                        .map(|it| format!("{} × {} (last: {})", it.releases, it.cause, it.last))
                        .collect()
                },
            ),
        ]
    }
}

impl Completed {
    /// `12: 9 promoted, 3 rolled back`
    fn in_words(&self) -> String {
        let of = [
            (self.promoted, "promoted"),
            (self.rolled_back, "rolled back"),
            (self.not_started, "not started"),
            (self.superseded, "superseded"),
            (self.stuck, "stuck"),
            (self.abandoned, "abandoned"),
        ];
        let some: Vec<String> = of
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match self.total() {
            0 => "none".into(),
            total => format!("{total}: {}", some.join(", ")),
        }
    }
}

fn active(Active { release, version, phase, started_at, alive }: &Active) -> String {
    let dead = if *alive { "" } else { "; nothing was heard of its runner for a while" };
    format!("{release} of {version}, {phase}, since {started_at}{dead}")
}

fn successes(count: usize) -> String {
    if count == 1 { "success".into() } else { format!("{count} successes") }
}

/// A text in Markdown that means itself: no markup, no cell's end, no line's end
/// (<https://spec.commonmark.org/0.31.2/#backslash-escapes>, <https://github.github.com/gfm/#tables-extension->).
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A mention, a reference to an issue.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    // What looks like an address would become a link.
    escaped.replace("://", ":&#47;&#47;")
}
