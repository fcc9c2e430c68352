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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::setup::cargo;
    use crate::step::output;

    /// The part that changes with each dependency, without cargo-deny, which takes minutes to build.
    #[test]
    fn every_licence_is_one_that_deny_toml_allows() {
        let rules: toml::Table =
            toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
        let allowed: BTreeSet<&str> =
            rules["licenses"]["allow"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
        let metadata =
            output(cargo().args(["metadata", "--format-version", "1", "--locked"]).current_dir(root()));
        let metadata: Value = serde_json::from_str(&metadata.unwrap()).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 100, "{} packages", packages.len());
        for package in packages {
            let licence =
                package["license"].as_str().unwrap_or_else(|| panic!("{} has none", package["name"]));
            let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).unwrap();
            let is_allowed =
                expression.evaluate(|requirement| allowed.contains(requirement.to_string().as_str()));
            assert!(is_allowed, "{}: `{licence}` is not allowed by deny.toml", package["name"]);
        }
    }
}
