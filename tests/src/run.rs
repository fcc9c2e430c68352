//! The program under test while it runs, and what it said.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

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
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails the test, with everything it said, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n── stdout\n{}\n── stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless its error, the last that it said, contains all of these.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        let error = self.error();
        for text in texts {
            assert!(error.contains(text), "`{text}` is not in:\n{error}");
        }
        self
    }

    /// Fails the test unless standard error, of a program that has other ways than ours, contains all of these.
    #[track_caller]
    pub fn mentions(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
        self
    }

    /// Fails the test unless standard output contains all of these.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "`{text}` is not in:\n{}", self.stdout);
        }
        self
    }

    /// The one error, with its causes and its hint.
    #[track_caller]
    pub fn error(&self) -> &str {
        let at = |(at, _): (usize, &str)| at == 0 || self.stderr.as_bytes()[at - 1] == b'\n';
        let starts: Vec<usize> =
            self.stderr.match_indices("error: ").filter(|found| at(*found)).map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 1, "one error was expected:\n{}", self.stderr);
        &self.stderr[starts[0]..]
    }

    /// The JSON objects of standard output, one a line.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The last event of a type.
    #[track_caller]
    pub fn event(&self, r#type: &str) -> Value {
        let events = self.events();
        let found = events.iter().rev().find(|event| event["type"] == r#type);
        found.unwrap_or_else(|| panic!("no event `{type}` in:\n{}", self.stdout)).clone()
    }
}

/// A program that runs; it ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    said: TempDir,
}

impl Running {
    /// Begins a command.
    pub fn begin(mut command: Command) -> Self {
        let said = TempDir::new().unwrap();
        let file = |name: &str| File::create(said.path().join(name)).unwrap();
        let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        Self { child, said }
    }

    /// Waits until what it said contains `text`.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        self.until_met(&format!("it said `{text}`"), |said| said.contains(text));
    }

    /// Waits until `met` holds for what it said to standard output.
    #[track_caller]
    pub fn until_met(&mut self, what: &str, mut met: impl FnMut(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // Asked first: what it said before it ended must count.
            let ended = self.has_ended();
            let said = self.read("stdout");
            if met(&said) {
                return;
            }
            if ended || Instant::now() >= deadline {
                let state = if ended { "it ended" } else { "it took too long" };
                panic!("{state} before {what}:\n{said}\n{}", self.read("stderr"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a phase has begun.
    #[track_caller]
    pub fn until_phase(&mut self, phase: &str) {
        self.until(&format!("\"type\":\"phase-started\",\"phase\":\"{phase}\""));
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        Ended { code: status.code().unwrap_or(-1), stdout: self.read("stdout"), stderr: self.read("stderr") }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.said.path().join(name)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
