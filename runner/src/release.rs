//! One release. In: a directory, or where a version is already. Out: the new version is stable, or everything is as it was.
//!
//! ```text
//!  claim ─ build ─ confirm-rollout ─ prepare ─ database ─ upload ─ live ─ health ─ smoke ─ pre-rollout ─┐
//!    └───────┴────────────┴─────────────┴─────────┴─────────┴───────┴───────┴────────┴──▶ not started (3)│
//!                                                 promoted (0) ◀─ settle ─ verify ─ switch ──────────────┘
//!                                                                            └──────▶ rolled back (4)
//! ```
//!
//! Up to the switch visitors are untouched, whatever fails. From the switch on the rollout machine is in charge
//! ([`crate::drive`]); its table carries a lease, so that traffic goes home by itself when this process dies.

use std::path::PathBuf;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Canary, CannotStart, Plan, Rollout, Subject};
use crossfade_core::table::{Generation, Origin, Owner, ReleaseId, Revision, VariantName, Version};

use crate::cancel::Cancel;
use crate::command::Session;
use crate::config::Strategy;
use crate::error::Error;
use crate::hooks::{Asker, Moment, Phase};
use crate::record::{Commit, Record, WITHIN};
use crate::report::Event;

use charge::{Charge, Claim};
use measure::CanaryWork;

mod balanced;
mod charge;
mod deployment;
mod end;
mod fleet;
mod gates;
mod hooks;
mod id;
mod judge;
mod measure;
mod resume;
mod second;
mod settle;
mod takeover;

pub use charge::CLEAN_UP_WITHIN;
pub use fleet::{Back, back, is_settled_fleet};
pub use gates::{check_health, check_smoke, target};
pub use id::new_release_id;
pub use resume::resume;
pub use takeover::{refuse_while_leased, table_in_force, write_table};

/// What to release.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the new version comes from.
    pub source: Source,
    /// What the version is called.
    pub version: Version,
    /// What it is built from, when that is known.
    pub commit: Option<Commit>,
}

/// Where a new version comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A build's output, which is uploaded.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What Cloudflare's dashboard calls the deployment.
        message: Option<String>,
        /// Which command brings it.
        command: &'static str,
    },
    /// It is there already.
    Origin {
        /// Where.
        origin: Origin,
        /// Its Pages deployment, when it was one of an earlier release.
        deployment_id: Option<String>,
        /// Which command brings it.
        command: &'static str,
    },
    /// It is what a fleet had before, which its rollback commands bring back.
    Before {
        /// The table of then.
        table: Box<RoutingTable>,
    },
}

impl Source {
    const fn command(&self) -> &'static str {
        match self {
            Self::Directory { command, .. } | Self::Origin { command, .. } => command,
            Self::Before { .. } => "rollback",
        }
    }
}

/// Releases a new version.
///
/// # Errors
/// [`Error::Gate`] and others with exit code 3 before the switch; [`Error::RolledBack`], [`Error::Stuck`] after it;
/// [`Error::InCharge`] or [`Error::Superseded`] when another release is in charge or takes over.
pub fn deploy(session: &Session, request: &Request) -> Result<(), Error> {
    let edge = session.edge()?;
    let rolling = session.config.rollout.strategy == Strategy::Rolling;
    let release = new_release_id();
    let asker = asker(session, &request.version, &release)?;
    second::wait_for_the_first(session, &release)?;
    let found = takeover::table_in_force(session)?;
    let slot = if rolling { fleet_slot()? } else { idle_slot(session, found.as_ref())? };
    let plan = if rolling {
        fleet::plan(session, found.as_ref(), &request.source)?
    } else {
        session.config.plan(0, false)?
    };
    if let Some(table) = &found {
        takeover::refuse_while_leased(table)?;
        if rolling {
            takeover::refuse_half_replaced(session, table)?;
        }
        if table.lease().is_none() && !rolling {
            CannotStart::check(table, &session.environment, &slot)?;
        }
    }
    let served = edge.check(&session.environment)?;
    balanced::check(session, found.as_ref())?;
    let command = request.source.command();
    let mut record =
        Record::begin(&release, &session.environment, command, request.version.as_str(), slot.as_str());
    let owner = Owner { runner: id::new_runner_id(), generation: Generation::FIRST };
    record.owner = Some(owner.clone());
    record.commit.clone_from(&request.commit);
    record.config = Some(session.config_text.clone());
    record.stable_version = found.as_ref().map(|table| table.stable().version.to_string());
    let (environment, version) = (session.environment.clone(), request.version.clone());
    let stable_version = record.stable_version.clone();
    let moment = Moment::new(environment, release.clone(), version.clone(), slot.clone(), stable_version);
    let claim = Claim { session, release, version, edge, asker, moment, record };
    let announce = |session: &Session, record: &Record| announce(session, record, found.as_ref());
    let mut charge = claim.take(announce, |session, record| session.ledger.claim(record, &session.cancel))?;

    let result = found
        .map(|table| takeover::settle_dead_release(session, table, &charge.release))
        .transpose()
        .and_then(|base| balanced::begin(session, base.as_ref()).map(|()| base))
        .and_then(|base| {
            let start = Start { owner, slot, base, served, plan };
            if rolling { fleet::run(&mut charge, request, start) } else { run(&mut charge, request, start) }
        });
    charge.end(result)
}

