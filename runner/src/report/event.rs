//! What programs read: one JSON object an event.

use crossfade_core::rollout::Evidence;
use crossfade_core::table::{Variant, Weight};
use crossfade_core::{RoutingTable, Timestamp};
use serde::{Deserialize, Serialize};

use super::millis;
use crate::cloudflare::pages::Deployment;
use crate::error::Error;
use crate::hooks::{Answer, Asked, NoAnswer};
use crate::notice::Notice;

/// One thing that happened. The JSON names are part of the interface.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// A release begins.
    ReleaseStarted {
        /// Its id.
        release: String,
        /// Whose traffic.
        environment: String,
        /// What is deployed.
        deploying: String,
        /// The slot it goes to.
        slot: String,
        /// What serves visitors now.
        stable: Option<String>,
    },
    /// A phase begins.
    PhaseStarted {
        /// Its name.
        phase: &'static str,
    },
    /// Something within a phase.
    Progress {
        /// The phase.
        phase: &'static str,
        /// What.
        text: String,
    },
    /// A phase ended.
    PhaseEnded {
        /// Its name.
        phase: &'static str,
        /// Whether it did what it was for.
        ok: bool,
        /// What came of it.
        text: String,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// A hook was asked.
    Hook {
        /// When in the release.
        phase: &'static str,
        /// Which.
        hook: String,
        /// `pass`, `fail`, `wait`; `error` when there was none, `cancelled` when nobody waited for it.
        answer: &'static str,
        /// Why it is no pass.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// When it wants to be asked again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// The end of what a command printed, the beginning of what a webhook answered.
        output: String,
        /// How often it was asked.
        tries: u32,
        /// How long that took.
        elapsed_ms: u64,
    },
    /// What was counted in a stretch of a step, and what the judge makes of it.
    Measurement(Box<Evidence>),
    /// A release has waited for somebody, or was paused.
    Gate {
        /// `approval`, the hook's name, or `pause`.
        gate: String,
        /// The step that waited, from 1.
        step: usize,
        /// Whether it went on.
        ok: bool,
        /// Why it waited.
        text: String,
        /// For how long.
        elapsed_ms: u64,
    },
    /// A table with other weights was written.
    Weights {
        /// Its revision.
        revision: u64,
        /// What for: `switch`, `drain`, `restore`, `shelter`, `settle`, `home`; by hand `weights`.
        why: &'static str,
        /// Who serves whom.
        variants: Vec<Share>,
    },
    /// A Pages deployment is live.
    Deployed {
        /// Its project.
        project: String,
        /// Its id.
        id: String,
        /// Where it alone is served.
        url: String,
        /// Where it is served besides.
        aliases: Vec<String>,
        /// `production` or `preview`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pages_environment: Option<String>,
    },
    /// Something that a person should look at, and that stops nothing.
    Warning {
        /// What.
        text: String,
    },
    /// It is over.
    Finished {
        /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`; of `crossfade weights` also `done`.
        outcome: &'static str,
        /// One sentence.
        text: String,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// The command did not do what it was asked to; always the last event.
    Error {
        /// What the process exits with.
        exit_code: u8,
        /// What happened.
        text: String,
        /// Its causes, the nearest first.
        because: Vec<String>,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// What is told of releases wherever people are.
    #[serde(untagged)]
    Notice(Notice),
}

impl Event {
    /// Whether it stands in the history.
    pub(crate) const fn is_kept(&self) -> bool {
        matches!(self, Self::Measurement(_)) || self.is_news()
    }

    /// Whether hooks are told of it. Not of progress: how much of it there is depends on how the command speaks. Of notices only
    /// alerts say what no other event does.
    pub(crate) const fn is_news(&self) -> bool {
        match self {
            // Nobody wants to be told of a look at the counters every five seconds.
            Self::Progress { .. } | Self::Measurement(_) => false,
            Self::Notice(notice) => matches!(notice, Notice::Alert(_)),
            _ => true,
        }
    }

    /// The notice that it is.
    pub(crate) const fn notice(&self) -> Option<&Notice> {
        match self {
            Self::Notice(notice) => Some(notice),
            _ => None,
        }
    }
}

impl Event {
    /// A deployment that is live.
    pub(crate) fn deployed(project: &str, deployment: Deployment) -> Self {
        let Deployment { id, url, environment, aliases, .. } = deployment;
        let aliases = aliases.unwrap_or_default();
        Self::Deployed { project: project.to_owned(), id, url, aliases, pages_environment: environment }
    }
}

impl From<&Error> for Event {
    fn from(error: &Error) -> Self {
        Self::Error {
            exit_code: error.exit_code(),
            text: error.to_string(),
            because: error.causes().map(ToString::to_string).collect(),
            hint: error.hint(),
        }
    }
}

impl From<&Asked> for Event {
    fn from(asked: &Asked) -> Self {
        let (answer, why, retry_after) = match &asked.answer {
            Ok(Answer::Pass) => ("pass", None, None),
            Ok(Answer::Fail(why)) => ("fail", Some(why), None),
            Ok(Answer::Wait(after)) => ("wait", None, Some(*after)),
            Err(NoAnswer::Error(why)) => ("error", Some(why), None),
            Err(NoAnswer::Cancelled(reason)) => ("cancelled", Some(reason), None),
        };
        Self::Hook {
            phase: asked.phase.name(),
            hook: asked.hook.clone(),
            answer,
            why: why.cloned(),
            retry_after_ms: retry_after.map(millis),
            output: asked.output.clone(),
            tries: asked.tries,
            elapsed_ms: millis(asked.took),
        }
    }
}

/// What a variant serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its name in the table.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Basis points.
    pub weight: Weight,
}

impl Share {
    /// What each variant of a table serves.
    pub fn of(table: &RoutingTable) -> Vec<Self> {
        let share = |variant: &Variant| Self {
            name: variant.name.to_string(),
            version: variant.version.to_string(),
            weight: variant.weight,
        };
        table.variants().iter().map(share).collect()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// An event and when it happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// The event as a program reads it.
    pub(super) fn to_line(&self) -> Option<String> {
        serde_json::to_string(&Line { version: 1, entry: self }).ok()
    }

    /// The same, to be changed before somebody reads it.
    pub(super) fn to_json(&self) -> Option<serde_json::Value> {
        serde_json::to_value(Line { version: 1, entry: self }).ok()
    }
}
