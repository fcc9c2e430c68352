//! `crossfade router`: the Worker itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use crossfade_core::Span;

#[derive(Debug, Subcommand)]
pub(crate) enum Router {
    /// Install the router, go on where an installation stopped, or bring its settings up to date: KV namespace, first routing
    /// table, Worker, and, last of all, the route or custom domain that leads visitors to it. What fails is undone.
    Deploy(RouterDeploy),
    /// Show what there is of the router, and what `router deploy` would change.
    Status(RouterBundle),
    /// Replace the router by the one that this program carries, version beside version: 0 %, 10 %, 50 %, 100 % of the requests,
    /// checked each time, and put back when a check fails.
    Upgrade(RouterDeploy),
    /// Lead visitors to the site without the router again, and remove the Worker.
    Remove(RouterRemove),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RouterBundle {
    /// The directory of a built router, instead of the one that this program carries.
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RouterDeploy {
    #[command(flatten)]
    pub(crate) bundle: RouterBundle,
    /// How long a new version of a router that serves visitors is watched at each share.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = super::pages::span)]
    pub(crate) hold: Span,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RouterRemove {
    /// Also delete the KV namespace, with the history of all releases.
    #[arg(long)]
    pub(crate) purge: bool,
    /// Also when what lies beneath the router is another version, or nothing.
    #[arg(long)]
    pub(crate) force: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
