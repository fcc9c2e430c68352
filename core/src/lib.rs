//! The pure half of Crossfade: data in, data out.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`table`] | JSON of the KV document | a [`RoutingTable`] that satisfies every invariant, or the field that breaks one |
//! | [`breaker`], [`rescue`] | answers of a variant | whether to ask it, whether to retry on stable |
//! | [`assign`] | table, visitor, time | the variant that answers |
//! | [`asset`] | a path and an answer | whether the file is elsewhere, and where |
//! | [`cookie`], [`redirect`] | header values | a cookie, or what leads home |
//! | [`signature`] | a document | the bytes that are signed; which origins are allowed |
//! | [`rollout`] | what happened | what to do next |
//! | [`counters`] | how requests ended | exact counts of any time |
//! | [`analysis`] | what was counted, interval by interval | fail, pass, or what is missing |
//! | [`alert`] | what was counted, look by look | what people have to know, told once |
//! | [`probe`] | an expectation and an answer | a measurement |
//!
//! There is no I/O, no clock, no randomness and no environment in this crate: `core/clippy.toml` forbids them.
//! The router (`worker`) and the program (`runner`) compile the same parser, the same invariants and the same assignment.

#![forbid(unsafe_code)]

pub mod alert;
pub mod analysis;
pub mod asset;
pub mod assign;
pub mod breaker;
pub mod cookie;
pub mod counters;
pub mod probe;
pub mod redirect;
pub mod rescue;
pub mod rollout;
pub mod signature;
mod span;
pub mod table;
mod time;

pub use span::Span;
pub use table::RoutingTable;
pub use time::Timestamp;
