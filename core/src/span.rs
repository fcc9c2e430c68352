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
    /// In whole seconds where it is some, else in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_millis()) {
            (seconds, 0) => write!(f, "{seconds} s"),
            (_, _) => write!(f, "{} ms", self.0.as_millis()),
        }
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
        let told = |millis| Span(Duration::from_millis(millis)).to_string();
        assert_eq!([told(0), told(200), told(1_500), told(90_000)], ["0 s", "200 ms", "1500 ms", "90 s"]);
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
