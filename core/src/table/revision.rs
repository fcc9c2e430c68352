//! The number of a write.

use serde::{Deserialize, Serialize};

/// The number of a write: 1, 2, 3, …
///
/// ```
/// use crossfade_core::table::Revision;
///
/// assert_eq!(Revision::FIRST.next(), Revision::new(2).unwrap());
/// assert_eq!(Revision::FIRST.number(), 1);
/// assert_eq!(Revision::new(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The number of the first write.
    pub const FIRST: Self = Self(1);

    /// A revision by its number; `None` for 0, which no write has.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision of the write after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
