//! What a release does, written where every other runner can read it.
//!
//! `release:<environment>` holds the release in charge or the last one; `history:<environment>:<id>` holds each ended one
//! with its evidence. A release in charge renews its record; one whose record ran out has died, and anybody may clear up
//! after it. KV has no compare-and-set, so a claim is read back after a moment: of two that claim at once, the one whose
//! write was overwritten stops. The routing table's revision is the second fence.

use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::rollout::{Saved, Stage};
use crossfade_core::table::{Environment, Owner, ReleaseId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cancel::Cancel;
use crate::cloudflare::kv::Namespace;
use crate::error::Error;
use crate::orders::Word;
use crate::report;

mod heartbeat;

pub use heartbeat::{Ear, Heartbeat, Notes};

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
    /// What happened, in the history only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Value>,
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

/// How a release ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`; `shifted` by hand; `abandoned` when it never said.
    pub outcome: String,
    /// One sentence.
    pub text: String,
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
            phase: "claim".to_owned(),
            runner: runner_name(),
            started_at: now,
            updated_at: now,
            expires_at: now.plus(EXPIRES_AFTER),
            ended: None,
            owner: None,
            stage: None,
            steps: None,
            saved: None,
            config: None,
            heard: None,
            answered: None,
            instances: Vec::new(),
            evidence: Vec::new(),
        }
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

/// An environment's records in KV.
#[derive(Clone)]
pub struct Ledger {
    namespace: Namespace,
    environment: Environment,
}

impl Ledger {
    /// The records of an environment.
    pub const fn new(namespace: Namespace, environment: Environment) -> Self {
        Self { namespace, environment }
    }

    fn key(&self) -> String {
        format!("release:{}", self.environment)
    }

    fn history_key(&self, id: &str) -> String {
        format!("history:{}:{id}", self.environment)
    }

    /// The release in charge, or the last one.
    ///
    /// # Errors
    /// When KV cannot be read or the record is damaged.
    pub fn current(&self) -> Result<Option<Record>, Error> {
        self.read(&self.key())
    }

    /// Takes charge of the environment.
    ///
    /// # Errors
    /// [`Error::InCharge`] when another release is in charge, or claimed at the same moment and won.
    pub fn claim(&self, record: &Record, cancel: &Cancel) -> Result<(), Error> {
        let refuse = |other: &Record| other.refusal("nothing was changed");
        match self.current()? {
            Some(other) if other.in_charge(report::now()) => return Err(refuse(&other)),
            Some(other) => self.bury(&other)?,
            None => {}
        }
        self.write_and_see(record, cancel)
    }

    /// Takes charge of a release whose runner is dead, as the next generation of it.
    ///
    /// # Errors
    /// [`Error::InCharge`] when somebody else took it over at the same moment and won.
    pub fn take_charge(&self, record: &Record, cancel: &Cancel) -> Result<(), Error> {
        self.write_and_see(record, cancel)
    }

    /// Writes a claim, and reads it back after a moment: of two that claim at once, the one whose write was overwritten stops.
    fn write_and_see(&self, record: &Record, cancel: &Cancel) -> Result<(), Error> {
        self.write(&self.key(), record)?;
        cancel.wait(SETTLE);
        match self.current()? {
            Some(other) if other.id != record.id || other.owner != record.owner => {
                Err(other.refusal("nothing was changed"))
            }
            Some(_) => Ok(()),
            None => Err(Error::Record { key: self.key(), why: "it vanished after it was written".into() }),
        }
    }

    /// Renews the record of the release in charge. Each of its two calls takes at most `within`.
    ///
    /// # Errors
    /// [`Error::Superseded`] when another release has taken charge, whose record stays; or when KV cannot be reached.
    pub fn renew(&self, record: &Record, within: Duration) -> Result<(), Error> {
        match self.read_within(&self.key(), within) {
            Ok(Some(other)) if other.id != record.id => {
                Err(Error::Superseded(format!("release {}", other.id)))
            }
            Ok(Some(Record { owner: Some(other), .. }))
                if record.owner.as_ref().is_some_and(|ours| is_fenced(ours, &other)) =>
            {
                Err(Error::Superseded(format!("runner {} of this release", other.runner)))
            }
            // A damaged record is nobody's.
            Ok(_) | Err(Error::Record { .. }) => self.write_within(&self.key(), record, within),
            Err(error) => Err(error),
        }
    }

    /// Puts an ended release into the history and lets go of the environment, whoever was in charge.
    ///
    /// # Errors
    /// When KV cannot be written.
    pub fn take_over(&self, record: &Record) -> Result<(), Error> {
        // Whose record cannot be read leaves nothing to bury.
        let left = self.current().ok().flatten().filter(|other| other.id != record.id);
        let buried = left.map_or(Ok(()), |other| self.bury(&other));
        self.close(record)?;
        buried
    }

