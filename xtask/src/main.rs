//! Builds, tests and demonstrates Crossfade: `cargo xtask demo`, `cargo xtask test`, `cargo xtask build-worker`.
//!
//! | module | what it does |
//! |---|---|
//! | [`setup`] | finds or installs every tool, pinned, in the user's cache directory |
//! | [`worker`] | builds the router with `worker-build` |
//! | [`check`] | every test, in the order in which a mistake is found soonest |
//! | [`bench`](mod@bench) | the router beside those that people write by hand |
//! | [`docs`] | the page of every field of `crossfade.toml` |
//! | [`licences`] | what the dependencies' licences allow |
//! | [`demo`] | four releases under steady traffic, on the sandbox |
//! | [`picture`] | the demo as people see it, for the README |
//! | [`step`] | runs a command: progress, log, and an error that says what to do |

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check;
mod demo;
mod docs;
mod licences;
mod picture;
mod setup;
mod step;
mod worker;

/// Builds, tests and demonstrates Crossfade.
///
/// Every command sets up what it needs: tools come from package registries into ~/.cache/crossfade (or
/// CROSSFADE_CACHE), keyed by version, and are found there the next time.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Release four versions of the booking site under steady traffic, on the embedded sandbox.
    Demo(demo::Arguments),
    /// Run every test: format, lints, unit, property, golden and end-to-end tests.
    Test(check::Arguments),
    /// Measure the router, the upload or the program beside what people would use instead.
    Bench(bench::Arguments),
    /// Write docs/configuration.md from the schema.
    Docs,
    /// Hold every dependency's licence and source against `deny.toml`.
    Licences(licences::Arguments),
    /// Draw the README's picture: the demo's last release and its table.
    Picture,
    /// Build the router into `build/`; does nothing when nothing changed.
    BuildWorker,
    /// Find or install every tool; the other commands do so by themselves.
    Setup,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => check::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Docs => docs::run(),
        Command::Licences(arguments) => licences::run(&arguments),
        Command::Picture => picture::run(),
        Command::BuildWorker => setup::all().and_then(|tools| worker::build(&tools).map(drop)),
        Command::Setup => setup::all().map(drop),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let _ = writeln!(std::io::stderr(), "{failed}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's directory.
fn root() -> PathBuf {
    // The manifest of a workspace member always has a parent: the workspace.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}
