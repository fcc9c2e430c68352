//! Writing a table: first the release's record, so that others know and can go on from there; then a look at what is
//! replaced; then the write.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Found, Rollout, WriteFailure, Writer, standing};
use crossfade_core::table::{Environment, Revision};

use super::World;
use crate::cancel::Cancel;
use crate::cloudflare;
use crate::cloudflare::kv::Namespace;
use crate::error::Error;

/// The most that looking at the table before a write may take.
const FENCE_WITHIN: Duration = Duration::from_millis(1_500);
/// The most that a write of the table may take.
const WRITE_WITHIN: Duration = Duration::from_millis(2_200);

pub(super) fn publish(
    world: &World<'_>,
    rollout: &Rollout,
    table: &RoutingTable,
    base: Option<Revision>,
    urgent: bool,
    cancel: &Cancel,
) -> Result<(), WriteFailure> {
    let not_cancelled = || match cancel.reason() {
        Some(reason) if !urgent => Err(WriteFailure::NotWritten(format!("cancelled: {reason}"))),
        Some(_) | None => Ok(()),
    };
    if let Some(by) = world.heartbeat.lost_to() {
        return Err(WriteFailure::Superseded(by.to_owned()));
    }
    let phase = format!("revision {}", table.revision());
    if urgent {
        world.heartbeat.tell(|record| {
            record.phase = format!("going home, {phase}");
            record.saved = Some(rollout.saved());
        });
    } else {
        let update = world.heartbeat.update(FENCE_WITHIN, |record| {
            record.phase = phase;
            record.saved = Some(rollout.saved());
        });
        update.map_err(|error| match error {
            Error::Superseded(by) => WriteFailure::Superseded(by),
            error => WriteFailure::NotWritten(format!("the release's record: {}", error.in_one_line())),
        })?;
    }
    not_cancelled()?;
    match writer(world.namespace, world.environment) {
        Ok(found) => standing(found.as_ref(), table, base)?,
        // Home is safe for visitors whoever wrote last; anything else waits until it can see what it replaces.
        Err(_) if urgent => {}
        Err(why) => return Err(WriteFailure::NotWritten(why)),
    }
    not_cancelled()?;
    let key = RoutingTable::key(world.environment);
    let document = world.signer.document(table);
    world.namespace.write_once(&key, document.as_bytes(), WRITE_WITHIN).map_err(write_failure)
}

pub(super) fn look_up(world: &World<'_>) -> Found {
    match writer(world.namespace, world.environment) {
        Ok(Some(writer)) => Found::Table(writer),
        Ok(None) => Found::Nothing,
        Err(why) => Found::Unreadable(why),
    }
}

/// Who wrote the table in force. A damaged table has no writer that could be told apart, and is an error.
fn writer(namespace: &Namespace, environment: &Environment) -> Result<Option<Writer>, String> {
    let key = RoutingTable::key(environment);
    let bytes = namespace.read_once(&key, FENCE_WITHIN).map_err(|error| error.to_string())?;
    let Some(bytes) = bytes else { return Ok(None) };
    let table = RoutingTable::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(Some(Writer::of(&table)))
}

fn write_failure(error: cloudflare::Error) -> WriteFailure {
    let text = error.to_string();
    match error.fate() {
        cloudflare::Fate::Refused => WriteFailure::Refused(text),
        cloudflare::Fate::NotApplied => WriteFailure::NotWritten(text),
        cloudflare::Fate::Unknown => WriteFailure::Unknown(text),
    }
}
