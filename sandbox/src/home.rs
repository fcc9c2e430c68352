//! Where a sandbox keeps its files: a directory that goes with it, and is cleared up by the next one if it was killed.

use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "crossfade-sandbox-";

/// Makes a directory that names this process, after removing those of processes that are no more.
pub(crate) fn make() -> std::io::Result<TempDir> {
    let parent = std::env::temp_dir();
    // What cannot be cleared up now is cleared up some other time.
    if let Ok(entries) = std::fs::read_dir(&parent) {
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(is_abandoned) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    TempDir::with_prefix_in(format!("{PREFIX}{}-", std::process::id()), parent)
}

/// Whether a directory is that of a sandbox whose process has ended.
fn is_abandoned(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    let owner = owner.and_then(|(process, _)| process.parse::<u32>().ok());
    owner.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
        && Path::new("/proc/self").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_sandbox_left_is_cleared_up_and_nothing_else() {
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        let dead = gone.id();
        gone.wait().unwrap();
        let left = std::env::temp_dir().join(format!("{PREFIX}{dead}-test"));
        std::fs::create_dir_all(left.join("deep")).unwrap();
        let ours = make().unwrap();
        assert!(!left.exists() && ours.path().exists());
        let next = make().unwrap();
        assert!(ours.path().exists(), "this process lives");
        drop(next);
        for name in ["crossfade-sandbox-x-1", "crossfade-sandbox-", "another-1-2"] {
            assert!(!is_abandoned(name), "{name}");
        }
    }
}
