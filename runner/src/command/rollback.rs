//! `crossfade rollback`: all visitors back to the version before, or to any release of the history, with one write.
//!
//! With a release in flight that version is `stable`; after one has settled it is the other slot, which stays listed
//! without visitors for exactly this.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Draft, ReleaseId, Variant, Weight};

use super::{Session, back, by_hand, order};
use crate::cli::{Rollback, Say};
use crate::drive::shares;
use crate::edge::Edge;
use crate::error::Error;
use crate::orders::{Letter, Word, speaker};
use crate::record::{Ended, Record, runner_name};
use crate::release::{self, Back, is_settled_fleet, new_release_id, table_in_force, write_table};
use crate::report;

pub(super) fn run(session: Session, arguments: &Rollback) -> Result<(), Error> {
    if let Rollback { to: None, force: false, if_unsettled: false } = arguments
        && session.ledger.current()?.is_some_and(|record| record.in_charge(report::now()))
    {
        // Home is what the version before means while a release moves traffic, and its runner knows the way.
        return order::run(
            session,
            Word::Abort,
            &Say { why: Some("rollback".into()), runner_is_dead: false },
        );
    }
    let edge = session.edge()?;
    let table = table_in_force(&session)?;
    if !arguments.if_unsettled {
        refuse_while_in_charge(&session, arguments.force)?;
    } else if !is_left_unsettled(&session, table.as_ref())? {
        let text = let_go(&session, table.as_ref())?;
        session.reporter.finished("done", true, text);
        return Ok(());
    }
    let table =
        table.ok_or_else(|| Error::Usage("there is no routing table yet, so nothing to roll back".into()))?;
    if let Some(record) = fleet_in_flight(&session, &table) {
        return undo_fleet(session, record, arguments);
    }
    let session = &session;
    let release = new_release_id();
    let target = match &arguments.to {
        Some(wanted) if is_settled_fleet(session, &table) => {
            return Err(Error::Usage(format!(
                "`--to {wanted}` leads everybody to one origin, and this is a fleet: deploy that version again"
            )));
        }
        None if is_settled_fleet(session, &table) => {
            return fleet_back(session, &edge, &table, &release, arguments.force);
        }
        Some(wanted) => back::to(session, &table, wanted, &release, arguments.force)?,
        None => version_before(&table, &release)?,
    };
    write(session, &edge, &table, &target, &release)
}

/// Whether weights are in flight, as far as the table tells.
pub(super) fn is_shifted(session: &Session) -> Result<bool, Error> {
    Ok(table_in_force(session)?.is_some_and(|table| table.lease().is_some()))
}

/// `crossfade abort` with nobody in charge of the weights in flight.
pub(super) fn home(session: Session) -> Result<(), Error> {
    run(session, &Rollback { to: None, force: false, if_unsettled: false })
}

/// `crossfade promote` with nothing in flight: the other version that the table lists, which a rollback has left there.
pub(super) fn forward(session: &Session) -> Result<(), Error> {
    let edge = session.edge()?;
    let table = table_in_force(session)?
        .ok_or_else(|| Error::Usage("there is no routing table yet, so nothing to promote".into()))?;
    let last = session.ledger.current()?;
    if last.is_none_or(|record| record.command != "rollback") {
        return Err(Error::Usage(
            "nothing is in flight, and the last thing that happened was no rollback: there is nothing to promote".into(),
        ));
    }
    let release = new_release_id();
    if is_settled_fleet(session, &table) {
        return fleet_back(session, &edge, &table, &release, false);
    }
    let target = version_before(&table, &release)?;
    write(session, &edge, &table, &target, &release)
}

/// A rolling release that has not ended, with its weights in force.
fn fleet_in_flight(session: &Session, table: &RoutingTable) -> Option<Record> {
    table.lease()?;
    let in_flight = |record: &Record| {
        let of_a_fleet = record.saved.is_some() && record.before.is_some();
        record.ended.is_none() && of_a_fleet && record.id == table.release().as_str()
    };
    // Whose record cannot be read leaves what the table says.
    session.ledger.current().ok().flatten().filter(in_flight)
}

