//! The booking site on a sandbox, and releases of it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossfade_core::RoutingTable;
use crossfade_sandbox::{NAMESPACE_ID, Options, Sandbox};
use tempfile::TempDir;

use crate::{crossfade, root, sandbox};

/// A project directory with `crossfade.toml`, and the sandbox it is released to.
pub struct Site {
    /// The local Cloudflare.
    pub sandbox: Sandbox,
    directory: TempDir,
}

/// A program that ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it said to standard output.
    pub stdout: String,
    /// What it said to standard error.
    pub stderr: String,
}

impl Ended {
    /// Fails the test, with everything it said, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n── stdout\n{}\n── stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless standard error contains all of these.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
        self
    }

    /// The JSON objects of standard output, one a line.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }
}

/// A program that runs.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Waits until what it said to standard output contains `text`.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            if said.contains(text) {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended without saying `{text}`:\n{said}");
            assert!(Instant::now() < deadline, "it did not say `{text}` in time:\n{said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let stdout = std::fs::read_to_string(&self.log).unwrap();
        Ended { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

impl Site {
    /// A site without any release.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same, on a sandbox that `change` had its say in.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let site = Self { sandbox: sandbox(change), directory: TempDir::new().unwrap() };
        let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
        let build = format!("node {} --out dist", root().join("example/build.mjs").display());
        let config = example
            .replace("http://127.0.0.1:8787", &site.sandbox.public_url().unwrap_or_default())
            .replace("node build.mjs --out dist", &build);
        assert!(config.contains(&build), "the example's configuration has another build hook");
        site.write("crossfade.toml", &config);
        site
    }

    /// The project's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text in `crossfade.toml`, which must be there.
    #[track_caller]
    pub fn configure(&self, from: &str, to: &str) {
        let config = std::fs::read_to_string(self.path().join("crossfade.toml")).unwrap();
        assert!(config.contains(from), "`{from}` is not in crossfade.toml");
        self.write("crossfade.toml", &config.replace(from, to));
    }

    /// `crossfade` with these arguments in the project's directory, pointed at the sandbox.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = crossfade();
        command.args(arguments).current_dir(self.path()).envs(self.sandbox.variables()).stdin(Stdio::null());
        command
    }

    /// Runs `crossfade` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments))
    }

    /// Releases a version that fails in the named ways, see `example/build.mjs`.
    pub fn deploy(&self, version: &str, fail: &[&str]) -> Ended {
        ended(self.deploy_command(version, fail))
    }

    /// Begins the same and lets it run.
    pub fn begin_deploy(&self, version: &str, fail: &[&str]) -> Running {
        begin(self.deploy_command(version, fail), self.path().join(format!("{version}.log")))
    }

    fn deploy_command(&self, version: &str, fail: &[&str]) -> Command {
        let mut command = self.command(&["deploy", "--as", version]);
        command.env("BOOKING_FAIL", fail.join(","));
        command
    }

    /// The table in KV.
    #[track_caller]
    pub fn table(&self) -> RoutingTable {
        let json = self.sandbox.kv("routing:production").expect("there is a table");
        RoutingTable::parse(&json).unwrap()
    }

    /// The version that most visitors get, and whether nothing is in flight.
    #[track_caller]
    pub fn live(&self) -> (String, bool) {
        let table = self.table();
        let most = table.variants().iter().max_by_key(|variant| variant.weight).unwrap();
        (most.version.to_string(), table.lease().is_none())
    }

    /// What the public URL says its version is.
    pub fn served_version(&self) -> String {
        let url = format!("{}/version.json", self.sandbox.public_url().unwrap());
        let mut answer = ureq::get(url).call().unwrap();
        let json: serde_json::Value = answer.body_mut().read_json().unwrap();
        json["version"].as_str().unwrap().to_owned()
    }

    /// How often a key of the router's namespace was written over the API.
    pub fn writes(&self, key: &str) -> usize {
        let path = format!(
            "/accounts/{}/storage/kv/namespaces/{NAMESPACE_ID}/values/{}",
            crossfade_sandbox::ACCOUNT_ID,
            key.replace(':', "%3A")
        );
        let requests = self.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.method == "PUT" && request.path.replace(':', "%3A") == path)
            .count()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a program to its end.
pub fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn begin(mut command: Command, log: PathBuf) -> Running {
    let file = std::fs::File::create(&log).unwrap();
    let child = command.stdout(file).stderr(Stdio::piped()).spawn().unwrap();
    Running { child, log }
}
