//! One release, blue-green. In: a directory. Out: the new version is stable, or everything is as it was.
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
use std::sync::Arc;
use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Canary, CannotStart, Plan, Rollout, Subject};
use crossfade_core::table::{Generation, Origin, Owner, ReleaseId, Revision, RunnerId, VariantName, Version};

use crate::cancel::Cancel;
use crate::command::Session;
use crate::drive::{self, Begun, World};
use crate::edge::Edge;
use crate::error::Error;
use crate::hooks::{Asker, Ending, Moment, Phase};
use crate::orders::Inbox;
use crate::record::{Heartbeat, Record, WITHIN};
use crate::report::Event;

use hooks::InFlight;
use measure::CanaryWork;

mod deployment;
mod end;
mod gates;
mod hooks;
mod measure;
mod settle;
mod takeover;

pub use gates::{check_health, check_smoke, target};
pub use takeover::{refuse_while_leased, table_in_force, write_table};

/// How long a smoke test that was cut short by a cancellation has to clean up, once everything else is done.
pub const CLEAN_UP_WITHIN: Duration = Duration::from_secs(10);

/// What to release.
#[derive(Clone, Debug)]
pub struct Request {
    /// The build's output.
    pub directory: PathBuf,
    /// What the version is called.
    pub version: Version,
    /// What Cloudflare's dashboard calls the deployment.
    pub message: Option<String>,
}

/// Releases a directory.
///
/// # Errors
/// [`Error::Gate`] and others with exit code 3 before the switch; [`Error::RolledBack`], [`Error::Stuck`] after it;
/// [`Error::InCharge`] or [`Error::Superseded`] when another release is in charge or takes over.
pub fn deploy(session: &Session, request: &Request) -> Result<(), Error> {
    let edge = session.edge()?;
    let plan = session.config.plan(false)?;
    let release = new_release_id();
    let (named, variable) = ((&request.version, &release), |name: &str| std::env::var(name).ok());
    let asker = Asker::new(&session.config.hooks, &session.root, named, session.cancel.clone(), variable)?;
    let found = takeover::table_in_force(session)?;
    let slot = idle_slot(session, found.as_ref())?;
    if let Some(table) = &found {
        takeover::refuse_while_leased(table)?;
        if table.lease().is_none() {
            CannotStart::check(table, &session.environment, &slot)?;
        }
    }
    let served = edge.check(&session.environment)?;
    let mut record =
        Record::begin(&release, &session.environment, "deploy", request.version.as_str(), slot.as_str());
    let owner = Owner { runner: new_runner_id(), generation: Generation::FIRST };
    record.owner = Some(owner.clone());
    record.stable_version = found.as_ref().map(|table| table.stable().version.to_string());
    let (environment, version) = (session.environment.clone(), request.version.clone());
    let moment =
        Moment::new(environment, release.clone(), version, slot.clone(), record.stable_version.clone());
    let _telling = hooks::Telling::start(session, &asker, &moment);
    session.reporter.release_started(Event::ReleaseStarted {
        release: release.to_string(),
        environment: session.environment.to_string(),
        deploying: format!("{} {}", session.project(), request.version),
        slot: slot.to_string(),
        stable: found.as_ref().map(|table| {
            let stable = table.stable();
            format!("{} {}", stable.name, stable.version)
        }),
    });
    if let Err(error) = session.ledger.claim(&record, &session.cancel) {
        let (outcome, text) = end::failed_outcome(&error, request);
        session.reporter.finished(outcome, false, text);
        return Err(error);
    }
    let mut heartbeat = Heartbeat::start(session.ledger.clone(), record, session.cancel.clone());

    let begun = Begun::default();
    let result = found
        .map(|table| takeover::settle_dead_release(session, table, &release))
        .transpose()
        .and_then(|base| {
            let (release, slot, edge, begun) = (&release, &slot, &edge, &begun);
            let (asker, moment) = (&asker, moment.clone());
            let run = Run { release, owner, slot, base, served, plan, edge, begun, asker, moment };
            self::run(session, request, run, &heartbeat)
        });
    heartbeat.stop();
    let (outcome, text) = match &result {
        Ok(()) => ("promoted", format!("promoted {}: it serves everybody", request.version)),
        Err(error) => end::failed_outcome(error, request),
    };
    session.reporter.finished(outcome, result.is_ok(), text.clone());
    let record = heartbeat.record();
    let ending = Some(Ending { outcome, text: text.clone() });
    let moment = Moment { deployment_url: record.origin.clone(), outcome: ending, ..moment };
    end::close(session, &session.ledger, record, outcome, text);
    end::after(session, &asker, &moment, &result);
    begun.finish(CLEAN_UP_WITHIN);
    result
}

