//! Every way a command can fail: what happened, what to do, which exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use crossfade_core::Timestamp;
use crossfade_core::rollout::{CannotStart, PlanError};
use crossfade_core::table::TableError;

use crate::edge::EdgeError;
use crate::{cloudflare, report, upload};

/// Exit codes. They are part of the interface: numbers never change their meaning.
pub mod exit_code {
    /// Done.
    pub const DONE: u8 = 0;
    /// Unexpected: a bug, or a machine that does not work.
    pub const UNEXPECTED: u8 = 1;
    /// Arguments or configuration are wrong; nothing was done.
    pub const USAGE: u8 = 2;
    /// A gate before any traffic failed; visitors never met the new version.
    pub const NOT_STARTED: u8 = 3;
    /// Traffic had been moved and is back where it was.
    pub const ROLLED_BACK: u8 = 4;
    /// Another release is in charge; nothing was touched.
    pub const SUPERSEDED: u8 = 5;
    /// A person is needed; the message says what traffic does now.
    pub const STUCK: u8 = 6;
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `crossfade.toml` could not be read.
    #[error("cannot read the configuration `{}`", path.display())]
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `crossfade.toml` is wrong.
    #[error("the configuration `{}` is wrong\n{why}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Line, column, field, value.
        why: String,
    },
    /// A setting that a command needs was given nowhere.
    #[error("{what} is not set")]
    Missing {
        /// What, in the user's words.
        what: &'static str,
        /// Where to set it.
        hint: String,
    },
    /// An argument makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The plan in the configuration is none.
    #[error("the rollout in the configuration is wrong")]
    Plan(#[from] PlanError),
    /// The table in KV cannot be used.
    #[error("cannot use the routing table in KV under `{key}`")]
    Table {
        /// The KV key.
        key: String,
        /// The field and its value.
        source: TableError,
    },
    /// A table that we were about to write is none.
    #[error("these weights make no routing table")]
    Weights(#[source] TableError),
    /// A rollout cannot begin from the table in KV.
    #[error("a release cannot start from the routing table as it is")]
    CannotStart(#[from] CannotStart),
    /// Cloudflare's API did not do it.
    #[error("cannot {doing}")]
    Cloudflare {
        /// What, so that it can follow "cannot".
        doing: String,
        /// Cloudflare's answer.
        source: cloudflare::Error,
    },
    /// The router cannot be asked what it serves.
    #[error("cannot see what visitors get")]
    Edge(#[from] EdgeError),
    /// The upload failed.
    #[error("the upload failed")]
    Upload(#[from] upload::Error),
    /// A document of ours in KV is damaged.
    #[error("cannot read `{key}` in KV: {why}")]
    Record {
        /// The KV key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A gate before any traffic failed.
    #[error("{phase}: {why}")]
    Gate {
        /// Which phase.
        phase: &'static str,
        /// What failed.
        why: String,
    },
    /// A check of a site, outside any release, failed.
    #[error("{phase}: {why}")]
    Check {
        /// Which phase.
        phase: &'static str,
        /// What failed.
        why: String,
    },
    /// Another release has taken over.
    #[error("{0}")]
    Superseded(String),
    /// Another release is in charge, so this command did not begin.
    #[error("{text}")]
    InCharge {
        /// Which, and what that means.
        text: String,
        /// When it stops to count if its runner is dead.
        until: Timestamp,
    },
    /// Traffic is back where it was.
    #[error("rolled back: {0}")]
    RolledBack(String),
    /// A person is needed.
    #[error("stuck: {why}")]
    Stuck {
        /// Why the plan was left, and what traffic does now.
        why: String,
        /// What the person can do.
        hint: String,
    },
    /// Cancelled before any traffic was moved.
    #[error("cancelled ({0}) before any traffic was moved")]
    Cancelled(String),
    /// A question was cancelled; it would have moved nothing.
    #[error("cancelled ({0})")]
    Interrupted(String),
    /// Something on this machine does not work.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// Wraps an API error; `doing` follows "cannot".
    pub fn cloudflare(doing: impl Into<String>) -> impl FnOnce(cloudflare::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Cloudflare { doing, source }
    }

    /// Why it happened, the nearest cause first.
    pub fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        std::iter::successors(std::error::Error::source(self), |error| error.source())
    }

    /// What happened and why, on one line.
    pub fn in_one_line(&self) -> String {
        self.causes().fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigUnreadable { .. }
            | Self::Config { .. }
            | Self::Missing { .. }
            | Self::Usage(_)
            | Self::Plan(_)
            | Self::Weights(_) => exit_code::USAGE,
            Self::Table { .. }
            | Self::CannotStart(_)
            | Self::Cloudflare { .. }
            | Self::Edge(_)
            | Self::Upload(_)
            | Self::Record { .. }
            | Self::Gate { .. }
            | Self::Check { .. }
            | Self::Interrupted(_)
            | Self::Cancelled(_) => exit_code::NOT_STARTED,
            Self::RolledBack(_) => exit_code::ROLLED_BACK,
            Self::Superseded(_) | Self::InCharge { .. } => exit_code::SUPERSEDED,
            Self::Stuck { .. } => exit_code::STUCK,
            Self::Io { .. } => exit_code::UNEXPECTED,
        }
    }

    /// The same as a process's exit.
    pub fn to_exit(&self) -> ExitCode {
        ExitCode::from(self.exit_code())
    }

    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ConfigUnreadable { .. } => {
                Some("name the file with --config, or run in the directory that has crossfade.toml".into())
            }
            Self::Config { .. } => Some("`crossfade schema` prints what the file may contain".into()),
            Self::Missing { hint, .. } | Self::Stuck { hint, .. } => Some(hint.clone()),
            Self::Table { source, .. } => Some(table_hint(source)),
            Self::CannotStart(CannotStart::AlreadyShifted { stable, .. }) => Some(format!(
                "bring all visitors to one variant first: `crossfade weights {stable}=100`, or finish the release in flight"
            )),
            Self::CannotStart(CannotStart::Superseded(_)) => {
                Some("`crossfade status` shows what is in force; deploy again".into())
            }
            Self::CannotStart(
                CannotStart::TooManyInstances(_)
                | CannotStart::OtherFleet { .. }
                | CannotStart::NobodyLeft(_),
            ) => Some("`[[instances]]` in crossfade.toml lists them".into()),
            Self::CannotStart(CannotStart::CanaryIsStable(_) | CannotStart::OtherEnvironment(_)) => None,
            Self::Cloudflare { source, .. } => source.hint(),
            Self::Edge(source) => Some(source.hint().into()),
            Self::Upload(source) => source.hint(),
            Self::Record { key, .. } => Some(format!(
                "another Crossfade may have written it; look at the KV key `{key}`, or delete it"
            )),
            Self::Superseded(_) => Some("`crossfade status` shows which release is in charge".into()),
            Self::InCharge { until, .. } => Some(format!(
                "`crossfade status` shows which release is in charge; if its runner is dead, try again after {}, or, with \
                 visitors on its version, bring them home now: `crossfade rollback --force`",
                report::time_of_day(*until)
            )),
            Self::Gate { .. } => Some("nothing was changed for visitors; mend it and deploy again".into()),
            Self::Check { .. } => Some(
                "`crossfade check` deploys and moves nothing; mend the site or the check, and check again"
                    .into(),
            ),
            Self::RolledBack(_) => {
                Some("visitors are on the version before; mend it and deploy again".into())
            }
            Self::Usage(_)
            | Self::Plan(_)
            | Self::Weights(_)
            | Self::Cancelled(_)
            | Self::Interrupted(_)
            | Self::Io { .. } => None,
        }
    }
}

fn table_hint(error: &TableError) -> String {
    match error.problem {
        crossfade_core::table::Problem::NewerSchema => {
            "a newer Crossfade wrote it; use that version here too (routers keep the last table they understood)".into()
        }
        _ => "it was changed by hand or by another program; mend that field in KV (routers keep the last good table \
              meanwhile), or delete the key to begin anew: the next release then has no version to go home to"
            .into(),
    }
}

/// An error, its causes and its hint, as a person reads them on a terminal; whatever writes it elsewhere takes the colours out.
pub fn explain(error: &Error) -> String {
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    const HINT: Style = AnsiColor::Cyan.on_default().bold();
    let mut text = format!("{ERROR}error:{ERROR:#} {error}");
    for cause in error.causes() {
        text.push_str(&format!("\n  because: {cause}"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\n{HINT}hint:{HINT:#} {hint}"));
    }
    text
}
