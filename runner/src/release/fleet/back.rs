//! A fleet's way back after its release has settled: one write when nothing was overwritten; else a rolling release backwards, by
//! the rollback commands.

use std::collections::BTreeSet;
use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Draft, Previous, ReleaseId, Variant, Version};

use super::instances;
use crate::command::Session;
use crate::config::{InstanceConfig, Place, Strategy};
use crate::error::Error;
use crate::probe::{self, Request, Target};
use crate::release::{self, Source};
use crate::report;

/// The most one question to a deployment may take.
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// How far back the history is looked through.
const LOOK_BACK: usize = 100;

/// What leads back.
pub enum Back {
    /// This table.
    Table(Box<RoutingTable>),
    /// A release.
    Release(release::Request),
}

/// Whether a table is a settled fleet's.
pub fn is_settled_fleet(session: &Session, table: &RoutingTable) -> bool {
    let listed = |variant: &Variant| configured(session, variant).is_some();
    session.config.rollout.strategy == Strategy::Rolling
        && table.lease().is_none()
        && table.variants().iter().any(listed)
}

/// How to get to what the table in force has replaced.
///
/// # Errors
/// When that is not known, or cannot be had any more.
pub fn back(
    session: &Session,
    table: &RoutingTable,
    release: &ReleaseId,
    force: bool,
) -> Result<Back, Error> {
    let before = before(session, table)?;
    let mut replaced = false;
    for variant in before.variants() {
        replaced |= is_overwritten(session, table, variant)?;
    }
    if replaced {
        let version = one_version(&before)?;
        let source = Source::Before { table: Box::new(before) };
        return Ok(Back::Release(release::Request { source, version }));
    }
    if !force {
        before.variants().iter().try_for_each(answers)?;
    }
    let left = table.variants().iter().cloned().map(Previous::from).collect();
    let draft = Draft {
        revision: table.revision().next(),
        release: release.clone(),
        owner: None,
        updated_at: report::now(),
        lease: None,
        previous: left,
        ..before.draft()
    };
    RoutingTable::new(draft).map(|table| Back::Table(Box::new(table))).map_err(Error::Weights)
}

/// The table that the one in force has replaced.
fn before(session: &Session, table: &RoutingTable) -> Result<RoutingTable, Error> {
    let unknown = || {
        Error::Usage(format!(
            "what the instances were before is not known: {} ({}) does not say; deploy the version that you want",
            table.release(),
            table.updated_at()
        ))
    };
    let history = session.ledger.history(LOOK_BACK)?;
    let mut wrote = table.release().clone();
    for _ in 0..history.len() {
        let record = history.iter().find(|record| record.id == wrote.as_str());
        let before = record.and_then(|record| record.before.as_ref()).ok_or_else(unknown)?;
        if !is_same(before, table) {
            return Ok(before.clone());
        }
        // A release that was rolled back left what it found.
        wrote = before.release().clone();
    }
    Err(unknown())
}

/// Whether everybody gets the same from both.
fn is_same(one: &RoutingTable, other: &RoutingTable) -> bool {
    let what = |table: &RoutingTable| -> BTreeSet<(String, String)> {
        let of = |it: &Variant| (it.origin.to_string(), it.version.to_string());
        table.variants().iter().map(of).collect()
    };
    what(one) == what(other)
}

/// Whether an instance's version before has to be brought back by its command.
fn is_overwritten(session: &Session, table: &RoutingTable, before: &Variant) -> Result<bool, Error> {
    let now = table.variants().iter().find(|now| now.origin == before.origin);
    if now.is_none_or(|now| now.version == before.version) {
        return Ok(false);
    }
    let commands =
        configured(session, before).map(InstanceConfig::place).transpose().map_err(Error::Usage)?;
    match commands {
        Some(Place::Origin(commands)) if commands.origin == before.origin => Ok(true),
        Some(_) | None => Err(Error::Usage(format!(
            "`{}` was replaced in place at {}, and [[instances]] has no `rollback` command for it any more",
            before.name, before.origin
        ))),
    }
}

fn configured<'a>(session: &'a Session, variant: &Variant) -> Option<&'a InstanceConfig> {
    instances(session).iter().find(|instance| instance.name == variant.name.as_str())
}

fn one_version(table: &RoutingTable) -> Result<Version, Error> {
    let version = &table.stable().version;
    match table.variants().iter().find(|variant| variant.version != *version) {
        None => Ok(version.clone()),
        Some(other) => Err(Error::Usage(format!(
            "the instances had different versions before ({} {version}, {} {}): deploy the one that you want",
            table.stable().name,
            other.name,
            other.version
        ))),
    }
}

/// Refuses an origin that is gone: old deployments are removed.
fn answers(variant: &Variant) -> Result<(), Error> {
    let at = Target::new(variant.origin.as_str());
    let request = Request { method: "GET", path: "/", headers: &[], body: None, timeout: ASK_WITHIN };
    let gone = |why: String| {
        Error::Usage(format!(
            "{} {} at {} cannot be gone back to: {why}; --force goes there all the same",
            variant.name, variant.version, variant.origin
        ))
    };
    match probe::send(&probe::agent(), &at, request) {
        Ok(observed) if observed.status < 500 => Ok(()),
        Ok(observed) => Err(gone(format!("it answers {}", observed.status))),
        Err(error) => Err(gone(error.to_string())),
    }
}
