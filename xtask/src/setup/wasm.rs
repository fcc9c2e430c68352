//! Who compiles for wasm: the active toolchain where it has the target or rustup can add it, else the distribution's
//! compiler with a standard library that is built from the distribution's source, once, into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup::{cargo, install, which};
use crate::step::{self, Failed};

/// The target of Workers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// What the `worker` crate needs.
const RUSTC_MIN: (u32, u32) = (1, 91);
/// Package sets that bring compiler, source, cargo and clippy: Debian 12's security suite, then Debian's and Ubuntu's own.
const PACKAGES: [&[&str]; 2] = [
    &["rustc-web", "rust-web-src", "cargo-web", "rust-web-clippy"],
    &["rustc", "rust-src", "cargo", "rust-clippy"],
];
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";
const DISTRIBUTION_CARGO: &str = "/usr/bin/cargo";

/// A compiler that has the target.
pub(crate) enum Toolchain {
    /// The one that compiles everything else too.
    Active,
    /// The distribution's.
    Distribution {
        /// A sysroot with the standard libraries of host and target, and `bin/rustc`, which uses it.
        sysroot: PathBuf,
        /// LLVM's linker for wasm.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// `cargo` of this toolchain, with what it needs in its environment.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Active => cargo(),
            Self::Distribution { .. } => {
                let mut command = Command::new(DISTRIBUTION_CARGO);
                self.prepare(&mut command);
                command
            }
        }
    }

    /// Makes a program that calls `cargo` use this toolchain.
    pub(crate) fn prepare(&self, command: &mut Command) {
        match self {
            Self::Active => {}
            Self::Distribution { sysroot, linker } => {
                command
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .env("RUSTC", sysroot.join("bin/rustc"))
                    // What clippy asks instead of rustc.
                    .env("SYSROOT", sysroot)
                    .env("CARGO", DISTRIBUTION_CARGO)
                    .env_remove("RUSTUP_TOOLCHAIN");
            }
        }
    }

    /// The directories that must come first on PATH.
    pub(crate) fn path(&self) -> Vec<PathBuf> {
        match self {
            Self::Active => Vec::new(),
            Self::Distribution { sysroot, .. } => vec![sysroot.join("bin"), PathBuf::from("/usr/bin")],
        }
    }
}

/// `CROSSFADE_WASM=distribution` takes the second way although the first would do: so it can be tried anywhere.
pub(super) fn ensure(cache: &Path) -> Result<Toolchain, Failed> {
    let only_distribution = std::env::var_os("CROSSFADE_WASM").is_some_and(|value| value == "distribution");
    if !only_distribution && has_target() {
        return Ok(Toolchain::Active);
    }
    if let Some(found) = built(cache) {
        return Ok(found);
    }
    if !only_distribution && which("rustup").is_some() {
        let mut command = Command::new("rustup");
        command.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "0");
        if step::log(&format!("rustup target add {TARGET}"), cache, &mut command).is_ok() && has_target() {
            return Ok(Toolchain::Active);
        }
        step::say("   rustup has no access to its server: the distribution's compiler will do");
    }
    from_distribution(cache)
}

fn has_target() -> bool {
    let libraries =
        step::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_some_and(|directory| has_core(Path::new(&directory)))
}

fn has_core(directory: &Path) -> bool {
    let Ok(mut entries) = directory.read_dir() else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}

/// What an earlier run built, if the compiler is still the same.
fn built(cache: &Path) -> Option<Toolchain> {
    let sysroot = sysroot(cache, &distribution_version()?);
    let complete = has_core(&sysroot.join("lib/rustlib").join(TARGET).join("lib"));
    let complete = complete && sysroot.join("bin/rustc").is_file();
    if complete { Some(Toolchain::Distribution { sysroot, linker: linker()? }) } else { None }
}

fn sysroot(cache: &Path, version: &str) -> PathBuf {
    let key: String =
        version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    cache.join(format!("wasm-std-{key}"))
}

/// `1.96.0`, when it is new enough and its source is there.
fn distribution_version() -> Option<String> {
    let text = step::output(Command::new(DISTRIBUTION_RUSTC).arg("--version"))?;
    let version = text.split(' ').nth(1)?.to_owned();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let new_enough = (numbers.next()??, numbers.next()??) >= RUSTC_MIN;
    let source = step::output(Command::new(DISTRIBUTION_RUSTC).args(["--print", "sysroot"]))?;
    let has_source = Path::new(&source).join("lib/rustlib/src/rust/library/std").is_dir();
    let has_cargo = Path::new("/usr/bin/cargo-clippy").is_file() && Path::new(DISTRIBUTION_CARGO).is_file();
    (new_enough && has_source && has_cargo).then_some(version)
}

