//! Writing a table: first the release's record, so that others know and can go on from there; then a look at what is
//! replaced; then the write.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Found, Rollout, WriteFailure, Writer, standing};
use crossfade_core::table::Revision;

use super::World;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::routing::Routing;

/// The most that looking at the table before a write may take.
const FENCE_WITHIN: Duration = Duration::from_millis(1_500);

pub(super) fn publish(
    world: &World<'_>,
    rollout: &Rollout,
    table: &RoutingTable,
    base: Option<Revision>,
    urgent: bool,
    cancel: &Cancel,
) -> Result<(), WriteFailure> {
    let go_on = || match cancel.reason() {
        Some(reason) if !urgent => Err(format!("cancelled: {reason}")),
        Some(_) | None => Ok(()),
    };
    let not_cancelled = || go_on().map_err(WriteFailure::NotWritten);
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
    match found(world) {
        Ok(found) => standing(found.as_ref().map(Writer::of).as_ref(), table, base)?,
        // Home is safe for visitors whoever wrote last; anything else waits until it can see what it replaces.
        Err(_) if urgent => {}
        Err(why) => return Err(WriteFailure::NotWritten(why)),
    }
    not_cancelled()?;
    world.routing.put_once(table, urgent, &go_on)
}

pub(super) fn look_up(world: &World<'_>) -> Found {
    let table = match found(world) {
        Ok(Some(table)) => table,
        Ok(None) => return Found::Nothing,
        Err(why) => return Found::Unreadable(why),
    };
    match world.routing.balancer.as_ref().filter(|_| table.release() == world.release) {
        Some(balancer) => match balancer.differs(&table, FENCE_WITHIN) {
            Ok(None) => Found::Table(Writer::of(&table)),
            Ok(Some(_)) => Found::NotFollowed,
            Err(error) => Found::Unreadable(error.to_string()),
        },
        None => Found::Table(Writer::of(&table)),
    }
}

/// The table in force. A damaged one has no writer that could be told apart, and is an error.
fn found(world: &World<'_>) -> Result<Option<RoutingTable>, String> {
    let Routing { namespace, environment, .. } = world.routing;
    let bytes = namespace.read_once(&RoutingTable::key(environment), FENCE_WITHIN);
    let Some(bytes) = bytes.map_err(|error| error.to_string())? else { return Ok(None) };
    RoutingTable::parse(&bytes).map(Some).map_err(|error| error.to_string())
}