/// Who asks the hooks of a release.
fn asker(session: &Session, version: &Version, release: &ReleaseId) -> Result<Asker, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Asker::new(&session.config.hooks, &session.root, (version, release), session.cancel.clone(), variable)
}

fn announce(session: &Session, record: &Record, found: Option<&RoutingTable>) {
    session.reporter.release_started(Event::ReleaseStarted {
        release: record.id.clone(),
        environment: session.environment.to_string(),
        deploying: match session.project() {
            Some(project) => format!("{project} {}", record.version),
            None => record.version.clone(),
        },
        slot: record.slot.clone(),
        stable: found.map(|table| {
            let stable = table.stable();
            format!("{} {}", stable.name, stable.version)
        }),
    });
}

/// What a release starts from.
struct Start {
    owner: Owner,
    slot: VariantName,
    base: Option<RoutingTable>,
    /// What the edge served when the release began.
    served: Option<Revision>,
    plan: Plan,
}

fn run(charge: &mut Charge<'_>, request: &Request, start: Start) -> Result<(), Error> {
    let origin = bring(charge, request)?;
    let session = charge.session;
    let target = gates::target(origin.as_str());
    charge.begin("health")?;
    gates::health(session, request, &charge.release, &target)?;
    charge.begin("smoke")?;
    gates::smoke(session, request, &charge.release, &target)?;
    charge.ask(Phase::PreRollout)?;
    if let Some(reason) = session.cancel.reason() {
        return Err(Error::Cancelled(reason));
    }

    let Start { owner, slot, base, served, plan } = start;
    let config = &session.config;
    let (affinity, policy) = config.router.parts(&config.rollout.slots).map_err(Error::Usage)?;
    let canary = Canary {
        environment: session.environment.clone(),
        name: slot,
        origin,
        version: request.version.clone(),
        affinity,
        policy,
    };
    let (judging, sources) = judge::begin(charge, &plan, &canary, base.as_ref())?.unzip();
    let work = CanaryWork::new(charge, &plan, &canary, base.as_ref(), sources);
    let subject = Subject::Canary(canary);
    let mut rollout = Rollout::new(plan, base, subject, charge.release.clone(), owner)?.above(served);
    if let Some(judging) = judging {
        rollout = rollout.judged_by(judging);
    }
    charge.drive(rollout, work)
}

/// Brings the new version to where it can be checked, and waits until it is there.
fn bring(charge: &mut Charge<'_>, request: &Request) -> Result<Origin, Error> {
    // A build changes nothing but this machine; what comes behind the confirmation changes the world.
    if let Source::Directory { .. } = request.source {
        charge.ask(Phase::Build)?;
    }
    for phase in [Phase::ConfirmRollout, Phase::Prepare, Phase::Database] {
        charge.ask(phase)?;
    }
    let session = charge.session;
    let (url, deployment_id) = match &request.source {
        Source::Directory { .. } if let Some(deploy) = &session.config.deploy => {
            charge.begin("deploy")?;
            (deployment::by_command(session, deploy, &charge.moment)?, None)
        }
        Source::Directory { path, message, .. } => {
            charge.begin("upload")?;
            let message = message.as_deref();
            let deployment = deployment::upload(session, path, message, &request.version, &charge.release)?;
            (deployment.url, Some(deployment.id))
        }
        Source::Origin { origin, deployment_id, .. } => (origin.to_string(), deployment_id.clone()),
        Source::Before { table } => (table.stable().origin.to_string(), None),
    };
    charge.moment.deployment_url = Some(url.clone());
    end::in_charge(charge.heartbeat.update(WITHIN, |record| {
        record.origin = Some(url.clone());
        record.deployment_id.clone_from(&deployment_id);
        record.elsewhere = deployment_id.is_none();
    }))?;
    charge.begin("live")?;
    let origin = Origin::new("the deployment's URL", &url)
        .map_err(|error| Error::Gate { phase: "live", why: error.to_string() })?;
    let uploaded = matches!(request.source, Source::Directory { .. });
    let uploaded = deployment_id.as_deref().filter(|_| uploaded);
    let uploaded = uploaded.map(|id| Ok::<_, Error>((session.pages_project()?, id))).transpose()?;
    gates::live(session, request, uploaded, &origin)?;
    Ok(origin)
}

/// Whether a release needs a build's output.
pub fn uploads(session: &Session) -> bool {
    match session.config.rollout.strategy {
        Strategy::Rolling => fleet::uploads(session),
        Strategy::BlueGreen | Strategy::Canary => session.config.deploy.is_none(),
    }
}

fn fleet_slot() -> Result<VariantName, Error> {
    VariantName::new("slot", fleet::SLOT).map_err(|error| Error::Usage(error.to_string()))
}

/// The slot that no visitor is on.
///
/// # Errors
/// When the configuration's slots have no names.
pub fn idle_slot(session: &Session, base: Option<&RoutingTable>) -> Result<VariantName, Error> {
    let stable = base.map(|table| table.stable().name.as_str());
    let [one, other] = &session.config.rollout.slots;
    let idle = if stable == Some(one.as_str()) { other } else { one };
    VariantName::new("rollout.slots", idle.as_str()).map_err(|error| Error::Usage(error.to_string()))
}

/// A failure in its own words, unless it is only what a cancellation looks like.
fn cancelled_or(cancel: &Cancel, error: Error) -> Error {
    match cancel.reason() {
        Some(reason) => Error::Cancelled(reason),
        None => error,
    }
}