/// One write would send everybody to a single instance and leave the others as they are, and nobody could resume the release
/// any more: it is taken over and goes home.
fn undo_fleet(session: Session, record: Record, arguments: &Rollback) -> Result<(), Error> {
    if let Some(wanted) = &arguments.to {
        let Record { id, version, .. } = &record;
        return Err(Error::Usage(format!(
            "`--to {wanted}` leads everybody to one origin, and release {id} of {version} is a fleet's: `crossfade rollback` \
             brings it back first"
        )));
    }
    let whose = Letter::new(&record.id, Word::Abort, Some("rollback"), speaker()).whose();
    match release::resume(session, record, Word::Abort, &whose) {
        Err(Error::RolledBack(_)) => Ok(()),
        result => result,
    }
}

/// Brings a fleet to what it was before its last release: in one write when nothing was overwritten, else by a rolling release.
fn fleet_back(
    session: &Session,
    edge: &Edge,
    table: &RoutingTable,
    release: &ReleaseId,
    force: bool,
) -> Result<(), Error> {
    match release::back(session, table, release, force)? {
        Back::Table(home) => write(session, edge, table, &home, release),
        Back::Release(request) => release::deploy(session, &request),
    }
}

/// Writes the table, waits until the edge serves it, and puts it into the history.
fn write(
    session: &Session,
    edge: &Edge,
    table: &RoutingTable,
    home: &RoutingTable,
    release: &ReleaseId,
) -> Result<(), Error> {
    let to = home.stable();
    let mut record =
        Record::begin(release, &session.environment, "rollback", to.version.as_str(), to.name.as_str());
    record.stable_version = Some(table.stable().version.to_string());
    record.origin = Some(to.origin.to_string());
    let fleet = is_settled_fleet(session, table);
    record.before = fleet.then(|| table.clone());

    let phase = session.reporter.phase("home");
    let written = format!("revision {}: {}", home.revision(), shares(home));
    phase.progress(written.clone());
    if let Err(error) = write_table(session, home) {
        phase.failed_because("", &error.in_one_line());
        return Err(error);
    }
    session.reporter.weights("home", home);
    let seen = wait_until_served(session, edge, home, release);
    let text = if fleet {
        format!("{} serves everybody on every instance (revision {})", to.version, home.revision())
    } else {
        format!("{} {} serves everybody (revision {})", to.name, to.version, home.revision())
    };
    match &seen {
        Ok(()) => phase.done(format!("{written}, {}", session.routing.seen())),
        Err(why) => phase.failed_because(&format!("{written} is written"), why),
    }
    let outcome = if seen.is_ok() { "promoted" } else { "stuck" };
    by_hand::record(session, record, outcome, &text);
    session.reporter.finished(outcome, seen.is_ok(), text);
    seen.map_err(|why| Error::Stuck {
        why,
        hint: "the table in KV is right; `crossfade status` shows what the edge serves".into(),
    })
}

