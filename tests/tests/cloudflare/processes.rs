//! The processes of a sandbox, as the system sees them: each works in the sandbox's own directory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the system may take to end a process that was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    directory: PathBuf,
}

impl Process {
    /// Whether its program is of this name.
    pub(crate) fn runs(&self, program: &str) -> bool {
        self.command.first().is_some_and(|path| Path::new(path).ends_with(program))
    }
}

/// Where the runtime of a deployment works.
pub(crate) fn home(sandbox: &Path, deployment: &str) -> PathBuf {
    sandbox.join("deployments").join(format!("{deployment}.home"))
}

/// The directory of the sandbox that serves this deployment.
#[track_caller]
pub(crate) fn directory_of(deployment: &str) -> PathBuf {
    let process =
        all().into_iter().find(|process| process.command.iter().any(|text| text.contains(deployment)));
    let process = process.unwrap_or_else(|| panic!("no process serves {deployment}"));
    // The inverse of `home`.
    process.directory.ancestors().nth(2).unwrap().to_owned()
}

/// All processes that work in a directory.
pub(crate) fn of(directory: &Path) -> Vec<Process> {
    all().into_iter().filter(|process| process.directory.starts_with(directory)).collect()
}

/// Waits until what works in a directory is as `wanted`.
#[track_caller]
pub(crate) fn until(directory: &Path, wanted: impl Fn(&[Process]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let running = of(directory);
        if wanted(&running) {
            return;
        }
        assert!(Instant::now() < deadline, "in {}: {running:#?}", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All processes whose working directory we may see.
fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let read = |path: PathBuf| {
        // A directory that was removed meanwhile has its old name, with a note behind it.
        let directory = std::fs::read_link(path.join("cwd")).ok()?;
        let command = std::fs::read(path.join("cmdline")).ok()?;
        let command = command.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        Some(Process { command: command.collect(), directory })
    };
    entries.filter_map(|entry| read(entry.path())).collect()
}
