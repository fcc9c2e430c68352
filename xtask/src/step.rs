//! A command run as a step: a line on the screen, its output in a log, and when it fails which step, why and what to do.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How many of the last lines of a log are shown when a step fails.
const LINES_SHOWN: usize = 25;
/// How often a step that takes long says so where there is no terminal.
const STILL_EVERY: Duration = Duration::from_secs(30);

/// A step that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What was being done.
    pub(crate) step: String,
    /// Why it failed.
    pub(crate) why: String,
    /// What a person can do.
    pub(crate) remedy: Option<String>,
}

impl Failed {
    pub(crate) fn new(step: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { step: step.into(), why: why.to_string(), remedy: None }
    }

    #[must_use]
    pub(crate) fn or_do(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {} failed: {}", self.step, self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\nhint: {remedy}"),
            None => Ok(()),
        }
    }
}

/// Says something on standard error, where progress belongs.
pub(crate) fn say(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs a command whose output people want to see, and adds nothing after it: a test runner's summary is the last word.
pub(crate) fn show(step: &str, command: &mut Command) -> Result<(), Failed> {
    say(format_args!("── {step}"));
    let status =
        command.status().map_err(|error| Failed::new(step, format!("`{}`: {error}", program(command))))?;
    if !status.success() {
        return Err(Failed::new(step, format!("`{}` ended with {status}", program(command))));
    }
    Ok(())
}

/// Runs a command whose output only matters when it fails: it goes to `<cache>/log/<name>.log`.
pub(crate) fn log(step: &str, cache: &Path, command: &mut Command) -> Result<(), Failed> {
    let path = log_path(step, cache)?;
    let wrong =
        |error: std::io::Error| Failed::new(step, format!("cannot write {}: {error}", path.display()));
    let file = File::create(&path).map_err(wrong)?;
    let again = file.try_clone().map_err(wrong)?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(again)
        .spawn()
        .map_err(|error| Failed::new(step, format!("`{}`: {error}", program(command))))?;
    let progress = Progress::begin(step);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(Failed::new(step, error)),
        }
        progress.still(started.elapsed());
    };
    progress.end(status.success(), started.elapsed());
    if status.success() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n  ");
    Err(Failed::new(
        step,
        format!("`{}` ended with {status}; the end of {}:\n  {last}", program(command), path.display()),
    ))
}

/// What a command prints, trimmed; `None` when it fails or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn log_path(step: &str, cache: &Path) -> Result<PathBuf, Failed> {
    let directory = cache.join("log");
    std::fs::create_dir_all(&directory)
        .map_err(|error| Failed::new(step, format!("cannot make {}: {error}", directory.display())))?;
    let name: String =
        step.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    Ok(directory.join(format!("{name}.log")))
}

/// A spinner on a terminal; elsewhere a line when it begins, every half minute and when it ends.
struct Progress {
    step: String,
    bar: Option<ProgressBar>,
    spoke: std::cell::Cell<Duration>,
}

impl Progress {
    fn begin(step: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(step.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            say(format_args!("-> {step}"));
        }
        Self { step: step.to_owned(), bar, spoke: std::cell::Cell::default() }
    }

    fn still(&self, elapsed: Duration) {
        if self.bar.is_none() && elapsed >= self.spoke.get() + STILL_EVERY {
            self.spoke.set(elapsed);
            say(format_args!("   {} goes on ({} s)", self.step, elapsed.as_secs()));
        }
    }

    fn end(self, ok: bool, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let mark = if ok { "ok" } else { "failed" };
        say(format_args!("   {}: {mark} ({:.1} s)", self.step, elapsed.as_secs_f64()));
    }
}
