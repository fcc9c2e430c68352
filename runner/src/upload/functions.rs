//! A `functions/` directory in, what Pages runs out: compiled by wrangler, which is the only program that can.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::files::{FilesError, unreadable};

/// Compiled Functions, as Pages takes them.
#[derive(Debug)]
pub(super) struct Functions {
    /// The form within the form.
    pub(super) bundle: Vec<u8>,
    /// `_routes.json`, for sites that have none of their own.
    pub(super) routes: Vec<u8>,
    /// Which file answers which path.
    pub(super) config: Vec<u8>,
}

/// The Functions of a project: `functions/` where it is built, as for wrangler, or in the output.
pub(super) fn find(project: &Path, output: &Path) -> Option<PathBuf> {
    [project, output].map(|directory| directory.join("functions")).into_iter().find(|path| path.is_dir())
}

/// Compiles them. Secrets are kept from it: to compile, wrangler needs none.
///
/// # Errors
/// When there is no wrangler, or it fails.
pub(super) fn compile(functions: &Path, project: &Path) -> Result<Functions, FilesError> {
    let wrangler = wrangler(project).ok_or_else(|| FilesError::Functions { path: functions.into() })?;
    let failed = |why: String| FilesError::NotCompiled { path: functions.into(), why };
    let scratch = Scratch::new().map_err(|error| failed(error.to_string()))?;
    let [bundle, routes, config] = ["bundle", "routes.json", "config.json"].map(|name| scratch.0.join(name));
    let mut command = Command::new(&wrangler);
    command.args(["pages", "functions", "build"]).arg(functions);
    for (flag, path) in
        [("--outfile", &bundle), ("--output-routes-path", &routes), ("--output-config-path", &config)]
    {
        command.arg(flag).arg(path);
    }
    for secret in [crate::cloudflare::API_TOKEN, crate::edge::CONTROL_TOKEN, crate::signing::SIGNING_KEY] {
        command.env_remove(secret);
    }
    command.env("WRANGLER_SEND_METRICS", "false").env("NO_COLOR", "1").stdin(std::process::Stdio::null());
    let ended = command.output().map_err(|error| failed(format!("{}: {error}", wrangler.display())))?;
    if !ended.status.success() {
        return Err(failed(last_lines(&ended.stderr)));
    }
    let read = |path: &Path| std::fs::read(path).map_err(|source| unreadable(path, source));
    Ok(Functions { bundle: read(&bundle)?, routes: read(&routes)?, config: read(&config)? })
}

/// The project's own wrangler, else the one that a shell would find.
pub(super) fn wrangler(project: &Path) -> Option<PathBuf> {
    let project = std::path::absolute(project).ok()?;
    let own = project.ancestors().map(|directory| directory.join("node_modules/.bin/wrangler"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|directory| directory.join("wrangler"));
    own.chain(installed.collect::<Vec<_>>()).find(|file| file.is_file())
}

/// The end of what a program said, without its empty lines.
fn last_lines(output: &[u8]) -> String {
    const SHOWN: usize = 12;
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}

/// A directory that goes with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let name = format!("crossfade-functions-{:016x}", getrandom::u64().unwrap_or(0x5eed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
