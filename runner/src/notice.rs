//! What people and programs are told of releases, wherever they are: one JSON object each, whose form `crossfade schema --events`
//! prints. The names are part of the interface.

use crossfade_core::Timestamp;
use crossfade_core::alert::{Because, Change, Severity, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::summary::Summary;

mod figures;

pub use figures::VariantFigures;

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Notice {
    /// A release is in charge from now on.
    #[serde(rename = "deployment_started")]
    Started(Started),
    /// What visitors got since the last time.
    #[serde(rename = "metrics_updated")]
    Metrics(Metrics),
    /// An alert begins or is over.
    #[serde(rename = "deployment_alert")]
    Alert(Alert),
    /// A release has ended.
    #[serde(rename = "deployment_completed")]
    Completed(Completed),
    /// How releases went.
    #[serde(rename = "deployment_report")]
    Report(Report),
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Kind {
    /// [`Notice::Started`].
    #[serde(rename = "deployment_started")]
    Started,
    /// [`Notice::Metrics`].
    #[serde(rename = "metrics_updated")]
    Metrics,
    /// [`Notice::Alert`].
    #[serde(rename = "deployment_alert")]
    Alert,
    /// [`Notice::Completed`].
    #[serde(rename = "deployment_completed")]
    Completed,
    /// [`Notice::Report`].
    #[serde(rename = "deployment_report")]
    Report,
}

/// A release is in charge from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Started {
    /// Whose traffic.
    pub environment: String,
    /// The release.
    pub release: String,
    /// `deploy`, `rollout`, `retry`, `rollback`.
    pub command: String,
    /// What it brings.
    pub new_version: String,
    /// What serves visitors now; absent before the first release ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_version: Option<String>,
    /// The slot it goes to.
    pub slot: String,
    /// Who runs it: host and process, or the workflow run's URL.
    pub runner: String,
    /// Whether it was begun by another runner, which died.
    pub taken_over: bool,
}

/// What visitors got since the last time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Metrics {
    /// Whose traffic.
    pub environment: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Each variant that had requests.
    pub variants: Vec<VariantFigures>,
}

/// An alert begins or is over.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Whose traffic.
    pub environment: String,
    /// What it is called. The same for as long as it lasts, with `environment` and `variant`.
    pub alert: String,
    /// `raised`, `resolved` or `unwatched`.
    pub state: AlertState,
    /// How bad it is.
    pub severity: Severity,
    /// Whom it is about; absent when nothing can be measured at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_version: Option<String>,
    /// The number that is not to be crossed: a share from 0 to 1, or seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What was measured last, in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Among how many requests.
    pub requests: u64,
    /// When it was raised.
    pub since: Timestamp,
    /// In one sentence.
    pub text: String,
}

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// It begins.
    Raised,
    /// It is over.
    Resolved,
    /// It lasts, and nobody will tell when it is over: the release or the monitor has ended.
    Unwatched,
}

/// A release has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Completed {
    /// Whose traffic.
    pub environment: String,
    /// The release.
    pub release: String,
    /// What it brought, or was to bring.
    pub new_version: String,
    /// What served visitors when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_version: Option<String>,
    /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`; `abandoned` when its runner died and it moves nobody.
    pub outcome: String,
    /// Why, in one sentence.
    pub text: String,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// How releases went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Whose traffic.
    pub environment: String,
    /// The figures.
    pub summary: Summary,
}

/// A notice as it is told: a line, a webhook's body.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "What Crossfade tells of releases")]
pub struct Line {
    /// The form's version: 1.
    pub version: u8,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub notice: Notice,
}

impl Notice {
    /// Which of them.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Started(_) => Kind::Started,
            Self::Metrics(_) => Kind::Metrics,
            Self::Alert(_) => Kind::Alert,
            Self::Completed(_) => Kind::Completed,
            Self::Report(_) => Kind::Report,
        }
    }

    /// An alert's beginning or end.
    pub fn alert(environment: &str, change: &Change) -> Self {
        let subject = change.subject.as_ref();
        Self::Alert(Alert {
            environment: environment.to_owned(),
            alert: change.name().to_owned(),
            state: match change.state {
                State::Raised => AlertState::Raised,
                State::Resolved(Because::Unwatched) => AlertState::Unwatched,
                State::Resolved(Because::Well | Because::Silent) => AlertState::Resolved,
            },
            severity: change.severity,
            variant: subject.map(|subject| subject.variant.clone()),
            variant_version: subject.map(|subject| subject.version.clone()),
            threshold: change.threshold(),
            value: change.value,
            requests: change.requests,
            since: change.since,
            text: change.to_string(),
        })
    }

    /// The JSON Schema of a [`Line`].
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Line).to_value()
    }
}

#[cfg(test)]
mod tests;