/// Refuses while a live runner is in charge, unless it is to be taken over.
pub(super) fn refuse_while_in_charge(session: &Session, force: bool) -> Result<(), Error> {
    // Whoever forces it does not care, not even that the record is damaged.
    if force {
        return Ok(());
    }
    match session.ledger.current()? {
        Some(other) if other.in_charge(report::now()) => {
            Err(other.refusal("with --force it is taken over and stops by itself"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the weights in flight are those of a release that did not end: one that this same job began, or any whose lease has run
/// out, so that the routers have sent everybody home and nobody notices.
fn is_left_unsettled(session: &Session, table: Option<&RoutingTable>) -> Result<bool, Error> {
    let Some((table, lease)) = table.and_then(|table| Some((table, table.lease()?))) else {
        return Ok(false);
    };
    let is_it = |record: Record| record.id == table.release().as_str();
    Ok(lease.expires_at <= report::now() || left_by_us(session)?.is_some_and(is_it))
}

/// The release that this same job, or this process, began and that did not end.
fn left_by_us(session: &Session) -> Result<Option<Record>, Error> {
    let current = session.ledger.current()?;
    Ok(current.filter(|record| record.ended.is_none() && record.runner == runner_name()))
}

/// Ends the record of a release that this job began and that moves nobody now, so that the next one need not wait until it counts as
/// dead; what was done.
fn let_go(session: &Session, table: Option<&RoutingTable>) -> Result<String, Error> {
    let moving = table.and_then(|table| Some((table.release(), table.lease()?)));
    let Some(record) = left_by_us(session)?.filter(|_| moving.is_none()) else {
        let theirs = moving.map_or_else(String::new, |(release, lease)| {
            let until = lease.expires_at;
            format!(" (release {release} holds shifted weights until {until}; unless that is renewed, this command puts the table in order then)")
        });
        return Ok(format!("nothing that this job began is in flight; nothing was changed{theirs}"));
    };
    let Record { id, version, phase, .. } = &record;
    // The last write of a release that succeeds says that this version is what everybody stays on.
    let has_settled = table.is_some_and(|table| {
        table.release().as_str() == id.as_str() && table.stable().version.as_str() == version.as_str()
    });
    let (outcome, text) = if has_settled {
        ("promoted", format!("{version} serves everybody: it was cut off ({phase}) after it had settled"))
    } else {
        ("abandoned", format!("{version} never ended: it was cut off ({phase}) and moves nobody"))
    };
    let said = format!("release {id} of {text}");
    let ended = Some(Ended { at: report::now(), outcome: outcome.into(), text });
    let record = Record { ended, ..record };
    session.ledger.close_ours(&record)?;
    by_hand::tell(session, record);
    Ok(said)
}

fn version_before(table: &RoutingTable, release: &ReleaseId) -> Result<RoutingTable, Error> {
    let now = report::now();
    let stable = &table.stable().name;
    let shifted = |variant: &Variant| variant.name != *stable && variant.weight > Weight::ZERO;
    if table.lease().is_some() || table.variants().iter().any(shifted) {
        return Ok(table.at_rest(release.clone(), now));
    }
    let before = table.variants().iter().find(|variant| variant.name != *stable).ok_or_else(|| {
        Error::Usage(format!("{} {} is the only version there is", stable, table.stable().version))
    })?;
    let draft = Draft { stable: before.name.clone(), ..table.draft() };
    let swapped = RoutingTable::new(draft).map_err(Error::Weights)?;
    Ok(swapped.at_rest(release.clone(), now))
}

/// Waits until the edge serves a table of ours.
pub(super) fn wait_until_served(
    session: &Session,
    edge: &Edge,
    table: &RoutingTable,
    release: &ReleaseId,
) -> Result<(), String> {
    const ASK_WITHIN: Duration = Duration::from_secs(5);
    const ASK_EVERY: Duration = Duration::from_millis(500);
    let within = session.config.rollout.confirm_within;
    let deadline = std::time::Instant::now() + within.0;
    loop {
        let seen = match edge.status(ASK_WITHIN) {
            Ok(status) if status.release.as_deref() == Some(release.as_str()) => return Ok(()),
            Ok(status) => status.served(),
            Err(error) if error.may_pass() => error.to_string(),
            Err(error) => return Err(error.to_string()),
        };
        if std::time::Instant::now() >= deadline {
            return Err(format!(
                "the edge was not seen to serve revision {} within {within}: {seen}",
                table.revision()
            ));
        }
        if session.cancel.wait(ASK_EVERY) {
            return Err(format!("waiting for the edge was cancelled: {seen}"));
        }
    }
}
