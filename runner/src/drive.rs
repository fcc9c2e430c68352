//! The rollout machine's driver: the only place that moves traffic.
//!
//! Each effect is performed with a deadline. Waiting, confirming and measuring are left at once when somebody cancels; a
//! write in flight is waited for (at most [`FENCE_WITHIN`] + [`WRITE_WITHIN`]), because home must not overtake it.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crossfade_core::rollout::{Confirmation, Effect, Event, Found, Outcome, Rollout, Verdict, WriteFailure};
use crossfade_core::table::{Environment, ReleaseId, Revision, Weight};
use crossfade_core::{RoutingTable, Timestamp};

use crate::cancel::Cancel;
use crate::cloudflare;
use crate::cloudflare::kv::Namespace;
use crate::edge::Edge;
use crate::record::Heartbeat;
use crate::report::{self, Phase, Reporter};

/// The most that looking at the table before a write may take.
pub const FENCE_WITHIN: Duration = Duration::from_millis(1_500);
/// The most that a write of the table may take.
pub const WRITE_WITHIN: Duration = Duration::from_millis(2_500);
/// The most that one question to the edge may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// Answers in a row, each over a connection of its own, that make a revision count as served.
const CONFIRMATIONS: usize = 3;

/// Where a rollout happens.
pub struct World<'a> {
    /// The table's KV namespace.
    pub namespace: &'a Namespace,
    /// Whose traffic.
    pub environment: &'a Environment,
    /// Who moves it.
    pub release: &'a ReleaseId,
    /// The public URL.
    pub edge: &'a Edge,
    /// The release's record.
    pub heartbeat: &'a Heartbeat,
    /// Signals.
    pub cancel: &'a Cancel,
    /// What people and programs read.
    pub reporter: &'a Reporter,
    /// Takes one measurement: of the canary alone below 100 %, of the public URL at 100 %.
    pub measure: Measure,
}

/// Takes a measurement at a weight; must be able to run beside us. The cancellation reaches it too.
pub type Measure = std::sync::Arc<dyn Fn(usize, Weight) -> Verdict + Send + Sync>;

/// What the table in KV says of its writer.
pub struct Fence {
    /// Its revision.
    pub revision: Revision,
    /// Who wrote it.
    pub release: ReleaseId,
}

/// Runs a rollout to its end.
pub fn drive(mut rollout: Rollout, world: &World<'_>) -> Outcome {
    let clock = Clock::start();
    let mut cancel_told = false;
    let mut said = Said { reporter: world.reporter, phase: None, switched: false };
    let mut event = match world.cancel.reason() {
        Some(reason) => Event::Cancelled(reason),
        None => Event::Started,
    };
    loop {
        let effect = rollout.handle(clock.now(), event);
        said.before(&effect, &rollout);
        if let Effect::Finish(outcome) = effect {
            said.end(&outcome);
            return outcome;
        }
        event = perform(&effect, world, &clock, cancel_told);
        said.after(&effect, &event);
        if !cancel_told
            && !matches!(event, Event::Cancelled(_))
            && let Some(reason) = world.cancel.reason()
        {
            event = Event::Cancelled(reason);
        }
        cancel_told |= matches!(event, Event::Cancelled(_));
    }
}

fn perform(effect: &Effect, world: &World<'_>, clock: &Clock, cancel_told: bool) -> Event {
    // Once the machine knows, going home must not be cut short again.
    let cancel = if cancel_told { &Cancel::default() } else { world.cancel };
    match effect {
        Effect::Publish { table, base, urgent } => Event::Published(publish(world, table, *base, *urgent)),
        Effect::LookUp => Event::LookedUp(look_up(world)),
        Effect::Confirm(revision) => {
            let (edge, release, revision) = (world.edge.clone(), world.release.clone(), *revision);
            beside(cancel, move || Event::Confirmed(confirm(&edge, &release, revision)))
        }
        Effect::Measure { step, weight } => {
            let (measure, step, weight) = (std::sync::Arc::clone(&world.measure), *step, *weight);
            beside(cancel, move || Event::Measured(measure(step, weight)))
        }
        Effect::WaitUntil(time) => {
            cancel.wait(time.since(clock.now()));
            Event::Woke
        }
        Effect::Finish(_) => Event::Woke,
    }
}

