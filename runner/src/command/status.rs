//! `crossfade status`: what serves visitors, what is in flight, what the edge says. Whatever cannot be told says why in its
//! place, and the rest is told all the same.

use std::time::Duration;

use crossfade_core::RoutingTable;
use serde_json::json;

use super::{Session, print};
use crate::cli::Status;
use crate::edge::EdgeStatus;
use crate::error::Error;
use crate::github;
use crate::record::Record;
use crate::release::table_in_force;
use crate::report::{self, Mode};
use crate::screen::possible;

pub(super) mod watch;

/// The most that one question to the edge may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked at again.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(2);

/// What was found.
struct Found {
    table: Result<Option<RoutingTable>, Error>,
    record: Result<Option<Record>, Error>,
    edge: Result<EdgeStatus, String>,
}

pub(super) fn run(session: &Session, arguments: &Status) -> Result<(), Error> {
    let mut shown = String::new();
    loop {
        let found = Found::look(session);
        let (lines, json) = (as_lines(session, &found), session.reporter.mode() == Mode::Json);
        // What a person reads decides what is news.
        if lines != shown {
            if json {
                print(&as_json(session, &found));
            } else {
                show(&shown, &lines);
            }
            shown = lines;
        }
        let in_flight = matches!(&found.record, Ok(Some(record)) if record.ended.is_none());
        if !arguments.watch || (found.record.is_ok() && !in_flight) {
            github::job().iter().for_each(|job| job.answer(&shown));
            found.table?;
            found.record?;
            return Ok(());
        }
        if session.cancel.wait(WATCH_EVERY) {
            return Ok(());
        }
    }
}

/// Shows it in the place of what was there before, on a terminal; below it elsewhere.
fn show(before: &str, lines: &str) {
    use std::io::IsTerminal as _;
    if !before.is_empty() {
        if std::io::stdout().is_terminal() {
            // Up to the first line again, and from there everything is erased (ECMA-48 CPL and ED).
            print(&format!("\u{1b}[{}F\u{1b}[0J{lines}", before.lines().count()));
            return;
        }
        print("");
    }
    print(lines);
}

impl Found {
    fn look(session: &Session) -> Self {
        let edge = session.edge().map_err(|error| error.to_string());
        Self {
            table: table_in_force(session),
            record: session.ledger.current(),
            edge: edge.and_then(|edge| edge.status(ASK_WITHIN).map_err(|error| error.to_string())),
        }
    }
}

fn as_json(session: &Session, Found { table, record, edge }: &Found) -> String {
    let edge = match edge {
        Ok(edge) => json!({
            "revision": edge.revision, "release": edge.release, "colo": edge.colo, "lapsed": edge.lapsed,
            "lease_expires_at": edge.lease_expires_at, "trouble": edge.trouble, "astray": edge.astray,
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

fn as_lines(session: &Session, Found { table, record, edge }: &Found) -> String {
    let now = report::now();
    let balanced = session.routing.balancer.is_some();
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
                Some(lease) if table.lapsed(now) && balanced => lines.push(format!(
                    "  the lease ran out at {}, and a load balancer knows none: `crossfade rollback` brings visitors home to {}",
                    lease.expires_at,
                    table.stable().name
                )),
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
    let name = if balanced { "load balancer" } else { "edge" };
    lines.push(match edge {
        Err(error) => format!("  {name}: {error}"),
        Ok(EdgeStatus { astray: Some(astray), .. }) => format!("  {name}: does not follow: {astray}"),
        Ok(edge) => {
            let place = edge.colo.as_deref().map_or(String::new(), |colo| format!(" ({colo})"));
            let revision = edge.revision.map_or("no table".into(), |revision| format!("revision {revision}"));
            let trouble = edge.trouble.as_deref().map_or(String::new(), |trouble| format!("; {trouble}"));
            format!("  {name}: {revision}{place}{trouble}")
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
    let Record { id, version, .. } = record;
    let Some(ended) = &record.ended else { return in_flight(record, now) };
    match record.command.as_str() {
        "weights" => format!("  last: {} {} ({id})", ended.outcome, ended.text),
        _ => format!("  last: {} {version} ({id})", ended.outcome),
    }
}

/// `step 2: …` → `step 2 of 3: …`; what is no step's is left as it is.
fn of_how_many(stage: &str, steps: Option<usize>) -> String {
    let step = stage.strip_prefix("step ").and_then(|rest| rest.split_at_checked(rest.find([':', ' '])?));
    match (step, steps) {
        (Some((step, rest)), Some(steps)) => format!("step {step} of {steps}{rest}"),
        _ => stage.to_owned(),
    }
}

/// A release that has not ended: what it does, who runs it, and what one can do.
fn in_flight(record: &Record, now: crossfade_core::Timestamp) -> String {
    let Record { id, version, phase, runner, .. } = record;
    let mut lines = Vec::new();
    if record.in_charge(now) {
        lines.push(format!("  in charge: {id} of {version}, {phase} ({runner})"));
    } else {
        lines.push(format!(
            "  {id} of {version} stopped without ending ({phase}, last heard of {})",
            record.updated_at
        ));
    }
    if let Some(stage) = &record.stage {
        lines.push(format!("  {}", of_how_many(&stage.to_string(), record.steps)));
    }
    if let Some(answered) = &record.answered {
        let refused = answered.refused.as_ref().map_or_else(String::new, |why| format!(": refused, {why}"));
        lines.push(format!("  last told to {} {}{refused}", answered.order.command(), answered.by));
    }
    let commands = possible(record, now);
    if !commands.is_empty() {
        let commands: Vec<String> =
            commands.iter().map(|it| format!("`crossfade {}`", it.command())).collect();
        lines.push(format!("  now: {}", commands.join(", ")));
    }
    lines.join("\n")
}
