//! A command of the user's in, its exit out. It runs in its own process group so that a cancellation ends all of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossfade_core::Span;

use crate::cancel::Cancel;
use crate::cloudflare::API_TOKEN;
use crate::config::Hook;
use crate::edge::CONTROL_TOKEN;
use crate::signing::SIGNING_KEY;

/// How long what was asked to end may take to put things in order.
const END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The shell could not be started.
    #[error("`{run}` could not be started: {source}")]
    NotStarted {
        /// The command.
        run: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended badly.
    #[error("`{run}` ended with {status}")]
    Failed {
        /// The command.
        run: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// It took too long.
    #[error("`{run}` took longer than {}", Span(*timeout))]
    TimedOut {
        /// The command.
        run: String,
        /// How long it could have taken.
        timeout: Duration,
    },
    /// Somebody cancelled.
    #[error("`{run}` was cancelled")]
    Cancelled {
        /// The command.
        run: String,
    },
}

/// Runs a hook to its end. What it prints goes to our standard error, so that standard output stays ours.
///
/// # Errors
/// When it cannot be started, fails, takes too long or is cancelled; then nothing of it is left running.
pub fn run(
    hook: &Hook,
    directory: &Path,
    environment: &[(&str, String)],
    cancel: &Cancel,
) -> Result<(), HookError> {
    let named = || hook.run.clone();
    let mut command = shell(&hook.run);
    // Whoever has these can move traffic; nothing but this program needs them.
    command.env_remove(SIGNING_KEY).env_remove(CONTROL_TOKEN);
    if !hook.secrets {
        // A build runs a thousand packages of strangers; only a hook that deploys something itself needs it.
        command.env_remove(API_TOKEN);
    }
    let mut child = command
        .current_dir(directory)
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .map_err(|source| HookError::NotStarted { run: named(), source })?;
    let deadline = Instant::now() + hook.timeout.0;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(HookError::Failed { run: named(), status }),
            Ok(None) => {}
            Err(source) => return Err(HookError::NotStarted { run: named(), source }),
        }
        if Instant::now() >= deadline {
            end(&mut child);
            return Err(HookError::TimedOut { run: named(), timeout: hook.timeout.0 });
        }
        if cancel.wait(LOOK_EVERY) {
            end(&mut child);
            return Err(HookError::Cancelled { run: named() });
        }
    }
}

#[cfg(unix)]
fn shell(run: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new("sh");
    command.args(["-c", run]).process_group(0);
    command
}

#[cfg(windows)]
fn shell(run: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", run]);
    command
}

/// Ends the whole process group; it is ours alone, because the shell began it. It is asked first, so that a migration can
/// roll its transaction back and give its lock free; what does not listen is killed.
#[cfg(unix)]
fn end(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let deadline = Instant::now() + END_WITHIN;
        let _ = kill_process_group(group, Signal::TERM);
        loop {
            // The shell is the first to go and must be reaped, or the group would never be empty.
            let _ = child.try_wait();
            if test_kill_process_group(group).is_err() {
                break;
            }
            if Instant::now() >= deadline {
                let _ = kill_process_group(group, Signal::KILL);
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    let _ = child.wait();
}

#[cfg(windows)]
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn hook(run: &str, timeout: Duration) -> Hook {
        Hook { name: None, run: run.into(), timeout: Span(timeout), secrets: false }
    }

    #[test]
    fn a_hook_sees_its_environment_and_its_exit_counts() {
        let here = Path::new(".");
        let environment = [("CROSSFADE_VERSION", "1.5.0".to_owned())];
        let minute = Duration::from_secs(60);
        let passes = hook("test \"$CROSSFADE_VERSION\" = 1.5.0", minute);
        run(&passes, here, &environment, &Cancel::default()).unwrap();
        let error = run(&hook("exit 7", minute), here, &environment, &Cancel::default()).unwrap_err();
        assert_eq!(error.to_string(), "`exit 7` ended with exit status: 7");
    }

    #[test]
    fn nothing_of_a_cancelled_or_late_hook_is_left_running() {
        let directory = tempfile::tempdir().unwrap();
        let run_marked = |timeout, cancel: &Cancel| {
            let hook = hook("sleep 3071 & echo $! > pid; wait", timeout);
            let error = run(&hook, directory.path(), &[], cancel).unwrap_err();
            let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap_or_default();
            let alive = Path::new("/proc").join(pid.trim()).join("cmdline");
            let gone =
                pid.trim().is_empty() || !std::fs::read_to_string(alive).unwrap_or_default().contains("3071");
            (error, gone)
        };
        let (error, gone) = run_marked(Duration::from_millis(300), &Cancel::default());
        assert!(matches!(error, HookError::TimedOut { .. }) && gone);
        let cancelled = Cancel::default();
        cancelled.cancel("SIGINT");
        let (error, gone) = run_marked(Duration::from_secs(60), &cancelled);
        assert!(matches!(error, HookError::Cancelled { .. }) && gone);
    }

    #[test]
    fn a_hook_is_asked_to_end_before_it_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let said = |command: &str| {
            let hook = hook(command, Duration::from_millis(500));
            let error = run(&hook, directory.path(), &[], &Cancel::default()).unwrap_err();
            assert!(matches!(error, HookError::TimedOut { .. }), "{error}");
            std::fs::read_to_string(directory.path().join("said")).unwrap_or_default()
        };
        let polite = "trap 'echo unlocked > said; exit 1' TERM; while :; do sleep 0.05; done";
        assert_eq!(said(polite), "unlocked\n");
        let deaf = "trap 'echo no > said' TERM; while :; do sleep 0.05; done";
        let started = Instant::now();
        assert_eq!(said(deaf), "no\n");
        assert!(started.elapsed() >= END_WITHIN, "it was killed before its time");
    }
}
