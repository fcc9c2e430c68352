//! The router in real workerd: on one side a visitor whose every byte the test writes, on the other origins that record
//! every byte they get, and KV that does as the test says.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be set up fails the test")]

mod client;
mod edge;

mod affinity;
mod asset;
mod breaker;
mod control;
mod counters;
mod flat;
mod header;
mod home;
mod ladder;
mod lapse;
mod mirror;
mod odd;
mod pass;
mod path;
mod redirect;
mod refresh;
mod rescue;
mod rules;
mod secret;
mod signed;
mod smuggle;
mod socket;
mod stream;
mod trap;
mod vectors;
mod visitor;