/// Does something on a thread of its own, and leaves it behind when somebody cancels.
fn beside(cancel: &Cancel, work: impl FnOnce() -> Event + Send + 'static) -> Event {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    loop {
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok(event) => return event,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some(reason) = cancel.reason() {
                    return Event::Cancelled(reason);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Event::Cancelled("internal error: a measurement panicked".into());
            }
        }
    }
}

fn publish(
    world: &World<'_>,
    table: &RoutingTable,
    base: Option<Revision>,
    urgent: bool,
) -> Result<(), WriteFailure> {
    let key = RoutingTable::key(world.environment);
    let phase = format!("revision {}", table.revision());
    if urgent {
        world.heartbeat.note(|record| record.phase = format!("going home, {phase}"));
    } else if let Err(error) = world.heartbeat.update(|record| record.phase = phase) {
        return Err(WriteFailure::NotWritten(format!("the release's record: {error}")));
    }
    match fence(world.namespace, world.environment) {
        Ok(Some(found)) if found.release == *world.release || Some(found.revision) == base => {}
        Ok(None) if base.is_none() => {}
        Ok(Some(found)) => {
            return Err(WriteFailure::Superseded(format!(
                "revision {} of release {}",
                found.revision, found.release
            )));
        }
        Ok(None) => return Err(WriteFailure::Superseded("somebody deleted the routing table".into())),
        // Home is safe for visitors whoever wrote last; anything else waits until it can see what it replaces.
        Err(_) if urgent => {}
        Err(why) => return Err(WriteFailure::NotWritten(why)),
    }
    world.namespace.write_once(&key, table.to_json().as_bytes(), WRITE_WITHIN).map_err(write_failure)
}

/// Reads who wrote the table in force. A damaged table has no writer that could be told apart, and is an error.
///
/// # Errors
/// In words, when it cannot be read.
pub fn fence(namespace: &Namespace, environment: &Environment) -> Result<Option<Fence>, String> {
    let key = RoutingTable::key(environment);
    let bytes = namespace.read_once(&key, FENCE_WITHIN).map_err(|error| error.to_string())?;
    let Some(bytes) = bytes else { return Ok(None) };
    let table = RoutingTable::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(Some(Fence { revision: table.revision(), release: table.release().clone() }))
}

fn write_failure(error: cloudflare::Error) -> WriteFailure {
    let text = error.to_string();
    match error.fate() {
        cloudflare::Fate::Refused => WriteFailure::Refused(text),
        cloudflare::Fate::NotApplied => WriteFailure::NotWritten(text),
        cloudflare::Fate::Unknown => WriteFailure::Unknown(text),
    }
}

fn look_up(world: &World<'_>) -> Found {
    match fence(world.namespace, world.environment) {
        Ok(Some(Fence { revision, release })) => Found::Table { revision, release },
        Ok(None) => Found::Nothing,
        Err(why) => Found::Unreadable(why),
    }
}

