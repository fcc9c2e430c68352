//! The local Cloudflare is a faithful one: real wrangler passes against it, its answers are those of Cloudflare's own
//! description, and what it starts ends with it. The example site is what it says it is, in the real Pages runtime.
//!
//! | module | what it shows |
//! |---|---|
//! | [`deploys`] | wrangler's deployments and ours are the same, request by request |
//! | [`parity`] | for every kind of site, `crossfade pages deploy` sends what wrangler sends |
//! | [`pages`] | `crossfade pages deploy` on a bad day |
//! | [`storms`] | uploads with every fault, twenty seeds each |
//! | [`kv`] | wrangler's KV commands, and ours |
//! | [`workers`] | wrangler's commands for Workers |
//! | [`releases`] | all that a release sends and is answered is in Cloudflare's description |
//! | [`refusals`] | errors with Cloudflare's statuses and codes |
//! | [`faults`] | a bad day on request, in the process and over the control API |
//! | [`serving`] | deployments in the real Pages runtime, the router in real workerd |
//! | [`lifetime`] | no child outlives the sandbox, however it ends |
//! | [`program`] | what `crossfade-sandbox` tells the person who starts it |
//! | [`example`] | the booking site and each way to make it fail |

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

mod deploys;
mod example;
mod faults;
mod http;
mod kept;
mod kv;
// Linux tells what runs where.
#[cfg(target_os = "linux")]
mod lifetime;
mod pages;
mod parity;
#[cfg(target_os = "linux")]
mod processes;
mod program;
mod refusals;
mod releases;
mod sent;
mod serving;
mod storms;
mod workers;
mod wrangler;
