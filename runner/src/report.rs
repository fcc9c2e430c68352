//! What a command does, as it happens: lines for people, JSON lines for programs, and the evidence kept in the history.
//!
//! On a terminal a phase in progress is a spinner; elsewhere each phase is a plain line when it ends, and a long one says
//! every [`STILL_EVERY`] that it goes on. With `--json` each event is one line: `{"version":1,"at":…,"type":…}`.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use crossfade_core::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How often a phase that takes long says so where there is no terminal.
pub const STILL_EVERY: Duration = Duration::from_secs(15);

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How a command speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To people.
    Lines,
    /// To programs.
    Json,
}

/// One thing that happened. The JSON names are part of the interface.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// A release begins.
    ReleaseStarted {
        /// Its id.
        release: String,
        /// Whose traffic.
        environment: String,
        /// What is deployed.
        deploying: String,
        /// The slot it goes to.
        slot: String,
        /// What serves visitors now.
        stable: Option<String>,
    },
    /// A phase begins.
    PhaseStarted {
        /// Its name.
        phase: &'static str,
    },
    /// Something within a phase.
    Progress {
        /// The phase.
        phase: &'static str,
        /// What.
        text: String,
    },
    /// A phase ended.
    PhaseEnded {
        /// Its name.
        phase: &'static str,
        /// Whether it did what it was for.
        ok: bool,
        /// What came of it.
        text: String,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// Something that a person should look at, and that stops nothing.
    Warning {
        /// What.
        text: String,
    },
    /// It is over.
    Finished {
        /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`.
        outcome: &'static str,
        /// One sentence.
        text: String,
        /// How long it took.
        elapsed_ms: u64,
    },
}

/// An event and when it happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// Speaks, and remembers what was said.
pub struct Reporter {
    mode: Mode,
    started: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl Reporter {
    /// A reporter that speaks in `mode`.
    pub fn new(mode: Mode) -> Self {
        Self { mode, started: Instant::now(), entries: Mutex::default() }
    }

    /// How it speaks.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// All that was said.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A release begins.
    pub fn release_started(&self, event: Event) {
        if let Event::ReleaseStarted { release, environment, deploying, slot, stable } = &event {
            let before =
                stable.as_deref().map_or("nothing serves yet".to_owned(), |it| format!("{it} serves now"));
            self.line(&format!(
                "{BOLD}{environment}: {deploying} → {slot}{BOLD:#} {DIM}({before}; {release}){DIM:#}"
            ));
        }
        self.remember(event);
    }

    /// Begins a phase; it must be ended by [`Phase::done`] or [`Phase::failed`].
    pub fn phase(&self, name: &'static str) -> Phase<'_> {
        let bar = self.on_terminal().then(|| {
            let style = ProgressStyle::with_template("  {spinner} {prefix:<10} {wide_msg} {elapsed}");
            let bar = ProgressBar::new_spinner().with_prefix(name);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        self.begin(name, bar)
    }

    /// Begins a phase in which a command of the user's writes to the same terminal: a line that stays, no spinner.
    pub fn phase_with_output(&self, name: &'static str, what: &str) -> Phase<'_> {
        if self.on_terminal() {
            self.line(&format!("  {DIM}… {name:<10} {what}{DIM:#}"));
        }
        self.begin(name, None)
    }

    fn begin(&self, name: &'static str, bar: Option<ProgressBar>) -> Phase<'_> {
        self.remember(Event::PhaseStarted { phase: name });
        Phase { reporter: self, name, started: Instant::now(), bar, spoke: Mutex::new(Instant::now()) }
    }

    fn on_terminal(&self) -> bool {
        self.mode == Mode::Lines && anstream::stderr().is_terminal()
    }

    /// Says something that stops nothing.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        self.line(&format!("  {YELLOW}!{YELLOW:#} {text}"));
        self.remember(Event::Warning { text });
    }

    /// Says how it ended.
    pub fn finished(&self, outcome: &'static str, good: bool, text: String) {
        let style = if good { GREEN } else { RED };
        let elapsed = self.started.elapsed();
        self.line(&format!("{style}{BOLD}{text}{BOLD:#}{style:#} {DIM}({}){DIM:#}", seconds(elapsed)));
        self.remember(Event::Finished { outcome, text, elapsed_ms: millis(elapsed) });
    }

    /// A line for people; nothing with `--json`. A reader who left is no reason to stop a release.
    pub fn line(&self, text: &str) {
        if self.mode == Mode::Lines {
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }

    fn remember(&self, event: Event) {
        let entry = Entry { at: now(), event };
        if self.mode == Mode::Json
            && let Ok(line) = serde_json::to_string(&Line { version: 1, entry: &entry })
        {
            let _ = writeln!(anstream::stdout(), "{line}");
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

/// A phase in progress.
#[must_use = "a phase is ended by `done` or `failed`"]
pub struct Phase<'a> {
    reporter: &'a Reporter,
    name: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    spoke: Mutex<Instant>,
}

impl Phase<'_> {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Says where it is. Where there is no terminal most of this is left out.
    pub fn progress(&self, text: impl Into<String>) {
        let text = text.into();
        match (&self.bar, self.reporter.mode) {
            (Some(bar), _) => bar.set_message(text),
            (None, Mode::Json) => self.reporter.remember(Event::Progress { phase: self.name, text }),
            (None, Mode::Lines) => {
                let mut spoke = self.spoke.lock().unwrap_or_else(PoisonError::into_inner);
                if spoke.elapsed() >= STILL_EVERY {
                    *spoke = Instant::now();
                    let elapsed = seconds(self.started.elapsed());
                    self.reporter.line(&format!("  {DIM}… {:<10} {text} ({elapsed}){DIM:#}", self.name));
                }
            }
        }
    }

    /// A line below the phase that stays.
    pub fn detail(&self, ok: bool, text: &str) {
        let (mark, style) = if ok { ("·", DIM) } else { ("✗", RED) };
        let print = || self.reporter.line(&format!("    {style}{mark}{style:#} {text}"));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
        self.reporter
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Entry { at: now(), event: Event::Progress { phase: self.name, text: text.to_owned() } });
    }

    /// It did what it was for.
    pub fn done(self, text: impl Into<String>) {
        self.end(true, text.into());
    }

    /// It did not.
    pub fn failed(self, text: impl Into<String>) {
        self.end(false, text.into());
    }

    fn end(self, ok: bool, text: String) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let (mark, style) = if ok { ("✓", GREEN) } else { ("✗", RED) };
        let elapsed = self.started.elapsed();
        let name = self.name;
        self.reporter
            .line(&format!("  {style}{mark}{style:#} {name:<10} {text} {DIM}{}{DIM:#}", seconds(elapsed)));
        self.reporter.remember(Event::PhaseEnded { phase: name, ok, text, elapsed_ms: millis(elapsed) });
    }
}

/// The time now, for documents and reports.
pub fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{whole} s"),
        60.. => format!("{} min {} s", whole / 60, whole % 60),
    }
}
