//! An isolate's counts. In: how requests ended. Out: batches, each kept until the object has it.
//!
//! One batch is on its way at a time. It is not known of a flush that failed whether its batch arrived, so it is sent again as it
//! was; what is counted meanwhile waits for the next one. When the object stays away the oldest counts are given up: it costs
//! counters, and never an isolate's memory.

use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::mem;
use std::time::Duration;

use serde::Deserialize;
use siphasher::sip::SipHasher24;

use super::pace::{self, Pace};
use super::{Outcome, SCHEMA, Subject, Tally};
use crate::assign::VisitorId;
use crate::{RoutingTable, Timestamp};

/// The most (revision, variant) pairs that are kept while no batch gets through.
pub const ENTRIES_MAX: usize = 64;
/// The most failing visitors that one batch names of one variant: beyond that the object knows that it is bad.
pub const FAILED_MAX: usize = 256;

/// What an isolate has counted and not yet got rid of.
///
/// ```
/// # use crossfade_core::{RoutingTable, Timestamp, assign::VisitorId};
/// # use crossfade_core::counters::{Batch, Book, Delivery, Entry, Outcome, book::visitor_hash};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let table = RoutingTable::parse(json)?;
/// let now = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
/// let visitor = || visitor_hash(&table, VisitorId::from_bits(7));
/// let mut book = Book::new();
/// let entry: &mut Entry = book.entry(&table, 1).unwrap();
/// entry.note(Outcome::Answer { status: 503, micros: 9_000 }, visitor);
///
/// let due = book.due(&table, now).unwrap();
/// let batch: &Batch = book.take(due, now, || "isolate-1".into()).unwrap();
/// assert_eq!((batch.sequence, batch.entries[0].tally.errors), (1, 1));
/// book.delivered(1, Delivery::Done);
/// assert_eq!(book.due(&table, now), None);
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Who counts: a name that no other isolate has.
    isolate: String,
    /// The number of the last batch.
    sequence: u64,
    /// What is being counted.
    open: Vec<Entry>,
    /// The batch that is not acknowledged yet.
    sent: Option<Batch>,
    pace: Pace,
}

/// What an isolate tells the object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Batch {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who counted.
    pub isolate: String,
    /// Its batches' number: 1, 2, 3, …
    pub sequence: u64,
    /// What it counted since the batch before.
    pub entries: Vec<Entry>,
}

/// What was counted of one variant under one revision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Whose counts they are.
    #[serde(flatten)]
    pub subject: Subject,
    /// The counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// Visitors with an error, as [`visitor_hash`] has them.
    #[serde(default)]
    pub failed: Vec<u64>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The object has it.
    Done,
    /// The object does not want it, and never will.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// As JSON. By hand, because the router carries it to the edge, where a serialiser of flattened structs is 8 kB more; no text in it needs to be
