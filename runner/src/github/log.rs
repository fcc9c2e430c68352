//! The job's log. What stands at the beginning of a line there can be a command to the runner
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>): ours are, and nobody else's.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::report::Mode;

/// GitHub shows so many annotations of each kind for a step
/// (<https://docs.github.com/en/rest/checks/runs>, and `ExecutionContext.cs` of actions/runner); the rest is in the log.
const ANNOTATIONS_MAX: usize = 10;
/// And so much of each.
const MESSAGE_MAX: usize = 4_096;
/// In front of what would be a command, so that it is none.
const INERT: char = '\u{200b}';

/// What an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Notice,
    Warning,
    Error,
}

impl Severity {
    const fn command(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The job's log.
pub(super) struct Log {
    /// With `--json` standard output is for programs, and the runner is told nothing.
    mode: Mode,
    state: Mutex<State>,
}

struct State {
    to: Box<dyn Write + Send>,
    /// Whose output is being shown.
    foreign: Option<Foreign>,
    annotated: [usize; 3],
}

/// A group in which the runner listens to nobody.
struct Foreign {
    title: String,
    /// What makes it listen again; nobody can guess it.
    token: String,
    /// Whether the last line has not ended yet.
    within_line: bool,
}

impl Log {
    pub(super) fn new(mode: Mode, to: Box<dyn Write + Send>) -> Self {
        Self { mode, state: Mutex::new(State { to, foreign: None, annotated: [0; 3] }) }
    }

    /// A line of ours, or several. What a stranger wrote may be in it.
    pub(super) fn line(&self, text: &str) -> bool {
        if self.mode == Mode::Json {
            return false;
        }
        let mut state = self.lock();
        state.close();
        state.write(&format!("{}\n", inert(text)));
        true
    }

    /// What somebody else printed, in a group of its own that lasts until we say something.
    pub(super) fn foreign(&self, title: &str, text: &str) -> bool {
        if self.mode == Mode::Json || text.is_empty() {
            return self.mode == Mode::Lines;
        }
        let mut state = self.lock();
        if state.foreign.as_ref().is_none_or(|foreign| foreign.title != title) {
            state.open(title);
        }
        state.write(text);
        if let Some(foreign) = &mut state.foreign {
            foreign.within_line = !text.ends_with('\n');
        }
        true
    }

    /// Shows something beside the workflow run; whether it was shown.
    pub(super) fn annotate(&self, severity: Severity, text: &str) -> bool {
        let mut state = self.lock();
        let Some(annotated) = state.annotated.get_mut(severity as usize) else { return false };
        if self.mode == Mode::Json || *annotated == ANNOTATIONS_MAX {
            return false;
        }
        *annotated += 1;
        let end = text.floor_char_boundary(MESSAGE_MAX);
        state.command(severity.command(), " title=crossfade", text.get(..end).unwrap_or_default());
        true
    }

    /// Ends what somebody else printed.
    pub(super) fn close(&self) {
        self.lock().close();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, title: &str) {
        self.close();
        let random = || getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        let token = format!("{:016x}{:016x}", random(), random());
        self.command("group", "", title);
        self.command("stop-commands", "", &token);
        self.foreign = Some(Foreign { title: title.to_owned(), token, within_line: false });
    }

    fn close(&mut self) {
        if let Some(Foreign { token, within_line, .. }) = self.foreign.take() {
            let end = if within_line { "\n" } else { "" };
            self.write(&format!("{end}::{token}::\n::endgroup::\n"));
        }
    }

    fn command(&mut self, name: &str, properties: &str, data: &str) {
        self.close();
        self.write(&format!("::{name}{properties}::{}\n", escaped(data)));
    }

    /// A reader who left is no reason to stop a release.
    fn write(&mut self, text: &str) {
        let _ = self.to.write_all(text.as_bytes());
        let _ = self.to.flush();
    }
}

/// A command's data.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A text of which no line is a command: not at its beginning (`::name::`), and nowhere in it (`##[name]`, the older form).
pub(crate) fn inert(text: &str) -> String {
    let text = text.replace("##[", &format!("##{INERT}["));
    let line = |line: &str| {
        if line.trim_start().starts_with("::") { format!("{INERT}{line}") } else { line.to_owned() }
    };
    text.split_inclusive(['\n', '\r']).map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Written to and read by a test.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(mode: Mode) -> (Log, impl Fn() -> Vec<String>) {
        let shared = Shared::default();
        let said = shared.clone();
        let lines = move || {
            String::from_utf8(said.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
        };
        (Log::new(mode, Box::new(shared)), lines)
    }

    /// What the runner takes for commands, by what actions/runner does (`ActionCommandManager.cs`, `ActionCommand.cs`).
    fn obeyed(lines: &[String]) -> Vec<&str> {
        let mut stopped: Option<&str> = None;
        let mut obeyed = Vec::new();
        for line in lines {
            let Some((name, data)) =
                line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"))
            else {
                if stopped.is_none() && line.contains("##[") {
                    obeyed.push(line.as_str());
                }
                continue;
            };
            match stopped {
                Some(token) if token == name => stopped = None,
                Some(_) => {}
                None if name == "stop-commands" => stopped = Some(data),
                None => obeyed.push(line.as_str()),
            }
        }
        assert_eq!(stopped, None, "the runner listens again");
        obeyed
    }

    #[test]
    fn the_runner_obeys_us_and_nobody_else() {
        let (log, lines) = log(Mode::Lines);
        log.line("  ✓ build\n  ::error::no\r::warning::no\n##[error]no");
        log.foreign("build: make", "::add-mask::e\n");
        log.foreign(
            "build: make",
            "  ::stop-commands::mine\n::set-output name=x::y\n##[error]no\n::mine::\nhalf",
        );
        assert!(log.annotate(Severity::Warning, "100 %\r\nof it"));
        log.foreign("build: make", "::error::still no\n");
        log.foreign("migrate", "::error::nor here\n");
        log.line("  ✓ database");
        let lines = lines();
        assert_eq!(
            obeyed(&lines),
            [
                "::group::build: make",
                "::endgroup::",
                "::warning title=crossfade::100 %25%0D%0Aof it",
                "::group::build: make",
                "::endgroup::",
                "::group::migrate",
                "::endgroup::",
            ]
        );
        assert!(lines.iter().any(|line| line == "half"), "what it printed last has its own line: {lines:?}");
        let tokens: std::collections::HashSet<_> =
            lines.iter().filter(|line| line.starts_with("::stop-commands::")).collect();
        assert_eq!(tokens.len(), 3, "none comes twice");
    }

    #[test]
    fn annotations_stay_within_githubs_limits() {
        let (log, lines) = log(Mode::Lines);
        for severity in [Severity::Warning, Severity::Error, Severity::Notice] {
            let shown = (0..12).filter(|_| log.annotate(severity, &"ü".repeat(4_000))).count();
            assert_eq!(shown, 10, "{severity:?}");
        }
        assert!(lines().iter().all(|line| line.len() < MESSAGE_MAX + 50));
    }

    #[test]
    fn programs_that_read_json_are_told_no_commands() {
        let (log, lines) = log(Mode::Json);
        assert!(!log.annotate(Severity::Error, "no") && !log.line("no") && !log.foreign("x", "no"));
        assert_eq!(lines(), [""; 0]);
    }
}
