//! What people are told of releases: reports of one and of many, events, alerts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod counters;
mod monitor;
mod notices;
mod releases;
