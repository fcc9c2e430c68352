//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time: `500ms`, `90s`, `5m`, `1h 30m`.
///
/// ```
/// use crossfade_core::Span;
///
/// let span: Span = "1h 30m".parse()?;
/// assert_eq!(span.0.as_secs(), 5400);
/// assert_eq!(span.to_string(), "5400 s");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a duration such as 500ms, 90s, 5m or 1h 30m");
        humantime::parse_duration(text).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Span {
    /// As a person says it: `200 ms`, `1.5 s`, `30 s`, `7 min 38 s`, `2 h`, `2 d 19 h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = self.0.as_secs();
        let (great, name, rest, names) = match seconds {
            0 if !self.0.is_zero() => return write!(f, "{} ms", self.0.as_millis()),
            0..10 => return write!(f, "{} s", (self.0.as_secs_f64() * 10.0).round() / 10.0),
            10..MINUTE => return write!(f, "{seconds} s"),
            MINUTE..HOUR => (seconds / MINUTE, "min", seconds % MINUTE, "s"),
            HOUR..DAY => (seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
            DAY.. => (seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        };
        write!(f, "{great} {name}")?;
        if rest > 0 { write!(f, " {rest} {names}") } else { Ok(()) }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}ms", self.0.as_millis()))
    }
}

/// Durations inside documents, as [`Span`] writes them.
pub(crate) mod text {
    use super::{Deserialize, Deserializer, Duration, Serialize as _, Serializer, Span};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Span(*duration).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(|span| span.0)
    }
}

/// The same, when there may be none.
pub(crate) mod optional_text {
    use super::{Deserialize, Deserializer, Duration, Serialize as _, Serializer, Span};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(Span).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<Span>::deserialize(deserializer).map(|span| span.map(|span| span.0))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["500ms", "90s", "5m", "1h 30m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_a_unit_that_fits() {
        for (millis, told) in [
            (0, "0 s"),
            (200, "200 ms"),
            (1_500, "1.5 s"),
            (4_992, "5 s"),
            (18_985, "18 s"),
            (90_000, "1 min 30 s"),
            (240_000, "4 min"),
            (458_000, "7 min 38 s"),
            (7_200_000, "2 h"),
            (244_000_000, "2 d 19 h"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), told);
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read =
            |text: &str| serde_json::from_str::<Span>(&format!("{text:?}")).map(|span| span.0.as_millis());
        for (text, millis) in
            [("500ms", 500), ("90s", 90_000), ("5m", 300_000), ("1h 30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(read(text).unwrap(), millis, "{text}");
        }
        for text in ["", "5", "-5s", "soon", "5 parsecs"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not a duration")), "{error}");
        }
    }
}
