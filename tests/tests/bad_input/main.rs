//! What people get wrong, end to end: each is one error that names place, value and remedy, and changes nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod directory;
mod documents;
mod notifications;
mod schema;
mod secrets;
mod settings;
