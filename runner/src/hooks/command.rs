//! A command of the user's in, its exit out. It runs in its own process group so that a cancellation ends all of it, and on a
//! leash, so that our own death does.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossfade_core::Span;

use super::output::{Kept, Output, Stream, on_standard_error};
use super::{Answer, NoAnswer, WAIT_DEFAULT};
use crate::cancel::Cancel;
use crate::cloudflare::API_TOKEN;
use crate::config;
use crate::context::Context;
use crate::edge::CONTROL_TOKEN;
use crate::github::{GITHUB_TOKEN, STATE};
use crate::signing::SIGNING_KEY;

/// How long what was asked to end may take to put things in order.
pub(super) const END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Ends the command when we are killed.
#[cfg(unix)]
const LEASH: &str = include_str!("leash.sh");
/// "Temporary failure", of sysexits.h (<https://man.freebsd.org/cgi/man.cgi?query=sysexits>).
const EX_TEMPFAIL: i32 = 75;

/// Runs a command to its end; what it answered, and the end of what it printed. That goes to our standard error as it comes,
/// so that standard output stays ours. When there is no answer, nothing of the command is left running.
pub(crate) fn ask(
    hook: &config::Command,
    timeout: Duration,
    directory: &Path,
    variables: &[(&str, String)],
    context: &Arc<Context>,
    cancel: &Cancel,
) -> (Result<Answer, NoAnswer>, Kept) {
    let run = &hook.run;
    let no_answer = |why: String| NoAnswer::Error(format!("`{run}` {why}"));
    let mut child = match command(hook, directory, variables).spawn() {
        Ok(child) => child,
        Err(source) => return (Err(no_answer(format!("could not be started: {source}"))), Kept::default()),
    };
    let title = run.clone();
    let output = Output::new(Arc::clone(context), move |text| on_standard_error(&title, text));
    let stdout = child.stdout.take().map(|stream| output.follow(Stream::Stdout, stream));
    let stderr = child.stderr.take().map(|stream| output.follow(Stream::Stderr, stream));
    let ended = wait(&mut child, timeout, cancel);
    let kept = output.end(stdout.into_iter().chain(stderr));
    let answer = match ended {
        Ended::Exit(status) if status.success() => Ok(Answer::Pass),
        Ended::Exit(status) if status.code() == Some(EX_TEMPFAIL) => {
            Ok(Answer::Wait(kept.retry_after.unwrap_or(WAIT_DEFAULT)))
        }
        Ended::Exit(status) => Ok(Answer::Fail(format!("`{run}` ended with {status}"))),
        Ended::Lost(source) => Err(no_answer(format!("was lost: {source}"))),
        Ended::TimedOut => Err(no_answer(format!("took longer than {}", Span(timeout)))),
        Ended::Cancelled(reason) => Err(NoAnswer::Cancelled(reason)),
    };
    (answer, kept)
}

/// How a command came to its end.
enum Ended {
    Exit(ExitStatus),
    Lost(std::io::Error),
    TimedOut,
    Cancelled(String),
}

fn wait(child: &mut Child, timeout: Duration, cancel: &Cancel) -> Ended {
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ended::Exit(status),
            Ok(None) => {}
            Err(source) => return Ended::Lost(source),
        }
        if Instant::now() >= deadline {
            end(child);
            return Ended::TimedOut;
        }
        cancel.wait(LOOK_EVERY);
        if let Some(reason) = cancel.reason() {
            end(child);
            return Ended::Cancelled(reason);
        }
    }
}

fn command(hook: &config::Command, directory: &Path, variables: &[(&str, String)]) -> Command {
    let mut command = shell(&hook.run);
    // Whoever has these can move traffic; nothing but this program needs them.
    command.env_remove(SIGNING_KEY).env_remove(CONTROL_TOKEN).env_remove(GITHUB_TOKEN);
    // What stands in there is run by the action's `post`, with all secrets.
    command.env_remove(STATE);
    if !hook.secrets {
        // A build runs a thousand packages of strangers; only a hook that deploys something itself needs it.
        command.env_remove(API_TOKEN);
    }
    command
        .current_dir(directory)
        .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[cfg(unix)]
fn shell(run: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new("sh");
    command.args(["-c", LEASH, "leash", run]).stdin(Stdio::piped()).process_group(0);
    command
}

#[cfg(windows)]
fn shell(run: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", run]).stdin(Stdio::null());
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

    fn run(
        run: &str,
        timeout: Duration,
        directory: &Path,
        cancel: &Cancel,
    ) -> (Result<Answer, NoAnswer>, String) {
        let hook = config::Command { run: run.into(), secrets: false };
        let variables = [("CROSSFADE_VERSION", "1.5.0".to_owned())];
        let (answer, kept) = ask(&hook, timeout, directory, &variables, &Arc::default(), cancel);
        (answer, kept.tail)
    }

    #[test]
    fn a_command_sees_its_environment_and_its_exit_is_the_answer() {
        let says = |command: &str| run(command, Duration::from_secs(60), Path::new("."), &Cancel::default());
        let printed = |text: &str| text.to_owned();
        for (command, answer, output) in [
            ("test \"$CROSSFADE_VERSION\" = 1.5.0", Answer::Pass, ""),
            ("exit 7", Answer::Fail("`exit 7` ended with exit status: 7".into()), ""),
            ("exit 75", Answer::Wait(WAIT_DEFAULT), ""),
            ("echo retry-after: 3; exit 75", Answer::Wait(Duration::from_secs(3)), "retry-after: 3\n"),
            ("echo one >&2; exit 0", Answer::Pass, "one\n"),
        ] {
            assert_eq!(says(command), (Ok(answer), printed(output)), "{command}");
        }
    }

    #[test]
    fn what_a_command_leaves_in_the_background_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let minute = Duration::from_secs(60);
        let left = "sleep 3072 & echo $! > pid; echo begun";
        assert_eq!(
            run(left, minute, directory.path(), &Cancel::default()),
            (Ok(Answer::Pass), "begun\n".into())
        );
        let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
        assert!(is_alive(&pid, "3072"), "it is the command's own affair");
        assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
    }

    fn is_alive(pid: &str, mark: &str) -> bool {
        let command = Path::new("/proc").join(pid.trim()).join("cmdline");
        !pid.trim().is_empty() && std::fs::read_to_string(command).unwrap_or_default().contains(mark)
    }

    #[test]
    fn nothing_of_a_cancelled_or_late_command_is_left_running() {
        let directory = tempfile::tempdir().unwrap();
        let run_marked = |timeout, cancel: &Cancel| {
            let (answer, _) = run("sleep 3071 & echo $! > pid; wait", timeout, directory.path(), cancel);
            let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap_or_default();
            (answer.unwrap_err().to_string(), is_alive(&pid, "3071"))
        };
        let late = run_marked(Duration::from_millis(300), &Cancel::default());
        assert_eq!(late, ("`sleep 3071 & echo $! > pid; wait` took longer than 300 ms".into(), false));
        let cancelled = Cancel::default();
        cancelled.cancel("SIGINT");
        let cancelled = run_marked(Duration::from_secs(60), &cancelled);
        assert_eq!(cancelled, ("cancelled: SIGINT".into(), false));
    }

    #[test]
    fn a_command_is_asked_to_end_before_it_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let said = |command: &str| {
            let (answer, _) = run(command, Duration::from_millis(500), directory.path(), &Cancel::default());
            assert!(matches!(answer, Err(NoAnswer::Error(_))), "{answer:?}");
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
