//! The rollout machine's driver: the only place that moves traffic.
//!
//! Each effect is performed with a deadline. Waiting, confirming and measuring are left at once when somebody cancels. A
//! call to KV in flight is waited for, because home must not overtake a write; no further one is begun. So home is written
//! at most `WRITE_WITHIN` (what is in flight) + `FENCE_WITHIN` + `WRITE_WITHIN` after a signal ([`publish`]), which is below 6 s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossfade_core::rollout::{
    Answer, Confirmation, Deployed, Effect, Event, HookGate, Measurement, NotUndone, Outcome, Rollout,
    Verdict, WriteFailure,
};
use crossfade_core::table::{Owner, ReleaseId, Revision, VariantName, Weight};
use crossfade_core::{RoutingTable, Timestamp};

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::edge::Edge;
use crate::orders::Inbox;
use crate::record::Heartbeat;
use crate::report::{self, Reporter};
use crate::routing::Routing;

mod begun;
mod publish;
mod said;

pub use begun::Begun;

use begun::Errand;
use said::Said;

/// The most that one question to the edge may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// Answers in a row, each over a connection of its own, that make a revision count as served.
const CONFIRMATIONS: usize = 3;

/// How often a wait looks whether there is an order.
const LISTEN_EVERY: Duration = Duration::from_millis(200);

/// Where a rollout happens.
pub struct World<'a> {
    /// Where tables are put.
    pub routing: &'a Routing,
    /// Who moves it.
    pub release: &'a ReleaseId,
    /// The public URL.
    pub edge: &'a Edge,
    /// The release's record.
    pub heartbeat: &'a Heartbeat,
    /// Signals.
    pub cancel: &'a Cancel,
    /// What people say meanwhile.
    pub inbox: &'a Inbox,
    /// What people and programs read.
    pub reporter: &'a Reporter,
    /// What happened by the hands of earlier runners.
    pub earlier: &'a [serde_json::Value],
    /// Does what takes long.
    pub work: Arc<dyn Work>,
    /// What of it is under way.
    pub begun: &'a Begun,
}

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// At which step.
    pub step: usize,
    /// The new version's share there.
    pub weight: Weight,
    /// Whether probes and hooks are asked.
    pub probes: bool,
    /// From when on it is said what was counted.
    pub counts: Option<Timestamp>,
}

/// What the machine asks for that takes long. A cancellation reaches it by itself.
pub trait Work: Send + Sync {
    /// Measures the new version.
    fn measure(&self, what: Asked) -> Measurement;

    /// Asks a hook whether a step may begin.
    fn ask(&self, gate: HookGate, step: usize) -> Answer;

    /// Brings the new version to instances.
    fn deploy(&self, instances: &[VariantName]) -> Vec<Deployed>;

    /// Brings the version before back to instances.
    ///
    /// # Errors
    /// Which have it not, and why.
    fn undo(&self, instances: &[VariantName]) -> Result<(), NotUndone>;
}

/// Runs a rollout to its end.
pub fn drive(mut rollout: Rollout, world: &World<'_>) -> Outcome {
    let clock = Clock::start();
    let mut cancel_told = false;
    let mut said = Said::new(world.reporter, world.routing.seen());
    let mut stage = None;
    let mut event = match world.cancel.reason() {
        Some(reason) => Event::Cancelled(reason),
        None => Event::Started,
    };
    loop {
        let effect = rollout.handle(clock.now(), event);
        for (order, reply) in rollout.replies() {
            said.order(order, &reply);
            world.inbox.reply(order, reply);
        }
        for evidence in rollout.evidence() {
            said.measured(&evidence);
            world.reporter.measured(evidence);
        }
        let now = Some(rollout.stage());
        if now != stage {
            let (told, steps) = (now.clone(), rollout.plan().steps().len());
            let evidence = world.reporter.evidence(world.earlier);
            world.heartbeat.tell(|record| {
                (record.stage, record.steps, record.evidence) = (told, Some(steps), evidence);
            });
            if let Some(now) = &now {
                said.stage(now);
            }
            stage = now;
        }
        said.before(&effect, &rollout);
        if let Effect::Finish(outcome) = effect {
            said.end(&outcome);
            return outcome;
        }
        event = perform(&effect, &rollout, world, &clock, cancel_told);
        said.after(&effect, &event);
        // That nothing was written is worth more to the machine than that it is cancelled; it will hear of that next.
        let surely_not_written = matches!(event, Event::Published(Err(WriteFailure::NotWritten(_))));
        if !cancel_told
            && !surely_not_written
            && !matches!(event, Event::Cancelled(_))
            && let Some(reason) = world.cancel.reason()
        {
            event = Event::Cancelled(reason);
        }
        cancel_told |= matches!(event, Event::Cancelled(_));
    }
}

