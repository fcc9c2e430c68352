//! `crossfade`: deploys a new version to Cloudflare Pages, checks it, moves the routing table's weights step by step and
//! puts everything back when a measurement says so.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`cli`] | arguments, environment variables | a command and its settings |
//! | [`config`] | `crossfade.toml` | what to deploy, check and shift |
//! | [`command`] | a command | its outcome and exit code |
//! | [`release`] | a directory | one release: prepare, upload, health, smoke, shift, verify, settle |
//! | [`drive`] | the rollout machine's effects | its events: the only place where traffic is moved |
//! | [`record`] | what a release does | `release:<environment>` and `history:…` in KV |
//! | [`cloudflare`], [`upload`] | calls, a directory | Cloudflare's answers, a deployment |
//! | [`hooks`] | commands, webhooks | pass, fail or wait |
//! | [`context`] | values, environment variables | filled requests, reports without secrets |
//! | [`probe`], [`health`], [`smoke`] | checks | results |
//! | [`signing`] | a routing table | its document, signed when there is a key |
//! | [`edge`] | the public URL | which revision it serves |
//! | [`report`] | events | lines for people, JSON for programs |
//! | [`watch`] | the router's counters | alerts, again and again |
//! | [`notice`], [`notify`] | what happened | files, webhooks and chats that are told |
//! | [`summary`] | ended releases | how releases went in a period |
//! | `github` | a job of GitHub Actions, events | outputs, annotations, a summary, deployments |
//! | [`story`] | one release's record | a page, Markdown and a picture of what happened |
//! | [`init`] | a repository | a configuration and a workflow for it |
//! | [`forecast`] | a configuration | what a release will do by it |
//! | [`screen`] | what was found of an environment | one screen, and what its keys mean |
//! | [`error`] | | every way to fail, its hint, its exit code |

#![forbid(unsafe_code)]

mod beside;
pub mod cancel;
pub mod cli;
pub mod cloudflare;
pub mod command;
pub mod config;
pub mod context;
pub mod drive;
pub mod edge;
pub mod error;
pub mod forecast;
mod git;
mod github;
pub mod health;
pub mod hooks;
pub mod init;
pub mod notice;
pub mod notify;
pub mod orders;
mod outbox;
pub mod probe;
pub mod record;
pub mod release;
pub mod report;
pub mod retry;
pub mod screen;
pub mod signing;
pub mod smoke;
pub mod source;
pub mod story;
pub mod summary;
mod transport;
pub mod upload;
pub mod watch;
