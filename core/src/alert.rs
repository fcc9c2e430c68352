//! Alerts: what was counted in, what people have to know out. Each is told once when it begins and once when it is over.
//!
//! ```text
//!            beyond the limit in `raise_after` looks in a row
//!   quiet ──────────────────────────────────────────────────▶ raised
//!     ◀────────────────────────────────────────────────────────┘
//!       within it in `resolve_after` looks in a row, or nothing to measure in ten
//! ```
//!
//! A look with too few requests says nothing: it neither raises nor resolves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::threshold::{Condition, Measure};
use crate::analysis::{Counts, Reading};
use crate::{Span, Timestamp};

mod said;

/// Looks in a row without enough requests after which an alert is over: nobody is served by what it was about.
const SILENT_MAX: u32 = 10;
/// Looks in a row that could not be taken which are an alert themselves.
const BLIND_MAX: u32 = 4;
/// What that alert is called.
pub const BLIND: &str = "not measured";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Visitors are being failed.
    Critical,
}

/// When there is an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique among the rules.
    pub name: String,
    /// What is measured, of each variant.
    pub measure: Measure,
    /// What is alarming.
    pub when: Condition,
    /// How bad that is.
    pub severity: Severity,
    /// Requests of a look below which it says nothing. Default: 20.
    #[serde(default = "twenty")]
    pub minimum_requests: u64,
    /// Alarming looks in a row that raise it. Default: 1.
    #[serde(default = "one")]
    pub raise_after: u32,
    /// Other looks in a row that resolve it. Default: 2.
    #[serde(default = "two")]
    pub resolve_after: u32,
}

const fn twenty() -> u64 {
    20
}

const fn one() -> u32 {
    1
}

const fn two() -> u32 {
    2
}

impl Rule {
    /// Error rate above 10 % and availability below 95 % are critical, a mean response above 5 s is a warning
    /// (`ARCHITECTURE.md`, strategies and their defaults).
    pub fn defaults() -> Vec<Self> {
        let rule = |name: &str, measure, when, severity| Self {
            name: name.to_owned(),
            measure,
            when,
            severity,
            minimum_requests: twenty(),
            raise_after: one(),
            resolve_after: two(),
        };
        vec![
            rule("error rate", Measure::ErrorRate, Condition::Above(0.10), Severity::Critical),
            rule("response time", Measure::MeanSeconds, Condition::Above(5.0), Severity::Warning),
            rule("availability", Measure::Availability, Condition::Below(0.95), Severity::Critical),
        ]
    }
}

/// Whom an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The variant's name in the table.
    pub variant: String,
    /// Its version.
    pub version: String,
}

/// An alert begins or is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The rule, but for [`BLIND`].
    pub rule: Option<Rule>,
    /// How bad it is.
    pub severity: Severity,
    /// Whom it is about; nobody in particular for [`BLIND`].
    pub subject: Option<Subject>,
    /// Which of the two.
    pub state: State,
    /// What was measured last.
    pub value: Option<f64>,
    /// Among how many requests.
    pub requests: u64,
    /// When it was raised.
    pub since: Timestamp,
    /// How long that is ago.
    pub lasted: Span,
}

/// What becomes of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It begins.
    Raised,
    /// It is over.
    Resolved(Because),
}

/// Why an alert is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// What was measured is well again.
    Well,
    /// There is nothing to measure any more.
    Silent,
    /// Nobody watches any more.
    Unwatched,
}

/// All alerts of an environment.
///
/// ```
/// use crossfade_core::{Timestamp, alert::{Alerts, Because, Change, Rule, Severity, State, Subject}};
/// use crossfade_core::analysis::Counts;
///
/// let green = Subject { variant: "green".into(), version: "1.5.0".into() };
/// let mut alerts = Alerts::new(Rule::defaults());
/// let counts = Counts { requests: 100, errors: 30, ..Counts::default() };
/// let changes = alerts.look(Timestamp::from_millis(0), &[(green, counts)].into());
/// let Change { severity, state, .. } = &changes[0];
/// assert_eq!((*severity, state), (Severity::Critical, &State::Raised));
/// assert_eq!(changes[0].name(), "error rate");
/// assert_eq!(changes[0].threshold(), Some(0.1));
/// assert_eq!(changes[0].to_string(), "green 1.5.0: error rate is 30 % in 100 requests, above 10 %");
///
/// // What could not be looked at says nothing of any variant; too often, it is an alert itself.
/// assert_eq!(alerts.blind(Timestamp::from_millis(30_000)), None);
/// let over = alerts.end(Timestamp::from_millis(60_000));
/// assert_eq!(over[0].state, State::Resolved(Because::Unwatched));
/// ```
#[derive(Clone, Debug)]
pub struct Alerts {
    rules: Vec<Rule>,
    standing: BTreeMap<(usize, Subject), Standing>,
    blind: u32,
    blind_since: Option<Timestamp>,
}

