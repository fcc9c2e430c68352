//! What people are told of releases: reports of one and of many, events, alerts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod notices;
mod releases;
