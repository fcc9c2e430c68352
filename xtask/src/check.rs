//! `cargo xtask test`: every test, in the order in which a mistake is found soonest.

use std::process::Command;

use crate::setup::{self, cargo};
use crate::step::{Failed, show};
use crate::{root, worker};

#[cfg(test)]
mod documentation;
mod lanes;
mod workflows;

/// What this machine runs itself.
const NATIVE: [&str; 5] = ["--workspace", "--exclude", "crossfade-worker", "--exclude", "crossfade-counters"];

/// Which tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Format and lints only.
    #[arg(long)]
    lints_only: bool,
    /// Passed to `cargo test`: a test's name, `-- --nocapture`, …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo_test: Vec<String>,
}

/// Runs every test.
///
/// # Errors
/// The first step that failed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let tools = setup::all()?;
    show("format", cargo().args(["fmt", "--all", "--check"]).current_dir(root()))
        .map_err(|failed| failed.or_do("`cargo fmt` mends it"))?;
    workflows::lint(&tools)?;
    let mut wasm_clippy = tools.toolchain.cargo();
    worker::compile_for_wasm(&tools, &mut wasm_clippy);
    show(
        "clippy (wasm)",
        wasm_clippy
            .args([
                "clippy",
                "--quiet",
                "-p",
                "crossfade-worker",
                "-p",
                "crossfade-counters",
                "--target",
                "wasm32-unknown-unknown",
                "--",
                "-D",
                "warnings",
            ])
            .current_dir(root()),
    )?;
    show(
        "clippy (native)",
        cargo()
            .args(["clippy", "--quiet"])
            .args(NATIVE)
            .args(["--all-targets", "--", "-D", "warnings"])
            .current_dir(root()),
    )?;
    show(
        "documentation",
        cargo()
            .args(["doc", "--quiet", "--no-deps"])
            .args(NATIVE)
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(root()),
    )?;
    if arguments.lints_only {
        return Ok(());
    }
    worker::build(&tools)?;
    show(
        "the example's and the action's tests",
        Command::new(&tools.node.program)
            .args(["--test", "--test-reporter=spec", "example/test.mjs", "action/test.mjs"])
            .current_dir(root()),
    )?;
    // Built first, so that no test waits for a compiler, and with every target, so that binaries exist for the tests.
    show("building the tests", cargo().args(["build", "--quiet"]).current_dir(root()))?;
    show("documentation's tests", cargo().args(["test", "--quiet", "--doc"]).current_dir(root()))?;
    match arguments.cargo_test.as_slice() {
        [] => lanes::run(),
        chosen => show("tests", cargo().args(lanes::TESTS).args(chosen).current_dir(root())),
    }
}
