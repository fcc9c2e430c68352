//! Which process is in charge of a release: the fence between a runner that counts as dead and the one that took over.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::RunnerId;

/// The process that a release's tables are written by.
///
/// A release that is taken over keeps its id, so the id alone would let the runner that was thought dead go on writing.
/// Whoever takes over counts the generation up; a lower one stops as soon as it sees a higher one.
///
/// ```
/// use crossfade_core::table::{Generation, Owner, RunnerId};
///
/// let began = Owner { runner: RunnerId::new("runner", "3f9c21")?, generation: Generation::FIRST };
/// let took_over = Owner { runner: RunnerId::new("runner", "a07b44")?, generation: began.generation.next() };
/// assert!(took_over.generation > began.generation);
/// assert_eq!(took_over.generation, Generation::new(2));
/// assert_eq!(took_over.generation.number(), 2);
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub runner: RunnerId,
    /// The how manieth it is.
    pub generation: Generation,
}

/// How often a release has been taken charge of: 1 for the runner that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// Of the runner that begins a release.
    pub const FIRST: Self = Self(1);

    /// From its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Of the runner that takes over from this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
