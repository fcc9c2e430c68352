//! Rolling releases of a fleet, with visitors there.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

mod config;
mod good;
mod home;
mod pages;
mod parts;
