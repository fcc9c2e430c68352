//! The page of a release: one file, nothing loaded, no script. Whatever comes from elsewhere is escaped by the template.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::picture::{self, Width};
use super::steps::{Counted, Step};
use super::{Measurement, Story};
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
        html! {
            @if !self.bars.is_empty() {
                h2 { "Phases and hooks" }
                div.table { table {
                    thead { tr { th { "from" } th { "what" } th.number { "took" } th { "result" } th { "in words" } } }
                    tbody { @for bar in &self.bars { tr {
                        td.when { (when(bar.from)) }
                        td { (bar.name) }
                        td.number { (seconds(bar.to.since(bar.from))) }
                        td { (result(bar.result)) }
                        td.text { (bar.text) }
                    } } }
                } }
            }
        }
    }

    fn noted(&self) -> Markup {
        html! {
            @if !self.notes.is_empty() {
                h2 { "Alerts and warnings" }
                div.table { table { tbody { @for note in &self.notes { tr {
                    td.when { (when(note.at)) }
                    td.text { @if note.alert { span.bad { "▲ " } } (note.text) }
                } } } } }
            }
        }
    }
}

fn steps(steps: &[Step]) -> Markup {
    html! {
        @if !steps.is_empty() {
            h2 { "Steps" }
            div.table { table {
                thead { tr {
                    th { "from" } th { "for" } th.number { "new version" } th.number { "held" }
                    th { "requests that failed: new, old" } th.number { "p95: new, old" } th { "last verdict" }
                } }
                tbody { @for step in steps { tr {
                    td.when { (when(step.from)) }
                    td { (step.why) }
                    td.number { (percent(f64::from(step.weight) / 10_000.0)) }
                    td.number { (seconds(step.to.since(step.from))) }
                    td { (failed(&step.canary)) ", " (failed(&step.stable)) }
                    td.number { (time(step.canary.p95_ms)) ", " (time(step.stable.p95_ms)) }
                    td.text { @match &step.verdict {
                        Some((said, why)) => { (verdict(*said)) " " (why) }
                        None => { "–" }
                    } }
                } } }
            } }
        }
    }
}

fn measurements(measurements: &[Measurement]) -> Markup {
    html! {
        @if !measurements.is_empty() {
            details {
                summary { "All " (measurements.len()) " measurements" }
                div.table { table {
                    thead { tr {
                        th { "at" } th.number { "new version" } th { "failed: new, old" } th.number { "p50 / p95 / p99: new" }
                        th.number { "old" } th { "verdict" }
                    } }
                    tbody { @for it in measurements { tr {
                        td.when { (when(it.at)) }
                        td.number { (percent(f64::from(it.weight) / 10_000.0)) }
                        td { (failed(&Counted::from(&it.canary))) ", " (failed(&Counted::from(&it.stable))) }
                        td.number { (percentiles(&it.canary)) }
                        td.number { (percentiles(&it.stable)) }
                        td.text { (verdict(it.verdict)) " " (it.why) }
                    } } }
                } }
            }
        }
    }
}

/// `12 of 60`
pub(super) fn failed(counted: &Counted) -> String {
    format!("{} of {}", counted.errors, counted.requests)
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
