//! The pure half of Crossfade: data in, data out.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`table`] | JSON of the KV document | a [`RoutingTable`] that satisfies every invariant, or the field that breaks one |
//! | [`assign`] | table, visitor, time | the variant that answers |
//! | [`asset`] | a path and an answer | whether the file is elsewhere, and where |
//! | [`redirect`] | an origin's `Location` | the same at the public host |
//! | [`rollout`] | what happened | what to do next |
//! | [`probe`] | an expectation and an answer | a measurement |
//!
//! There is no I/O, no clock, no randomness and no environment in this crate: `core/clippy.toml` forbids them.
//! The router (`worker`) and the program (`runner`) compile the same parser, the same invariants and the same assignment.

#![forbid(unsafe_code)]

pub mod asset;
pub mod assign;
pub mod probe;
pub mod redirect;
pub mod rollout;
mod span;
pub mod table;
mod time;

pub use span::Span;
pub use table::RoutingTable;
pub use time::Timestamp;