struct Run<'a> {
    release: &'a ReleaseId,
    owner: Owner,
    slot: &'a VariantName,
    base: Option<RoutingTable>,
    /// What the edge served when the release began.
    served: Option<Revision>,
    plan: Plan,
    edge: &'a Edge,
    begun: &'a Begun,
    asker: &'a Asker,
    moment: Moment,
}

fn run(session: &Session, request: &Request, mut run: Run<'_>, heartbeat: &Heartbeat) -> Result<(), Error> {
    let begin = |phase: &'static str| -> Result<(), Error> {
        match session.cancel.reason() {
            Some(reason) => Err(Error::Cancelled(reason)),
            None => end::in_charge(heartbeat.update(WITHIN, |record| record.phase = phase.to_owned())),
        }
    };
    let asked = |phase: Phase, moment: &Moment| -> Result<(), Error> {
        if session.config.hooks.of(phase).is_empty() {
            return Ok(());
        }
        begin(phase.name())?;
        hooks::pass(session, run.asker, phase, moment)
    };
    // A build changes nothing but this machine; what comes behind the confirmation changes the world.
    for phase in [Phase::Build, Phase::ConfirmRollout, Phase::Prepare, Phase::Database] {
        asked(phase, &run.moment)?;
    }

    begin("upload")?;
    let deployment = deployment::upload(session, request, run.release)?;
    run.moment.deployment_url = Some(deployment.url.clone());
    end::in_charge(heartbeat.update(WITHIN, |record| {
        record.origin = Some(deployment.url.clone());
        record.deployment_id = Some(deployment.id.clone());
    }))?;

    begin("live")?;
    let origin = Origin::new("the deployment's URL", &deployment.url)
        .map_err(|error| Error::Gate { phase: "live", why: error.to_string() })?;
    gates::live(session, request, &deployment.id, &origin)?;

    let target = gates::target(origin.as_str());
    begin("health")?;
    gates::health(session, request, run.release, &target)?;
    begin("smoke")?;
    gates::smoke(session, request, run.release, &target)?;
    asked(Phase::PreRollout, &run.moment)?;
    if let Some(reason) = session.cancel.reason() {
        return Err(Error::Cancelled(reason));
    }

    let config = &session.config;
    let (affinity, policy) = config.router.parts(&config.rollout.slots).map_err(Error::Usage)?;
    let canary = Canary {
        environment: session.environment.clone(),
        name: run.slot.clone(),
        origin,
        version: request.version.clone(),
        affinity,
        policy,
    };
    let stable = run.base.as_ref().map(|table| table.stable().origin.clone());
    let hooks = InFlight::new(session, run.asker, &run.moment, &run.plan);
    let work = CanaryWork::new(session, run.release.as_str(), &canary, run.edge, stable.as_ref(), hooks);
    let subject = Subject::Canary(canary);
    let rollout =
        Rollout::new(run.plan, run.base, subject, run.release.clone(), run.owner)?.above(run.served);
    let outcome = drive::drive(
        rollout,
        &World {
            namespace: &session.namespace,
            signer: &session.signer,
            environment: &session.environment,
            release: run.release,
            edge: run.edge,
            heartbeat,
            cancel: &session.cancel,
            inbox: &Inbox::default(),
            reporter: &session.reporter,
            work: Arc::new(work),
            begun: run.begun,
        },
    );
    end::ended(outcome)
}

/// The slot that no visitor is on.
fn idle_slot(session: &Session, base: Option<&RoutingTable>) -> Result<VariantName, Error> {
    let stable = base.map(|table| table.stable().name.as_str());
    let [one, other] = &session.config.rollout.slots;
    let idle = if stable == Some(one.as_str()) { other } else { one };
    VariantName::new("rollout.slots", idle.as_str()).map_err(|error| Error::Usage(error.to_string()))
}

/// `rel-<UTC time>-<six random characters>`: sorts by time, and never comes twice.
pub fn new_release_id() -> ReleaseId {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S");
    let random = getrandom::u32().unwrap_or_else(|_| std::process::id());
    ReleaseId::new("release", format!("rel-{time}-{:06x}", random & 0x00ff_ffff))
        .expect("letters, digits and hyphens fit a header")
}

/// Six random characters that no other process has.
pub fn new_runner_id() -> RunnerId {
    let random = getrandom::u32().unwrap_or_else(|_| std::process::id());
    RunnerId::new("runner", format!("{:06x}", random & 0x00ff_ffff))
        .expect("six hexadecimal digits are a name")
}

/// A failure in its own words, unless it is only what a cancellation looks like.
fn cancelled_or(cancel: &Cancel, error: Error) -> Error {
    match cancel.reason() {
        Some(reason) => Error::Cancelled(reason),
        None => error,
    }
}
