//! Points in time that come from outside and go into documents.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A point in time: whole milliseconds since the Unix epoch, as JavaScript's `Date.now()` counts them.
///
/// Written as RFC 3339 in UTC, so it lies in the years 0 to 9999: what is earlier or later counts as their first or last
/// moment. Milliseconds because the router compares its lease with `Date.now()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00Z
const MILLIS_MIN: i64 = -62_167_219_200_000;
/// 9999-12-30T22:00:00Z, the last second that `jiff` knows: it leaves room for every offset.
const MILLIS_MAX: i64 = 253_402_207_200_000;

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        match millis {
            ..MILLIS_MIN => Self(MILLIS_MIN),
            MILLIS_MIN..=MILLIS_MAX => Self(millis),
            _ => Self(MILLIS_MAX),
        }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 date-time; digits beyond the millisecond are cut off. `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Self::from_millis(time.as_millisecond()))
    }

    /// This point in time moved later by `by`; stops at the end of what can be counted.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an RFC 3339 date-time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_writing_and_reading() {
        for millis in [0, 1, 999, 1_769_860_800_123, -1, MILLIS_MIN, MILLIS_MAX] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn every_point_in_time_can_be_written_and_read() {
        let far = Timestamp::from_millis(i64::MAX);
        assert_eq!(far, Timestamp::from_millis(0).plus(Duration::MAX));
        for (time, text) in
            [(far, "9999-12-30T22:00:00Z"), (Timestamp::from_millis(i64::MIN), "0000-01-01T00:00:00Z")]
        {
            assert_eq!((time.to_string().as_str(), Timestamp::parse(text)), (text, Some(time)));
        }
    }

    #[test]
    fn what_is_not_a_date_time_is_none() {
        for text in ["", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "12:00:00Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn time_before_is_no_time_at_all() {
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
