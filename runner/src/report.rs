//! What a command does, as it happens: lines for people, JSON lines for programs, and the evidence kept in the history.
//!
//! On a terminal a phase in progress is a spinner; elsewhere each phase is a plain line when it ends, and a long one says
//! every [`STILL_EVERY`] that it goes on. With `--json` each event is one line: `{"version":1,"at":…,"type":…}`.
//!
//! A person reads why a command failed once, at the end, as the command's error; events say it wherever it happened.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use crossfade_core::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Error;
use crate::hooks::Asked;

mod event;

pub use event::{Entry, Event};

/// How often a phase that takes long says so where there is no terminal.
pub const STILL_EVERY: Duration = Duration::from_secs(15);

/// The most events that a record keeps.
const EVIDENCE_MAX: usize = 500;
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

/// Speaks, and remembers what was said.
pub struct Reporter {
    mode: Mode,
    started: Instant,
    entries: Mutex<Vec<Entry>>,
    listener: Mutex<Option<Listener>>,
}

/// Hears of every event as it happens. It must return at once: whoever speaks waits for it.
pub type Listener = Box<dyn Fn(&Entry) + Send>;

impl Reporter {
    /// A reporter that speaks in `mode`.
    pub fn new(mode: Mode) -> Self {
        Self { mode, started: Instant::now(), entries: Mutex::default(), listener: Mutex::default() }
    }

    /// How it speaks.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// All that was said.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happened, for the record: `earlier`, then everything so far but progress, the newest [`EVIDENCE_MAX`].
    pub fn evidence(&self, earlier: &[serde_json::Value]) -> Vec<serde_json::Value> {
        let entries = self.entries();
        let told = entries.iter().filter_map(|entry| serde_json::to_value(entry).ok());
        let all: Vec<_> =
            earlier.iter().cloned().chain(told.filter(|entry| entry["type"] != "progress")).collect();
        let skipped = all.len().saturating_sub(EVIDENCE_MAX);
        all.into_iter().skip(skipped).collect()
    }

    /// Has everything told to `listener` too, from now on.
    pub fn listen(&self, listener: Listener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// A hook was asked: for programs and for the history. People see what it leads to.
    pub fn hook(&self, asked: &Asked) {
        self.remember(asked.into());
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

    /// A Pages deployment is live: for programs. People are told how the command finished.
    pub fn deployed(&self, event: Event) {
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

    /// Says how it ended. To people only what is good: the command's error says the rest.
    pub fn finished(&self, outcome: &'static str, good: bool, text: String) {
        let elapsed = self.started.elapsed();
        if good {
            self.line(&format!("{GREEN}{BOLD}{text}{BOLD:#}{GREEN:#} {DIM}({}){DIM:#}", seconds(elapsed)));
        }
        self.remember(Event::Finished { outcome, text, elapsed_ms: millis(elapsed) });
    }

    /// Tells programs what the command's error is; people read it on standard error.
    pub fn error(&self, error: &Error) {
        self.remember(error.into());
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
            && let Some(line) = entry.to_line()
        {
            let _ = writeln!(anstream::stdout(), "{line}");
        }
        if let Some(listener) = &*self.listener.lock().unwrap_or_else(PoisonError::into_inner) {
            listener(&entry);
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
        self.below(ok, text, text);
    }

    /// The same for what failed: people are shown `what`, programs are told all of `text`.
    pub fn failed_detail(&self, what: &str, text: &str) {
        self.below(false, what, text);
    }

    fn below(&self, ok: bool, shown: &str, text: &str) {
        let (mark, style) = if ok { ("·", DIM) } else { ("✗", RED) };
        let print = || self.reporter.line(&format!("    {style}{mark}{style:#} {shown}"));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
        self.reporter.remember(Event::Progress { phase: self.name, text: text.to_owned() });
    }

    /// It did what it was for.
    pub fn done(self, text: impl Into<String>) {
        let text = text.into();
        self.end(true, &text, text.clone());
    }

    /// It did not.
    pub fn failed(self, text: impl Into<String>) {
        let text = text.into();
        self.end(false, &text, text.clone());
    }

    /// It did not, and the command's error will tell people why.
    pub fn failed_because(self, what: &str, why: &str) {
        let text = if what.is_empty() { why.to_owned() } else { format!("{what}: {why}") };
        self.end(false, what, text);
    }

    fn end(self, ok: bool, shown: &str, text: String) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let (mark, style) = if ok { ("✓", GREEN) } else { ("✗", RED) };
        let elapsed = self.started.elapsed();
        let name = self.name;
        self.reporter
            .line(&format!("  {style}{mark}{style:#} {name:<10} {shown} {DIM}{}{DIM:#}", seconds(elapsed)));
        self.reporter.remember(Event::PhaseEnded { phase: name, ok, text, elapsed_ms: millis(elapsed) });
    }
}

/// The time now, for documents and reports.
pub fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// The seconds of a time that is near: `12:05:00 UTC`.
pub fn time_of_day(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(11..19).map_or_else(|| text.clone(), |seconds| format!("{seconds} UTC"))
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

/// `1 file`, `2 files`.
pub fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