    /// Puts a release that never ended into the history, so that it is known and its deployment can be cleaned up. One that
    /// is alive after all writes its own account over this when it finds itself taken over.
    fn bury(&self, left: &Record) -> Result<(), Error> {
        let known = || self.namespace.read(&self.history_key(&left.id), WITHIN);
        let read = Error::cloudflare(format!("read the history of {} from KV", left.id));
        if left.ended.is_some() || known().map_err(read)?.is_some() {
            return Ok(());
        }
        let text = format!(
            "{} never ended: last heard of at {} ({}, {})",
            left.version, left.updated_at, left.phase, left.runner
        );
        let ended = Some(Ended { at: report::now(), outcome: "abandoned".into(), text });
        self.archive(&Record { ended, ..left.clone() })
    }

    fn close(&self, record: &Record) -> Result<(), Error> {
        self.archive(record)?;
        self.write(&self.key(), &Record { evidence: Vec::new(), ..record.clone() })
    }

    /// Puts an ended release into the history and lets go of the environment, unless another is in charge there.
    ///
    /// # Errors
    /// When KV cannot be written.
    pub fn close_ours(&self, record: &Record) -> Result<(), Error> {
        match self.current() {
            Ok(Some(other)) if other.id != record.id => self.archive(record),
            // Whoever has taken this release over tells its end.
            Ok(Some(Record { owner: Some(other), .. }))
                if record.owner.as_ref().is_some_and(|ours| is_fenced(ours, &other)) =>
            {
                Ok(())
            }
            Ok(_) | Err(Error::Record { .. }) => self.close(record),
            Err(error) => Err(error),
        }
    }

    fn archive(&self, record: &Record) -> Result<(), Error> {
        self.write(&self.history_key(&record.id), record)
    }

    /// Ended releases, newest first, at most `limit`.
    ///
    /// # Errors
    /// When KV cannot be read. A damaged entry is left out.
    pub fn history(&self, limit: usize) -> Result<Vec<Record>, Error> {
        let keys = self.history_keys()?;
        let mut records = Vec::new();
        for key in keys.iter().rev().take(limit) {
            match self.read(key) {
                Ok(record) => records.extend(record),
                Err(Error::Record { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// The keys of ended releases, oldest first: a release's id begins with its time.
    fn history_keys(&self) -> Result<Vec<String>, Error> {
        let prefix = self.history_key("");
        let mut keys =
            self.namespace.list(&prefix, WITHIN).map_err(Error::cloudflare("list the history in KV"))?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Notes in the history that a release's deployments are gone.
    ///
    /// # Errors
    /// When KV cannot be written.
    pub fn forget_deployment(&self, record: &Record) -> Result<(), Error> {
        let mut instances = record.instances.clone();
        instances.iter_mut().for_each(|instance| instance.deployment_id = None);
        self.write(
            &self.history_key(&record.id),
            &Record { deployment_id: None, instances, ..record.clone() },
        )
    }

    fn read(&self, key: &str) -> Result<Option<Record>, Error> {
        self.read_within(key, WITHIN)
    }

    fn read_within(&self, key: &str, within: Duration) -> Result<Option<Record>, Error> {
        let bytes =
            self.namespace.read(key, within).map_err(Error::cloudflare(format!("read `{key}` from KV")))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let damaged = |why: String| Error::Record { key: key.to_owned(), why };
        let document: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match document.get("schema").and_then(Value::as_u64) {
            Some(SCHEMA) => {
                serde_json::from_value(document).map(Some).map_err(|error| damaged(error.to_string()))
            }
            _ => {
                let found = document.get("schema").map_or("missing".to_owned(), |value| format!("`{value}`"));
                Err(damaged(format!("`schema` is {found}; this version reads {SCHEMA}")))
            }
        }
    }

    fn write(&self, key: &str, record: &Record) -> Result<(), Error> {
        self.write_within(key, record, WITHIN)
    }

    fn write_within(&self, key: &str, record: &Record, within: Duration) -> Result<(), Error> {
        let json = serde_json::to_vec(record)
            .map_err(|error| Error::Record { key: key.to_owned(), why: error.to_string() })?;
        self.namespace.write(key, &json, within).map_err(Error::cloudflare(format!("write `{key}` to KV")))
    }
}

/// Whether somebody else has taken this very release over since.
fn is_fenced(ours: &Owner, other: &Owner) -> bool {
    other.runner != ours.runner && other.generation >= ours.generation
}

/// The workflow run's URL inside GitHub Actions
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>), else host and process.
pub fn runner_name() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let run = (|| {
        let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
    })();
    run.unwrap_or_else(|| {
        let host = variable("HOSTNAME")
            .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
            .map_or_else(|| "this host".to_owned(), |name| name.trim().to_owned());
        format!("process {} on {host}", std::process::id())
    })
}
