//! Arguments of `crossfade init`.

use std::path::PathBuf;

/// What nobody says is asked at a terminal, and else taken from what the repository says.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Init {
    /// Ask nothing: take what the repository says, and placeholders for the rest.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Overwrite files that are there.
    #[arg(long)]
    pub(crate) force: bool,
    /// The Pages project.
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// The build's output.
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<String>,
    /// The command that builds; an empty one: nothing is built.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) build: Option<String>,
    /// The public URL, where the router answers.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The id of the KV namespace that the router reads.
    #[arg(long, value_name = "ID")]
    pub(crate) kv_namespace: Option<String>,
    /// How visitors are moved to a new version.
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<Strategy>,
    /// The branch whose pushes are released.
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,
    /// Where the workflow goes. Default: `.github/workflows/crossfade.yml`; in a repository with several sites with the site's
    /// directory in its name.
    #[arg(long, value_name = "FILE")]
    pub(crate) workflow: Option<PathBuf>,
    /// Write no workflow.
    #[arg(long, conflicts_with = "workflow")]
    pub(crate) no_workflow: bool,
}

/// The strategies that need no fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Strategy {
    /// Everybody at once, checked before and after.
    BlueGreen,
    /// A few visitors first, then more and more.
    Canary,
}
