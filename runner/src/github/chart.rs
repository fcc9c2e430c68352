//! A release as charts that GitHub draws: Mermaid (<https://mermaid.js.org/syntax/xyChart.html>).

use std::fmt::Write as _;
use std::time::Duration;

use crossfade_core::Timestamp;

use crate::story::{Measurement, Side, Story};

/// How many points a line has; enough to see a step, few enough to be read as text.
const POINTS: u32 = 40;

/// The new version's share of the visitors, and what failed of both where that was measured.
pub(super) fn of(story: &Story) -> String {
    if story.shares.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    let weights: Vec<f64> = times(story).map(|time| weight(story, time)).collect();
    let name = plain(&story.version);
    draw(&mut text, story, &format!("visitors on {name}, %"), 100.0, &[weights]);
    if let [new, old] = &errors(story)
        && new.iter().chain(old).any(|it| *it > 0.0)
    {
        let top = new.iter().chain(old).copied().fold(1.0, f64::max).ceil();
        let title = format!("failed requests, %: {name} (first line), the version before (second)");
        draw(&mut text, story, &title, top, &[new.clone(), old.clone()]);
    }
    text
}

/// The moments that are shown.
fn times(story: &Story) -> impl Iterator<Item = Timestamp> {
    let (from, every) = (story.started_at, story.until.since(story.started_at) / POINTS);
    (0..=POINTS).map(move |nth| from.plus(every * nth))
}

/// The new version's share at a moment, percent.
fn weight(story: &Story, time: Timestamp) -> f64 {
    let shares = story.shares.iter().rfind(|shares| shares.at <= time);
    shares.map_or(0.0, |shares| f64::from(shares.of(&story.version)) / 100.0)
}

/// What failed up to each moment since the one before, percent, of the new version and of the other.
fn errors(story: &Story) -> [Vec<f64>; 2] {
    let rate = |side: fn(&Measurement) -> &Side| {
        let mut from = story.started_at;
        let mut lines = Vec::new();
        for to in times(story) {
            let seen = story.measurements.iter().filter(|it| from < it.at && it.at <= to).map(side);
            let (errors, requests) =
                seen.fold((0, 0), |(errors, requests), it| (errors + it.errors, requests + it.requests));
            // Where nothing was measured, nothing is known to fail.
            lines.push(if requests == 0 { 0.0 } else { 100.0 * errors as f64 / requests as f64 });
            from = to;
        }
        lines
    };
    [rate(|it| &it.canary), rate(|it| &it.stable)]
}

fn draw(text: &mut String, story: &Story, title: &str, top: f64, lines: &[Vec<f64>]) {
    let took = story.until.since(story.started_at);
    let (unit, length) = if took < Duration::from_secs(180) {
        ("seconds", took.as_secs_f64())
    } else {
        ("minutes", took.as_secs_f64() / 60.0)
    };
    let _ = write!(
        text,
        "\n```mermaid\nxychart-beta\n  title \"{title}\"\n  x-axis \"{unit}\" 0 --> {length:.1}\n  y-axis \"%\" 0 --> {top}\n"
    );
    for line in lines {
        let points: Vec<String> = line.iter().map(|it| format!("{}", (it * 100.0).round() / 100.0)).collect();
        let _ = writeln!(text, "  line [{}]", points.join(", "));
    }
    text.push_str("```\n");
}

/// A version without what would end a title or be more than text in it.
fn plain(text: &str) -> String {
    let is_plain = |it: &char| it.is_alphanumeric() || ".+-_ ".contains(*it);
    text.chars().filter(is_plain).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::story::tests::record;

    #[test]
    fn a_step_is_a_step_and_a_title_ends_where_we_say() {
        let story = Story::of(&record(), str::to_owned);
        let text = of(&story);
        let lines: Vec<Vec<f64>> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("line [")?.strip_suffix(']'))
            .map(|line| line.split(", ").map(|point| point.parse().unwrap()).collect())
            .collect();
        let [weights, new, old] = lines.as_slice() else { panic!("{text}") };
        assert!(lines.iter().all(|line| line.len() == POINTS as usize + 1));
        let mut steps = weights.clone();
        steps.dedup();
        assert_eq!(steps, [0.0, 5.0, 25.0, 0.0]);
        assert!(new.iter().any(|it| *it > 10.0) && old.iter().all(|it| *it < 1.0), "{text}");

        let nasty = Story { version: "1\"\n```\n<b>%% ] 2".into(), ..story };
        assert!(of(&nasty).contains("title \"visitors on 1b  2, %\"\n"), "{}", of(&nasty));
        let bare = Story::of(&Record { evidence: Vec::new(), ..record() }, str::to_owned);
        assert_eq!(of(&bare), "", "there is nothing to show of what moved nobody");
    }
}
