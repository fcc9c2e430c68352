//! Node and the packages of `package-lock.json`, installed once for each content of that file.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::root;
use crate::setup::{install, which};
use crate::step::{self, Failed};

/// What the linter of workflows asks for: `module.registerHooks`. wrangler takes 22.12 too.
const NODE_MIN: (u32, u32) = (22, 15);

/// Node and its packages.
pub(crate) struct Node {
    /// The `node` program.
    pub(crate) program: PathBuf,
    /// `node_modules`.
    pub(crate) modules: PathBuf,
}

impl Node {
    /// The Workers runtime itself. `workerd/bin/workerd` is a script of Node's that starts it, and one more process.
    pub(super) fn workerd(&self) -> Result<PathBuf, Failed> {
        let packages = self.modules.join("@cloudflare");
        let found = packages.read_dir().ok().into_iter().flatten().filter_map(Result::ok).find_map(|entry| {
            let is_platform = entry.file_name().to_string_lossy().starts_with("workerd-");
            let program = entry.path().join("bin/workerd");
            (is_platform && program.is_file()).then_some(program)
        });
        found.ok_or_else(|| {
            Failed::new("finding workerd", format!("{} has no workerd for this platform", packages.display()))
                .or_do("workerd is made for Linux (x64, arm64), macOS and Windows; remove the directory to install anew")
        })
    }
}

pub(super) fn ensure(cache: &Path) -> Result<Node, Failed> {
    let name = "installing node tools";
    let read = |file: &str| {
        let path = root().join(file);
        std::fs::read(&path)
            .map_err(|error| Failed::new(name, format!("cannot read {}: {error}", path.display())))
    };
    let (manifest, lock) = (read("package.json")?, read("package-lock.json")?);
    let key: String = Sha256::new()
        .chain_update(&manifest)
        .chain_update(&lock)
        .finalize()
        .iter()
        .take(6)
        .map(|b| format!("{b:02x}"))
        .collect();
    let directory = cache.join(format!("node-{key}"));
    let modules = directory.join("node_modules");
    if !modules.join("wrangler/bin/wrangler.js").is_file() {
        let npm = which("npm").ok_or_else(|| {
            Failed::new(name, "there is no `npm` on PATH")
                .or_do("install Node, any version that has npm, such as 20")
        })?;
        install(name, &directory, |fresh| {
            for (file, bytes) in [("package.json", &manifest), ("package-lock.json", &lock)] {
                std::fs::write(fresh.join(file), bytes).map_err(|error| Failed::new(name, error))?;
            }
            let mut command = Command::new(&npm);
            command.args(["ci", "--ignore-scripts", "--no-fund", "--no-audit"]).current_dir(fresh);
            step::log(name, cache, &mut command)
                .map_err(|failed| failed.or_do("the npm registry must be reachable; `npm ci` shows more"))?;
            // The package `node` fetches the binary of this platform in its install script: the only script we run.
            let mut command = Command::new(&npm);
            command.args(["rebuild", "node", "--foreground-scripts"]).current_dir(fresh);
            let _ = step::log("installing node itself", cache, &mut command);
            Ok(())
        })?;
    }
    Ok(Node { program: program(&modules)?, modules })
}

/// The pinned node, else one on PATH that is new enough.
fn program(modules: &Path) -> Result<PathBuf, Failed> {
    let candidates = [Some(modules.join("node/bin/node")), which("node")];
    candidates
        .into_iter()
        .flatten()
        .find(|node| version(node).is_some_and(|version| version >= NODE_MIN))
        .ok_or_else(|| {
            let (major, minor) = NODE_MIN;
            Failed::new(
                "finding node",
                format!("neither npm's package `node` nor PATH has version {major}.{minor} or later"),
            )
            .or_do(format!("install Node {major}.{minor} or later"))
        })
}

fn version(node: &Path) -> Option<(u32, u32)> {
    let text = step::output(Command::new(node).arg("--version"))?;
    let mut numbers = text.strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
