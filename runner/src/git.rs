//! What git says of a directory.

use std::path::Path;
use std::process::{Command, Stdio};

/// What a command of git's prints; `None` where there is no repository, no git, or nothing to tell.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).current_dir(directory).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
