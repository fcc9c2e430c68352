//! What a release does, written where every other runner can read it.
//!
//! `release:<environment>` holds the release in charge or the last one; `history:<environment>:<id>` holds each ended one
//! with its evidence. A release in charge renews its record; one whose record ran out has died, and anybody may clear up
//! after it. KV has no compare-and-set, so a claim is read back after a moment: of two that claim at once, the one whose
//! write was overwritten stops. The routing table's revision is the second fence.

use std::path::PathBuf;
use std::time::Duration;

use crossfade_core::rollout::{Saved, Stage};
use crossfade_core::table::{Environment, Owner, ReleaseId};
use crossfade_core::{RoutingTable, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::orders::{Letter, Word};
use crate::report;

mod ended;
mod heartbeat;
mod ledger;

pub use ended::Ended;
pub use heartbeat::{Ear, Heartbeat, Notes};
pub use ledger::Ledger;

/// How long a record counts without being renewed.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(180);
/// How long after a claim it is read back.
const SETTLE: Duration = Duration::from_millis(1_200);
/// The most one call to KV may take.
pub const WITHIN: Duration = Duration::from_secs(10);
const SCHEMA: u64 = 1;

/// One release, as other runners see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The document's schema: 1.
    pub schema: u64,
    /// The release.
    pub id: String,
    /// Whose traffic.
    pub environment: String,
    /// `deploy`, `rollback`, `weights`.
    pub command: String,
    /// What is deployed.
    pub version: String,
    /// What served visitors when it began.
    pub stable_version: Option<String>,
    /// The slot it goes to.
    pub slot: String,
    /// Where it is, once uploaded.
    pub origin: Option<String>,
    /// Its Pages deployment, once uploaded.
    pub deployment_id: Option<String>,
    /// It is where nothing of ours removes it: it was there before, or a command brought it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// What it is doing.
    pub phase: String,
    /// Who runs it, in words: host and process, or the workflow run's URL.
    pub runner: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When this was written.
    pub updated_at: Timestamp,
    /// From when on the runner counts as dead.
    pub expires_at: Timestamp,
    /// How it ended; absent while it is in charge.
    pub ended: Option<Ended>,
    /// What it was built from, when git knows; a report's lead time begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Which process is in charge of it.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// What it does while traffic moves, in words that `status` shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How many steps its plan has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Where it is, so that another runner can go on from there; absent before traffic moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Saved>,
    /// The configuration as it was when the release began; it has no secrets. Whoever goes on with the release goes on by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The last order that was heard: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
    /// The last order that was done or refused, and what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// The fleet of a rolling release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceRecord>,
    /// The table that a fleet's release has replaced, for the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RoutingTable>,
    /// Where a fleet's release takes its version from, for whoever goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<FleetSource>,
    /// What happened so far, also by the hands of earlier runners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Value>,
}

/// Where a fleet's release takes its version from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetSource {
    /// What is uploaded to instances that are Pages projects.
    pub directory: PathBuf,
    /// What Cloudflare's dashboard calls the deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The table that is gone back to, by the rollback commands of instances that were overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<RoutingTable>,
}

/// One instance of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Its name in the table.
    pub name: String,
    /// Where the new version is; absent while it has not got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The Pages project that it was uploaded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its deployment there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
}

/// A Pages deployment that a release made.
#[derive(Clone, Debug)]
pub struct Uploaded<'a> {
    /// Whose; the environment's own project when absent.
    pub project: Option<&'a str>,
    /// Its id.
    pub id: &'a str,
    /// Where it is.
    pub origin: Option<&'a str>,
}

/// An order, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// Which.
    pub id: String,
    /// What was said.
    pub order: Word,
    /// By whom, and why.
    pub by: String,
    /// Why not; absent when it was obeyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Answered {
    /// What became of an order: obeyed, or why not.
    pub fn to(letter: &Letter, reply: Result<(), String>) -> Self {
        let Letter { id, order, .. } = letter.clone();
        Self { id, order, by: letter.whose(), refused: reply.err(), at: report::now() }
    }
}

impl Record {
    /// A record of a release that begins now.
    pub fn begin(
        id: &ReleaseId,
        environment: &Environment,
        command: &str,
        version: &str,
        slot: &str,
    ) -> Self {
        let now = report::now();
        Self {
            schema: SCHEMA,
            id: id.to_string(),
            environment: environment.to_string(),
            command: command.to_owned(),
            version: version.to_owned(),
            stable_version: None,
            slot: slot.to_owned(),
            origin: None,
            deployment_id: None,
            elsewhere: false,
            phase: "claim".to_owned(),
            runner: runner_name(),
            started_at: now,
            updated_at: now,
            expires_at: now.plus(EXPIRES_AFTER),
            ended: None,
            commit: None,
            owner: None,
            stage: None,
            steps: None,
            saved: None,
            config: None,
            heard: None,
            answered: None,
            instances: Vec::new(),
            before: None,
            source: None,
            evidence: Vec::new(),
        }
    }

    /// Whether it brings a version, rather than bringing one back or setting weights.
    pub fn is_release(&self) -> bool {
        !matches!(self.command.as_str(), "rollback" | "weights")
    }

    /// The deployments that it made and that are still there.
    pub fn uploaded(&self) -> Vec<Uploaded<'_>> {
        let one = self.deployment_id.as_deref().map(|id| Uploaded {
            project: None,
            id,
            origin: self.origin.as_deref(),
        });
        let fleet = self.instances.iter().filter_map(|instance| {
            let (project, origin) = (instance.project.as_deref(), instance.origin.as_deref());
            Some(Uploaded { project, id: instance.deployment_id.as_deref()?, origin })
        });
        one.into_iter().chain(fleet).collect()
    }

    /// That nobody else can begin, until when at most, and what that means for whoever tried.
    pub fn refusal(&self, therefore: &str) -> Error {
        let Self { id, version, environment, phase, runner, expires_at, .. } = self;
        let dead_from = report::time_of_day(*expires_at);
        Error::InCharge {
            text: format!(
                "release {id} of {version} is in charge of {environment} ({phase}, {runner}); {therefore}; it counts as \
                 dead from {dead_from} on unless it is heard of before"
            ),
            until: *expires_at,
        }
    }

    /// The same, heard of now.
    #[must_use]
    pub fn renewed(self, now: Timestamp) -> Self {
        Self { updated_at: now, expires_at: now.plus(EXPIRES_AFTER), ..self }
    }

    /// Whether its runner is still in charge, as far as the record tells.
    pub fn in_charge(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}

/// The job of a workflow run inside GitHub Actions, as the URL of the run
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>), else host and process.
pub fn runner_name() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let part =
        |name: &str, before: &str| variable(name).map_or_else(String::new, |it| format!("{before}{it}"));
    let run = (|| {
        let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
        let run = variable("GITHUB_RUN_ID")?;
        // Another job of this run, or this job when it is run once more, is somebody else.
        let (attempt, job) = (part("GITHUB_RUN_ATTEMPT", "/attempts/"), part("GITHUB_JOB", "#"));
        Some(format!("{server}/{repository}/actions/runs/{run}{attempt}{job}"))
    })();
    run.unwrap_or_else(|| {
        let host = variable("HOSTNAME")
            .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
            .map_or_else(|| "this host".to_owned(), |name| name.trim().to_owned());
        format!("process {} on {host}", std::process::id())
    })
}
