//! `crossfade pages`: the flags are wrangler's where the thing is the same.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use crossfade_core::Span;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

#[derive(Debug, Subcommand)]
pub(crate) enum Pages {
    /// Upload a directory and make a Pages deployment of it: what `wrangler pages deploy` does. No traffic is moved by a router.
    Deploy(PagesDeploy),
    /// The deployments that the project keeps, the newest first.
    List(PagesList),
    /// Make a deployment once more, such as one that failed.
    Retry(PagesRetry),
    /// Remove a deployment, unless a routing table names it: visitors are sent there, or their browsers still fetch its files.
    Delete(PagesDelete),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PagesList {
    /// Only those of this version or commit.
    #[arg(long = "as", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The Pages project; default: `project` of the configuration, where there is one.
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PagesRetry {
    /// Its id, or the beginning of it.
    pub(crate) id: String,
    /// The Pages project; default: `project` of the configuration, where there is one.
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// How long the new deployment may take to be live.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) live_within: Duration,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PagesDelete {
    /// Its id, or the beginning of it.
    pub(crate) id: String,
    /// The Pages project; default: `project` of the configuration.
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PagesDeploy {
    /// The build's output; default: `directory` of the configuration, where there is one.
    pub(crate) directory: Option<PathBuf>,
    /// The Pages project; default: `project` of the configuration, where there is one.
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// The branch; its deployments are previews unless it is the project's production branch. Default: what git says, else
    /// production.
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,
    /// The commit; default: what git says.
    #[arg(long, value_name = "HASH")]
    pub(crate) commit_hash: Option<String>,
    /// Its message; default: what git says.
    #[arg(long, value_name = "TEXT")]
    pub(crate) commit_message: Option<String>,
    /// Whether there is more in the directory than in the commit; default: what git says.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) commit_dirty: Option<bool>,
    /// Send also the files that Cloudflare has.
    #[arg(long)]
    pub(crate) skip_caching: bool,
    /// Make the project when there is none.
    #[arg(long)]
    pub(crate) create_project: bool,
    /// The production branch of a project that is made.
    #[arg(long, value_name = "BRANCH", default_value = "main", requires = "create_project")]
    pub(crate) production_branch: String,
    /// How long the deployment may take to be live once it is made.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) live_within: Duration,
    /// Only say what would be sent.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// As in the configuration.
pub(super) fn span(text: &str) -> Result<Span, Error> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    Span::deserialize(text)
}

fn duration(text: &str) -> Result<Duration, Error> {
    span(text).map(|span| span.0)
}
