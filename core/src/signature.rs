//! What of a table's document is signed, and where the signature stands. The cryptography itself is the platform's on either
//! side; here are only the bytes.
//!
//! The signed message is the document without its `signature`, with keys in order and without blanks: so a document may be
//! written prettily, and fields that an older router does not know are covered all the same.

use serde_json::{Map, Value};

use crate::table::{Origin, Problem, TableError};

/// The field.
const FIELD: &str = "signature";
/// The method, before the signature itself in hexadecimal: HMAC with SHA-256 (RFC 2104).
const METHOD: &str = "hmac-sha256=";

/// A document taken apart.
///
/// ```
/// use crossfade_core::signature::{Signed, put, take_apart};
///
/// let signed = put(br#"{"revision": 42, "environment": "production"}"#, &[0xc0, 0xde])?;
/// assert_eq!(signed, r#"{"environment":"production","revision":42,"signature":"hmac-sha256=c0de"}"#);
///
/// let Signed { message, signature } = take_apart(signed.as_bytes())?;
/// assert_eq!(message, br#"{"environment":"production","revision":42}"#);
/// assert_eq!(signature, Some(vec![0xc0, 0xde]));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The bytes that are signed.
    pub message: Vec<u8>,
    /// The signature; `None` when the document has none, or not one of ours.
    pub signature: Option<Vec<u8>>,
}

/// Takes a document apart.
///
/// # Errors
/// When it is not a JSON object.
pub fn take_apart(document: &[u8]) -> Result<Signed, TableError> {
    let mut fields = object(document)?;
    let signature = fields.remove(FIELD);
    let signature = signature.as_ref().and_then(Value::as_str).and_then(|text| text.strip_prefix(METHOD));
    Ok(Signed {
        message: Value::Object(fields).to_string().into_bytes(),
        signature: signature.and_then(from_hex),
    })
}

/// Puts a signature into a document; the one before is replaced.
///
/// # Errors
/// When the document is not a JSON object.
///
/// ```
/// use crossfade_core::signature::{put, take_apart};
///
/// let document = br#"{"schema": 1, "revision": 42}"#;
/// // What is signed is the document in one form, however it was written.
/// let message = take_apart(document)?.message;
/// let signed = put(document, b"the HMAC of it")?;
/// assert_eq!(take_apart(signed.as_bytes())?.message, message);
/// assert_eq!(take_apart(signed.as_bytes())?.signature.as_deref(), Some(b"the HMAC of it".as_slice()));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
pub fn put(document: &[u8], signature: &[u8]) -> Result<String, TableError> {
    let mut fields = object(document)?;
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    fields.insert(FIELD.into(), format!("{METHOD}{hex}").into());
    Ok(Value::Object(fields).to_string())
}

/// Which origins a router may send visitors to, whatever a table says: `https://*.booking.pages.dev, https://www.example.com`.
/// A `*` stands for one label of the host.
///
/// ```
/// use crossfade_core::{signature::AllowedOrigins, table::Origin};
///
/// let allowed = AllowedOrigins::parse("https://*.booking.pages.dev");
/// assert!(allowed.allow(&Origin::new("origin", "https://4e5f6a7b.booking.pages.dev")?));
/// assert!(!allowed.allow(&Origin::new("origin", "https://booking.pages.dev.evil.example")?));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Reads a list, separated by commas or blanks. An empty one allows nothing: whoever sets it wants to be guarded.
    pub fn parse(text: &str) -> Self {
        Self(text.split([',', ' ', '\n']).filter(|pattern| !pattern.is_empty()).map(str::to_owned).collect())
    }

    /// Whether an origin is one of them.
    pub fn allow(&self, origin: &Origin) -> bool {
        self.0.iter().any(|pattern| match pattern.split_once("://*.") {
            Some((scheme, domain)) => origin
                .as_str()
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_prefix("://"))
                .and_then(|host| host.split_once('.'))
                .is_some_and(|(_, parent)| parent == domain),
            None => origin.as_str() == pattern,
        })
    }
}

fn object(document: &[u8]) -> Result<Map<String, Value>, TableError> {
    match serde_json::from_slice(document) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(TableError::new("(document)", other, Problem::WrongType("an object"))),
        Err(error) => Err(TableError::new("(document)", error, Problem::NotJson)),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_message_does_not_depend_on_blanks_order_or_signature() {
        let message = |document: &str| take_apart(document.as_bytes()).unwrap().message;
        let plain = message(r#"{"b":[1,2.5],"a":{"y":null,"x":"ü"}}"#);
        assert_eq!(plain, r#"{"a":{"x":"ü","y":null},"b":[1,2.5]}"#.as_bytes());
        assert_eq!(
            message("{ \"a\": {\"x\":\"\\u00fc\", \"y\":null},\n \"b\":[1, 2.5], \"signature\": 7 }"),
            plain
        );
        assert_ne!(message(r#"{"b":[1,2.5],"a":{"y":null,"x":"u"}}"#), plain);
    }

    #[test]
    fn only_our_method_in_hexadecimal_is_a_signature() {
        for (value, signature) in [
            (r#""hmac-sha256=00ff""#, Some(vec![0, 255])),
            (r#""hmac-sha256=00f""#, None),
            (r#""hmac-sha256=0é""#, None),
            (r#""sha256=00ff""#, None),
            ("null", None),
        ] {
            let document = format!(r#"{{"signature":{value}}}"#);
            assert_eq!(take_apart(document.as_bytes()).unwrap().signature, signature, "{value}");
        }
        for document in ["[]", "7", "", "{"] {
            assert!(
                take_apart(document.as_bytes()).is_err() && put(document.as_bytes(), b"x").is_err(),
                "{document}"
            );
        }
    }

    #[test]
    fn a_star_stands_for_one_label_and_nothing_else_is_loose() {
        let allowed = AllowedOrigins::parse("https://*.booking.pages.dev, https://www.example.com");
        for (origin, allows) in [
            ("https://0a1b2c3d.booking.pages.dev", true),
            ("https://www.example.com", true),
            ("https://booking.pages.dev", false),
            ("https://a.b.booking.pages.dev", false),
            ("https://evil-booking.pages.dev", false),
            ("https://0a1b2c3d.booking.pages.dev:8443", false),
            ("https://www.example.com:444", false),
            ("https://evil.example.com", false),
            ("http://127.0.0.1:1", false),
        ] {
            assert_eq!(allowed.allow(&Origin::new("origin", origin).unwrap()), allows, "{origin}");
        }
        let nothing = AllowedOrigins::parse(" , ");
        assert!(!nothing.allow(&Origin::new("origin", "https://www.example.com").unwrap()));
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken_apart_again(signature in prop::collection::vec(any::<u8>(), 0..40), value in ".*") {
            let document = serde_json::json!({ "value": value, "signature": "old" }).to_string();
            let signed = take_apart(put(document.as_bytes(), &signature).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(signed.signature, Some(signature));
            prop_assert_eq!(signed.message, take_apart(document.as_bytes()).unwrap().message);
        }
    }
}
