//! What happened, line by line: hashed always, kept for whoever wants to read it.

use std::fmt::Write as _;
use std::hash::Hasher as _;

use crossfade_core::Timestamp;
use siphasher::sip::SipHasher24;

use crate::world::EPOCH;

/// A run's history.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: SipHasher24,
    line: String,
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self { hasher: SipHasher24::new(), line: String::new(), kept: keep.then(Vec::new) }
    }

    pub(crate) fn note(&mut self, now: Timestamp, who: &str, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        let _ = write!(self.line, "{:>9.3} {who:<8} {what}", now.since(EPOCH).as_secs_f64());
        self.hasher.write(self.line.as_bytes());
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
    }

    /// A number that two runs of one seed have in common, and no two seeds.
    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}