fn perform(effect: &Effect, rollout: &Rollout, world: &World<'_>, clock: &Clock, cancel_told: bool) -> Event {
    // Once the machine knows, going home must not be cut short again.
    let cancel = if cancel_told { &Cancel::default() } else { world.cancel };
    match effect {
        Effect::Publish { table, base, urgent } => {
            Event::Published(publish::publish(world, rollout, table, *base, *urgent, cancel))
        }
        Effect::LookUp => Event::LookedUp(publish::look_up(world)),
        Effect::Confirm(revision) => {
            let (edge, release, revision) = (world.edge.clone(), world.release.clone(), *revision);
            let owner = rollout.owner().clone();
            beside(cancel, move || Event::Confirmed(confirm(&edge, &release, &owner, revision)))
        }
        Effect::Measure { step, weight, probes, counts, until } => {
            let what = Asked { step: *step, weight: *weight, probes: *probes, counts: *counts };
            let measure = move |work: &dyn Work| Event::Measured(work.measure(what));
            let panicked = || Verdict::Error("internal error: the measurement panicked".into());
            go_on(world, clock, *until, cancel, Errand::Measure(*step), measure)
                .unwrap_or_else(|| Event::Measured(panicked().into()))
        }
        Effect::Ask { gate, step, until } => {
            let (gate, step) = (*gate, *step);
            let ask = move |work: &dyn Work| Event::Answered(work.ask(gate, step));
            go_on(world, clock, *until, cancel, Errand::Ask(gate, step), ask)
                .unwrap_or(Event::Answered(Answer::Fail("internal error: the hook panicked".into())))
        }
        Effect::Deploy { instances, until } => {
            let names = instances.clone();
            let deploy = move |work: &dyn Work| Event::Deployed(work.deploy(&names));
            go_on(world, clock, *until, cancel, Errand::Deploy(instances.clone()), deploy)
                .unwrap_or(Event::Deployed(Vec::new()))
        }
        Effect::Undo { instances, until } => {
            let names = instances.clone();
            let undo = move |work: &dyn Work| Event::Undone(work.undo(&names));
            go_on(world, clock, *until, cancel, Errand::Undo(instances.clone()), undo).unwrap_or_else(|| {
                let why = "internal error: undoing panicked".into();
                Event::Undone(Err(NotUndone { instances: instances.clone(), why }))
            })
        }
        Effect::WaitUntil(time) => wait(world, clock, *time, cancel),
        Effect::Finish(_) => Event::Woke,
    }
}

/// Begins what takes long, or goes on with it. `None` when it will never end.
fn go_on(
    world: &World<'_>,
    clock: &Clock,
    until: Option<Timestamp>,
    cancel: &Cancel,
    errand: Errand,
    run: impl FnOnce(&dyn Work) -> Event + Send + 'static,
) -> Option<Event> {
    let work = Arc::clone(&world.work);
    let within = until.map(|until| until.since(clock.now()));
    let begin = || Beside::start(move || run(work.as_ref()));
    world.begun.go_on(errand, begin, within, cancel, world.inbox)
}

/// Waits for a time, an order or a cancellation.
fn wait(world: &World<'_>, clock: &Clock, until: Timestamp, cancel: &Cancel) -> Event {
    loop {
        let left = until.since(clock.now());
        if cancel.wait(left.min(LISTEN_EVERY)) || left.is_zero() {
            return Event::Woke;
        }
        if let Some(order) = world.inbox.take() {
            return Event::Ordered(order);
        }
    }
}

/// Does something on a thread of its own, and leaves it behind when somebody cancels.
fn beside(cancel: &Cancel, work: impl FnOnce() -> Event + Send + 'static) -> Event {
    match Beside::start(work).wait(cancel, None) {
        Waited::Ended(event) => event,
        Waited::Cancelled(reason) => Event::Cancelled(reason),
        Waited::NotYet | Waited::Panicked => {
            Event::Cancelled("internal error: asking the edge panicked".into())
        }
    }
}

fn confirm(edge: &Edge, release: &ReleaseId, owner: &Owner, revision: Revision) -> Confirmation {
    for _ in 0..CONFIRMATIONS {
        let status = match edge.status(ASK_WITHIN) {
            Ok(status) => status,
            Err(error) => return Confirmation::NotYet(error.to_string()),
        };
        let ours = status.release.as_deref() == Some(release.as_str());
        // What the runner wrote that this one took over from is not ours yet.
        if ours && status.owner().map(|owner| owner.generation) < Some(owner.generation) {
            return Confirmation::NotYet(format!("{} of the runner before", status.served()));
        }
        let ours = ours && status.owner() == Some(owner);
        match status.revision {
            Some(seen) if ours && seen >= revision.number() => {}
            Some(seen) if !ours && seen >= revision.number() => {
                let by = status.release.unwrap_or_default();
                return Confirmation::Superseded(format!("the edge serves revision {seen} of release {by}"));
            }
            Some(_) | None => return Confirmation::NotYet(status.served()),
        }
    }
    Confirmation::Served
}

/// Wall time that never goes back: the machine's clock.
struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), started_at: report::now() }
    }

    fn now(&self) -> Timestamp {
        self.started_at.plus(self.started.elapsed())
    }
}

/// `blue 95 %, green 5 %`, without those who have nothing.
pub fn shares(table: &RoutingTable) -> String {
    let shares: Vec<String> = table
        .variants()
        .iter()
        .filter(|variant| variant.weight > Weight::ZERO)
        .map(|variant| format!("{} {}", variant.name, variant.weight))
        .collect();
    shares.join(", ")
}
