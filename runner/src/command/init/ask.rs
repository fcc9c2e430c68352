//! Questions at a terminal; where there is none, the proposal is the answer.

use dialoguer::{Confirm, Input};

use crate::error::Error;

/// Whether somebody is there to be asked.
pub(super) struct Ask(pub(super) bool);

/// What an empty answer is.
#[derive(Clone, Copy)]
pub(super) enum Empty {
    /// An answer.
    Means,
    /// The proposal.
    Proposed,
}

impl Ask {
    /// A text: what was given on the command line, else what is answered, else what is proposed. `check` says what is wrong with it.
    pub(super) fn text(
        &self,
        question: &str,
        given: &Option<String>,
        proposed: &str,
        empty: Empty,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<String, Error> {
        let answer = match given {
            Some(given) => given.clone(),
            None if self.0 => {
                let input = Input::new().with_prompt(question).validate_with(|text: &String| check(text));
                let input = match empty {
                    // A proposal that can be taken out.
                    Empty::Means => input.with_initial_text(proposed).allow_empty(true),
                    Empty::Proposed => input.default(proposed.to_owned()),
                };
                input.interact_text().map_err(left)?
            }
            None => proposed.to_owned(),
        };
        check(&answer).map_err(|why| Error::Usage(format!("{question}: {why}")))?;
        Ok(answer)
    }

    /// Yes or no.
    pub(super) fn yes(&self, question: &str, proposed: bool) -> Result<bool, Error> {
        if !self.0 {
            return Ok(proposed);
        }
        // Without a newline the first `y` of whatever is typed would be the answer, and the rest of it the next question's.
        Confirm::new().with_prompt(question).default(proposed).wait_for_newline(true).interact().map_err(left)
    }
}

/// Nobody answers any more.
fn left(dialoguer::Error::IO(source): dialoguer::Error) -> Error {
    if source.kind() == std::io::ErrorKind::Interrupted {
        return Error::Interrupted("the question was left".into());
    }
    Error::Io { doing: "cannot ask at this terminal".into(), source }
}
