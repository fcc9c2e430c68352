//! Reference material that is no part of the project: recordings of real programs, Cloudflare's own description of its API.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::root;

/// A JSON file below `reference/` of the shared directory: `CROSSFADE_SHARED`, else `../shared` beside the workspace.
/// Where it is absent, standard error says what goes unchecked, and the test has to do without.
pub fn reference(name: &str, unchecked: &str) -> Option<Value> {
    let shared = std::env::var_os("CROSSFADE_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = shared.join("reference").join(name);
    let Ok(json) = std::fs::read(&path) else {
        // Straight to standard error: what a passing test prints is not shown.
        let _ = writeln!(
            std::io::stderr(),
            "not checked: {unchecked}; there is no {} (CROSSFADE_SHARED names the directory that `reference/` is in)",
            path.display()
        );
        return None;
    };
    Some(serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
