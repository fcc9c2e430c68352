//! Programs from the crate registry, built once.

use std::path::{Path, PathBuf};

use crate::setup::{cargo, install};
use crate::step::{self, Failed};

/// The program, installed as `<cache>/<package>-<version>/bin/<program>`.
pub(super) fn ensure(cache: &Path, package: &str, version: &str, program: &str) -> Result<PathBuf, Failed> {
    let directory = cache.join(format!("{package}-{version}"));
    let path = directory.join("bin").join(program);
    if path.is_file() {
        return Ok(path);
    }
    let name = format!("{package} {version}");
    install(&name, &directory, |fresh| {
        let mut command = cargo();
        command
            .args(["install", package, "--version", version, "--root"])
            .arg(fresh)
            .arg("--target-dir")
            .arg(target(cache))
            // They run for a second a build and are built once: compiling them fast is what counts.
            .envs([
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
                ("CARGO_PROFILE_RELEASE_LTO", "off"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
                ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
            ]);
        step::log(&format!("installing {name} (some minutes, once)"), cache, &mut command).map_err(|failed| {
            failed.or_do(format!(
                "a C compiler and the crate registry are needed; `cargo install {package} --version {version}` shows more"
            ))
        })
    })?;
    Ok(path)
}

/// Removes what building them left.
pub(super) fn clear(cache: &Path) {
    let _ = std::fs::remove_dir_all(target(cache));
}

/// Shared, because the tools have most of their dependencies in common.
fn target(cache: &Path) -> PathBuf {
    cache.join("target")
}