/// escaped, as what a table names can stand in an HTTP header.
impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, isolate, sequence, entries } = self;
        write!(f, r#"{{"schema":{schema},"isolate":"{isolate}","sequence":{sequence},"entries":["#)?;
        for (index, entry) in entries.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            entry.fmt(f)?;
        }
        f.write_str("]}")
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { revision, release, variant, version } = &self.subject;
        write!(
            f,
            r#"{{"revision":{revision},"release":"{release}","variant":"{variant}","version":"{version}""#
        )?;
        let tally = &self.tally;
        for (name, count) in [
            ("requests", tally.requests),
            ("errors", tally.errors),
            ("exceptions", tally.exceptions),
            ("timeouts", tally.timeouts),
            ("rescued", tally.rescued),
            ("fallbacks", tally.fallbacks),
            ("ejections", tally.ejections),
        ] {
            write!(f, r#","{name}":{count}"#)?;
        }
        f.write_str(r#","latency":"#)?;
        list(f, tally.latency.runs())?;
        f.write_str(r#","failed":"#)?;
        list(f, self.failed.iter().copied())?;
        f.write_char('}')
    }
}

fn list(f: &mut fmt::Formatter<'_>, numbers: impl IntoIterator<Item = u64>) -> fmt::Result {
    let mut before = '[';
    for number in numbers {
        write!(f, "{before}{number}")?;
        before = ',';
    }
    f.write_str(if before == '[' { "[]" } else { "]" })
}

impl Entry {
    /// Counts a request; `visitor` is asked for when it failed.
    pub fn note(&mut self, outcome: Outcome, visitor: impl FnOnce() -> u64) {
        self.tally.note(outcome);
        if outcome.is_failure() && self.failed.len() < FAILED_MAX {
            let visitor = visitor();
            if !self.failed.contains(&visitor) {
                self.failed.push(visitor);
            }
        }
    }
}

impl Book {
    /// An empty one.
    pub const fn new() -> Self {
        Self { isolate: String::new(), sequence: 0, open: Vec::new(), sent: None, pace: Pace::new() }
    }

    /// Where a variant's requests are counted. It allocates once a batch, not once a request. `None` when the table has no
    /// such variant.
    pub fn entry(&mut self, table: &RoutingTable, index: usize) -> Option<&mut Entry> {
        let variant = table.variants().get(index)?;
        let (revision, name) = (table.revision().number(), variant.name.as_str());
        let known = self
            .open
            .iter()
            .position(|entry| entry.subject.revision == revision && entry.subject.variant == name);
        if known.is_none() {
            if self.open.len() >= ENTRIES_MAX {
                self.open.remove(0);
            }
            let subject = Subject::of(table, index)?;
            self.open.push(Entry { subject, tally: Tally::default(), failed: Vec::new() });
        }
        match known {
            Some(at) => self.open.get_mut(at),
            None => self.open.last_mut(),
        }
    }

    /// When to flush next, if there is something to flush and nobody waits for that moment yet. Whoever is told waits, and
    /// then asks for [`Self::take`].
    pub fn due(&mut self, table: &RoutingTable, now: Timestamp) -> Option<Timestamp> {
        if self.open.is_empty() && self.sent.is_none() {
            return None;
        }
        self.pace.set(now, interval(table, now))
    }

    /// The batch to send at `due`: the one before once more while it is not acknowledged. `name` names the isolate.
    pub fn take(&mut self, due: Timestamp, now: Timestamp, name: impl FnOnce() -> String) -> Option<&Batch> {
        if !self.pace.begin(due, now) {
            return None;
        }
        if self.sent.is_none() {
            if self.isolate.is_empty() {
                self.isolate = name();
            }
            self.sequence += 1;
            self.sent = Some(Batch {
                schema: SCHEMA,
                isolate: self.isolate.clone(),
                sequence: self.sequence,
                entries: mem::take(&mut self.open),
            });
        }
        self.sent.as_ref()
    }

    /// Takes note of what became of the batch with this number. One that was overtaken changes nothing.
    pub fn delivered(&mut self, sequence: u64, delivery: Delivery) {
        if self.sent.as_ref().is_none_or(|sent| sent.sequence != sequence) {
            return;
        }
        if delivery != Delivery::Unknown {
            self.sent = None;
        }
        self.pace.end(delivery != Delivery::Unknown);
    }
}

/// The least time between two flushes: a release is in flight while its table has a lease that holds.
fn interval(table: &RoutingTable, now: Timestamp) -> Duration {
    let in_flight = table.lease().is_some() && !table.lapsed(now);
    if in_flight { pace::IN_FLIGHT } else { pace::IDLE }
}

/// A visitor of a release, by a number that tells nothing of him and is another one in the next release. 53 bits, which is what
/// JavaScript's numbers hold.
pub fn visitor_hash(table: &RoutingTable, visitor: VisitorId) -> u64 {
    let mut hasher = SipHasher24::new();
    for text in [table.release().as_str(), table.affinity().salt.as_str()] {
        hasher.write(text.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.write_u128(visitor.bits());
    hasher.finish() >> 11
}
