//! Arguments and environment variables in, a command out. Nothing of `clap` travels further.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::report::Mode;

#[cfg(test)]
mod documented;
mod init;
mod pages;
mod questions;
mod router;
mod run;
mod when;

pub(crate) use init::{Init, Strategy};
pub(crate) use pages::{Pages, PagesDelete, PagesDeploy, PagesList, PagesRetry};
pub(crate) use questions::{Check, History, Monitor, Report, Status, Validate};
pub(crate) use router::{Router, RouterBundle, RouterDeploy, RouterRemove};
pub use run::run;
pub(crate) use when::When;

/// Zero-downtime, reversible deploys to Cloudflare Pages.
///
/// A router Worker sends each visitor to a version of your site according to one small document in Workers KV. This
/// program uploads a new version, checks it, moves visitors over and measures; when a measurement says so, it puts
/// everything back.
///
/// Secrets come from the environment only: CLOUDFLARE_API_TOKEN (Pages: Edit, Workers KV Storage: Edit), CROSSFADE_TOKEN
/// (the router's), and CROSSFADE_SIGNING_KEY when the router has a SIGNING_KEY.
#[derive(Debug, Parser)]
#[command(name = "crossfade", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  unexpected
  2  usage or configuration
  3  not started: a check failed before any visitor met the new version
  4  rolled back: visitors are back on the version before
  5  superseded: another release is in charge, nothing was touched
  6  stuck: needs a person; the message says what traffic does";

/// What all commands share.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "CROSSFADE_CONFIG",
        default_value = "crossfade.toml",
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,
    /// Which of the file's environments.
    #[arg(
        short,
        long,
        global = true,
        env = "CROSSFADE_ENVIRONMENT",
        default_value = "production",
        value_name = "NAME"
    )]
    pub(crate) environment: String,
    /// The Cloudflare account.
    #[arg(long, global = true, env = "CLOUDFLARE_ACCOUNT_ID", value_name = "ID")]
    pub(crate) account_id: Option<String>,
    /// Where Cloudflare's API is; for the sandbox.
    #[arg(
        long,
        global = true,
        env = "CLOUDFLARE_API_BASE_URL",
        default_value = "https://api.cloudflare.com/client/v4",
        value_name = "URL",
        hide_short_help = true
    )]
    pub(crate) api_base_url: String,
    /// Write what happens there, events.ndjson, and when a release has ended its report: report.html, report.md, timeline.svg.
    #[arg(long, global = true, env = "CROSSFADE_REPORT", value_name = "DIRECTORY", hide_short_help = true)]
    pub(crate) report: Option<PathBuf>,
    /// One JSON object a line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Global {
    pub(crate) const fn mode(&self) -> Mode {
        if self.json { Mode::Json } else { Mode::Lines }
    }

    /// What says where we look, as it would be typed again.
    pub(crate) fn words(&self) -> Vec<String> {
        let config = self.config.display().to_string();
        let mut words = vec![
            "--config",
            &config,
            "--environment",
            &self.environment,
            "--api-base-url",
            &self.api_base_url,
        ];
        words.extend(self.account_id.iter().flat_map(|id| ["--account-id", id]));
        words.into_iter().map(str::to_owned).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a configuration and a workflow for this repository; never overwrites a file without asking.
    Init(Init),
    /// Release a new version: build, upload, health checks, smoke tests, switch, verify, settle.
    Deploy(Deploy),
    /// Release a version that is already deployed somewhere: the same without build and upload.
    Rollout(Rollout),
    /// Take the release in flight further now: past its hold, an approval, or a verdict that paused it; with nothing in flight,
    /// forward again after a rollback.
    Promote(Promote),
    /// Bring visitors of the release in flight back to the version before.
    Abort(Say),
    /// Keep the release in flight from going any further; it goes on being measured.
    Pause(Say),
    /// Let a paused release go on; take one over whose runner has died.
    Resume(Say),
    /// Let the step begin that waits for an approval.
    Approve(Say),
    /// Release the last version once more that did not make it, without building or uploading it again.
    Retry,
    /// Bring all visitors back to the version before, or to any release of the history, with one write.
    Rollback(Rollback),
    /// Show what serves visitors, what is in flight and what the edge says.
    Status(Status),
    /// List the releases that ended, newest first.
    History(History),
    /// Tell how releases went, or what happened in one of them, as text, Markdown, or a page with pictures.
    Report(Report),
    /// Watch what visitors get, of every environment, and raise alerts, until a signal or `--for` ends it.
    Monitor(Monitor),
    /// Set the weights by hand, with the same invariants as a release.
    Weights(Weights),
    /// Run the health checks and smoke tests against a URL, and nothing else.
    Check(Check),
    /// Deployments of Cloudflare Pages alone, without the router.
    #[command(subcommand)]
    Pages(Pages),
    /// The router itself: the Worker that sends visitors to versions.
    #[command(subcommand)]
    Router(Router),
    /// Check the configuration file and say what a release will do by it; nothing is asked of anybody.
    Validate(Validate),
    /// Print the JSON Schema of the configuration file, or of what notifications are told.
    Schema {
        /// Of the events: JSON lines, files, webhooks.
        #[arg(long)]
        events: bool,
    },
    /// Print the man page.
    Man {
        /// Write it there, and one for each command.
        #[arg(long, value_name = "DIRECTORY")]
        into: Option<PathBuf>,
    },
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The build's output; default: `directory` of the configuration.
    pub(crate) directory: Option<PathBuf>,
    /// What the new version is called; default: what `git describe --always --dirty` says.
    #[arg(long = "as", env = "CROSSFADE_VERSION", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// What Cloudflare's dashboard calls the deployment.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rollout {
    /// Where the new version is: scheme and host.
    #[arg(long, value_name = "URL")]
    pub(crate) origin: String,
    /// What it is called.
    #[arg(long = "as", env = "CROSSFADE_VERSION", value_name = "VERSION")]
    pub(crate) version: String,
}

/// Something that is said to the release in flight.
#[derive(Debug, Args)]
pub(crate) struct Say {
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// Take the release over at once, without waiting until its runner counts as dead. A runner that is alive after all stops
    /// by itself.
    #[arg(long)]
    pub(crate) runner_is_dead: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Straight to the last step, without the holds and gates between; a measurement must pass there.
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) say: Say,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The release (`rel-…`) or version to go to, back or forward; `crossfade history` lists them. Default: the version before.
    #[arg(long, value_name = "RELEASE|VERSION", conflicts_with = "if_unsettled")]
    pub(crate) to: Option<String>,
    /// Also when a release is in charge, which will find that out and stop; also to a deployment that does not answer.
    #[arg(long)]
    pub(crate) force: bool,
    /// Only when a release was cut off with weights shifted that this job began or whose lease has run out; otherwise do nothing.
    #[arg(long, conflicts_with = "force")]
    pub(crate) if_unsettled: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Weights {
    /// `NAME=PERCENT` for each variant, such as `stable=90 canary=10` or `blue=90 green=10`; together 100.
    #[arg(required = true, value_name = "NAME=PERCENT")]
    pub(crate) weights: Vec<String>,
    /// Also when a release is in charge; it will find that out and stop.
    #[arg(long)]
    pub(crate) force: bool,
}

/// The program's arguments, for whoever checks or describes them.
pub fn arguments() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }
}
