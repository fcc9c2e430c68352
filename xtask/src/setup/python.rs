//! Programs from the Python registry, by the versions and hashes of `python.txt`: what runs workflows, and what lints them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::setup::{install, which};
use crate::step::{self, Failed};

const REQUIREMENTS: &str = include_str!("python.txt");
/// What zizmor's wheel asks for.
const PYTHON_MIN: (u32, u32) = (3, 11);

/// Where they are.
pub(crate) struct Python {
    /// The interpreter that they were installed by; wheels fit no other one.
    program: PathBuf,
    /// What `PYTHONPATH` has to be.
    packages: PathBuf,
}

impl Python {
    /// Runs workflows without Docker: <https://github.com/nektos/act>.
    pub(crate) fn act(&self) -> PathBuf {
        self.packages.join("bin/act")
    }

    /// Checks scripts: <https://www.shellcheck.net>.
    pub(crate) fn shellcheck(&self) -> PathBuf {
        self.packages.join("bin/shellcheck")
    }

    /// Checks workflows and actions, expressions included: <https://jactionlint.jdx.dev>.
    pub(crate) fn jactionlint(&self) -> PathBuf {
        self.packages.join(JACTIONLINT)
    }

    /// Checks what workflows and actions make possible for others: <https://docs.zizmor.sh>.
    pub(crate) fn zizmor(&self) -> PathBuf {
        self.packages.join("bin/zizmor")
    }

    /// Checks by JSON Schemas: <https://check-jsonschema.readthedocs.io>.
    pub(crate) fn check_jsonschema(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-m", "check_jsonschema"]).env("PYTHONPATH", &self.packages);
        command
    }
}

/// Its launcher looks for an interpreter; the program beside it needs none.
const JACTIONLINT: &str = "jactionlint/bin/jactionlint";

pub(super) fn ensure(cache: &Path) -> Result<Python, Failed> {
    let name = "installing the tools of workflows";
    let program = interpreter(cache)?;
    let version = step::output(Command::new(&program).args(["-c", "import sys; print(sys.version)"]));
    let key: String = Sha256::new()
        .chain_update(REQUIREMENTS)
        .chain_update(version.unwrap_or_default())
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let packages = cache.join(format!("python-{key}"));
    if !packages.join("bin/act").is_file() {
        install(name, &packages, |fresh| {
            let failed = |error: std::io::Error| Failed::new(name, error);
            let requirements = fresh.join("python.txt");
            std::fs::write(&requirements, REQUIREMENTS).map_err(failed)?;
            let mut command = Command::new(&program);
            command
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"])
                .args(["--require-hashes", "--only-binary", ":all:", "--target"])
                .arg(fresh)
                .arg("--requirement")
                .arg(&requirements);
            step::log(name, cache, &mut command)
                .map_err(|failed| failed.or_do("the Python registry must be reachable"))?;
            // pip makes what it puts into `bin` executable, and nothing else.
            std::fs::set_permissions(fresh.join(JACTIONLINT), std::fs::Permissions::from_mode(0o755))
                .map_err(failed)
        })?;
    }
    Ok(Python { program, packages })
}

/// A Python with pip that is new enough: the one on PATH, else the distribution's.
fn interpreter(cache: &Path) -> Result<PathBuf, Failed> {
    let usable =
        || [which("python3"), Some("/usr/bin/python3".into())].into_iter().flatten().find(|it| is_usable(it));
    if let Some(found) = usable() {
        return Ok(found);
    }
    if let Some(apt) = which("apt-get") {
        // The lists may be old or empty; when they cannot be renewed the installation says so.
        let _ = step::log("apt-get update", cache, Command::new(&apt).arg("update"));
        let mut command = Command::new(&apt);
        command
            .args(["install", "-y", "--no-install-recommends", "python3-pip"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        let _ = step::log("installing the distribution's Python", cache, &mut command);
    }
    let (major, minor) = PYTHON_MIN;
    usable().ok_or_else(|| {
        Failed::new("finding Python", format!("there is no python3 {major}.{minor} or later with pip"))
            .or_do("`apt-get install -y python3-pip` as root, or the like")
    })
}

fn is_usable(python: &Path) -> bool {
    let (major, minor) = PYTHON_MIN;
    let script = format!("import sys, pip; sys.exit(sys.version_info < ({major}, {minor}))");
    step::output(Command::new(python).args(["-c", &script])).is_some()
}
