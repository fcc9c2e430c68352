//! What an answer must look like. In: an [`Expectation`] and an [`Observed`] answer. Out: the mismatches, none of them good.
//!
//! Also the pure half of scenarios: [`Capture`] takes a value out of one answer, [`Variables`] put it into the next request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Span;

mod capture;
mod matching;
mod template;

pub use capture::{Capture, Missing};
pub use matching::{JsonMatch, StatusSet, TextMatch};
pub use template::{Place, UnknownVariable, Variables, names};

/// What an answer must look like. The default: any 2xx status.
///
/// ```
/// use crossfade_core::probe::{Expectation, Mismatch, Observed, in_words};
///
/// let expected: Expectation = serde_json::from_str(r#"{"status": 200, "json": {"/status": "ok"}}"#)?;
/// let seen = Observed {
///     status: 200,
///     headers: vec![("content-type".into(), "application/json".into())],
///     body: br#"{"status":"failing"}"#.to_vec(),
///     elapsed: std::time::Duration::from_millis(12),
/// };
/// let mismatches: Vec<Mismatch> = expected.mismatches(&seen);
/// assert_eq!(in_words(&mismatches), r#"json /status is `"failing"`, expected `"ok"`"#);
/// assert_eq!(seen.header("Content-Type"), Some("application/json"));
/// assert_eq!(seen.json().unwrap()["status"], "failing");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// The status: `200`, `"2xx"`, `[200, 404]`. Default: `"2xx"`.
    pub status: StatusSet,
    /// Headers by name: `"exact text"`, `{ contains = "json" }`, `{ present = true }`.
    pub header: BTreeMap<String, TextMatch>,
    /// Fields of a JSON answer by JSON pointer (RFC 6901): a value, `{ exists = true }`, `{ contains = "text" }`.
    #[serde(deserialize_with = "matching::pointers")]
    pub json: BTreeMap<String, JsonMatch>,
    /// A text that the body must contain.
    pub body: Option<String>,
    /// The longest time to the end of the answer.
    pub latency: Option<Span>,
}

/// An answer as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// From the first byte sent to the last one read.
    pub elapsed: Duration,
}

/// One thing that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What was looked at: `status`, `header content-type`, `json /status`, `body`, `latency`.
    pub field: String,
    /// What it should have been.
    pub expected: String,
    /// What it was, shortened.
    pub seen: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, expected {}", self.field, self.seen, self.expected)
    }
}