fn confirm(edge: &Edge, release: &ReleaseId, revision: Revision) -> Confirmation {
    for _ in 0..CONFIRMATIONS {
        let status = match edge.status(ASK_WITHIN) {
            Ok(status) => status,
            Err(error) => return Confirmation::NotYet(error.to_string()),
        };
        let ours = status.release.as_deref() == Some(release.as_str());
        match status.revision {
            Some(seen) if ours && seen >= revision.number() => {}
            Some(seen) if !ours && seen >= revision.number() => {
                let by = status.release.unwrap_or_default();
                return Confirmation::Superseded(format!("the edge serves revision {seen} of release {by}"));
            }
            Some(seen) => return Confirmation::NotYet(format!("it serves revision {seen}")),
            None => return Confirmation::NotYet("it has no table yet".into()),
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

/// Turns effects into phases that people follow.
struct Said<'a> {
    reporter: &'a Reporter,
    phase: Option<(Phase<'a>, String)>,
    /// A table was published before.
    switched: bool,
}

impl<'a> Said<'a> {
    fn before(&mut self, effect: &Effect, rollout: &Rollout) {
        match effect {
            Effect::Publish { table, urgent, .. } => {
                let renewal = self.phase.is_some() && table.lease().is_some();
                if renewal && !urgent {
                    return;
                }
                // The first release of all has no lease: there is no other version that could take over.
                let name = match (urgent, table.lease()) {
                    (true, _) => "home",
                    (false, None) if self.switched => "settle",
                    (false, Some(_) | None) => "switch",
                };
                self.switched = true;
                let text = format!("revision {}: {}", table.revision(), shares(table));
                self.begin(name, text);
            }
            Effect::Confirm(revision) => {
                self.progress(&format!("waiting for the edge to serve revision {revision}"))
            }
            Effect::Measure { step, weight } => {
                let first = self.phase.as_ref().is_none_or(|(phase, _)| phase.name() != "verify");
                if first {
                    let of = rollout.plan().steps().len();
                    self.begin("verify", format!("step {} of {of}, {weight}", step + 1));
                }
            }
            Effect::LookUp => self.progress("looking up whether the write happened"),
            Effect::WaitUntil(_) => {}
            Effect::Finish(_) => {}
        }
    }

    fn after(&mut self, effect: &Effect, event: &Event) {
        match (effect, event) {
            (Effect::Publish { .. }, Event::Published(Err(failure))) => {
                let (WriteFailure::Refused(why)
                | WriteFailure::NotWritten(why)
                | WriteFailure::Unknown(why)
                | WriteFailure::Superseded(why)) = failure;
                self.detail(false, why);
            }
            (Effect::Confirm(_), Event::Confirmed(Confirmation::Served)) => self.done(", served at the edge"),
            (Effect::Confirm(_), Event::Confirmed(Confirmation::NotYet(seen))) => self.progress(seen),
            (Effect::Measure { .. }, Event::Measured(Verdict::Pass)) => self.progress("passed"),
            (Effect::Measure { .. }, Event::Measured(Verdict::Fail(why))) => self.failed(why),
            (Effect::Measure { .. }, Event::Measured(Verdict::Error(why))) => {
                self.detail(false, &format!("could not measure: {why}"));
            }
            (_, Event::Cancelled(why)) => self.failed(&format!("cancelled: {why}")),
            (_, _) => {}
        }
    }

    fn begin(&mut self, name: &'static str, text: String) {
        self.done("");
        self.phase = Some((self.reporter.phase(name), text));
        self.progress("");
    }

    fn progress(&self, text: &str) {
        if let Some((phase, what)) = &self.phase {
            phase.progress(if text.is_empty() { what.clone() } else { format!("{what}; {text}") });
        }
    }

    fn detail(&self, ok: bool, text: &str) {
        if let Some((phase, _)) = &self.phase {
            phase.detail(ok, text);
        }
    }

    fn done(&mut self, more: &str) {
        if let Some((phase, text)) = self.phase.take() {
            phase.done(format!("{text}{more}"));
        }
    }

    fn failed(&mut self, why: &str) {
        if let Some((phase, text)) = self.phase.take() {
            phase.failed_because(&text, why);
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Promoted | Outcome::RolledBack(_) => self.done(""),
            Outcome::NotStarted(why) => self.failed(&why.to_string()),
            Outcome::Superseded(by) => self.failed(by),
            Outcome::Stuck { traffic, .. } => self.failed(&traffic.to_string()),
        }
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
