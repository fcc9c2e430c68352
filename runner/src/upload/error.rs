//! Why there is no deployment: what happened, what to do.

use std::time::Duration;

use crossfade_core::Span;

use super::files::FilesError;
use crate::cloudflare;

/// Why there is no deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory is not one that Pages takes.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Cloudflare did not do it.
    #[error("cannot {doing}")]
    Cloudflare {
        /// What; follows "cannot".
        doing: &'static str,
        /// Its answer.
        source: cloudflare::Error,
    },
    /// Cloudflare's upload token makes no sense.
    #[error("Cloudflare's upload token makes no sense: {0}")]
    Token(String),
    /// The deployment was made and failed.
    #[error("deployment {id} failed at stage `{stage}`{}", log.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Failed {
        /// Its id.
        id: String,
        /// Where.
        stage: String,
        /// The last lines that it logged.
        log: Vec<String>,
    },
    /// The deployment was not live in time.
    #[error("deployment {id} was not live within {} (stage `{stage}`)", Span(*within))]
    NotLive {
        /// Its id.
        id: String,
        /// Where it stands.
        stage: String,
        /// How long it had.
        within: Duration,
    },
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A bug.
    #[error("internal error: the upload panicked")]
    Panicked,
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Files(error) => error.hint(),
            Self::Cloudflare { source, .. } => source.hint(),
            Self::Token(_)
            | Self::Failed { .. }
            | Self::NotLive { .. }
            | Self::Cancelled
            | Self::Panicked => None,
        }
    }

    pub(super) fn doing(doing: &'static str) -> impl FnOnce(cloudflare::Error) -> Self {
        move |source| Self::Cloudflare { doing, source }
    }
}
