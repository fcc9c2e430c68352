//! The three kinds of comparison, as people write them. Each is read through a JSON value and matched by hand, because an
//! error must name the value and what would be right.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// Statuses that are fine.
///
/// ```
/// use crossfade_core::probe::StatusSet;
///
/// let fine: StatusSet = serde_json::from_str(r#"["2xx", 404]"#)?;
/// assert!(fine.contains(204) && fine.contains(404) && !fine.contains(500));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Vec<Status>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Code(u16),
    /// 2 for 2xx.
    Class(u16),
}

/// What a header must be.
///
/// ```
/// use crossfade_core::probe::TextMatch;
///
/// let read = |json| serde_json::from_str::<TextMatch>(json);
/// assert_eq!(read(r#""nosniff""#)?, TextMatch::Equals("nosniff".into()));
/// assert_eq!(read(r#"{"contains": "json"}"#)?, TextMatch::Contains("json".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// Exactly this.
    Equals(String),
    /// Something with this in it.
    Contains(String),
    /// There or not there.
    Present(bool),
}

/// What a JSON field must be.
///
/// ```
/// use crossfade_core::probe::JsonMatch;
///
/// let read = |json| serde_json::from_str::<JsonMatch>(json);
/// assert_eq!(read("2")?, JsonMatch::Equals(2.into()));
/// assert_eq!(read(r#"{"exists": true}"#)?, JsonMatch::Exists(true));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum JsonMatch {
    /// Exactly this value.
    Equals(Value),
    /// A string with this in it.
    Contains(String),
    /// There or not there.
    Exists(bool),
}

impl StatusSet {
    /// Whether a status is fine.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|known| match known {
            Status::Code(code) => *code == status,
            Status::Class(class) => *class == status / 100,
        })
    }
}

impl Default for StatusSet {
    fn default() -> Self {
        Self(vec![Status::Class(2)])
    }
}

impl TextMatch {
    pub(super) fn matches(&self, seen: Option<&str>) -> bool {
        match self {
            Self::Equals(text) => seen == Some(text),
            Self::Contains(text) => seen.is_some_and(|seen| seen.contains(text.as_str())),
            Self::Present(present) => seen.is_some() == *present,
        }
    }
}

impl JsonMatch {
    pub(super) fn matches(&self, seen: Option<&Value>) -> bool {
        match self {
            Self::Equals(value) => seen == Some(value),
            Self::Contains(text) => {
                seen.and_then(Value::as_str).is_some_and(|seen| seen.contains(text.as_str()))
            }
            Self::Exists(exists) => seen.is_some() == *exists,
        }
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, status) in self.0.iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            match status {
                Status::Code(code) => write!(f, "{or}{code}")?,
                Status::Class(class) => write!(f, "{or}{class}xx")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(text) => write!(f, "`{text}`"),
            Self::Contains(text) => write!(f, "text that contains `{text}`"),
            Self::Present(true) => f.write_str("anything"),
            Self::Present(false) => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for JsonMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "`{value}`"),
            Self::Contains(text) => write!(f, "text that contains `{text}`"),
            Self::Exists(true) => f.write_str("anything"),
            Self::Exists(false) => f.write_str("nothing"),
        }
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let status = |value: &Value| {
            let found = match value {
                Value::Number(number) => {
                    let code = number.as_u64().and_then(|code| u16::try_from(code).ok());
                    code.filter(|code| (100..600).contains(code)).map(Status::Code)
                }
                Value::String(text) => match text.as_bytes() {
                    [class @ b'1'..=b'5', b'x', b'x'] => Some(Status::Class(u16::from(class - b'0'))),
                    _ => None,
                },
                _ => None,
            };
            found
                .ok_or_else(|| de::Error::custom(format!("`{value}` is not a status such as 200 or \"2xx\"")))
        };
        match Value::deserialize(deserializer)? {
            Value::Array(items) if !items.is_empty() => {
                items.iter().map(status).collect::<Result<_, _>>().map(Self)
            }
            value => status(&value).map(|status| Self(vec![status])),
        }
    }
}

/// The only entry of an object.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(key, value)| (key.as_str(), value))
}

impl<'de> Deserialize<'de> for TextMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (&value, single(&value)) {
            (Value::String(text), _) | (_, Some(("equals", Value::String(text)))) => {
                Ok(Self::Equals(text.clone()))
            }
            (_, Some(("contains", Value::String(text)))) => Ok(Self::Contains(text.clone())),
            (_, Some(("present", Value::Bool(present)))) => Ok(Self::Present(*present)),
            (_, _) => Err(de::Error::custom(format!(
                "`{value}` is not a header expectation: write \"text\", {{ contains = \"text\" }} or {{ present = true }}"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for JsonMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (&value, single(&value)) {
            (_, Some(("equals", value))) => Ok(Self::Equals(value.clone())),
            (_, Some(("contains", Value::String(text)))) => Ok(Self::Contains(text.clone())),
            (_, Some(("exists", Value::Bool(exists)))) => Ok(Self::Exists(*exists)),
            (Value::Object(_), _) => Err(de::Error::custom(format!(
                "`{value}` is not a JSON expectation: write a value, {{ exists = true }}, {{ contains = \"text\" }} or \
                 {{ equals = … }}"
            ))),
            (_, _) => Ok(Self::Equals(value)),
        }
    }
}

/// A JSON pointer is empty or begins with a slash (RFC 6901, section 3).
pub(super) fn pointers<'de, D, T>(deserializer: D) -> Result<std::collections::BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let map = std::collections::BTreeMap::<String, T>::deserialize(deserializer)?;
    match map.keys().find(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        Some(wrong) => Err(de::Error::custom(format!("`{wrong}` is not a JSON pointer such as /status"))),
        None => Ok(map),
    }
}

#[cfg(feature = "schema")]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{JsonMatch, StatusSet, TextMatch};

    impl JsonSchema for StatusSet {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Status".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let one = serde_json::json!({ "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 }, { "type": "string", "pattern": "^[1-5]xx$" },
            ] });
            json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
        }
    }

    impl JsonSchema for TextMatch {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "HeaderExpectation".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [
                { "type": "string" },
                { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": {
                    "equals": { "type": "string" }, "contains": { "type": "string" }, "present": { "type": "boolean" },
                } },
            ] })
        }
    }

    impl JsonSchema for JsonMatch {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "JsonExpectation".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [
                { "type": ["string", "number", "boolean", "array", "null"] },
                { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": {
                    "equals": true, "contains": { "type": "string" }, "exists": { "type": "boolean" },
                } },
            ] })
        }
    }
}
