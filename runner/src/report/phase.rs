//! A phase of a command, while people wait for it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;

use super::{DIM, Event, GREEN, Mode, RED, Reporter, STILL_EVERY, millis, seconds};

/// A phase in progress.
#[must_use = "a phase is ended by `done` or `failed`"]
pub struct Phase<'a> {
    reporter: &'a Reporter,
    name: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    spoke: Mutex<Instant>,
}

impl<'a> Phase<'a> {
    pub(super) fn begin(reporter: &'a Reporter, name: &'static str, bar: Option<ProgressBar>) -> Self {
        Self { reporter, name, started: Instant::now(), bar, spoke: Mutex::new(Instant::now()) }
    }

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
