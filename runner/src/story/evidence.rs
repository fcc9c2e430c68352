//! A record's events, as far as a report shows them. Records outlive versions: what is unknown or damaged is passed over.

use std::time::Duration;

use crossfade_core::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Note;
use crate::report::Share;

/// Who served whom from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// From when on.
    pub at: Timestamp,
    /// The table's revision.
    pub revision: u64,
    /// What it was written for.
    pub why: String,
    /// The variants.
    pub variants: Vec<Share>,
}

impl Shares {
    /// A version's share, basis points.
    pub fn of(&self, version: &str) -> u16 {
        let of_it = self.variants.iter().filter(|variant| variant.version == version);
        of_it.map(|variant| variant.weight.basis_points()).fold(0, u16::saturating_add).min(10_000)
    }
}

/// What one look at both sides saw, and what was made of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Measurement {
    /// When.
    pub at: Timestamp,
    /// The step, counted from 0.
    pub step: usize,
    /// The new version's weight, basis points.
    pub weight: u16,
    /// The new version.
    #[serde(default)]
    pub canary: Side,
    /// The version before.
    #[serde(default)]
    pub stable: Side,
    /// What was made of it.
    pub verdict: Verdict,
    /// In one sentence.
    #[serde(default)]
    pub why: String,
}

/// What was counted of one side since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Side {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Time to first byte, milliseconds.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p95_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
}

impl Side {
    /// The share that failed, 0 to 1.
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 / self.requests as f64)
    }
}

/// What a measurement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The new version is well.
    Pass,
    /// It is not.
    Fail,
    /// Not enough was seen.
    Inconclusive,
    /// Both sides are in trouble, or nothing is heard of them.
    Hold,
    /// It could not be measured.
    Error,
}

impl Verdict {
    /// As people read it, with a mark that needs no colour.
    pub const fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("✓", "pass"),
            Self::Fail => ("✗", "fail"),
            Self::Inconclusive => ("?", "not enough data yet"),
            Self::Hold => ("‖", "hold"),
            Self::Error => ("!", "could not measure"),
        }
    }
}

/// Something that took its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What kind of thing.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// What came of it.
    pub result: Result,
    /// In words.
    pub text: String,
}

/// What a [`Bar`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A phase of the release.
    Phase,
    /// A hook that was asked.
    Hook,
    /// Somebody who was waited for, or a pause.
    Gate,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// It did what it was for.
    Good,
    /// It did not.
    Bad,
    /// It asked to wait.
    Waiting,
}

impl Result {
    /// As people read it, with a mark that needs no colour.
    pub const fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("✓", "passed"),
            Self::Bad => ("✗", "failed"),
            Self::Waiting => ("…", "asked to wait"),
        }
    }
}

/// When something began is told by when it ended and how long it took, each in whole milliseconds and by a clock of its own.
const MOMENT: Duration = Duration::from_millis(100);

/// What a record's events show.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) shares: Vec<Shares>,
    pub(super) measurements: Vec<Measurement>,
    pub(super) bars: Vec<Bar>,
    pub(super) notes: Vec<Note>,
}

#[derive(Deserialize)]
struct Entry {
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Event {
    Weights {
        revision: u64,
        why: String,
        variants: Vec<Share>,
    },
    PhaseEnded {
        phase: String,
        ok: bool,
        text: String,
        elapsed_ms: u64,
    },
    Hook {
        phase: String,
        hook: String,
        answer: String,
        why: Option<String>,
        elapsed_ms: u64,
    },
    Gate {
        gate: String,
        ok: bool,
        text: String,
        elapsed_ms: u64,
    },
    Warning {
        text: String,
    },
    #[serde(rename = "deployment_alert")]
    Alert {
        state: String,
        text: String,
    },
    #[serde(other)]
    Other,
}

/// Reads them; `clean` is applied to every text.
pub(super) fn read(evidence: &[Value], clean: &dyn Fn(&str) -> String) -> Seen {
    let mut seen = Seen::default();
    for value in evidence {
        if value["type"] == "measurement" {
            let measurement = Measurement::deserialize(value).ok();
            seen.measurements.extend(measurement.map(|it| Measurement { why: clean(&it.why), ..it }));
        } else if let Ok(Entry { at, event }) = Entry::deserialize(value) {
            seen.add(at, event, clean);
        }
    }
    seen.drop_repeated();
    seen.bars.sort_by_key(|bar| bar.from);
    seen
}

impl Seen {
    /// A phase that only asks hooks says nothing that they do not.
    fn drop_repeated(&mut self) {
        let hooks: Vec<(String, Timestamp, Timestamp)> = self
            .bars
            .iter()
            .filter(|bar| bar.kind == Kind::Hook)
            .filter_map(|hook| Some((hook.name.split_once(": ")?.0.to_owned(), hook.from, hook.to)))
            .collect();
        self.bars.retain(|bar| {
            let within = |(phase, from, to): &(String, Timestamp, Timestamp)| {
                *phase == bar.name && bar.from <= from.plus(MOMENT) && *to <= bar.to.plus(MOMENT)
            };
            bar.kind != Kind::Phase || bar.result == Result::Bad || !hooks.iter().any(within)
        });
    }

    fn add(&mut self, at: Timestamp, event: Event, clean: &dyn Fn(&str) -> String) {
        let bar = |kind, name: &str, elapsed_ms: u64, result, text: &str| {
            let from = at.minus(Duration::from_millis(elapsed_ms));
            Bar { kind, name: clean(name), from, to: at, result, text: clean(text) }
        };
        match event {
            Event::Weights { revision, why, variants } => {
                let share = |it: Share| Share { name: clean(&it.name), version: clean(&it.version), ..it };
                let variants = variants.into_iter().map(share).collect();
                self.shares.push(Shares { at, revision, why: clean(&why), variants });
            }
            Event::PhaseEnded { phase, ok, text, elapsed_ms } => {
                let result = if ok { Result::Good } else { Result::Bad };
                self.bars.push(bar(Kind::Phase, &phase, elapsed_ms, result, &text));
            }
            Event::Hook { phase, hook, answer, why, elapsed_ms } => {
                let result = match answer.as_str() {
                    "pass" => Result::Good,
                    "wait" => Result::Waiting,
                    _ => Result::Bad,
                };
                let name = format!("{phase}: {hook}");
                self.bars.push(bar(Kind::Hook, &name, elapsed_ms, result, &why.unwrap_or(answer)));
            }
            Event::Gate { gate, ok, text, elapsed_ms } => {
                let result = if ok { Result::Good } else { Result::Bad };
                self.bars.push(bar(Kind::Gate, &gate, elapsed_ms, result, &text));
            }
            Event::Warning { text } => self.notes.push(Note { at, alert: false, text: clean(&text) }),
            Event::Alert { state, text } => {
                self.notes.push(Note { at, alert: state == "raised", text: clean(&text) });
            }
            Event::Other => {}
        }
    }
}
