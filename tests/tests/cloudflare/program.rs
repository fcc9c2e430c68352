//! `crossfade-sandbox`, the program: what it tells the person who starts it, and programs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, CONTROL_TOKEN, NAMESPACE_ID};
use crossfade_tests::{Ended, crossfade_sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::http;

/// How long it may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// `crossfade-sandbox --json`, running. It ends with this value.
pub(crate) struct Running {
    child: Child,
    /// What it said when it was ready.
    pub(crate) said: Value,
}

impl Running {
    /// Starts it and waits until it says that it is ready. `--json` must be among the arguments.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = crossfade_sandbox().args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        Self { child, said }
    }

    /// The value of a variable that it wants exported.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> &str {
        self.said["variables"][name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.said))
    }

    /// Sends a signal, waits for its end and returns its exit code, if it has one.
    #[track_caller]
    pub(crate) fn end_by(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it runs on after {signal:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_names_every_option_and_says_how_it_ends() {
    let mut help = crossfade_sandbox();
    help.arg("--help");
    let help = Ended::of(help).expect(0).stdout;
    for text in [
        "A local Cloudflare on loopback",
        "ends on Ctrl-C",
        "--api-port",
        "[default: 8788]",
        "--public-port",
        "[default: 8787]",
        "--worker",
        "--refresh-seconds",
        "--default-origin",
        "--api-only",
        "--json",
    ] {
        assert!(help.contains(text), "`{text}` is not in:\n{help}");
    }
}

#[test]
fn what_it_prints_can_be_sourced_by_a_shell_and_read_by_a_person() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sandbox.env");
    let file = std::fs::File::create(&path).unwrap();
    let mut start = crossfade_sandbox();
    start.args(["--api-port", "0", "--public-port", "0"]).stdout(file);
    let mut running = Running { child: start.spawn().unwrap(), said: Value::Null };
    let deadline = Instant::now() + PATIENCE;
    let said = loop {
        let said = std::fs::read_to_string(&path).unwrap();
        if said.contains("CROSSFADE_TOKEN") && said.ends_with('\n') {
            break said;
        }
        assert!(Instant::now() < deadline, "it only said:\n{said}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(said.lines().all(|line| line.starts_with("# ") || line.starts_with("export ")), "{said}");

    let mut shell = Command::new("sh");
    shell.args(["-ec", ". \"$0\"; env"]).arg(&path).env_clear();
    let sourced = Ended::of(shell).expect(0).stdout;
    let variable = |name: &str| {
        let line = sourced.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in {sourced}"))
    };
    assert_eq!(variable("CLOUDFLARE_ACCOUNT_ID"), ACCOUNT_ID);
    assert_eq!(variable("CLOUDFLARE_API_TOKEN"), API_TOKEN);
    assert_eq!(variable("CROSSFADE_TOKEN"), CONTROL_TOKEN);
    let project =
        format!("{}/accounts/{ACCOUNT_ID}/pages/projects/booking", variable("CLOUDFLARE_API_BASE_URL"));
    let authorization = format!("Bearer {}", variable("CLOUDFLARE_API_TOKEN"));
    assert_eq!(http::send("GET", &project, &[("authorization", &authorization)], b"").unwrap().status, 200);

    // What a person needs beside the variables: each of the addresses answers.
    for (what, path, status) in [("visitors", "/", 503), ("control:", "", 200)] {
        let line = said
            .lines()
            .find(|line| line.starts_with(&format!("# {what}")))
            .unwrap_or_else(|| panic!("{said}"));
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        assert_eq!(http::get(&format!("{url}{path}")).status, status, "{what}: {url}");
    }
    for text in [NAMESPACE_ID, "booking", "Ctrl-C"] {
        assert!(said.contains(text), "`{text}` is not in:\n{said}");
    }
    assert_eq!(running.end_by(Signal::INT), Some(0));
}

#[test]
fn json_is_one_object_with_everything_in_it() {
    let running = Running::start(&["--json", "--api-port", "0", "--public-port", "0"]);
    let said = &running.said;
    assert_eq!(said["api_url"].as_str(), Some(running.variable("CLOUDFLARE_API_BASE_URL")));
    assert_eq!((&said["account_id"], &said["namespace_id"]), (&ACCOUNT_ID.into(), &NAMESPACE_ID.into()));
    assert_eq!(http::get(said["public_url"].as_str().unwrap()).status, 503, "there is no version yet");
    let control = said["api_url"].as_str().unwrap().replace("/client/v4", "/sandbox");
    let described = http::get(&control).json();
    for name in ["api_url", "public_url", "account_id", "namespace_id", "projects", "deployments"] {
        assert_eq!(described[name], said[name], "{name} of {control}");
    }
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let fails = |arguments: [&str; 3], tools: Option<&str>, texts: &[&str]| {
        let mut command = crossfade_sandbox();
        command.args(["--public-port", "0"]).args(arguments);
        command.envs(tools.map(|tools| ("CROSSFADE_TOOLS", tools)));
        let ended = Ended::of(command).expect(1).says(texts);
        assert_eq!(ended.stderr.lines().count(), 1, "one error, one line: {}", ended.stderr);
    };
    let any = ["--api-port", "0", "--json"];
    fails(any, Some("no-such-tools.json"), &["no-such-tools.json", "cargo xtask setup"]);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(["--api-port", &port, "--json"], None, &[&format!("127.0.0.1:{port}"), "in use"]);
    let elsewhere = ["--api-port=0", "--worker", "no-such-router"];
    fails(elsewhere, None, &["no-such-router", "cargo xtask build-worker"]);
}
