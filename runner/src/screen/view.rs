//! What stands on the screen, in words.

use std::time::Duration;

use crossfade_core::rollout::Stage;
use crossfade_core::{RoutingTable, Timestamp};

use super::events::last_events;
use super::keys::{Dialog, possible};
use crate::edge::EdgeStatus;
use crate::notice::VariantFigures;
use crate::orders::Word;
use crate::record::Record;
use crate::report::{percent, seconds, time_of_day};

/// The most events that are shown.
const EVENTS_MAX: usize = 50;

/// What was found of an environment. What could not be told says why in its place.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose traffic.
    pub environment: String,
    /// Where.
    pub url: String,
    /// The table in KV.
    pub table: Result<Option<RoutingTable>, String>,
    /// The release in flight, or the last one.
    pub record: Result<Option<Record>, String>,
    /// What the edge says.
    pub edge: Result<EdgeStatus, String>,
    /// Whether that is a load balancer, which does not go home by itself.
    pub balanced: bool,
    /// What was counted in the last [`Seen::over`], a variant each.
    pub figures: Result<Vec<VariantFigures>, String>,
    /// Over how long.
    pub over: Duration,
}

/// What stands on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Environment and URL.
    pub title: String,
    /// What serves visitors, a row a variant.
    pub rows: Vec<Row>,
    /// Why there are no rows, or no figures.
    pub missing: Vec<String>,
    /// Over how long figures were counted.
    pub over: Duration,
    /// The release: a headline, and what it does.
    pub release: Vec<String>,
    /// How far the step, or what it waits for, is.
    pub gauge: Option<Gauge>,
    /// Lease and edge.
    pub facts: Vec<String>,
    /// What happened, the newest last.
    pub events: Vec<String>,
    /// What one can do: a key each.
    pub keys: Vec<(char, &'static str)>,
    /// A question, or what became of the last one.
    pub question: Option<String>,
    /// What was said last to the release, and what came of it.
    pub note: Option<String>,
}

/// One variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it is the one that everybody goes home to.
    pub stable: bool,
    /// Its share, 0 to 1.
    pub share: f64,
    /// Its share as text.
    pub weight: String,
    /// What its visitors got.
    pub figures: Option<VariantFigures>,
}

/// Time that passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// How much of it has passed, 0 to 1; `None` when it is not known when it began.
    pub ratio: Option<f64>,
    /// What is left.
    pub label: String,
}

impl Seen {
    /// The same after what was seen before: a release's events are kept with it until it has ended, and then in the history.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        let before = before.and_then(|before| before.record.as_ref().ok()?.as_ref());
        if let (Ok(Some(record)), Some(before)) = (&mut self.record, before)
            && record.id == before.id
            && record.evidence.is_empty()
        {
            record.evidence.clone_from(&before.evidence);
        }
        self
    }
}

impl View {
    /// What stands there before anything was found.
    pub fn waiting(url: &str) -> Self {
        Self {
            title: url.to_owned(),
            rows: Vec::new(),
            missing: Vec::new(),
            over: Duration::from_secs(60),
            release: vec!["looking …".to_owned()],
            gauge: None,
            facts: Vec::new(),
            events: Vec::new(),
            keys: super::keys::keys(&[]),
            question: None,
            note: None,
        }
    }

