//! A child process that ends when we do, however we end.
//!
//! Between us and the program stands a shell in a process group of its own ([`LEASH`]) that holds the other end of a
//! pipe: when the pipe closes, the group is killed. That works for SIGKILL too, which no handler of ours would see.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;

const LEASH: &str = include_str!("child/leash.sh");

/// How much of what a child prints is kept.
const LINES_MAX: usize = 60;

/// A running child.
#[derive(Debug)]
pub(crate) struct Child {
    process: Process,
    /// Closing it ends the child.
    pipe: Option<ChildStdin>,
    output: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    /// Starts `program` in `directory` with nothing of our environment but what programs need to find each other.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        directory: &Path,
    ) -> Result<Self, Error> {
        let mut process = Command::new("sh")
            .args(["-c", LEASH, "leash"])
            .arg(program)
            .args(arguments)
            .process_group(0)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", directory)
            // What they leave behind when they are killed goes with the sandbox's own directory.
            .env("TMPDIR", directory)
            .envs([
                ("CI", "1"),
                ("NO_COLOR", "1"),
                ("WRANGLER_SEND_METRICS", "false"),
                ("WRANGLER_HIDE_BANNER", "true"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io(format!("start {}", program.display())))?;
        let output = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stdout) = process.stdout.take() {
            keep(stdout, Arc::clone(&output));
        }
        if let Some(stderr) = process.stderr.take() {
            keep(stderr, Arc::clone(&output));
        }
        let pipe = process.stdin.take();
        Ok(Self { process, pipe, output })
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Its process group.
    pub(crate) fn group(&self) -> u32 {
        self.process.id()
    }

    /// The last lines it printed.
    pub(crate) fn output(&self) -> Vec<String> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.process.wait();
    }
}

fn keep(stream: impl Read + Send + 'static, output: Arc<Mutex<VecDeque<String>>>) {
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            if output.len() == LINES_MAX {
                output.pop_front();
            }
            // wrangler's errors are coloured whatever they are told.
            output.push_back(anstream::adapter::strip_str(&line).to_string());
        }
    });
}
