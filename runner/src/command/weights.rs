//! `crossfade weights stable=90 canary=10`: by hand, with the same invariants.

use crossfade_core::RoutingTable;
use crossfade_core::table::{Draft, VariantName, Weight};

use super::Session;
use super::by_hand;
use super::rollback::{refuse_while_in_charge, wait_until_served};
use crate::cli::Weights;
use crate::drive::shares;
use crate::error::Error;
use crate::record::Record;
use crate::release::{new_release_id, refuse_while_leased, table_in_force, write_table};
use crate::report;

pub(super) fn run(session: &Session, arguments: &Weights) -> Result<(), Error> {
    let edge = session.edge()?;
    let wanted = arguments.weights.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    let table = table_in_force(session)?.ok_or_else(|| {
        Error::Usage("there is no routing table yet: the first `crossfade deploy` writes it".into())
    })?;
    let release = new_release_id();
    let next = reweighted(&table, &wanted, release.clone())?;
    if !arguments.force {
        refuse_while_leased(&table)?;
    }
    refuse_while_in_charge(session, arguments.force)?;
    edge.check(&session.environment)?;

    let most = next.variants().iter().max_by_key(|variant| variant.weight).unwrap_or_else(|| next.stable());
    let (version, slot) = (most.version.as_str(), most.name.as_str());
    let mut record = Record::begin(&release, &session.environment, "weights", version, slot);
    record.stable_version = Some(next.stable().version.to_string());
    record.origin = Some(most.origin.to_string());

    let phase = session.reporter.phase("weights");
    let text = format!("revision {}: {}", next.revision(), shares(&next));
    phase.progress(text.clone());
    if let Err(error) = write_table(session, &next) {
        let why = error.in_one_line();
        phase.failed_because(&text, &why);
        session.reporter.finished("not-started", false, why);
        return Err(error);
    }
    session.reporter.weights("weights", &next);
    let served = wait_until_served(session, &edge, &next, &release);
    let outcome = if served.is_ok() { "shifted" } else { "stuck" };
    match &served {
        Ok(()) => phase.done(format!("{text}, {}", session.routing.seen())),
        Err(why) => phase.failed_because(&format!("{text} is written"), why),
    }
    by_hand::record(session, record, outcome, &format!("by hand, {text}"));
    match served {
        Ok(()) => {
            session.reporter.finished("done", true, format!("visitors are on {}", shares(&next)));
        }
        Err(why) => {
            session.reporter.finished("stuck", false, format!("stuck: {why}"));
            return Err(Error::Stuck {
                why,
                hint: "the table in KV is as you said; look at `crossfade status`".into(),
            });
        }
    }
    Ok(())
}

/// `NAME=PERCENT`.
fn parse(text: &str) -> Result<(&str, Weight), Error> {
    let wrong = || {
        Error::Usage(format!("`{text}` is not NAME=PERCENT with at most two decimals, such as canary=2.5"))
    };
    let (name, percent) = text.split_once('=').ok_or_else(wrong)?;
    Ok((name, Weight::from_percent(percent).ok_or_else(wrong)?))
}

/// The next revision with these weights; who is not named has none. `stable` and `canary` are the stable variant and,
/// of two, the other.
fn reweighted(
    table: &RoutingTable,
    wanted: &[(&str, Weight)],
    release: crossfade_core::table::ReleaseId,
) -> Result<RoutingTable, Error> {
    let mut draft = table.draft();
    for variant in &mut draft.variants {
        variant.weight = Weight::ZERO;
    }
    let mut given: Vec<VariantName> = Vec::new();
    for (name, weight) in wanted {
        let variant = named(table, name)?;
        if given.contains(&variant) {
            return Err(Error::Usage(format!("`{name}` names {variant}, which has its weight already")));
        }
        for listed in draft.variants.iter_mut().filter(|listed| listed.name == variant) {
            listed.weight = *weight;
        }
        given.push(variant);
    }
    let draft = Draft {
        revision: table.revision().next(),
        release,
        owner: None,
        updated_at: report::now(),
        lease: None,
        ..draft
    };
    let next = RoutingTable::new(draft).map_err(Error::Weights)?;
    // Everybody on stable ends a release in flight, whose canary nobody has vouched for.
    let home = table.lease().is_some() && next.stable().weight == Weight::TOTAL;
    Ok(if home { table.at_rest(next.release().clone(), next.updated_at()) } else { next })
}

fn named(table: &RoutingTable, name: &str) -> Result<VariantName, Error> {
    let stable = &table.stable().name;
    let others: Vec<_> = table.variants().iter().filter(|variant| variant.name != *stable).collect();
    if let Some(variant) = table.variants().iter().find(|variant| variant.name.as_str() == name) {
        return Ok(variant.name.clone());
    }
    match (name, others.as_slice()) {
        ("stable", _) => Ok(stable.clone()),
        ("canary", [other]) => Ok(other.name.clone()),
        (_, _) => {
            let known: Vec<&str> = table.variants().iter().map(|variant| variant.name.as_str()).collect();
            Err(Error::Usage(format!("there is no variant `{name}`; the table has {}", known.join(", "))))
        }
    }
}
