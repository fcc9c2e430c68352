//! Points in time on the command line.

use std::str::FromStr;
use std::time::Duration;

use crossfade_core::{Span, Timestamp};

/// A point in time as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago.
    Ago(Duration),
    /// That one.
    At(Timestamp),
}

impl When {
    /// The time, seen from now.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => now.minus(ago),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = || Timestamp::parse(&format!("{text}T00:00:00Z"));
        let ago = || Span::from_str(text).ok().map(|span| Self::Ago(span.0));
        Timestamp::parse(text).or_else(day).map(Self::At).or_else(ago).ok_or_else(|| {
            "it must be so long ago, such as 7d or 12h, a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z".into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_as_a_length_a_date_or_a_time() {
        let now = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        for (text, time) in [
            ("7d", "2026-01-24T12:00:00Z"),
            ("90m", "2026-01-31T10:30:00Z"),
            ("2026-01-05", "2026-01-05T00:00:00Z"),
            ("2026-01-05T06:07:08Z", "2026-01-05T06:07:08Z"),
        ] {
            assert_eq!(When::from_str(text).unwrap().at(now).to_string(), time, "{text}");
        }
        for text in ["", "yesterday", "7", "2026-13-01"] {
            When::from_str(text).unwrap_err();
        }
    }
}
