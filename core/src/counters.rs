//! What the router counts, and what becomes of it. In: how requests ended. Out: exact counts of any time.
//!
//! ```text
//!   an isolate                                  the Durable Object                     a reader
//!   Book ── count ──▶ Batch 7 ── flush ──▶ accept: is 7 new? ──▶ buckets ── look ──▶ Metrics
//!     ▲                  │                      (one a second, kept for 48 h)
//!     └── kept until it is acknowledged ──┘
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`book`] | an isolate's counts, and the batch that is on its way |
//! | [`pace`] | when an isolate flushes |
//! | [`rollup`] | what the object does with a batch, and what it answers |
//! | [`metrics`] | questions and answers of `/__crossfade/metrics` |
//! | [`prometheus`] | the same as text |
//!
//! Nothing is counted twice: a batch that was perhaps received is sent again as it was, under the same number, and the
//! object takes each number of an isolate once. Nothing comes late: a bucket's second is that of its arrival at the object, so
//! one that is over never changes, and who asks for one period after the other sees every count exactly once.
//!
//! What may be lost: what an isolate had not flushed when it ended (at most a second's counts while a release is in flight, a
//! minute's else), what it could not keep while the object was away, requests whose visitor went away before the answer, and
//! those of the secret's holder, which say nothing about visitors.

use serde::{Deserialize, Serialize};

use crate::RoutingTable;
use crate::analysis::{Counts, LatencyHistogram};

pub mod book;
pub mod metrics;
pub mod pace;
pub mod prometheus;
pub mod rollup;

pub use book::{Batch, Book, Delivery, Entry};
pub use metrics::{By, Metrics, Query, Series};
pub use rollup::Rows;

/// The version of batches and answers.
pub const SCHEMA: u32 = 1;

/// Whose counts they are.
///
/// ```
/// # use crossfade_core::{RoutingTable, counters::Subject};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let table = RoutingTable::parse(json)?;
/// let green = Subject::of(&table, 1).unwrap();
/// assert_eq!((green.revision, green.variant.as_str(), green.version.as_str()), (42, "green", "1.5.0"));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The revision of the table that sent the requests there. Weights change only with it.
    pub revision: u64,
    /// The release that wrote it.
    pub release: String,
    /// The variant.
    pub variant: String,
    /// The version that it was.
    pub version: String,
}

impl Subject {
    /// A table's variant by its index.
    pub fn of(table: &RoutingTable, index: usize) -> Option<Self> {
        let variant = table.variants().get(index)?;
        Some(Self {
            revision: table.revision().number(),
            release: table.release().to_string(),
            variant: variant.name.to_string(),
            version: variant.version.to_string(),
        })
    }
}

/// How a request that was sent to a variant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answer {
        /// Its status.
        status: u16,
        /// Until its first byte, as the Worker's clock has it: whole milliseconds.
        micros: u64,
    },
    /// With none: the origin could not be reached, or broke off.
    Exception,
    /// With none in time.
    Timeout,
}

impl Outcome {
    /// Whether it counts as a failure of the variant.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Answer { status, .. } => status >= 500,
            Self::Exception | Self::Timeout => true,
        }
    }
}

/// What was counted. Adding is all that is ever done to it: in any order, from any number of isolates. Counts saturate.
///
/// ```
/// use crossfade_core::counters::{Outcome, Tally};
///
/// let mut tally = Tally::default();
/// tally.note(Outcome::Answer { status: 200, micros: 12_000 });
/// tally.note(Outcome::Timeout);
/// assert!(Outcome::Timeout.is_failure());
///
/// let mut elsewhere = Tally::default();
/// elsewhere.merge(&tally);
/// let counts = elsewhere.counts();
/// assert_eq!((counts.requests, counts.errors, counts.unanswered), (2, 1, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Visitors' requests that were sent to the variant and came to an end.
    pub requests: u64,
    /// Those that failed: 5xx, exceptions, timeouts; rescued or not.
    pub errors: u64,
    /// Errors without an answer: the origin could not be reached.
    #[serde(default)]
    pub exceptions: u64,
    /// Errors without an answer in time.
    #[serde(default)]
    pub timeouts: u64,
    /// Errors that no visitor saw, because stable answered.
    #[serde(default)]
    pub rescued: u64,
    /// Files that another version had.
    #[serde(default)]
    pub fallbacks: u64,
    /// How often a breaker opened.
    #[serde(default)]
    pub ejections: u64,
    /// Visitors with an error who never had one in this release before. The object counts them.
    #[serde(default)]
    pub newly_failing: u64,
    /// Time to first byte of what was answered.
    pub latency: LatencyHistogram,
}

impl Tally {
    /// Counts a request.
    pub fn note(&mut self, outcome: Outcome) {
        let add = |to: &mut u64, one: bool| *to = to.saturating_add(u64::from(one));
        add(&mut self.requests, true);
        add(&mut self.errors, outcome.is_failure());
        add(&mut self.exceptions, outcome == Outcome::Exception);
        add(&mut self.timeouts, outcome == Outcome::Timeout);
        if let Outcome::Answer { micros, .. } = outcome {
            self.latency.record(micros);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut u64, from: u64| *to = to.saturating_add(from);
        add(&mut self.requests, other.requests);
        add(&mut self.errors, other.errors);
        add(&mut self.exceptions, other.exceptions);
        add(&mut self.timeouts, other.timeouts);
        add(&mut self.rescued, other.rescued);
        add(&mut self.fallbacks, other.fallbacks);
        add(&mut self.ejections, other.ejections);
        add(&mut self.newly_failing, other.newly_failing);
        self.latency.merge(&other.latency);
    }

    /// The same as the judge takes it.
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests,
            errors: self.errors,
            unanswered: self.exceptions.saturating_add(self.timeouts),
            newly_failing: self.newly_failing,
            latency: self.latency.clone(),
        }
    }
}
