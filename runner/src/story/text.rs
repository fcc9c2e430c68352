//! A release as lines on a terminal.

use super::Story;
use super::page::{failed, time};
use crate::report::{percent, seconds};

impl Story {
    /// As lines on a terminal.
    pub fn to_text(&self) -> String {
        let mut lines =
            vec![format!("{} to {}: {}", self.version, self.environment, self.outcome().replace('-', " "))];
        lines.push(format!("  {}", self.reason()));
        lines.push(format!("  {:<15} {}", "release", self.release));
        for (name, value) in self.facts() {
            lines.push(format!("  {name:<15} {value}"));
        }
        let steps = self.steps();
        if !steps.is_empty() {
            lines.push("steps".into());
        }
        for step in steps {
            let (new, old) = (failed(&step.canary), failed(&step.stable));
            let measured = if step.canary.requests + step.stable.requests > 0 {
                format!(
                    ", failed {new} (before: {old}), p95 {} (before: {})",
                    time(step.canary.p95_ms),
                    time(step.stable.p95_ms)
                )
            } else {
                String::new()
            };
            let (share, held) =
                (percent(f64::from(step.weight) / 10_000.0), seconds(step.to.since(step.from)));
            lines.push(format!("  {:<8} {share:>6} for {held}{measured}", step.why));
            if let Some((verdict, why)) = &step.verdict {
                let (mark, said) = verdict.said();
                lines.push(format!("  {:<8} {mark} {said}: {why}", ""));
            }
        }
        if !self.bars.is_empty() {
            lines.push("phases, gates and hooks".into());
        }
        for bar in &self.bars {
            let (mark, _) = bar.result.said();
            let took = seconds(bar.to.since(bar.from));
            lines.push(format!("  {mark} {:<10} {took:>10}  {}", bar.name, bar.text));
        }
        for note in &self.notes {
            lines.push(format!("  {} {}", if note.alert { "▲" } else { "!" }, note.text));
        }
        lines.join("\n")
    }
}
