//! `cargo xtask deny`: cargo-deny by `deny.toml`: licences, sources, and advisories when there is a network. It takes minutes to
//! install, so `cargo xtask test` does not run it; a test here holds the licences, which are the part that changes with each dependency.

use std::process::Command;

use crate::root;
use crate::setup::cargo;
use crate::step::{Failed, output, show};

/// Runs it.
///
/// # Errors
/// When it is not installed, or something is not allowed.
pub(crate) fn run() -> Result<(), Failed> {
    if output(Command::new("cargo-deny").arg("--version")).is_none() {
        return Err(
            Failed::new("deny", "there is no cargo-deny").or_do("`cargo install --locked cargo-deny`")
        );
    }
    show("licences, advisories, sources", cargo().args(["deny", "check"]).current_dir(root()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_licence_is_one_that_deny_toml_allows() {
        let rules: toml::Table =
            toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
        let allowed: BTreeSet<&str> =
            rules["licenses"]["allow"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
        let metadata =
            output(cargo().args(["metadata", "--format-version", "1", "--locked"]).current_dir(root()))
                .unwrap();
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 100, "{} packages", packages.len());
        let mut used = BTreeSet::new();
        for package in packages {
            let licence =
                package["license"].as_str().unwrap_or_else(|| panic!("{} has none", package["name"]));
            let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).unwrap();
            let is_allowed = expression.evaluate(|requirement| {
                let name = requirement.to_string();
                used.insert(name.clone());
                allowed.contains(name.as_str())
            });
            assert!(is_allowed, "{}: `{licence}` is not allowed by deny.toml", package["name"]);
        }
        let unused: Vec<&&str> = allowed.iter().filter(|name| !used.contains(**name)).collect();
        assert!(unused.is_empty(), "deny.toml allows what nothing has: {unused:?}");
    }
}
