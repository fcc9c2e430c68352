//! `cargo xtask docs`: `docs/configuration.md`, every field of `crossfade.toml`, from the schema that the program itself prints.

use std::path::PathBuf;

use serde_json::Value;

use crate::root;
use crate::setup::cargo;
use crate::step::Failed;

mod fields;

/// Writes it.
///
/// # Errors
/// When the program does not print its schema, or the file cannot be written.
pub(crate) fn run() -> Result<(), Failed> {
    let failed = |why: String| Failed::new("docs", why);
    let output = cargo()
        .args(["run", "--quiet", "--package", "crossfade", "--", "schema"])
        .current_dir(root())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let schema: Value = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    std::fs::write(path(), fields::page(&schema)).map_err(|error| failed(error.to_string()))
}

fn path() -> PathBuf {
    root().join("docs/configuration.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_fields_is_that_of_the_schema() {
        let is = std::fs::read_to_string(path()).unwrap();
        let wanted = fields::page(&crossfade::config::Config::schema());
        assert!(
            is == wanted,
            "docs/configuration.md is not what the schema says; `cargo xtask docs` writes it anew"
        );
    }
}
