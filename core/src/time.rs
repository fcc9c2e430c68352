//! Points in time that come from outside and go into documents.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// A point in time: whole milliseconds since the Unix epoch, as JavaScript's `Date.now()` counts them.
///
/// Written as RFC 3339 in UTC, and no earlier than 1970, before which nobody released anything: what is earlier or later counts
/// as the first or last moment. Milliseconds because the router compares its lease with `Date.now()`.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::Timestamp;
///
/// let noon = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
/// let later = noon.plus(Duration::from_millis(1500));
/// assert_eq!(later.to_string(), "2026-01-31T12:00:01.500Z");
/// assert_eq!(later.since(noon), Duration::from_millis(1500));
/// assert_eq!(noon.since(later), Duration::ZERO);
/// assert_eq!(later.minus(Duration::from_millis(1500)).as_millis(), 1_769_860_800_000);
/// assert_eq!(Timestamp::from_millis(1_769_860_800_000), noon);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999, where RFC 3339 ends.
const MILLIS_MAX: u64 = 253_402_300_799_999;

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        let millis = if millis < 0 { 0 } else { millis.unsigned_abs() };
        Self(if millis > MILLIS_MAX { MILLIS_MAX } else { millis })
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Reads an RFC 3339 date-time in UTC, 1970 or later; digits beyond the millisecond are cut off. `None` when it is not
    /// one.
    pub fn parse(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis();
        u64::try_from(millis).ok().map(|millis| Self(millis.min(MILLIS_MAX)))
    }

    /// This point in time moved later by `by`; stops at the end of what can be counted.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = u64::try_from(by.as_millis()).unwrap_or(MILLIS_MAX);
        Self(self.0.saturating_add(by).min(MILLIS_MAX))
    }

    /// This point in time moved earlier by `by`; stops at 1970.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(MILLIS_MAX)))
    }

    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.0);
        if self.0.is_multiple_of(1000) {
            humantime::format_rfc3339_seconds(time).fmt(f)
        } else {
            humantime::format_rfc3339_millis(time).fmt(f)
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_writing_and_reading() {
        for millis in [0, 1, 999, 1_769_860_800_000, 1_769_860_800_123, 253_402_300_799_999] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn it_is_written_as_people_and_other_programs_read_it() {
        for (millis, text) in [
            (1_769_860_800_000, "2026-01-31T12:00:00Z"),
            (1_769_860_800_070, "2026-01-31T12:00:00.070Z"),
            (-1, "1970-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2026-01-31T12:00:00.123456789Z"),
            Some(Timestamp::from_millis(1_769_860_800_123))
        );
    }

    #[test]
    fn what_is_not_a_date_time_is_none() {
        for text in [
            "",
            "yesterday",
            "1969-12-31T23:59:59Z",
            "2026-01-31T12:00:00+02:00",
            "2026-02-30T12:00:00Z",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "12:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn time_before_is_no_time_at_all() {
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
        let five = Timestamp::from_millis(5);
        assert_eq!(five.minus(Duration::from_millis(2)), Timestamp::from_millis(3));
        assert_eq!(five.minus(Duration::MAX), Timestamp::from_millis(0));
    }
}
