//! A release as Markdown: for a job summary, a pull request, a chat.

use super::Story;
use super::page::{failed, time};
use crate::report::{percent, seconds};
use crate::summary::markdown;

impl Story {
    /// As Markdown; `picture` is where the picture is, when there is one.
    pub fn to_markdown(&self, picture: Option<&str>) -> String {
        self.markdown_around(&picture.map_or_else(String::new, |picture| {
            format!("\n![weights, errors, latency, verdicts, phases over time]({picture})\n")
        }))
    }

    /// As Markdown; `picture` is what shows it, as Markdown too.
    pub(crate) fn markdown_around(&self, picture: &str) -> String {
        let mark = match self.is_good() {
            Some(true) => "✅",
            Some(false) => "❌",
            None => "⏸️",
        };
        let (version, environment) = (markdown(&self.version), markdown(&self.environment));
        let heading = match (self.command.as_str(), self.outcome()) {
            ("rollback", "promoted") => format!("↩️ {environment} is on {version} again"),
            (_, outcome) => {
                format!("{mark} {version} to {environment}: {}", markdown(&outcome.replace('-', " ")))
            }
        };
        let mut text = format!(
            "## {heading}\n\n{}\n\n| | |\n|---|---|\n| release | {} |\n",
            markdown(self.reason()),
            markdown(&self.release)
        );
        for (name, value) in self.facts() {
            text.push_str(&format!("| {name} | {} |\n", linked(&value)));
        }
        text.push_str(picture);
        self.steps_to(&mut text);
        self.phases_to(&mut text);
        if !self.notes.is_empty() {
            text.push_str("\n### Alerts and warnings\n\n");
            for note in &self.notes {
                let mark = if note.alert { "🔺 " } else { "" };
                text.push_str(&format!("- {} {mark}{}\n", note.at, markdown(&note.text)));
            }
        }
        text
    }

    fn steps_to(&self, text: &mut String) {
        let steps = self.steps();
        if steps.is_empty() {
            return;
        }
        text.push_str(
            "\n### Steps\n\n| for | new version | held | failed: new | old | p95: new | old | last verdict |\n\
             |---|--:|--:|--:|--:|--:|--:|---|\n",
        );
        for step in steps {
            let verdict = step.verdict.as_ref().map_or_else(String::new, |(verdict, why)| {
                let (mark, said) = verdict.said();
                format!("{mark} {said}: {why}")
            });
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                markdown(&step.why),
                percent(f64::from(step.weight) / 10_000.0),
                seconds(step.to.since(step.from)),
                failed(&step.canary),
                failed(&step.stable),
                time(step.canary.p95_ms),
                time(step.stable.p95_ms),
                markdown(&verdict)
            ));
        }
    }

    fn phases_to(&self, text: &mut String) {
        if self.bars.is_empty() {
            return;
        }
        text.push_str(
            "\n<details><summary>Phases, gates and hooks</summary>\n\n| | what | took | |\n|---|---|--:|---|\n",
        );
        for bar in &self.bars {
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                bar.result.said().0,
                markdown(&bar.name),
                seconds(bar.to.since(bar.from)),
                markdown(&bar.text)
            ));
        }
        text.push_str("\n</details>\n");
    }
}

/// A text; the address of a workflow run leads there.
fn linked(value: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b":/._#-".contains(&it);
    match value.starts_with("https://") && value.bytes().all(plain) {
        true => format!("<{value}>"),
        false => markdown(value),
    }
}
