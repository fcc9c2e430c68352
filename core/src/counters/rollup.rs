//! What the Durable Object does. In: batches, questions, its clock. Out: one-second buckets, answers.
//!
//! Everything it knows is in [`Rows`], which are SQLite's in the object and a map in the tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Batch, By, Metrics, Query, SCHEMA, Series, Subject, Tally};
use crate::Timestamp;

/// How long buckets are kept, and everything that nobody has touched meanwhile.
pub const KEEP: Duration = Duration::from_secs(48 * 3600);
/// The most visitors that are remembered as failing of one release: the ones beyond count as new again, which no verdict waits for
/// by then.
const FAILING_MAX: u64 = 100_000;
/// How often old rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What the object remembers. The order in which it is asked to write keeps it right when it is interrupted: a batch may be lost
/// then, never counted twice.
///
/// ```
/// # use std::cell::RefCell;
/// # use std::convert::Infallible;
/// use crossfade_core::Timestamp;
/// use crossfade_core::counters::{Batch, Query, Rows, Subject, Tally, rollup};
/// use rollup::{Accepted, accept, look};
///
/// # #[derive(Default)]
/// # struct Memory(RefCell<u64>, RefCell<Vec<(Timestamp, Subject, Tally)>>);
/// # impl Rows for Memory {
/// #     type Error = Infallible;
/// #     fn sequence(&self, _: &str) -> Result<u64, Infallible> { Ok(*self.0.borrow()) }
/// #     fn set_sequence(&self, _: &str, sequence: u64, _: Timestamp) -> Result<(), Infallible> { Ok(*self.0.borrow_mut() = sequence) }
/// #     fn promised(&self) -> Result<Timestamp, Infallible> { Ok(Timestamp::from_millis(0)) }
/// #     fn set_promised(&self, _: Timestamp) -> Result<(), Infallible> { Ok(()) }
/// #     fn swept(&self) -> Result<Timestamp, Infallible> { Ok(Timestamp::from_millis(0)) }
/// #     fn sweep(&self, _: Timestamp, _: Timestamp) -> Result<(), Infallible> { Ok(()) }
/// #     fn bucket(&self, _: Timestamp, _: &Subject) -> Result<Tally, Infallible> { Ok(Tally::default()) }
/// #     fn set_bucket(&self, at: Timestamp, of: &Subject, tally: &Tally) -> Result<(), Infallible> {
/// #         Ok(self.1.borrow_mut().push((at, of.clone(), tally.clone())))
/// #     }
/// #     fn buckets(&self, _: Timestamp, _: Timestamp, each: &mut dyn FnMut(Timestamp, Subject, Tally)) -> Result<(), Infallible> {
/// #         Ok(self.1.borrow().iter().for_each(|(at, of, tally)| each(*at, of.clone(), tally.clone())))
/// #     }
/// #     fn total(&self, _: &Subject) -> Result<Tally, Infallible> { Ok(Tally::default()) }
/// #     fn set_total(&self, _: &Subject, _: &Tally, _: Timestamp) -> Result<(), Infallible> { Ok(()) }
/// #     fn totals(&self, _: &mut dyn FnMut(Subject, Tally)) -> Result<(), Infallible> { Ok(()) }
/// #     fn remember(&self, _: &str, _: u64, _: u64, _: Timestamp) -> Result<bool, Infallible> { Ok(true) }
/// # }
/// let batch: Batch = serde_json::from_value(serde_json::json!({
///     "schema": 1, "isolate": "isolate-1", "sequence": 1,
///     "entries": [{"revision": 42, "release": "rel-7", "variant": "green", "version": "1.5.0",
///                  "requests": 9, "errors": 1, "latency": [0], "failed": [7]}],
/// })).unwrap();
/// let (rows, now) = (Memory::default(), Timestamp::from_millis(1_000)); // `impl Rows for Memory`
/// assert_eq!(accept(&rows, &batch, now)?, Accepted::Counted);
/// // Sent again, because nobody knew whether it had arrived.
/// assert_eq!(accept(&rows, &batch, now)?, Accepted::Known);
/// let metrics = look(&rows, &Query::default(), Timestamp::from_millis(2_000))?;
/// assert_eq!((metrics.series[0].tally.requests, metrics.series[0].tally.newly_failing), (9, 1));
/// # Ok::<(), Infallible>(())
/// ```
pub trait Rows {
    /// Why it cannot.
    type Error;

    /// The number of the last batch of an isolate; 0 before its first.
    fn sequence(&self, isolate: &str) -> Result<u64, Self::Error>;
    /// Keeps it.
    fn set_sequence(&self, isolate: &str, sequence: u64, now: Timestamp) -> Result<(), Self::Error>;

