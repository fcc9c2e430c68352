//! `cargo xtask licences`: what others have made of the programs, and on which terms.

use std::process::Command;

use crate::root;
use crate::setup;
use crate::step::{Failed, show};

/// What is asked besides.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Known vulnerabilities too; RustSec's list of them is fetched from GitHub.
    #[arg(long)]
    advisories: bool,
}

/// Holds every dependency against `deny.toml`.
///
/// # Errors
/// A licence that is not allowed, a source other than the registry, an advisory.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let mut deny = Command::new(setup::cargo_deny()?);
    deny.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    deny.args(arguments.advisories.then_some("advisories")).current_dir(root());
    show("licences and sources", &mut deny)
        .map_err(|failed| failed.or_do("deny.toml says what is allowed, and why"))
}
