//! What a command does, as it happens: lines for people, JSON lines for programs, and the evidence kept in the history.
//!
//! On a terminal a phase in progress is a spinner; elsewhere each phase is a plain line when it ends, and a long one says
//! every [`STILL_EVERY`] that it goes on. With `--json` each event is one line: `{"version":1,"at":…,"type":…}`.
//!
//! A person reads why a command failed once, at the end, as the command's error; events say it wherever it happened.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use crossfade_core::alert::Severity;
use crossfade_core::rollout::Evidence;
use crossfade_core::{RoutingTable, Span, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};

use crate::context::Context;
use crate::error::Error;
use crate::github;
use crate::hooks::Asked;
use crate::notice::{AlertState, Notice};

mod event;
mod file;
mod phase;
mod thin;

pub use event::{Entry, Event, Share};
pub use phase::Phase;

use thin::thin;

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
    /// Whether it remembers: what runs for days must not.
    remembers: bool,
    started: Instant,
    entries: Mutex<Vec<Entry>>,
    listeners: Mutex<Vec<Listener>>,
}

/// Hears of every event as it happens. It must return at once: whoever speaks waits for it.
pub type Listener = Box<dyn Fn(&Entry) + Send>;

impl Reporter {
    /// A reporter that speaks in `mode`.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            remembers: true,
            started: Instant::now(),
            entries: Mutex::default(),
            listeners: Mutex::default(),
        }
    }

    /// The same without memory: there is no end at which all that was said would be wanted.
    pub fn forgetful(mode: Mode) -> Self {
        Self { remembers: false, ..Self::new(mode) }
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
        let kept = entries.iter().filter(|entry| entry.event.is_kept());
        let told = kept.filter_map(|entry| serde_json::to_value(entry).ok());
        let all = thin(earlier.iter().cloned().chain(told).collect());
        let skipped = all.len().saturating_sub(EVIDENCE_MAX);
        all.into_iter().skip(skipped).collect()
    }

    /// Has everything told to `listener` too, from now on.
    pub fn listen(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Has everything written to `events.ndjson` in a directory too, from now on: what `--json` prints, without secrets.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn write_to(&self, directory: &Path, secrets: Context) -> Result<(), Error> {
        self.listen(file::listener(directory, secrets)?);
        Ok(())
    }

    /// A hook was asked: for programs and for the history. People see what it leads to.
    pub fn hook(&self, asked: &Asked) {
        self.remember(asked.into());
    }

    /// What was counted while visitors met the new version, and what the judge makes of it: for programs and for the history.
    pub fn measured(&self, evidence: Evidence) {
        self.remember(Event::Measurement(Box::new(evidence)));
    }

    /// A gate was open or closed for good: for programs and for the history. People see what it leads to.
    pub fn gate(&self, gate: String, step: usize, ok: bool, text: String, waited: Duration) {
        self.remember(Event::Gate { gate, step, ok, text, elapsed_ms: millis(waited) });
    }

    /// Other weights were written: for programs and for the history. People follow it as a phase.
    pub fn weights(&self, why: &'static str, table: &RoutingTable) {
        let variants = Share::of(table);
        self.remember(Event::Weights { revision: table.revision().number(), why, variants });
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
        Phase::begin(self, name, bar)
    }

    fn on_terminal(&self) -> bool {
        self.mode == Mode::Lines && anstream::stderr().is_terminal()
    }

    /// Says something that stops nothing.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if !github::job().is_some_and(|job| job.warn(&text)) {
            self.line(&format!("  {YELLOW}!{YELLOW:#} {text}"));
        }
        self.remember(Event::Warning { text });
    }

    /// Tells whoever wants to know. People at the terminal see alerts and reports; the rest they see as it happens.
    pub fn notice(&self, notice: Notice) {
        match &notice {
            Notice::Alert(alert) => {
                let (style, mark) = match (alert.state, alert.severity) {
                    (AlertState::Resolved, _) => (GREEN, "✓"),
                    (AlertState::Unwatched, _) => (YELLOW, "■"),
                    (AlertState::Raised, Severity::Critical) => (RED, "▲"),
                    (AlertState::Raised, Severity::Warning) => (YELLOW, "▲"),
                };
                self.line(&format!("  {style}{mark}{style:#} alert      {}", notice.headline()));
            }
            Notice::Report(_) => self.line(&notice.headline()),
            Notice::Started(_) | Notice::Metrics(_) | Notice::Completed(_) => {}
        }
        self.remember(Event::Notice(notice));
    }

    /// Says how it ended. To people only what is good: the command's error says the rest.
    pub fn finished(&self, outcome: &'static str, good: bool, text: String) {
        let elapsed = self.started.elapsed();
        if good && !github::job().is_some_and(|job| job.say(&format!("{text} ({})", seconds(elapsed)))) {
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
        if self.mode == Mode::Lines && !github::job().is_some_and(|job| job.line(text)) {
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }

    fn remember(&self, event: Event) {
        let entry = Entry { at: now(), event };
        if self.mode == Mode::Json
            && let Some(line) = entry.to_line()
        {
            let _ = writeln!(anstream::stdout(), "{}", github::json_line(line));
        }
        if let Some(job) = github::job() {
            job.hear(&entry);
        }
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| listener(&entry));
        drop(listeners);
        if self.remembers {
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
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

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 5 min`, `3 d 4 h`.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        whole => Span(Duration::from_secs(whole)).to_string(),
    }
}

/// A share (0 to 1) as a person reads it: `75 %`, `0.4 %`.
pub fn percent(share: f64) -> String {
    let rounded = (share * 1000.0).round() / 10.0;
    if rounded.fract() == 0.0 { format!("{rounded:.0} %") } else { format!("{rounded:.1} %") }
}

/// `1 file`, `2 files`.
pub fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
