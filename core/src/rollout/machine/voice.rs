//! What was said last of a step: by probes, and by the judge of what visitors meet. Each counts its own errors: that nobody could
//! count says nothing about the probes.

use crate::rollout::Verdict;
use crate::rollout::judging::Ruling;

/// One of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Voice {
    /// It said yes, and no more since then than that it could not be measured.
    passed: bool,
    /// Measurements in a row that could not be taken.
    errors: u32,
    /// Why it says neither yes nor no.
    unclear: Option<String>,
    /// It would know with more requests.
    short: bool,
}

impl Voice {
    /// One that has nothing against it.
    pub(super) fn content() -> Self {
        Self { passed: true, ..Self::default() }
    }

    pub(super) const fn is_content(&self) -> bool {
        self.passed && self.errors == 0
    }

    /// Nothing speaks against it but that too few requests came.
    pub(super) const fn is_short(&self) -> bool {
        self.short && self.errors == 0
    }

    pub(super) const fn errors(&self) -> u32 {
        self.errors
    }

    pub(super) fn unclear(&self) -> Option<&String> {
        self.unclear.as_ref()
    }

    /// Takes in what it says. A failure is nobody's to keep: it acts at once.
    pub(super) fn says(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Pass => *self = Self::content(),
            Verdict::Inconclusive(why) => *self = Self { unclear: Some(why.clone()), ..Self::default() },
            Verdict::Error(_) => (self.errors, self.unclear) = (self.errors.saturating_add(1), None),
            Verdict::Fail(_) => *self = Self::default(),
        }
    }

    /// The same of the judge.
    pub(super) fn rules(&mut self, ruling: &Ruling) {
        self.says(&ruling.verdict());
        self.short = match ruling {
            Ruling::Undecided(_) => true,
            Ruling::Blind(_) => self.short,
            Ruling::Pass(_) | Ruling::Fail(_) | Ruling::Hold(_) | Ruling::TooBlind { .. } => false,
        };
    }
}