    /// What stands there now.
    pub fn of(seen: &Seen, dialog: &Dialog, now: Timestamp) -> Self {
        let mut missing = Vec::new();
        let table = seen.table.as_ref().unwrap_or_else(|why| {
            missing.push(format!("! table: {why}"));
            &None
        });
        let figures = seen.figures.as_deref().unwrap_or_else(|why| {
            missing.push(format!("! counters: {why}"));
            &[]
        });
        let record = seen.record.as_ref().ok().and_then(Option::as_ref);
        let release = match &seen.record {
            Err(why) => vec![format!("release: {why}")],
            Ok(None) => vec!["no release yet".to_owned()],
            Ok(Some(record)) => release(record, now),
        };
        let words = record.map_or(&[] as &[Word], |record| possible(record, now));
        Self {
            title: format!("{} · {}", seen.environment, seen.url),
            rows: table.as_ref().map(|table| rows(table, figures)).unwrap_or_default(),
            missing,
            over: seen.over,
            release,
            gauge: record.and_then(|record| gauge(record, now)),
            facts: [
                table.as_ref().and_then(|table| lease(table, now, seen.balanced)),
                Some(edge(&seen.edge)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            events: record.map(|record| last_events(&record.evidence, EVENTS_MAX)).unwrap_or_default(),
            keys: super::keys::keys(words),
            question: dialog.question(record),
            note: dialog.note(record),
        }
    }
}

fn rows(table: &RoutingTable, figures: &[VariantFigures]) -> Vec<Row> {
    let row = |variant: &crossfade_core::table::Variant| {
        let (name, version) = (variant.name.to_string(), variant.version.to_string());
        Row {
            figures: figures.iter().find(|it| it.variant == name && it.version == version).cloned(),
            stable: variant.name == table.stable().name,
            share: f64::from(variant.weight.basis_points()) / 10_000.0,
            weight: variant.weight.to_string(),
            name,
            version,
        }
    };
    table.variants().iter().map(row).collect()
}

fn release(record: &Record, now: Timestamp) -> Vec<String> {
    let Record { id, version, phase, runner, updated_at, .. } = record;
    if let Some(ended) = &record.ended {
        return vec![
            format!("{version} {} ({id}, {})", ended.outcome, time_of_day(ended.at)),
            ended.text.clone(),
        ];
    }
    let mut lines = vec![if record.in_charge(now) {
        format!("{version} in flight, {phase} ({id})")
    } else {
        format!(
            "{version} stopped without ending, {phase}, last heard of at {} ({id})",
            time_of_day(*updated_at)
        )
    }];
    if let Some(stage) = &record.stage {
        let of = record.steps.map_or_else(String::new, |steps| format!(" of {steps}"));
        lines.push(stage_line(stage, &of));
    }
    lines.push(format!("runs {} · {runner}", seconds(now.since(record.started_at))));
    lines
}

fn stage_line(stage: &Stage, of: &str) -> String {
    match stage {
        Stage::Shifting { step, weight } => format!("step {}{of}: shifting to {weight}", step + 1),
        Stage::Watching { step, weight, .. } => format!("step {}{of}: watched at {weight}", step + 1),
        Stage::Waiting { step, gate, .. } => format!("step {}{of} waits for {gate}", step + 1),
        Stage::Paused { step, weight, why, .. } => {
            format!("step {}{of}: paused at {weight}: {why}", step + 1)
        }
        stage => stage.to_string(),
    }
}

/// What of a stage's time is left.
fn gauge(record: &Record, now: Timestamp) -> Option<Gauge> {
    if record.ended.is_some() {
        return None;
    }
    let left = |until: Timestamp| seconds(until.since(now));
    let bar = |since: Timestamp, until: Timestamp| {
        let whole = until.since(since).as_secs_f64();
        (whole > 0.0).then(|| (now.since(since).as_secs_f64() / whole).clamp(0.0, 1.0))
    };
    match record.stage.as_ref()? {
        Stage::Watching { step, until, .. } => {
            let label = if *until > now {
                format!("{} left", left(*until))
            } else {
                "held; until a measurement passes".to_owned()
            };
            let hold = record.saved.as_ref().and_then(|saved| saved.hold(*step));
            Some(Gauge { ratio: hold.and_then(|hold| bar(until.minus(hold), *until)), label })
        }
        Stage::Waiting { until: Some(until), .. } => {
            Some(Gauge { ratio: None, label: format!("{} left", left(*until)) })
        }
        Stage::Paused { since, until, .. } => {
            let label = format!("paused for {}, goes home in {}", seconds(now.since(*since)), left(*until));
            Some(Gauge { ratio: bar(*since, *until), label })
        }
        _ => None,
    }
}

fn lease(table: &RoutingTable, now: Timestamp, balanced: bool) -> Option<String> {
    let lease = table.lease()?;
    let home = &table.stable().name;
    let (ends, left) = (time_of_day(lease.expires_at), seconds(lease.expires_at.since(now)));
    Some(match (table.lapsed(now), balanced) {
        (true, false) => format!("lease: ran out at {ends}, every router sends all visitors to {home}"),
        (true, true) => {
            format!("lease: ran out at {ends}, `crossfade rollback` brings visitors home to {home}")
        }
        (false, false) => format!("lease: {left} left, then everybody goes to {home}"),
        (false, true) => format!("lease: {left} left, then another release may bring everybody to {home}"),
    })
}

fn edge(edge: &Result<EdgeStatus, String>) -> String {
    match edge {
        Err(why) => format!("edge: {why}"),
        Ok(EdgeStatus { astray: Some(astray), .. }) => format!("load balancer: does not follow: {astray}"),
        Ok(edge) => {
            let place = edge.colo.as_deref().map_or(String::new(), |colo| format!(" in {colo}"));
            let lapsed = if edge.lapsed { ", home by itself" } else { "" };
            let trouble = edge.trouble.as_deref().map_or(String::new(), |trouble| format!("; {trouble}"));
            let revision =
                edge.revision.map_or("no table".to_owned(), |revision| format!("revision {revision}"));
            format!("edge: {revision}{place}{lapsed}{trouble}")
        }
    }
}

impl Row {
    /// Which version it is, and whether everybody goes home to it.
    pub fn name(&self) -> String {
        format!("{}{} {}", self.name, if self.stable { " ●" } else { "" }, self.version)
    }

    /// Requests, errors, latency: a column each.
    pub fn columns(&self, over: Duration) -> [String; 5] {
        let Some(figures) = &self.figures else { return std::array::from_fn(|_| "–".to_owned()) };
        let millis = |it: Option<f64>| it.map_or("–".to_owned(), |it| format!("{it:.0} ms"));
        let rate = figures.requests as f64 / over.as_secs_f64().max(1.0);
        [
            format!("{rate:.1}/s"),
            format!("{} ({})", percent(figures.error_rate), figures.errors),
            millis(figures.p50_ms),
            millis(figures.p95_ms),
            millis(figures.p99_ms),
        ]
    }
}