/// Mismatches in one line. A wrong status explains the rest, which is left out.
pub fn in_words(mismatches: &[Mismatch]) -> String {
    let told = match mismatches {
        [status, ..] if status.field == "status" => &mismatches[..1],
        all => all,
    };
    told.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Observed {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Expectation {
    /// Everything about an answer that is not as expected.
    pub fn mismatches(&self, observed: &Observed) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let mut differ = |field: String, expected: String, seen: String| {
            found.push(Mismatch { field, expected, seen });
        };
        if !self.status.contains(observed.status) {
            let seen = match excerpt(&observed.body) {
                Some(body) => format!("{} with {body}", observed.status),
                None => observed.status.to_string(),
            };
            differ("status".into(), self.status.to_string(), seen);
        }
        for (name, wanted) in &self.header {
            let seen = observed.header(name);
            if !wanted.matches(seen) {
                let seen = seen.map_or_else(|| "absent".into(), |seen| shorten(seen.as_bytes()));
                differ(format!("header {name}"), wanted.to_string(), seen);
            }
        }
        if !self.json.is_empty() {
            match observed.json() {
                None => {
                    let seen = excerpt(&observed.body).unwrap_or_else(|| "empty".into());
                    differ("body".into(), "JSON".into(), seen);
                }
                Some(document) => {
                    for (pointer, wanted) in &self.json {
                        let seen = document.pointer(pointer);
                        if !wanted.matches(seen) {
                            let seen = seen
                                .map_or_else(|| "absent".into(), |seen| shorten(seen.to_string().as_bytes()));
                            differ(format!("json {pointer}"), wanted.to_string(), seen);
                        }
                    }
                }
            }
        }
        if let Some(wanted) = &self.body
            && !String::from_utf8_lossy(&observed.body).contains(wanted.as_str())
        {
            let seen = excerpt(&observed.body).unwrap_or_else(|| "empty".into());
            differ("body".into(), format!("text that contains `{wanted}`"), seen);
        }
        if let Some(limit) = self.latency
            && observed.elapsed > limit.0
        {
            let millis = |duration: Duration| format!("{} ms", duration.as_millis());
            differ("latency".into(), format!("at most {}", millis(limit.0)), millis(observed.elapsed));
        }
        found
    }
}

/// A body's beginning as a person can read it; `None` when it is empty.
fn excerpt(body: &[u8]) -> Option<String> {
    if body.trim_ascii().is_empty() { None } else { Some(shorten(body)) }
}

/// At most 120 characters on one line, in back quotes.
fn shorten(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 120;
    let text = String::from_utf8_lossy(text);
    let mut shown: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect();
    if text.trim().chars().count() > SHOWN_MAX {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(json: Value) -> Expectation {
        serde_json::from_value(json).unwrap()
    }

    fn observed(status: u16, body: &str) -> Observed {
        let headers = vec![("content-type".into(), "application/json; charset=utf-8".into())];
        Observed { status, headers, body: body.into(), elapsed: Duration::from_millis(120) }
    }

    fn check(expected: Value, observed: &Observed) -> Vec<String> {
        expectation(expected).mismatches(observed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_answer_that_is_as_expected_has_no_mismatch() {
        let answer = observed(201, r#"{"id":"b1","status":"confirmed","seats":2,"a/b":{"c":[1,2]}}"#);
        let expected = serde_json::json!({
            "status": 201,
            "header": { "Content-Type": { "contains": "json" }, "content-type": { "present": true }, "x-old": { "present": false } },
            "json": { "/status": "confirmed", "/seats": 2, "/id": { "exists": true }, "/gone": { "exists": false },
                      "/a~1b/c/1": 2, "/status ": { "exists": false }, "/a~1b": { "equals": { "c": [1, 2] } } },
            "body": "confirmed",
            "latency": "120ms",
        });
        assert_eq!(check(expected, &answer), Vec::<String>::new());
        assert_eq!(check(serde_json::json!({}), &observed(204, "")), Vec::<String>::new());
    }

    #[test]
    fn each_mismatch_says_what_was_seen_and_expected() {
        let answer = observed(503, "{\"status\":\"failing\",\n\"reason\":\"pool\"}");
        let expected = serde_json::json!({
            "status": [200, 204], "header": { "content-type": "text/html" },
            "json": { "/status": "ok", "/version": { "exists": true }, "/reason": { "contains": "disk" } },
            "body": "hello", "latency": "100ms",
        });
        assert_eq!(
            check(expected, &answer),
            [
                "status is 503 with `{\"status\":\"failing\", \"reason\":\"pool\"}`, expected 200 or 204",
                "header content-type is `application/json; charset=utf-8`, expected `text/html`",
                "json /reason is `\"pool\"`, expected text that contains `disk`",
                "json /status is `\"failing\"`, expected `\"ok\"`",
                "json /version is absent, expected anything",
                "body is `{\"status\":\"failing\", \"reason\":\"pool\"}`, expected text that contains `hello`",
                "latency is 120 ms, expected at most 100 ms",
            ]
        );
    }

    #[test]
    fn in_words_a_wrong_status_explains_the_rest() {
        let wanted = expectation(serde_json::json!({ "json": { "/a": 1 }, "body": "hello" }));
        let words = |status| in_words(&wanted.mismatches(&observed(status, r#"{"a":2}"#)));
        assert_eq!(words(500), "status is 500 with `{\"a\":2}`, expected 2xx");
        assert_eq!(
            words(200),
            "json /a is `2`, expected `1`; body is `{\"a\":2}`, expected text that contains `hello`"
        );
    }

    #[test]
    fn html_where_json_was_expected_is_one_mismatch() {
        let mismatches =
            check(serde_json::json!({ "json": { "/a": 1, "/b": 2 } }), &observed(200, "<!doctype html>"));
        assert_eq!(mismatches, ["body is `<!doctype html>`, expected JSON"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_field_and_value() {
        for (json, words) in [
            (serde_json::json!({ "status": "6xx" }), "`\"6xx\"` is not a status"),
            (serde_json::json!({ "status": 99 }), "`99` is not a status"),
            (serde_json::json!({ "header": { "a": { "has": "b" } } }), "is not a header expectation"),
            (serde_json::json!({ "json": { "status": 1 } }), "`status` is not a JSON pointer"),
            (serde_json::json!({ "stauts": 1 }), "unknown field `stauts`"),
            (serde_json::json!({ "latency": "fast" }), "`fast` is not a duration"),
        ] {
            let error = serde_json::from_value::<Expectation>(json).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
