//! Every tool, pinned. In: this machine. Out: where each tool is; what was missing is installed in the cache directory.
//!
//! The cache is `~/.cache/crossfade` (or `CROSSFADE_CACHE`), one directory a tool and version, so that a second checkout
//! finds what the first one installed. A directory appears whole or not at all: it is made beside and then renamed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::step::{self, Failed};

mod cargo_tool;
mod node;
mod python;
mod wasm;

pub(crate) use node::Node;
pub(crate) use python::Python;
pub(crate) use wasm::Toolchain;

/// What `worker` 0.8 is built by (<https://github.com/cloudflare/workers-rs>).
const WORKER_BUILD: &str = "0.8.7";
/// The newest that `worker-build` 0.8.7 accepts; the library in `Cargo.toml` must be the same.
const WASM_BINDGEN: &str = "0.2.129";
/// Reads `deny.toml`.
const CARGO_DENY: &str = "0.20.2";

/// Where everything is.
pub(crate) struct Tools {
    /// The cache directory.
    pub(crate) cache: PathBuf,
    /// Node and its packages.
    pub(crate) node: Node,
    /// What runs and lints workflows.
    pub(crate) python: Python,
    /// `wasm-bindgen`.
    pub(crate) wasm_bindgen: PathBuf,
    /// `worker-build`.
    pub(crate) worker_build: PathBuf,
    /// Who compiles for wasm.
    pub(crate) toolchain: Toolchain,
}

/// Finds or installs everything.
///
/// # Errors
/// The first step that failed, why, and what a person can do.
pub(crate) fn all() -> Result<Tools, Failed> {
    let cache = cache_directory()?;
    let _lock = lock(&cache)?;
    let node = node::ensure(&cache)?;
    let python = python::ensure(&cache)?;
    let toolchain = wasm::ensure(&cache)?;
    let wasm_bindgen = cargo_tool::ensure(&cache, "wasm-bindgen-cli", WASM_BINDGEN, "wasm-bindgen")?;
    let worker_build = cargo_tool::ensure(&cache, "worker-build", WORKER_BUILD, "worker-build")?;
    cargo_tool::clear(&cache);
    let tools = Tools { cache, node, python, wasm_bindgen, worker_build, toolchain };
    tools.write_file()?;
    Ok(tools)
}

/// Finds or installs `cargo-deny`, which nothing else needs: it takes two minutes to build.
///
/// # Errors
/// Why it could not be installed.
pub(crate) fn cargo_deny() -> Result<PathBuf, Failed> {
    let cache = cache_directory()?;
    let _lock = lock(&cache)?;
    let program = cargo_tool::ensure(&cache, "cargo-deny", CARGO_DENY, "cargo-deny")?;
    cargo_tool::clear(&cache);
    Ok(program)
}

impl Tools {
    /// Where the built router goes.
    pub(crate) fn worker_directory() -> PathBuf {
        root().join("build")
    }

    /// Writes `target/crossfade/tools.json`, which the sandbox and the tests read.
    fn write_file(&self) -> Result<(), Failed> {
        let path = root().join("target/crossfade/tools.json");
        let json = serde_json::json!({
            "node": self.node.program,
            "wrangler": self.node.modules.join("wrangler/bin/wrangler.js"),
            "workerd": self.node.workerd()?,
            "worker": Self::worker_directory(),
            "act": self.python.act(),
        });
        let failed = |error: std::io::Error| {
            Failed::new("setting up the tools", format!("cannot write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        std::fs::write(&path, format!("{json:#}\n")).map_err(failed)
    }
}

fn cache_directory() -> Result<PathBuf, Failed> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = variable("CROSSFADE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("crossfade")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/crossfade")))
        .ok_or_else(|| {
            Failed::new("finding the cache directory", "neither HOME nor CROSSFADE_CACHE is set")
                .or_do("set CROSSFADE_CACHE to a directory that may be written to")
        })?;
    std::fs::create_dir_all(&directory).map_err(|error| {
        Failed::new("making the cache directory", format!("{}: {error}", directory.display()))
            .or_do("set CROSSFADE_CACHE to a directory that may be written to")
    })?;
    Ok(directory)
}

/// Two checkouts that set up at once take turns.
fn lock(cache: &Path) -> Result<File, Failed> {
    let failed =
        |error: std::io::Error| Failed::new("locking the cache", format!("{}: {error}", cache.display()));
    let file = File::create(cache.join("lock")).map_err(failed)?;
    if file.try_lock().is_err() {
        step::say("   another `cargo xtask` is setting up; waiting for it");
        file.lock().map_err(failed)?;
    }
    Ok(file)
}

/// Makes a directory of the cache: `fill` gets a fresh place beside it, which is renamed when all went well.
fn install(
    name: &str,
    directory: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed::new(name, format!("{}: {error}", directory.display()));
    let fresh = directory.with_extension("new");
    for stale in [&fresh, &directory.to_path_buf()] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(failed)?;
        }
    }
    std::fs::create_dir_all(&fresh).map_err(failed)?;
    fill(&fresh)?;
    std::fs::rename(&fresh, directory).map_err(failed)
}

/// A program on PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// The cargo that runs us, without what it told us about our own package: build scripts take that for a change, and half of the
/// workspace would be compiled anew each time that somebody else builds.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Has a compiler leave out where it compiles: it is nobody's business, and other bytes would come out elsewhere.
pub(crate) fn of_no_place(command: &mut Command) {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let places = [Some((root(), ".")), home.map(|home| (home, "cargo"))];
    let remap = |(from, to): (PathBuf, &str)| format!("--remap-path-prefix={}={to}", from.display());
    let theirs = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags = theirs.split_whitespace().map(str::to_owned).chain(places.into_iter().flatten().map(remap));
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.collect::<Vec<_>>().join("\u{1f}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_versions_are_those_of_the_workspace() {
        let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let dependencies = &manifest["workspace"]["dependencies"];
        assert_eq!(dependencies["wasm-bindgen"].as_str(), Some(format!("={WASM_BINDGEN}").as_str()));
        assert_eq!(dependencies["worker"]["version"].as_str(), Some(format!("={WORKER_BUILD}").as_str()));
    }
}
