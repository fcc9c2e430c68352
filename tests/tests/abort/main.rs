//! Releases that are cut short: by signals, by a crash, by another release, by the API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod after;
mod before;
mod crash;
mod partner;
mod questions;
mod rivals;
mod trouble;
