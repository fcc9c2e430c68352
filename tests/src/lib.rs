//! What end-to-end tests begin with: a [`Site`] on a sandbox of its own, and the program [`crossfade()`].
//!
//! Every sandbox has its own ports, KV and deployments, so tests run side by side. They need the tools and the built
//! router: `cargo xtask test` sees to both.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a harness that cannot set up fails the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crossfade_sandbox::{Options, Sandbox, Tools};

mod balanced;
mod browser;
mod documented;
mod exceptions;
mod fleet;
pub mod form;
mod job;
pub mod openapi;
pub mod origin;
mod reference;
mod run;
mod screen;
mod signature;
mod site;
mod upload;

pub use balanced::Balanced;
pub use browser::Browser;
pub use documented::documented;
pub use fleet::{Fleet, Instance, Visit, Visitors};
pub use job::job_values;
pub use reference::reference;
pub use run::{Ended, Running};
pub use screen::Screen;
pub use signature::{hmac_sha256, signed};
pub use site::Site;
pub use upload::{client, client_at, try_upload, upload, upload_to};

/// Starts a sandbox after `change` had its say.
pub fn sandbox(change: impl FnOnce(&mut Options)) -> Sandbox {
    let tools = Tools::load().unwrap_or_else(|error| panic!("{error}"));
    let mut options = Options::new(tools);
    change(&mut options);
    Sandbox::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// The program under test, built once a test binary and free of whatever this shell or workflow has in its environment.
pub fn crossfade() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    program(PROGRAM.get_or_init(|| build_program("crossfade")))
}

/// The sandbox as a program, likewise.
pub fn crossfade_sandbox() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    program(PROGRAM.get_or_init(|| build_program("crossfade-sandbox")))
}

fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CLOUDFLARE_", "CROSSFADE_", "GITHUB_", "RUNNER_", "INPUT_", "BOOKING_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The workspace's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The package's program of the same name.
fn build_program(package: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", package]).current_dir(root());
    // What cargo tells a test about its own package makes build scripts run again, here and at the next build outside.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let status = build.status();
    assert!(status.is_ok_and(|status| status.success()), "`cargo build --package {package}` failed");
    // …/target/debug/deps/<test> → …/target/debug/<program>
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join(package)
}
