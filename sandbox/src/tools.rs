//! Where the programs are that the sandbox runs things in. In: the file that `cargo xtask setup` writes.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;

/// Absolute paths of programs.
#[derive(Clone, Debug, Deserialize)]
pub struct Tools {
    /// Node, at least 22.15.
    pub node: PathBuf,
    /// `wrangler.js`, to be run by that node.
    pub wrangler: PathBuf,
    /// The Workers runtime.
    pub workerd: PathBuf,
    /// The directory of the built router.
    #[serde(default)]
    pub worker: Option<PathBuf>,
}

impl Tools {
    /// Reads the file named by `CROSSFADE_TOOLS`, else `target/crossfade/tools.json` of this workspace.
    ///
    /// # Errors
    /// When it is not there or makes no sense; the text says what to run.
    pub fn load() -> Result<Self, Error> {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/crossfade/tools.json");
        let path = std::env::var_os("CROSSFADE_TOOLS").map_or_else(default, PathBuf::from);
        let missing = |why: String| {
            Error::Tools(format!(
                "{} {why}; `cargo xtask setup` installs the tools and writes it",
                path.display()
            ))
        };
        let json = std::fs::read(&path).map_err(|error| missing(format!("cannot be read ({error})")))?;
        serde_json::from_slice(&json).map_err(|error| missing(format!("makes no sense ({error})")))
    }
}
