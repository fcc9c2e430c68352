//! Values taken out of an answer, for the next request.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::Observed;

/// Where a value stands in an answer.
///
/// ```
/// use crossfade_core::probe::{Capture, Missing, Observed};
///
/// let answer = Observed {
///     status: 201,
///     headers: vec![("location".into(), "/bookings/7".into())],
///     body: br#"{"token":"t1"}"#.to_vec(),
///     elapsed: Default::default(),
/// };
/// assert_eq!(Capture::Json("/token".into()).take(&answer)?, "t1");
/// assert_eq!(Capture::Header("Location".into()).take(&answer)?, "/bookings/7");
/// let missing: Missing = Capture::Json("/gone".into()).take(&answer).unwrap_err();
/// assert_eq!(missing.to_string(), "the answer has no json /gone");
/// # Ok::<(), Missing>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// In the JSON body, by JSON pointer.
    Json(String),
    /// In a header.
    Header(String),
}

/// The answer had no such value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no {0}")]
pub struct Missing(String);

impl Capture {
    /// The value in this answer: strings as they are, other JSON as JSON.
    ///
    /// # Errors
    /// When it is not there.
    pub fn take(&self, observed: &Observed) -> Result<String, Missing> {
        match self {
            Self::Json(pointer) => {
                match observed.json().as_ref().and_then(|document| document.pointer(pointer)) {
                    Some(Value::String(text)) => Ok(text.clone()),
                    Some(value) => Ok(value.to_string()),
                    None => Err(Missing(format!("json {pointer}"))),
                }
            }
            Self::Header(name) => {
                observed.header(name).map(str::to_owned).ok_or_else(|| Missing(format!("header {name}")))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Capture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Value::String(pointer) = &value
            && pointer.starts_with('/')
        {
            return Ok(Self::Json(pointer.clone()));
        }
        let header =
            value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("header"));
        match header {
            Some(Value::String(name)) => Ok(Self::Header(name.clone())),
            Some(_) | None => Err(de::Error::custom(format!(
                "`{value}` is not a capture: write a JSON pointer such as \"/token\", or {{ header = \"location\" }}"
            ))),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Capture {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Capture".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "pattern": "^/" },
            { "type": "object", "required": ["header"], "additionalProperties": false,
              "properties": { "header": { "type": "string" } } },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn values_come_from_json_and_headers() {
        let observed = Observed {
            status: 201,
            headers: vec![("location".into(), "/b/1".into())],
            body: br#"{"token":"t","user":{"id":7}}"#.to_vec(),
            elapsed: Duration::ZERO,
        };
        let take = |json: Value| serde_json::from_value::<Capture>(json).unwrap().take(&observed);
        assert_eq!(take("/token".into()).unwrap(), "t");
        assert_eq!(take("/user/id".into()).unwrap(), "7");
        assert_eq!(take(serde_json::json!({ "header": "Location" })).unwrap(), "/b/1");
        assert_eq!(take("/gone".into()).unwrap_err().to_string(), "the answer has no json /gone");
        assert!(serde_json::from_value::<Capture>("token".into()).is_err());
    }
}
