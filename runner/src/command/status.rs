//! `crossfade status`: what serves visitors, what is in flight, what the edge says. Whatever cannot be told says why in its
//! place, and the rest is told all the same.

use std::time::Duration;

use crossfade_core::RoutingTable;
use serde_json::json;

use super::{Session, print};
use crate::edge::EdgeStatus;
use crate::error::Error;
use crate::record::Record;
use crate::release::table_in_force;
use crate::report::{self, Mode};

pub(super) fn run(session: &Session) -> Result<(), Error> {
    const ASK_WITHIN: Duration = Duration::from_secs(5);
    let table = table_in_force(session);
    let record = session.ledger.current();
    let edge = session.edge().map_err(|error| error.to_string());
    let edge = edge.and_then(|edge| edge.status(ASK_WITHIN).map_err(|error| error.to_string()));
    match session.reporter.mode() {
        Mode::Json => print(&as_json(session, &table, &record, &edge)),
        Mode::Lines => print(&as_lines(session, &table, &record, &edge)),
    }
    table?;
    record?;
    Ok(())
}

fn as_json(
    session: &Session,
    table: &Result<Option<RoutingTable>, Error>,
    record: &Result<Option<Record>, Error>,
    edge: &Result<EdgeStatus, String>,
) -> String {
    let edge = match edge {
        Ok(edge) => json!({
            "revision": edge.revision, "release": edge.release, "colo": edge.colo, "lapsed": edge.lapsed,
            "lease_expires_at": edge.lease_expires_at, "trouble": edge.trouble,
        }),
        Err(error) => json!({ "error": error }),
    };
    json!({
        "version": 1, "type": "status", "at": report::now(), "environment": session.environment, "url": session.settings.url,
        "table": or_error(table), "release": or_error(record), "edge": edge,
    })
    .to_string()
}

fn or_error<T: serde::Serialize>(found: &Result<T, Error>) -> serde_json::Value {
    match found {
        Ok(found) => json!(found),
        Err(error) => json!({ "error": error.in_one_line() }),
    }
}

fn as_lines(
    session: &Session,
    table: &Result<Option<RoutingTable>, Error>,
    record: &Result<Option<Record>, Error>,
    edge: &Result<EdgeStatus, String>,
) -> String {
    let now = report::now();
    let mut lines = vec![format!("{} at {}", session.environment, session.settings.url)];
    match table {
        Err(error) => lines.push(format!("  table: {}", error.in_one_line())),
        Ok(None) => lines.push("  no routing table yet: the first `crossfade deploy` writes it".into()),
        Ok(Some(table)) => {
            lines.push(format!(
                "  revision {} of {}, {}",
                table.revision(),
                table.release(),
                table.updated_at()
            ));
            for variant in table.variants() {
                let stable = if variant.name == table.stable().name { "  stable" } else { "" };
                lines.push(format!(
                    "  {:<10} {:>7}  {}  {}{stable}",
                    variant.name,
                    variant.weight.to_string(),
                    variant.version,
                    variant.origin
                ));
            }
            match table.lease() {
                Some(lease) if table.lapsed(now) => lines.push(format!(
                    "  the lease ran out at {}: every router sends all visitors to {}",
                    lease.expires_at,
                    table.stable().name
                )),
                Some(lease) => lines.push(format!("  the lease runs until {}", lease.expires_at)),
                None => {}
            }
        }
    }
    lines.push(match edge {
        Err(error) => format!("  edge: {error}"),
        Ok(edge) => {
            let place = edge.colo.as_deref().map_or(String::new(), |colo| format!(" ({colo})"));
            let revision = edge.revision.map_or("no table".into(), |revision| format!("revision {revision}"));
            let trouble = edge.trouble.as_deref().map_or(String::new(), |trouble| format!("; {trouble}"));
            format!("  edge: {revision}{place}{trouble}")
        }
    });
    lines.push(match record {
        Err(error) => format!("  release: {}", error.in_one_line()),
        Ok(None) => "  no release yet".into(),
        Ok(Some(record)) => describe(record, now),
    });
    lines.join("\n")
}

fn describe(record: &Record, now: crossfade_core::Timestamp) -> String {
    match &record.ended {
        Some(ended) if record.command == "weights" => {
            format!("  last: {} {} ({})", ended.outcome, ended.text, record.id)
        }
        Some(ended) => format!("  last: {} {} ({})", ended.outcome, record.version, record.id),
        None if record.in_charge(now) => {
            format!("  in charge: {} of {}, {} ({})", record.id, record.version, record.phase, record.runner)
        }
        None => format!(
            "  {} of {} stopped without ending ({}, last heard of {})",
            record.id, record.version, record.phase, record.updated_at
        ),
    }
}
