//! The object's rows in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crossfade_core::Timestamp;
use crossfade_core::counters::{Rows, Subject, Tally};

/// What SQLite holds in the object.
#[derive(Debug, Default)]
pub(crate) struct Memory(RefCell<Inner>);

#[derive(Debug)]
struct Inner {
    sequences: BTreeMap<String, u64>,
    promised: Timestamp,
    swept: Timestamp,
    buckets: BTreeMap<(Timestamp, Subject), Tally>,
    totals: BTreeMap<Subject, Tally>,
    failing: BTreeSet<(String, u64)>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            sequences: BTreeMap::new(),
            promised: Timestamp::from_millis(0),
            swept: Timestamp::from_millis(0),
            buckets: BTreeMap::new(),
            totals: BTreeMap::new(),
            failing: BTreeSet::new(),
        }
    }
}

impl Memory {
    /// Buckets that are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().buckets.len()
    }
}

impl Rows for Memory {
    type Error = Infallible;

    fn sequence(&self, isolate: &str) -> Result<u64, Infallible> {
        Ok(self.0.borrow().sequences.get(isolate).copied().unwrap_or(0))
    }

    fn set_sequence(&self, isolate: &str, sequence: u64, _: Timestamp) -> Result<(), Infallible> {
        self.0.borrow_mut().sequences.insert(isolate.to_owned(), sequence);
        Ok(())
    }

    fn promised(&self) -> Result<Timestamp, Infallible> {
        Ok(self.0.borrow().promised)
    }

    fn set_promised(&self, until: Timestamp) -> Result<(), Infallible> {
        self.0.borrow_mut().promised = until;
        Ok(())
    }

    fn swept(&self) -> Result<Timestamp, Infallible> {
        Ok(self.0.borrow().swept)
    }

    fn sweep(&self, before: Timestamp, now: Timestamp) -> Result<(), Infallible> {
        let mut inner = self.0.borrow_mut();
        inner.swept = now;
        inner.buckets.retain(|(at, _), _| *at >= before);
        Ok(())
    }

    fn bucket(&self, at: Timestamp, subject: &Subject) -> Result<Tally, Infallible> {
        Ok(self.0.borrow().buckets.get(&(at, subject.clone())).cloned().unwrap_or_default())
    }

    fn set_bucket(&self, at: Timestamp, subject: &Subject, tally: &Tally) -> Result<(), Infallible> {
        self.0.borrow_mut().buckets.insert((at, subject.clone()), tally.clone());
        Ok(())
    }

    fn buckets(
        &self,
        from: Timestamp,
        to: Timestamp,
        each: &mut dyn FnMut(Timestamp, Subject, Tally),
    ) -> Result<(), Infallible> {
        for ((at, subject), tally) in &self.0.borrow().buckets {
            if (from..to).contains(at) {
                each(*at, subject.clone(), tally.clone());
            }
        }
        Ok(())
    }

    fn total(&self, subject: &Subject) -> Result<Tally, Infallible> {
        Ok(self.0.borrow().totals.get(subject).cloned().unwrap_or_default())
    }

    fn set_total(&self, subject: &Subject, tally: &Tally, _: Timestamp) -> Result<(), Infallible> {
        self.0.borrow_mut().totals.insert(subject.clone(), tally.clone());
        Ok(())
    }

    fn totals(&self, each: &mut dyn FnMut(Subject, Tally)) -> Result<(), Infallible> {
        self.0.borrow().totals.iter().for_each(|(subject, tally)| each(subject.clone(), tally.clone()));
        Ok(())
    }

    fn remember(&self, release: &str, visitor: u64, most: u64, _: Timestamp) -> Result<bool, Infallible> {
        let failing = &mut self.0.borrow_mut().failing;
        let known = failing.iter().filter(|(of, _)| of == release).count() as u64;
        let key = (release.to_owned(), visitor);
        if known >= most {
            return Ok(!failing.contains(&key));
        }
        Ok(failing.insert(key))
    }
}