fn from_distribution(cache: &Path) -> Result<Toolchain, Failed> {
    let name = "installing the distribution's Rust";
    let commands =
        PACKAGES.map(|packages| format!("apt-get install -y {}", packages.join(" "))).join("` or `");
    let remedy =
        format!("`rustup target add {TARGET}` where rustup's server can be reached, or as root `{commands}`");
    if distribution_version().is_none() {
        let apt = which("apt-get").ok_or_else(|| {
            Failed::new(name, "rustup cannot add the target and there is no apt-get").or_do(&*remedy)
        })?;
        // The lists may be old or empty; when they cannot be renewed the installation says so.
        let _ = step::log("apt-get update", cache, Command::new(&apt).arg("update"));
        let installed = PACKAGES.iter().any(|packages| {
            let mut command = Command::new(&apt);
            command
                .args(["install", "-y", "--no-install-recommends"])
                .args(*packages)
                .env("DEBIAN_FRONTEND", "noninteractive");
            step::log(&format!("{name} ({})", packages[0]), cache, &mut command).is_ok()
                && distribution_version().is_some()
        });
        if !installed {
            let (major, minor) = RUSTC_MIN;
            let why = format!(
                "apt-get did not bring Rust {major}.{minor} or later with its source (are you root?)"
            );
            return Err(Failed::new(name, why).or_do(remedy));
        }
    }
    let version = distribution_version().unwrap_or_default();
    install("the wasm standard library", &sysroot(cache, &version), |fresh| build_std(cache, fresh))?;
    built(cache).ok_or_else(|| {
        Failed::new("finding a linker for wasm", "there is neither rust-lld nor wasm-ld")
            .or_do("`apt-get install -y lld` as root")
    })
}

/// Builds `std` from an empty crate and keeps its libraries.
fn build_std(cache: &Path, sysroot: &Path) -> Result<(), Failed> {
    let name = "building the wasm standard library (a minute or two, once)";
    let failed = |error: std::io::Error| Failed::new(name, error);
    let scratch = tempfile::tempdir().map_err(failed)?;
    std::fs::create_dir(scratch.path().join("src")).map_err(failed)?;
    std::fs::write(scratch.path().join("src/lib.rs"), "#![no_std]\n").map_err(failed)?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(scratch.path().join("Cargo.toml"), manifest).map_err(failed)?;
    let mut command = Command::new(DISTRIBUTION_CARGO);
    command
        .args([
            "build",
            "--release",
            "-Zbuild-std=std,panic_abort",
            "--target",
            TARGET,
            "--target-dir",
            "target",
        ])
        .current_dir(scratch.path())
        .env("RUSTC", DISTRIBUTION_RUSTC)
        // `-Zbuild-std` is for nightly compilers unless one says so.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode in the libraries `lto = true` cannot be had.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("RUSTUP_TOOLCHAIN");
    step::log(name, cache, &mut command)?;
    let target = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::create_dir_all(&target).map_err(failed)?;
    let built = scratch.path().join("target").join(TARGET).join("release/deps");
    for entry in std::fs::read_dir(built).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if file.ends_with(".rlib") && !file.starts_with("libempty-") {
            std::fs::copy(&path, target.join(file)).map_err(failed)?;
        }
    }
    mirror(cache, sysroot).map_err(failed)
}

/// Makes the directory a whole sysroot: the host's libraries by a link, and a `rustc` that says where it is, which is how
/// `worker-build` looks for the target.
fn mirror(cache: &Path, sysroot: &Path) -> std::io::Result<()> {
    let distribution =
        step::output(Command::new(DISTRIBUTION_RUSTC).args(["--print", "sysroot"])).unwrap_or_default();
    for entry in std::fs::read_dir(Path::new(&distribution).join("lib/rustlib"))? {
        let entry = entry?;
        let link = sysroot.join("lib/rustlib").join(entry.file_name());
        if !link.exists() {
            std::os::unix::fs::symlink(entry.path(), link)?;
        }
    }
    let bin = sysroot.join("bin");
    std::fs::create_dir_all(&bin)?;
    let rustc = bin.join("rustc");
    // By its place in the cache, not by where it is built: the directory is renamed when it is complete.
    let version = distribution_version().unwrap_or_default();
    let home = self::sysroot(cache, &version);
    std::fs::write(
        &rustc,
        format!("#!/bin/sh\nexec {DISTRIBUTION_RUSTC} --sysroot '{}' \"$@\"\n", home.display()),
    )?;
    std::fs::set_permissions(&rustc, std::os::unix::fs::PermissionsExt::from_mode(0o755))
}

/// rustup's own copy of LLVM's linker, else the distribution's.
fn linker() -> Option<PathBuf> {
    let sysroot = step::output(Command::new("rustc").args(["--print", "sysroot"]));
    let bundled = sysroot.and_then(|sysroot| {
        let rustlib = Path::new(&sysroot).join("lib/rustlib");
        let hosts = rustlib.read_dir().ok()?;
        hosts.filter_map(|host| Some(host.ok()?.path().join("bin/rust-lld"))).find(|path| path.is_file())
    });
    bundled.or_else(|| which("wasm-ld"))
}
