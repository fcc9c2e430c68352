//! An alert in one sentence.

use std::fmt;

use super::{BLIND, BLIND_MAX, Because, Change, State};

impl Change {
    /// What it is called.
    pub fn name(&self) -> &str {
        self.rule.as_ref().map_or(BLIND, |rule| rule.name.as_str())
    }

    /// The number that is not to be crossed.
    pub fn threshold(&self) -> Option<f64> {
        self.rule.as_ref().map(|rule| rule.when.limit())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(rule), Some(subject)) = (&self.rule, &self.subject) else {
            return match self.state {
                State::Raised => {
                    write!(f, "{BLIND} {BLIND_MAX} times in a row: nothing is known of any variant")
                }
                State::Resolved(Because::Unwatched) => {
                    write!(f, "{BLIND} for {}, and no longer watched", self.lasted)
                }
                State::Resolved(_) => write!(f, "measured again after {}", self.lasted),
            };
        };
        write!(f, "{} {}: ", subject.variant, subject.version)?;
        let value = || self.value.map_or_else(String::new, |value| rule.measure.said(value));
        match &self.state {
            State::Raised => {
                write!(
                    f,
                    "{} is {} in {} requests, {}",
                    rule.name,
                    value(),
                    self.requests,
                    rule.when.said(rule.measure)
                )
            }
            State::Resolved(Because::Well) => {
                write!(f, "{} is {} again after {}", rule.name, value(), self.lasted)
            }
            State::Resolved(Because::Silent) => {
                write!(f, "{} is over after {}: hardly any requests any more", rule.name, self.lasted)
            }
            State::Resolved(Because::Unwatched) => {
                write!(f, "{} was {} and is no longer watched", rule.name, value())
            }
        }
    }
}
