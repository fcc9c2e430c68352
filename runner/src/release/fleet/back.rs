//! A fleet's way back after its release has settled: one write when nothing was overwritten; else a rolling release backwards, by
//! the rollback commands.

use std::collections::BTreeSet;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Draft, PREVIOUS_MAX, Previous, ReleaseId, Variant, Version};

use super::instances;
use crate::command::Session;
use crate::config::{InstanceConfig, Place, Strategy};
use crate::error::Error;
use crate::probe;
use crate::release::{self, Source};
use crate::report;

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
        return Ok(Back::Release(release::Request { source, version, commit: None }));
    }
    if !force {
        before.variants().iter().try_for_each(answers)?;
    }
    let draft = Draft {
        revision: table.revision().next(),
        release: release.clone(),
        owner: None,
        updated_at: report::now(),
        lease: None,
        previous: left_behind(table, &before),
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

/// Where the files of pages are that the table in force has answered. One instance of a version is enough.
fn left_behind(table: &RoutingTable, before: &RoutingTable) -> Vec<Previous> {
    let mut left: Vec<Previous> = Vec::new();
    let newest_first = table.variants().iter().cloned().map(Previous::from);
    for older in newest_first.chain(before.previous().iter().cloned()) {
        let listed = before.variants().iter().any(|variant| variant.origin == older.origin)
            || left.iter().any(|newer| newer.version == older.version);
        if !listed && left.len() < PREVIOUS_MAX {
            left.push(older);
        }
    }
    left
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
    let gone = |why: String| {
        Error::Usage(format!(
            "{} {} at {} cannot be gone back to: {why}; --force goes there all the same",
            variant.name, variant.version, variant.origin
        ))
    };
    match probe::status(&variant.origin) {
        Ok(status) if status < 500 => Ok(()),
        Ok(status) => Err(gone(format!("it answers {status}"))),
        Err(error) => Err(gone(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fleet(version: &str, instances: usize) -> RoutingTable {
        let variants: Vec<_> = (0..instances)
            .map(|it| {
                let weight = if it == 0 { 10_000 } else { 0 };
                let origin = format!("https://v{}-{it}.example.com", version.len());
                json!({ "name": format!("i{it}"), "origin": origin, "version": version, "weight": weight })
            })
            .collect();
        let table = json!({
            "schema": 1, "environment": "production", "revision": 3, "release": "rel-3", "stable": "i0",
            "updated_at": "2026-01-01T00:00:00Z", "affinity": { "by": "cookie", "salt": "s" }, "variants": variants,
        });
        RoutingTable::parse(table.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_large_fleet_leaves_one_place_of_its_version_behind() {
        let (now, before) = (fleet("1.1.0", 16), fleet("1.0", 16));
        let left = left_behind(&now, &before);
        let origins: Vec<&str> = left.iter().map(|it| it.origin.as_str()).collect();
        assert_eq!(origins, ["https://v5-0.example.com"]);
        assert_eq!(left_behind(&before, &before), []);
    }

    #[test]
    fn tables_are_the_same_when_everybody_gets_the_same() {
        assert!(is_same(&fleet("1.0", 3), &fleet("1.0", 3)));
        assert!(
            !is_same(&fleet("1.0", 3), &fleet("1.1.0", 3)) && !is_same(&fleet("1.0", 3), &fleet("1.0", 2))
        );
    }
}
