//! The table that a release starts from, and what a dead release left behind.

use crossfade_core::RoutingTable;
use crossfade_core::table::ReleaseId;

use crate::command::Session;
use crate::error::Error;
use crate::report;

/// The routing table in KV; `None` before the first release ever.
///
/// # Errors
/// When KV cannot be read, or the table is damaged or of a newer schema.
pub fn table_in_force(session: &Session) -> Result<Option<RoutingTable>, Error> {
    let key = RoutingTable::key(&session.environment);
    let bytes = session
        .namespace
        .read(&key, session.api_within)
        .map_err(Error::cloudflare("read the routing table from KV"))?;
    bytes.map(|bytes| RoutingTable::parse(&bytes).map_err(|source| Error::Table { key, source })).transpose()
}

/// Refuses while another release holds shifted weights.
///
/// # Errors
/// [`Error::InCharge`] until the table's lease has run out.
pub fn refuse_while_leased(table: &RoutingTable) -> Result<(), Error> {
    match table.lease() {
        Some(lease) if !table.lapsed(report::now()) => Err(Error::InCharge {
            text: format!(
                "release {} holds shifted weights until {}; nothing was changed",
                table.release(),
                lease.expires_at
            ),
            until: lease.expires_at,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Refuses to begin on a fleet whose last release has died half way: which instances have which version is in its record, and
/// whoever takes it over brings them together again.
///
/// # Errors
/// [`Error::Gate`].
pub(super) fn refuse_half_replaced(session: &Session, table: &RoutingTable) -> Result<(), Error> {
    let Some(record) = session.ledger.current()? else { return Ok(()) };
    let died = table.lease().is_some() && record.ended.is_none() && record.id == table.release().as_str();
    if !died {
        return Ok(());
    }
    Err(Error::Gate {
        phase: "claim",
        why: format!(
            "release {} of {} died while it replaced the fleet, and everybody is on {}: `crossfade resume` goes on with it, \
             `crossfade abort` brings the version before back to every instance; then deploy",
            record.id,
            record.version,
            table.stable().name
        ),
    })
}

/// The table that a release starts from. A release whose lease ran out has died; visitors are home already, and here the
/// table is made to say so.
///
/// # Errors
/// When KV cannot be written.
pub(super) fn settle_dead_release(
    session: &Session,
    table: RoutingTable,
    release: &ReleaseId,
) -> Result<RoutingTable, Error> {
    let Some(lease) = table.lease() else { return Ok(table) };
    let home = table.at_rest(release.clone(), report::now());
    write_table(session, &home)?;
    let went = if session.routing.balancer.is_some() { "are brought home now," } else { "went home" };
    session.reporter.warn(format!(
        "release {} stopped without settling; its lease ran out at {} and visitors {went} to {}",
        table.release(),
        lease.expires_at,
        table.stable().name
    ));
    Ok(home)
}

/// Writes a table, whatever was there.
///
/// # Errors
/// When KV or the load balancer cannot be written.
pub fn write_table(session: &Session, table: &RoutingTable) -> Result<(), Error> {
    session.routing.put(table, session.api_within)
}
