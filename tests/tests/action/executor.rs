//! What GitHub's runner does to the processes of a step that uses a JavaScript action, for the ways to end where `act` differs:
//! SIGINT to the one process that it started, SIGTERM 7.5 s later, SIGKILL 2.5 s after that; then the steps after it and `post`,
//! unless the runner itself is shut down; last of all it kills whatever still has its tracking id
//! (<https://github.com/actions/runner/blob/main/src/Runner.Sdk/ProcessInvoker.cs>, `StepsRunner.cs`, `JobRunner.cs`).

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossfade_sandbox::Tools;
use crossfade_tests::{Site, crossfade, job_values, root};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::metadata::Metadata;
use crate::over::Over;
use crate::processes::{processes_with, programs_with};

const UNTIL_SIGTERM: Duration = Duration::from_millis(7_500);
const UNTIL_SIGKILL: Duration = Duration::from_millis(2_500);
/// How long a step's output is read on when its process has ended and another one still holds it.
const UNTIL_CLOSED: Duration = Duration::from_secs(5);
/// By this the runner finds what a job has left running.
const TRACKING_ID: &str = "RUNNER_TRACKING_ID";

/// A job whose one step uses the action. It ends with this value: what still runs is killed.
pub(crate) struct Job<'a> {
    site: &'a Site,
    metadata: Metadata,
    inputs: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, String)>,
    /// `GITHUB_STATE` of `main`, which `post` sees.
    state: BTreeMap<String, String>,
    temp: TempDir,
}

/// `main` or `post` while it runs.
pub(crate) struct Step {
    child: Child,
    said: Arc<Mutex<String>>,
    closed: Receiver<()>,
    /// The signals that it was sent.
    sent: Vec<Signal>,
    files: TempDir,
}

impl<'a> Job<'a> {
    /// The binary is the one under test; secrets are the sandbox's.
    pub(crate) fn new(site: &'a Site, inputs: &[(&'static str, &str)]) -> Self {
        let mut all = vec![("binary", crossfade().get_program().to_string_lossy().into_owned())];
        for (variable, value) in site.sandbox.variables() {
            let input = match variable {
                "CLOUDFLARE_API_TOKEN" => "apiToken",
                "CLOUDFLARE_ACCOUNT_ID" => "accountId",
                "CROSSFADE_TOKEN" => "crossfadeToken",
                _ => continue,
            };
            all.push((input, value));
        }
        all.extend(inputs.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let temp = TempDir::new().unwrap();
        Self {
            site,
            metadata: Metadata::read(),
            inputs: all,
            variables: Vec::new(),
            state: BTreeMap::new(),
            temp,
        }
    }

    /// A variable of the step's `env`.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Begins `main`.
    pub(crate) fn main(&self) -> Step {
        self.begin(&self.metadata.main)
    }

    /// Waits for the end of `main`, and keeps what it wants `post` to know.
    pub(crate) fn over(&mut self, step: Step) -> Over {
        let (over, state) = step.over();
        self.state.extend(state);
        over
    }

    /// Runs `post` to its end. Its condition is `always()`, so that it runs however `main` has ended.
    pub(crate) fn post(&mut self) -> Over {
        assert_eq!(self.metadata.post_if, "always()");
        let step = self.begin(&self.metadata.post);
        self.over(step)
    }

    /// Kills what the job has left running, as the runner does when a job is over; how many there were.
    pub(crate) fn kill_the_rest(&self) -> usize {
        let tracked = processes_with(&self.mark());
        tracked.iter().filter(|pid| kill_process(**pid, Signal::KILL).is_ok()).count()
    }

    /// The processes of the program under test.
    pub(crate) fn programs(&self) -> Vec<Pid> {
        programs_with(&self.mark())
    }

    fn mark(&self) -> String {
        format!("{TRACKING_ID}={}", self.tracking_id())
    }

    fn tracking_id(&self) -> String {
        format!("github_{}", self.temp.path().display())
    }

    fn begin(&self, script: &str) -> Step {
        let files = TempDir::new_in(self.temp.path()).unwrap();
        let file = |name: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, "").unwrap();
            path.display().to_string()
        };
        let mut command = Command::new(Tools::load().unwrap().node);
        command.arg(root().join(script)).current_dir(self.site.path()).env_clear();
        command.envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command
            .env(TRACKING_ID, self.tracking_id())
            .envs(self.site.sandbox.variables().into_iter().filter(|(name, _)| name.ends_with("BASE_URL")))
            .envs(self.variables.iter().cloned())
            .envs(self.metadata.inputs(&self.inputs))
            .envs(self.state.iter().map(|(name, value)| (format!("STATE_{name}"), value)))
            .envs([("GITHUB_OUTPUT", file("output")), ("GITHUB_STATE", file("state"))])
            .envs([("GITHUB_ENV", file("env")), ("GITHUB_STEP_SUMMARY", file("summary"))])
            .envs([("CI", "true"), ("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push")])
            .envs([("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_API_URL", "http://127.0.0.1:9")])
            .envs([("GITHUB_REPOSITORY", "acme/booking"), ("GITHUB_REF", "refs/heads/main")])
            .env("GITHUB_RUN_ID", self.temp.path().file_name().unwrap())
            .envs([("GITHUB_RUN_ATTEMPT", "1"), ("GITHUB_JOB", "release")])
            .env("GITHUB_WORKSPACE", self.site.path())
            .env("RUNNER_TEMP", self.temp.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (ends, closed) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for pipe in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            let (said, ends) = (Arc::clone(&said), ends.clone());
            std::thread::spawn(move || {
                read(pipe, &said);
                drop(ends);
            });
        }
        Step { child, said, closed, sent: Vec::new(), files }
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        self.kill_the_rest();
    }
}

impl Step {
    /// Sends the process that the runner started, and no other one, a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
        self.sent.push(signal);
    }

    /// What the runner does when the run is cancelled, when the step's `timeout-minutes` are over, and when it is shut down itself.
    pub(crate) fn cancel(&mut self) {
        for (signal, then) in [(Signal::INT, UNTIL_SIGTERM), (Signal::TERM, UNTIL_SIGKILL)] {
            self.signal(signal);
            if self.ends_within(then) {
                return;
            }
        }
        self.signal(Signal::KILL);
    }

    fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// The end, and the state that it saved.
    fn over(mut self) -> (Over, BTreeMap<String, String>) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        // Nothing is ever sent: both readers gone is what is waited for.
        let _ = self.closed.recv_timeout(UNTIL_CLOSED);
        let said = self.said.lock().unwrap().clone();
        let file = |name: &str| std::fs::read_to_string(self.files.path().join(name)).unwrap();
        let outputs = job_values(&file("output"));
        (
            Over { code, said, summary: file("summary"), outputs, sent: self.sent.clone() },
            job_values(&file("state")),
        )
    }
}

fn read(mut pipe: impl Read, said: &Mutex<String>) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut bytes) {
        said.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
}