    /// The second before which no bucket may change any more.
    fn promised(&self) -> Result<Timestamp, Self::Error>;
    /// Keeps it.
    fn set_promised(&self, until: Timestamp) -> Result<(), Self::Error>;
    /// When old rows were last looked for.
    fn swept(&self) -> Result<Timestamp, Self::Error>;
    /// Forgets buckets before this second, and isolates, totals and visitors that were last touched before it.
    fn sweep(&self, before: Timestamp, now: Timestamp) -> Result<(), Self::Error>;

    /// What a second has of a subject.
    fn bucket(&self, at: Timestamp, subject: &Subject) -> Result<Tally, Self::Error>;
    /// Keeps it.
    fn set_bucket(&self, at: Timestamp, subject: &Subject, tally: &Tally) -> Result<(), Self::Error>;
    /// The buckets in `[from, to)`, one after the other.
    fn buckets(
        &self,
        from: Timestamp,
        to: Timestamp,
        each: &mut dyn FnMut(Timestamp, Subject, Tally),
    ) -> Result<(), Self::Error>;

    /// What a subject has had since the object began.
    fn total(&self, subject: &Subject) -> Result<Tally, Self::Error>;
    /// Keeps it.
    fn set_total(&self, subject: &Subject, tally: &Tally, now: Timestamp) -> Result<(), Self::Error>;
    /// Each subject's.
    fn totals(&self, each: &mut dyn FnMut(Subject, Tally)) -> Result<(), Self::Error>;

    /// Remembers a failing visitor of a release, of at most `most`; whether it is a new one.
    fn remember(&self, release: &str, visitor: u64, most: u64, now: Timestamp) -> Result<bool, Self::Error>;
}

/// Whether a batch was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It was.
    Counted,
    /// It had been before.
    Known,
}

/// Counts a batch, once.
///
/// # Errors
/// When the rows cannot be read or written.
pub fn accept<R: Rows>(rows: &R, batch: &Batch, now: Timestamp) -> Result<Accepted, R::Error> {
    if batch.sequence <= rows.sequence(&batch.isolate)? {
        return Ok(Accepted::Known);
    }
    // First, so that what is interrupted below is not counted again.
    rows.set_sequence(&batch.isolate, batch.sequence, now)?;
    let at = second(now).max(rows.promised()?);
    for entry in &batch.entries {
        let mut counted = entry.tally.clone();
        counted.newly_failing = 0;
        for visitor in &entry.failed {
            let is_new = rows.remember(&entry.subject.release, *visitor, FAILING_MAX, now)?;
            counted.newly_failing += u64::from(is_new);
        }
        let mut bucket = rows.bucket(at, &entry.subject)?;
        bucket.merge(&counted);
        rows.set_bucket(at, &entry.subject, &bucket)?;
        let mut total = rows.total(&entry.subject)?;
        total.merge(&counted);
        rows.set_total(&entry.subject, &total, now)?;
    }
    if now.since(rows.swept()?) >= SWEEP_EVERY {
        rows.sweep(now.minus(KEEP), now)?;
    }
    Ok(Accepted::Counted)
}

/// Answers a question. From then on nothing before the answer's `until` changes.
///
/// # Errors
/// When the rows cannot be read or written.
pub fn look<R: Rows>(rows: &R, query: &Query, now: Timestamp) -> Result<Metrics, R::Error> {
    let promised = rows.promised()?;
    // A clock that was set back takes no promise back.
    let until = second(now).max(promised);
    if until > promised {
        rows.set_promised(until)?;
    }
    let to = query.to.unwrap_or(until).min(until);
    let mut series: BTreeMap<(Option<Timestamp>, Subject), Tally> = BTreeMap::new();
    let mut add = |at, subject, tally: Tally| series.entry((at, subject)).or_default().merge(&tally);
    let from = match query.by {
        By::Ever => {
            rows.totals(&mut |subject, tally| add(None, subject, tally))?;
            Timestamp::from_millis(0)
        }
        By::Total | By::Second => {
            let from = query.begin(to);
            let is_split = query.by == By::Second;
            rows.buckets(from, to, &mut |at, subject, tally| add(is_split.then_some(at), subject, tally))?;
            from
        }
    };
    let series = series.into_iter().map(|((at, subject), tally)| Series { at, subject, tally }).collect();
    Ok(Metrics { schema: SCHEMA, environment: query.environment.clone(), from, to, until, series })
}

/// The second that a moment is in.
fn second(now: Timestamp) -> Timestamp {
    let millis = now.as_millis() / 1000 * 1000;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}
