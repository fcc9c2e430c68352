//! The router and its counters' object, built by `worker-build` into `build/`. Nothing is done when nothing changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::root;
use crate::setup::{Toolchain, Tools, of_no_place};
use crate::step::{self, Failed};

/// What the router is made of.
const SOURCES: [&str; 8] = [
    "core/src",
    "core/Cargo.toml",
    "worker/src",
    "worker/Cargo.toml",
    "counters/src",
    "counters/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
];

/// The Worker's main module. The router's wasm and its object's are two: an isolate that only routes instantiates only one.
const INDEX: &str = "export { default } from './worker/shim.mjs';
export { Counters } from './counters/worker/shim.mjs';
";

/// Builds the router and returns its directory.
///
/// # Errors
/// When it does not compile; the text has the compiler's own words.
pub(crate) fn build(tools: &Tools) -> Result<PathBuf, Failed> {
    let name = "building the router";
    let directory = Tools::worker_directory();
    let stamp = directory.join(".fingerprint");
    let fingerprint = fingerprint(tools).map_err(|error| Failed::new(name, error))?;
    let is_same = std::fs::read_to_string(&stamp).is_ok_and(|text| text == fingerprint);
    if is_same && directory.join("index.js").is_file() {
        step::say("   the router is up to date");
        embed(&directory).map_err(|error| Failed::new(name, error))?;
        return Ok(directory);
    }
    if directory.exists() {
        std::fs::remove_dir_all(&directory).map_err(|error| Failed::new(name, error))?;
    }
    module(tools, name, "worker", "../build")?;
    module(tools, "building the counters' object", "counters", "../build/counters")?;
    std::fs::write(directory.join("index.js"), INDEX)
        .and_then(|()| std::fs::write(&stamp, fingerprint))
        .and_then(|()| embed(&directory))
        .map_err(|error| Failed::new(name, error))?;
    Ok(directory)
}

/// Lays the router where the runner's build takes it from. What is there already stays untouched, so that nothing is built anew
/// for it.
fn embed(directory: &Path) -> std::io::Result<()> {
    for name in std::fs::read_to_string(root().join("runner/src/router/modules.txt"))?.lines() {
        let (from, to) = (directory.join(name), root().join("runner/bundle").join(name));
        let bytes = std::fs::read(from)?;
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(to, bytes)?;
    }
    Ok(())
}

/// One crate as JavaScript and wasm: `worker/shim.mjs` and `worker/index.wasm` of a directory.
fn module(tools: &Tools, name: &str, package: &str, out: &str) -> Result<(), Failed> {
    let mut command = Command::new(&tools.worker_build);
    let directory = root().join(package);
    command
        .args(["--profile", "edge", "--out-dir", out])
        .current_dir(&directory)
        .env("CUSTOM_SHIM", directory.join("src/shim.js"))
        .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
        .env("WASM_OPT_BIN", tools.node.modules.join("binaryen/bin/wasm-opt"))
        .env("ESBUILD_BIN", tools.node.modules.join(".bin/esbuild"));
    compile_for_wasm(tools, &mut command);
    step::log(name, &tools.cache, &mut command)?;
    shrink(tools, &directory.join(out).join("worker/index.wasm"))
}

/// Optimises for size and drops the names of functions, which panics don't need: their message has file and line. The features
/// are those that Rust's target and wasm-bindgen use, and no newer ones that the runtime may not know.
fn shrink(tools: &Tools, wasm: &Path) -> Result<(), Failed> {
    const FEATURES: [&str; 7] = [
        "--enable-bulk-memory",
        "--enable-exception-handling",
        "--enable-multivalue",
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
        "--enable-reference-types",
        "--enable-sign-ext",
    ];
    let mut command = Command::new(&tools.node.program);
    command
        .arg(tools.node.modules.join("binaryen/bin/wasm-opt"))
        .args(["-Oz", "--converge", "--strip-debug", "--strip-producers"])
        .args(FEATURES)
        .args([wasm, Path::new("-o"), wasm]);
    step::log("shrinking the router", &tools.cache, &mut command)
}

/// Makes a command compile for wasm, in a target directory of its own: two compilers would undo each other's work.
pub(crate) fn compile_for_wasm(tools: &Tools, command: &mut Command) {
    tools.toolchain.prepare(command);
    of_no_place(command);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let node = tools.node.program.parent().map(Path::to_path_buf);
    let first = node.into_iter().chain(tools.toolchain.path());
    let path = std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap_or(path);
    command.env("PATH", path).env("CARGO_TARGET_DIR", root().join("target/wasm"));
}

fn fingerprint(tools: &Tools) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    for source in SOURCES {
        for entry in walkdir::WalkDir::new(root().join(source)).sort_by_file_name() {
            let entry = entry?;
            if entry.file_type().is_file() {
                hasher.update(
                    entry.path().strip_prefix(root()).unwrap_or(entry.path()).to_string_lossy().as_bytes(),
                );
                hasher.update(std::fs::read(entry.path())?);
            }
        }
    }
    let compiler = match &tools.toolchain {
        Toolchain::Active => "active",
        Toolchain::Distribution { .. } => "distribution",
    };
    for text in [
        "of no place",
        compiler,
        &tools.wasm_bindgen.to_string_lossy(),
        &tools.worker_build.to_string_lossy(),
    ] {
        hasher.update(text.as_bytes());
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
