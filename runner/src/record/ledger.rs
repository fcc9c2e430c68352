//! The records of an environment: who is in charge, and who was.

use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::table::{Environment, Owner};
use serde_json::Value;

use super::{Ended, Record, SCHEMA, SETTLE, WITHIN};
use crate::cancel::Cancel;
use crate::cloudflare::kv::Namespace;
use crate::error::Error;
use crate::report;

/// The most records that one question reads: one call to KV each.
const READ_MAX: usize = 500;

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

    /// Takes charge of a release whose runner, `from`, is dead, as the next generation of it.
    ///
    /// # Errors
    /// [`Error::InCharge`] when somebody else took it over since, or at the same moment and won; [`Error::Usage`] when it
    /// has ended meanwhile.
    pub fn take_charge(&self, record: &Record, from: Option<&Owner>, cancel: &Cancel) -> Result<(), Error> {
        if let Some(found) = self.current()? {
            if found.id != record.id || found.owner.as_ref() != from {
                return Err(found.refusal("nothing was changed"));
            }
            if let Some(ended) = found.ended {
                let text = format!("release {} has ended meanwhile ({})", found.id, ended.outcome);
                return Err(Error::Usage(text));
            }
        }
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
            Ok(Some(Record { owner: Some(other), .. })) if record.is_lost_to(&other) => {
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
            Ok(Some(Record { owner: Some(other), .. })) if record.is_lost_to(&other) => Ok(()),
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

    /// Ended releases that began after `since`, newest first; with them as many older ones as it takes until `enough` says so of all
    /// that were read. At most [`READ_MAX`].
    ///
    /// # Errors
    /// As [`Ledger::history`].
    pub fn history_since(
        &self,
        since: Timestamp,
        enough: impl Fn(&[Record]) -> bool,
    ) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = Vec::new();
        for key in self.history_keys()?.iter().rev().take(READ_MAX) {
            if records.last().is_some_and(|oldest| oldest.started_at < since) && enough(&records) {
                break;
            }
            match self.read(key) {
                Ok(record) => records.extend(record),
                Err(Error::Record { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// The ended release of that id, or the newest one of that version; what was done by hand only when there is none.
    ///
    /// # Errors
    /// As [`Ledger::history`].
    pub fn ended(&self, wanted: &str) -> Result<Option<Record>, Error> {
        if wanted.starts_with("rel-") {
            return self.read(&self.history_key(wanted));
        }
        let released = |record: &Record| record.version == wanted && record.is_release();
        let mut records = self.history_since(report::now(), |records| records.iter().any(released))?;
        let found = records.iter().position(released);
        let found = found.or_else(|| records.iter().position(|record| record.version == wanted));
        Ok(found.map(|at| records.swap_remove(at)))
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

impl Record {
    /// Whether somebody else has taken this very release over since.
    fn is_lost_to(&self, other: &Owner) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|ours| other.runner != ours.runner && other.generation >= ours.generation)
    }
}
