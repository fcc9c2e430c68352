//! Releases of the booking site, end to end: the real program, the sandbox's API, every version in the real Pages
//! runtime, the router in real workerd.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod after_the_switch;
mod back;
mod checks;
mod commands;
mod documented;
mod gates;
mod hooks;
mod job;
mod life;
mod newcomer;
mod output;
mod router;
mod signed;
