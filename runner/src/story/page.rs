//! The page of a release: one file, nothing loaded, no script. Whatever comes from elsewhere is escaped by the template.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::picture::{self, Width};
use super::steps::{Counted, Step};
use super::{Bar, Measurement, Note, Story};
use crate::report::{percent, seconds};
use crate::story::evidence::{Result, Side, Verdict};
use crate::story::picture::in_time;

/// Nothing may be loaded, run or sent, even if something got in.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Story {
    /// As a page.
    pub fn to_html(&self) -> String {
        let title = format!("{} {}: {}", self.environment, self.version, self.outcome());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="referrer" content="no-referrer";
                    title { (title) }
                    style { (PreEscaped(include_str!("page.css"))) (PreEscaped(picture::STYLE)) }
                }
                body {
                    main {
                        (self.head())
                        (self.pictures())
                        (steps(&self.steps()))
                        (self.phases())
                        (self.noted())
                        (measurements(&self.measurements))
                    }
                    footer { "Release " (self.release) " of " (self.environment) ", by Crossfade." }
                }
            }
        };
        page.into_string()
    }

    fn head(&self) -> Markup {
        let class = match self.is_good() {
            Some(true) => "good",
            Some(false) => "bad",
            None => "wait",
        };
        html! {
            h1 { (self.version) " to " (self.environment) }
            div.faint { (self.release) }
            div.decision.(class) { strong { (self.outcome().replace('-', " ")) } ": " (self.reason()) }
            dl {
                @for (name, value) in self.facts() { dt { (name) } dd { (value) } }
            }
        }
    }

    /// What is known of it, beside the decision.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let some = [
            ("version before", self.stable_version.clone()),
            ("began", Some(self.started_at.to_string())),
            ("took", self.ended.as_ref().map(|ended| seconds(ended.at.since(self.started_at)))),
            ("commit", self.commit.as_ref().map(|commit| format!("{} of {}", commit.id, commit.at))),
            (
                "commit to end",
                self.commit
                    .as_ref()
                    .zip(self.ended.as_ref())
                    .map(|(commit, end)| seconds(end.at.since(commit.at))),
            ),
            ("command", Some(format!("crossfade {}", self.command))),
            ("runner", Some(self.runner.clone())),
        ];
        some.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn pictures(&self) -> Markup {
        html! {
            h2 { "What happened when" }
            figure {
                @for (class, width) in [("wide", Width::Wide), ("narrow", Width::Narrow)] {
                    // The picture is made by a crate that escapes every text and attribute.
                    div.(class) { (PreEscaped(picture::draw(self, width, false))) }
                }
            }
        }
    }

    fn phases(&self) -> Markup {
        let row = |bar: &Bar| {
            let took = seconds(bar.to.since(bar.from));
            vec![
                html! { (when(bar.from)) },
                html! { (bar.name) },
                html! { (took) },
                result(bar.result),
                html! { (bar.text) },
            ]
        };
        let columns = [
            ("from", "when"),
            ("what", "text"),
            ("took", "number"),
            ("result", "when"),
            ("in words", "text"),
        ];
        section("Phases, gates and hooks", &columns, self.bars.iter().map(row))
    }

    fn noted(&self) -> Markup {
        let row = |note: &Note| {
            let mark = html! { @if note.alert { span.bad { "▲ " } } };
            vec![html! { (when(note.at)) }, html! { (mark) (note.text) }]
        };
        section("Alerts and warnings", &[("at", "when"), ("what", "text")], self.notes.iter().map(row))
    }
}

fn steps(steps: &[Step]) -> Markup {
    let columns = [
        ("from", "when"),
        ("for", "when"),
        ("new version", "number"),
        ("held", "number"),
        ("failed: new", "number"),
        ("old", "number"),
        ("p95: new", "number"),
        ("old", "number"),
        ("last verdict", "text"),
    ];
    let row = |step: &Step| {
        let verdict = step.verdict.as_ref().map(|(said, why)| html! { (verdict(*said)) " " (why) });
        vec![
            html! { (when(step.from)) },
            html! { (step.why) },
            html! { (percent(f64::from(step.weight) / 10_000.0)) },
            html! { (seconds(step.to.since(step.from))) },
            html! { (failed(&step.canary)) },
            html! { (failed(&step.stable)) },
            html! { (time(step.canary.p95_ms)) },
            html! { (time(step.stable.p95_ms)) },
            verdict.unwrap_or_else(|| html! { "–" }),
        ]
    };
    section("Steps", &columns, steps.iter().map(row))
}

fn measurements(measurements: &[Measurement]) -> Markup {
    let columns = [
        ("at", "when"),
        ("new version", "number"),
        ("failed: new", "number"),
        ("old", "number"),
        ("p50 / p95 / p99: new", "number"),
        ("old", "number"),
        ("verdict", "text"),
    ];
    let row = |it: &Measurement| {
        vec![
            html! { (when(it.at)) },
            html! { (percent(f64::from(it.weight) / 10_000.0)) },
            html! { (failed(&Counted::from(&it.canary))) },
            html! { (failed(&Counted::from(&it.stable))) },
            html! { (percentiles(&it.canary)) },
            html! { (percentiles(&it.stable)) },
            html! { (verdict(it.verdict)) " " (it.why) },
        ]
    };
    html! {
        @if !measurements.is_empty() {
            details {
                summary { "All " (measurements.len()) " measurements" }
                (table(&columns, measurements.iter().map(row)))
            }
        }
    }
}

/// A table below its heading; nothing when it has no rows.
fn section(name: &str, columns: &[(&str, &str)], rows: impl ExactSizeIterator<Item = Vec<Markup>>) -> Markup {
    html! { @if rows.len() > 0 { h2 { (name) } (table(columns, rows)) } }
}

/// Columns by name and class. On a telephone a row is a card, in which each cell says its column's name.
fn table(columns: &[(&str, &str)], rows: impl Iterator<Item = Vec<Markup>>) -> Markup {
    html! {
        table {
            thead { tr { @for (name, class) in columns { th.(class) { (name) } } } }
            tbody { @for row in rows {
                tr { @for ((name, class), cell) in columns.iter().zip(row) { td.(class) data-name=(name) { (cell) } } }
            } }
        }
    }
}

/// `12 of 60`
pub(super) fn failed(counted: &Counted) -> String {
    match counted.requests {
        0 => "–".into(),
        requests => format!("{} of {requests}", counted.errors),
    }
}

/// A time that may be unknown.
pub(super) fn time(millis: Option<f64>) -> String {
    millis.map_or_else(|| "–".to_owned(), in_time)
}

fn percentiles(side: &Side) -> String {
    [side.p50_ms, side.p95_ms, side.p99_ms].map(time).join(" / ")
}

fn verdict(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
        Verdict::Inconclusive | Verdict::Hold | Verdict::Error => "wait",
    };
    let (mark, said) = verdict.said();
    html! { span.(class) { (mark) " " (said) } }
}

fn result(result: Result) -> Markup {
    let class = match result {
        Result::Good => "good",
        Result::Bad => "bad",
        Result::Waiting => "wait",
    };
    let (mark, said) = result.said();
    html! { span.(class) { (mark) " " (said) } }
}

/// The time of day; the day stands above.
fn when(time: crossfade_core::Timestamp) -> String {
    time.to_string().get(11..19).unwrap_or_default().to_owned()
}
