//! A rolling release. In: the fleet of the configuration and the table in force. Out: every instance has the new version, or all
//! of them have the one before.
//!
//! The machine says when which instances are drained, replaced, restored and watched ([`crossfade_core::rollout`]); what that
//! means for one of them is in [`instance`], for several at once in [`work`]; the way back of a release that has settled in [`back`](mod@back).

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Crew, Instance, Plan, Rollout, Subject};
use crossfade_core::table::{Variant, VariantName};

use super::charge::Charge;
use super::takeover::table_in_force;
use super::{Request, Source, Start};
use crate::command::Session;
use crate::config::InstanceConfig;
use crate::error::Error;
use crate::hooks::Phase;
use crate::record::FleetSource;

mod back;
mod instance;
mod work;

pub use back::{Back, back, is_settled_fleet};
pub(super) use work::FleetWork;

use instance::Way;

/// What the record and the reports call the place that a rolling release goes to.
pub(super) const SLOT: &str = "fleet";

/// The fleet of this environment.
pub(super) fn instances(session: &Session) -> &[InstanceConfig] {
    session.config.instances(&session.settings)
}

/// Whether anything is uploaded, so that there must be a directory.
pub(super) fn uploads(session: &Session) -> bool {
    instances(session).iter().any(|instance| instance.project.is_some())
}

/// The plan: from a table that lists none of the instances they are replaced all at once, because nobody visits them yet.
pub(super) fn plan(session: &Session, found: Option<&RoutingTable>, source: &Source) -> Result<Plan, Error> {
    if let Source::Before { table } = source {
        return Ok(session.config.plan(table.variants().len(), false)?);
    }
    let instances = instances(session);
    let listed = |variant: &Variant| instances.iter().any(|instance| instance.name == variant.name.as_str());
    let first_release = !found.is_some_and(|table| table.variants().iter().any(listed));
    Ok(session.config.plan(instances.len(), first_release)?)
}

/// Hooks, then the rollout.
pub(super) fn run(charge: &mut Charge<'_>, request: &Request, start: Start) -> Result<(), Error> {
    let session = charge.session;
    let source = match &request.source {
        Source::Directory { path, message, .. } => {
            // Whoever goes on with it may stand in another directory.
            let directory = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            FleetSource { directory, message: message.clone(), back: None }
        }
        Source::Before { table } => {
            FleetSource { back: Some(table.as_ref().clone()), ..configured_source(session) }
        }
        Source::Origin { .. } => {
            return Err(Error::Usage(
                "with strategy = \"rolling\" every instance has an origin of its own: `crossfade deploy` is what there is"
                    .into(),
            ));
        }
    };
    if source.back.is_none() {
        // What is retried has been built.
        if request.source.command() == "deploy" {
            charge.ask(Phase::Build)?;
        }
        for phase in [Phase::ConfirmRollout, Phase::Prepare, Phase::Database, Phase::PreRollout] {
            charge.ask(phase)?;
        }
    }
    if let Some(reason) = session.cancel.reason() {
        return Err(Error::Cancelled(reason));
    }
    let Start { owner, base, served, plan, .. } = start;
    charge.heartbeat.note(|record| {
        record.before.clone_from(&base);
        record.source = Some(source.clone());
    });
    let crew = crew(session, base.as_ref(), source.back.as_ref())?;
    let work = FleetWork::new(charge, &plan, &crew, base.as_ref(), source)?;
    let rollout =
        Rollout::new(plan, base, Subject::Fleet(crew), charge.release.clone(), owner)?.above(served);
    drive(charge, rollout, work)
}

/// Moves traffic, to the end; then says who did not take the new version.
pub(super) fn drive(charge: &mut Charge<'_>, rollout: Rollout, work: FleetWork) -> Result<(), Error> {
    charge.drive(rollout, work)?;
    let Ok(Some(table)) = table_in_force(charge.session) else { return Ok(()) };
    let kept: Vec<&Variant> = table.variants().iter().filter(|it| it.version != charge.version).collect();
    if let Some(first) = kept.first() {
        let names: Vec<&str> = kept.iter().map(|it| it.name.as_str()).collect();
        let all = table.variants().len();
        charge.whom = Some(format!(
            "{} of {all} instances have it; {} kept {}",
            all - kept.len(),
            names.join(", "),
            first.version
        ));
    }
    Ok(())
}

/// The instances in the order in which they are replaced: first those that nobody visits yet, so that there are more to serve
/// the visitors of the others.
fn crew(session: &Session, base: Option<&RoutingTable>, back: Option<&RoutingTable>) -> Result<Crew, Error> {
    let configured = instances(session);
    let (affinity, policy) = session.config.router.fleet_parts(configured).map_err(Error::Usage)?;
    let names = match back {
        Some(table) => table.variants().iter().map(|variant| variant.name.clone()).collect(),
        None => configured
            .iter()
            .map(InstanceConfig::variant)
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::Usage)?,
    };
    let mut instances = Vec::new();
    for name in names {
        let in_place = way(session, &name, back)?.is_in_place();
        instances.push(Instance { name, in_place });
    }
    let is_new = |instance: &Instance| base.is_none_or(|base| base.variant(&instance.name).is_none());
    instances.sort_by_key(|instance| !is_new(instance));
    Ok(Crew { environment: session.environment.clone(), instances, affinity, policy })
}

/// How an instance gets the version that is released, or that of the table which is gone back to.
fn way(session: &Session, name: &VariantName, back: Option<&RoutingTable>) -> Result<Way, Error> {
    let place = instances(session).iter().find(|it| it.name == name.as_str()).map(InstanceConfig::place);
    let place = place.transpose().map_err(Error::Usage)?;
    match (place, back.and_then(|table| table.variant(name))) {
        (Some(place), None) => Ok(place.into()),
        (Some(place), Some(before)) => Ok(Way::back(place, &before.origin)),
        (None, Some(before)) => Ok(Way::There(before.origin.clone())),
        (None, None) => {
            Err(Error::Usage(format!("[[instances]] has no `{name}`, which the release is about")))
        }
    }
}

/// The output of the configured build.
pub(super) fn configured_source(session: &Session) -> FleetSource {
    FleetSource { directory: session.root.join(&session.config.directory), message: None, back: None }
}
