//! The rollout machine's driver: the only place that moves traffic.
//!
//! Each effect is performed with a deadline. Waiting, confirming and measuring are left at once when somebody cancels. A
//! call to KV in flight is waited for, because home must not overtake a write; no further one is begun. So home is written
//! at most [`WRITE_WITHIN`] (what is in flight) + [`FENCE_WITHIN`] + [`WRITE_WITHIN`] after a signal, which is below 6 s.

use std::time::{Duration, Instant};

use crossfade_core::rollout::{Confirmation, Effect, Event, Found, Outcome, Rollout, WriteFailure};
use crossfade_core::table::{Environment, ReleaseId, Revision, Weight};
use crossfade_core::{RoutingTable, Timestamp};

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::cloudflare;
use crate::cloudflare::kv::Namespace;
use crate::edge::Edge;
use crate::error::Error;
use crate::record::Heartbeat;
use crate::report::{self, Reporter};
use crate::signing::Signer;

mod measure;
mod said;

pub use measure::Measurement;

use said::Said;

/// The most that looking at the table before a write may take.
pub const FENCE_WITHIN: Duration = Duration::from_millis(1_500);
/// The most that a write of the table may take.
pub const WRITE_WITHIN: Duration = Duration::from_millis(2_200);
/// The most that one question to the edge may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// Answers in a row, each over a connection of its own, that make a revision count as served.
const CONFIRMATIONS: usize = 3;

/// Where a rollout happens.
pub struct World<'a> {
    /// The table's KV namespace.
    pub namespace: &'a Namespace,
    /// Signs what is written there.
    pub signer: &'a Signer,
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
    /// Takes measurements: of the canary alone below 100 %, of the public URL at 100 %.
    pub measurement: &'a Measurement,
}

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
    let mut said = Said::new(world.reporter);
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

fn perform(effect: &Effect, world: &World<'_>, clock: &Clock, cancel_told: bool) -> Event {
    // Once the machine knows, going home must not be cut short again.
    let cancel = if cancel_told { &Cancel::default() } else { world.cancel };
    match effect {
        Effect::Publish { table, base, urgent } => {
            Event::Published(publish(world, table, *base, *urgent, cancel))
        }
        Effect::LookUp => Event::LookedUp(look_up(world)),
        Effect::Confirm(revision) => {
            let (edge, release, revision) = (world.edge.clone(), world.release.clone(), *revision);
            beside(cancel, move || Event::Confirmed(confirm(&edge, &release, revision)))
        }
        Effect::Measure { step, weight, until } => {
            let within = until.map(|until| until.since(clock.now()));
            world.measurement.take(*step, *weight, within, cancel)
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
    match Beside::start(work).wait(cancel, None) {
        Waited::Ended(event) => event,
        Waited::Cancelled(reason) => Event::Cancelled(reason),
        Waited::NotYet | Waited::Panicked => {
            Event::Cancelled("internal error: asking the edge panicked".into())
        }
    }
}

/// Writes a table: first the release's record, so that others know; then a look at what is replaced; then the write.
fn publish(
    world: &World<'_>,
    table: &RoutingTable,
    base: Option<Revision>,
    urgent: bool,
    cancel: &Cancel,
) -> Result<(), WriteFailure> {
    let not_cancelled = || match cancel.reason() {
        Some(reason) if !urgent => Err(WriteFailure::NotWritten(format!("cancelled: {reason}"))),
        Some(_) | None => Ok(()),
    };
    let key = RoutingTable::key(world.environment);
    let phase = format!("revision {}", table.revision());
    if urgent {
        world.heartbeat.note(|record| record.phase = format!("going home, {phase}"));
    } else {
        world.heartbeat.update(FENCE_WITHIN, |record| record.phase = phase).map_err(|error| match error {
            Error::Superseded(by) => WriteFailure::Superseded(by),
            error => WriteFailure::NotWritten(format!("the release's record: {}", error.in_one_line())),
        })?;
    }
    not_cancelled()?;
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
    not_cancelled()?;
    let document = world.signer.document(table);
    world.namespace.write_once(&key, document.as_bytes(), WRITE_WITHIN).map_err(write_failure)
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
