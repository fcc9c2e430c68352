//! One release, told to people afterwards. In: its record with its evidence. Out: a page, Markdown, a picture.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`evidence`] | events as they stand in the record | typed ones; what is unknown is passed over |
//! | [`steps`] | shares and measurements | what each step came to |
//! | [`picture`] | a story, a width | SVG on one time axis |
//! | [`page`], [`markdown`], [`text`] | a story | HTML, Markdown, lines |

use crossfade_core::Timestamp;

use crate::record::{Commit, Ended, Record};

mod evidence;
mod markdown;
mod page;
mod picture;
mod steps;
mod text;

pub use evidence::{Bar, Kind, Measurement, Result, Shares, Side, Verdict};
pub use steps::Step;

/// What happened in a release. No text in it has a control character or a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its id.
    pub release: String,
    /// Whose traffic.
    pub environment: String,
    /// `deploy`, `rollback`, `weights`.
    pub command: String,
    /// What it brings.
    pub version: String,
    /// What served visitors before.
    pub stable_version: Option<String>,
    /// Who ran it.
    pub runner: String,
    /// What the version was built from.
    pub commit: Option<Commit>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, or was last heard of.
    pub until: Timestamp,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Who served whom, change by change.
    pub shares: Vec<Shares>,
    /// What was measured.
    pub measurements: Vec<Measurement>,
    /// Phases and hooks.
    pub bars: Vec<Bar>,
    /// Alerts and warnings.
    pub notes: Vec<Note>,
}

/// Something that a person should have looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// An alert that is raised; else a warning, or an alert's end.
    pub alert: bool,
    /// What.
    pub text: String,
}

impl Story {
    /// Of a release's record. `redact` takes secrets out of a text: they should never have come in, and do not get out.
    pub fn of(record: &Record, redact: impl Fn(&str) -> String) -> Self {
        let clean = |text: &str| printable(&redact(text));
        let seen = evidence::read(&record.evidence, &clean);
        let ended = record.ended.clone().map(|ended| Ended {
            outcome: clean(&ended.outcome),
            text: clean(&ended.text),
            ..ended
        });
        let last = ended.as_ref().map_or(record.updated_at, |ended| ended.at);
        Self {
            release: clean(&record.id),
            environment: clean(&record.environment),
            command: clean(&record.command),
            version: clean(&record.version),
            stable_version: record.stable_version.as_deref().map(clean),
            runner: clean(&record.runner),
            commit: record.commit.clone().map(|commit| Commit { id: clean(&commit.id), ..commit }),
            started_at: record.started_at,
            // A moment at least, so that there is something to draw it on.
            until: last.max(record.started_at.plus(std::time::Duration::from_secs(1))),
            ended,
            shares: seen.shares,
            measurements: seen.measurements,
            bars: seen.bars,
            notes: seen.notes,
        }
    }

    /// What it came to, in a word.
    pub fn outcome(&self) -> &str {
        self.ended.as_ref().map_or("in flight", |ended| ended.outcome.as_str())
    }

    /// Whether it did what it was for; `None` when that is not known, or nobody's fault.
    pub fn is_good(&self) -> Option<bool> {
        match self.outcome() {
            "promoted" | "shifted" => Some(true),
            "in flight" | "superseded" => None,
            _ => Some(false),
        }
    }

    /// Why it ended as it did.
    pub fn reason(&self) -> &str {
        self.ended.as_ref().map_or("it has not ended yet", |ended| ended.reason(&self.version))
    }

    /// Its picture, as a file of its own.
    pub fn to_svg(&self) -> String {
        picture::draw(self, picture::Width::Wide, true)
    }
}

/// A text without what an SVG may not hold (<https://www.w3.org/TR/xml/#charsets>) and what would rearrange what is read.
fn printable(text: &str) -> String {
    let invisible = |it: char| {
        it.is_control()
            || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|it| if invisible(it) { ' ' } else { it }).collect()
}

#[cfg(test)]
pub(crate) mod tests;
