//! What keys mean. A word to a release is said only after a second key has confirmed it.

use crossfade_core::Timestamp;
use crossfade_core::rollout::Stage;

use crate::orders::{Letter, Word};
use crate::record::Record;

/// A key, whatever the terminal calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter.
    Letter(char),
    /// Out of a question.
    Escape,
    /// Out of everything: Ctrl-C.
    Interrupt,
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To leave.
    Leave,
    /// To say this to the release of this id.
    Say(Word, String),
}

/// What is between the screen and whoever sits before it.
#[derive(Clone, Debug, Default)]
pub enum Dialog {
    /// Nothing.
    #[default]
    Quiet,
    /// Is it to be said?
    Asking(Word, String),
    /// It was said.
    Said(Letter),
    /// It could not be said.
    Failed(String),
}

const KEYS: &[(char, Word, &str)] = &[
    ('p', Word::Pause, "pause"),
    ('r', Word::Resume, "resume"),
    ('f', Word::Promote, "promote (forward)"),
    ('o', Word::Approve, "approve (ok)"),
    ('a', Word::Abort, "abort"),
];

/// What a release can be told.
pub(crate) fn possible(record: &Record, now: Timestamp) -> &'static [Word] {
    if record.ended.is_some() {
        return &[];
    }
    match (&record.stage, record.in_charge(now)) {
        (Some(stage), false) if stage.waits_for_approval() => &[Word::Approve, Word::Resume, Word::Abort],
        (_, false) => &[Word::Resume, Word::Abort],
        (Some(stage), true) if stage.waits_for_approval() => &[Word::Approve, Word::Pause, Word::Abort],
        (Some(Stage::Paused { .. }), true) => &[Word::Resume, Word::Promote, Word::Abort],
        (Some(Stage::Watching { .. } | Stage::Waiting { .. }), true) => {
            &[Word::Promote, Word::Pause, Word::Abort]
        }
        (Some(Stage::GoingHome { .. } | Stage::Settling), true) => &[],
        (_, true) => &[Word::Abort],
    }
}

/// The keys for them.
pub(super) fn keys(words: &[Word]) -> Vec<(char, &'static str)> {
    let of_words = KEYS.iter().filter(|(_, word, _)| words.contains(word));
    of_words.map(|(key, _, name)| (*key, *name)).chain([('q', "quit")]).collect()
}

impl Dialog {
    /// Takes a key in.
    pub fn key(self, key: Key, record: Option<&Record>, now: Timestamp) -> (Self, Option<Wish>) {
        match (self, key) {
            (_, Key::Interrupt) => (Self::Quiet, Some(Wish::Leave)),
            (Self::Asking(word, release), Key::Letter('y' | 'Y')) => {
                (Self::Quiet, Some(Wish::Say(word, release)))
            }
            // Whatever else is no yes.
            (Self::Asking(..), _) => (Self::Quiet, None),
            (_, Key::Letter('q' | 'Q')) => (Self::Quiet, Some(Wish::Leave)),
            (dialog, Key::Letter(letter)) => {
                let word = KEYS.iter().find(|(key, ..)| *key == letter.to_ascii_lowercase());
                match (word, record) {
                    (Some((_, word, _)), Some(record)) if possible(record, now).contains(word) => {
                        (Self::asking(*word, record, now), None)
                    }
                    _ => (dialog, None),
                }
            }
            (dialog, Key::Escape) => (dialog, None),
        }
    }

    fn asking(word: Word, record: &Record, now: Timestamp) -> Self {
        if record.in_charge(now) {
            return Self::Asking(word, record.id.clone());
        }
        let command = word.command();
        Self::Failed(format!(
            "its runner is dead; `crossfade {command}` in a terminal of its own takes the release over and drives it to its end"
        ))
    }

    /// The question that is open.
    pub(super) fn question(&self, record: Option<&Record>) -> Option<String> {
        let Self::Asking(word, release) = self else { return None };
        let record = record.filter(|record| record.id == *release)?;
        let home = record.stable_version.as_deref().unwrap_or("the version before");
        let means = match word {
            Word::Abort => format!("everybody goes back to {home}"),
            Word::Pause => "it goes no further, and goes on being measured".to_owned(),
            Word::Resume => "it goes on".to_owned(),
            Word::Approve => "the step that waits begins".to_owned(),
            Word::Promote | Word::PromoteFull => "the step's hold is cut short".to_owned(),
        };
        Some(format!("{} {}? {means}. y / n", word.command(), record.version))
    }

    /// What became of what was said.
    pub(super) fn note(&self, record: Option<&Record>) -> Option<String> {
        match self {
            Self::Quiet | Self::Asking(..) => None,
            Self::Failed(why) => Some(why.clone()),
            Self::Said(letter) => {
                let command = letter.order.command();
                let answered = record.and_then(|record| record.answered.as_ref());
                Some(match answered.filter(|answered| answered.id == letter.id) {
                    Some(answered) => match &answered.refused {
                        None => format!("told to {command}: it does"),
                        Some(why) => format!("told to {command}: refused, {why}"),
                    },
                    None if record.is_some_and(|record| record.heard.as_ref() == Some(&letter.id)) => {
                        format!("told to {command}: it has heard")
                    }
                    None => format!("told to {command} …"),
                })
            }
        }
    }
}