/// Where one rule is with one variant.
#[derive(Clone, Debug, Default)]
struct Standing {
    alarming: u32,
    well: u32,
    silent: u32,
    raised: Option<Timestamp>,
    value: Option<f64>,
    requests: u64,
}

impl Alerts {
    /// None yet.
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self { rules, standing: BTreeMap::new(), blind: 0, blind_since: None }
    }

    /// Takes in what a look saw of each variant; what is to be told of it.
    pub fn look(&mut self, now: Timestamp, seen: &BTreeMap<Subject, Counts>) -> Vec<Change> {
        let mut changes: Vec<Change> = self.sees_again(now).into_iter().collect();
        for (index, rule) in self.rules.iter().enumerate() {
            let known =
                self.standing.keys().filter(|(of, _)| *of == index).map(|(_, subject)| subject.clone());
            let subjects: std::collections::BTreeSet<Subject> = known.chain(seen.keys().cloned()).collect();
            for subject in subjects {
                let standing = self.standing.entry((index, subject.clone())).or_default();
                let state = standing.take(now, rule, seen.get(&subject).unwrap_or(&Counts::default()));
                changes.extend(state.map(|state| standing.change(now, rule, &subject, state)));
                if standing.is_over() {
                    self.standing.remove(&(index, subject));
                }
            }
        }
        changes
    }

    /// Takes in that a look could not be taken; what is to be told of it. It says nothing of the variants.
    pub fn blind(&mut self, now: Timestamp) -> Option<Change> {
        self.blind = self.blind.saturating_add(1);
        if self.blind < BLIND_MAX || self.blind_since.is_some() {
            return None;
        }
        self.blind_since = Some(now);
        Some(blind(now, now, State::Raised))
    }

    /// Nobody looks any more: all that is raised is over.
    pub fn end(mut self, now: Timestamp) -> Vec<Change> {
        let blind_since = self.blind_since.take();
        let blind = blind_since.map(|since| blind(now, since, State::Resolved(Because::Unwatched)));
        let raised = self.standing.iter_mut().filter(|(_, standing)| standing.raised.is_some());
        let changes = raised.filter_map(|((index, subject), standing)| {
            let rule = self.rules.get(*index)?;
            Some(standing.change(now, rule, subject, State::Resolved(Because::Unwatched)))
        });
        changes.chain(blind).collect()
    }

    fn sees_again(&mut self, now: Timestamp) -> Option<Change> {
        self.blind = 0;
        let since = self.blind_since.take()?;
        Some(blind(now, since, State::Resolved(Because::Well)))
    }
}

fn blind(now: Timestamp, since: Timestamp, state: State) -> Change {
    Change {
        rule: None,
        severity: Severity::Warning,
        subject: None,
        state,
        value: None,
        requests: 0,
        since,
        lasted: Span(now.since(since)),
    }
}

impl Standing {
    fn take(&mut self, now: Timestamp, rule: &Rule, counts: &Counts) -> Option<State> {
        let enough = counts.requests >= rule.minimum_requests.max(1);
        let Some(value) = enough.then(|| rule.measure.of(counts)).and_then(number) else {
            self.silent = self.silent.saturating_add(1);
            let over = self.silent >= SILENT_MAX && self.raised.is_some();
            return over.then_some(State::Resolved(Because::Silent));
        };
        (self.silent, self.value, self.requests) = (0, Some(value), counts.requests);
        if rule.when.holds(value) {
            (self.alarming, self.well) = (self.alarming.saturating_add(1), 0);
            let begins = self.raised.is_none() && self.alarming >= rule.raise_after.max(1);
            if begins {
                self.raised = Some(now);
            }
            return begins.then_some(State::Raised);
        }
        (self.alarming, self.well) = (0, self.well.saturating_add(1));
        let over = self.raised.is_some() && self.well >= rule.resolve_after.max(1);
        over.then_some(State::Resolved(Because::Well))
    }

    fn change(&mut self, now: Timestamp, rule: &Rule, subject: &Subject, state: State) -> Change {
        let since = self.raised.unwrap_or(now);
        if state != State::Raised {
            self.raised = None;
        }
        Change {
            rule: Some(rule.clone()),
            severity: rule.severity,
            subject: Some(subject.clone()),
            state,
            value: self.value,
            requests: self.requests,
            since,
            lasted: Span(now.since(since)),
        }
    }

    /// Whether there is nothing left to remember.
    const fn is_over(&self) -> bool {
        self.raised.is_none() && (self.alarming == 0 || self.silent >= SILENT_MAX)
    }
}

fn number(reading: Reading) -> Option<f64> {
    match reading {
        Reading::Value(value) => Some(value),
        Reading::NoData | Reading::Error(_) => None,
    }
}

#[cfg(test)]
mod tests;
