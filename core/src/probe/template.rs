//! `{{name}}` in a request, replaced by a value that cannot break out of where it stands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Values by name.
///
/// ```
/// use crossfade_core::probe::{Place, UnknownVariable, Variables, names};
///
/// let mut variables = Variables::default();
/// variables.set("user", "Ann & \"Bob\"");
/// assert!(variables.has("user"));
/// assert_eq!(variables.fill("/of/{{user}}", Place::Url)?, "/of/Ann%20%26%20%22Bob%22");
/// assert_eq!(variables.fill(r#"{"of":"{{user}}"}"#, Place::Json)?, r#"{"of":"Ann & \"Bob\""}"#);
///
/// let unknown: UnknownVariable = variables.fill("{{token}}", Place::Text).unwrap_err();
/// assert_eq!(unknown.to_string(), "`{{token}}` is not known here; known are user");
/// assert!(names("/of/{{user}}?at={{ day }}").eq(["user", "day"]));
/// assert_eq!(Place::Url.written("a b"), "a%20b");
/// # Ok::<(), UnknownVariable>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// Where a value is put, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path or query: percent-encoded.
    Url,
    /// Inside a JSON string: escaped.
    Json,
    /// A header or a plain body: as it is; line breaks become spaces.
    Text,
}

/// A name that nothing has set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{{{name}}}}}` is not known here; known are {known}")]
pub struct UnknownVariable {
    /// The name.
    pub name: String,
    known: String,
}

impl Place {
    /// A value as it is written there.
    pub fn written(self, value: &str) -> String {
        let mut written = String::new();
        write(&mut written, value, self);
        written
    }
}

/// The names in a template, in their order.
pub fn names(template: &str) -> impl Iterator<Item = &str> {
    let parts = template.split("{{").skip(1);
    parts.filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name.trim())
}

impl Variables {
    /// Sets a value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Whether a name is set.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Replaces every `{{name}}`.
    ///
    /// # Errors
    /// The first name that is not set.
    pub fn fill(&self, template: &str, place: Place) -> Result<String, UnknownVariable> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            let name = name.trim();
            let value = self.0.get(name).ok_or_else(|| self.unknown(name))?;
            filled.push_str(before);
            write(&mut filled, value, place);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn unknown(&self, name: &str) -> UnknownVariable {
        // Names of secrets are no secrets; their values never come here.
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
        UnknownVariable { name: name.to_owned(), known: known.join(", ") }
    }
}

fn write(filled: &mut String, value: &str, place: Place) {
    match place {
        Place::Text => filled.extend(value.chars().map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c })),
        Place::Json => {
            // A JSON string begins and ends with a quote; only what stands between them is ours.
            let quoted = serde_json::Value::from(value).to_string();
            filled.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
        Place::Url => {
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    filled.push(char::from(byte));
                } else {
                    let _ = write!(filled, "%{byte:02X}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(value: &str) -> Variables {
        let mut variables = Variables::default();
        variables.set("id", value);
        variables
    }

    #[test]
    fn names_are_replaced_and_unknown_ones_named() {
        let variables = variables("b 1/ü");
        assert_eq!(
            variables.fill("/b/{{id}}?x={{ id }}", Place::Url).unwrap(),
            "/b/b%201%2F%C3%BC?x=b%201%2F%C3%BC"
        );
        assert_eq!(variables.fill("no {{ end", Place::Text).unwrap(), "no {{ end");
        let error = variables.fill("{{token}}", Place::Text).unwrap_err();
        assert_eq!(error.to_string(), "`{{token}}` is not known here; known are id");
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_a_json_string(value: String) {
            let filled = variables(&value).fill(r#"{"a":"{{id}}"}"#, Place::Json).unwrap();
            let read: serde_json::Value = serde_json::from_str(&filled).unwrap();
            prop_assert_eq!(read, serde_json::json!({ "a": value }));
        }

        #[test]
        fn no_value_breaks_out_of_a_path_segment_or_a_header(value: String) {
            let url = variables(&value).fill("{{id}}", Place::Url).unwrap();
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#&=\\".contains(&byte)));
            let header = variables(&value).fill("{{id}}", Place::Text).unwrap();
            prop_assert!(!header.contains(['\r', '\n']));
        }
    }
}
