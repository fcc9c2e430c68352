//! What came back: a status, a body, and whether that is a success.

use std::time::Duration;

use serde_json::Value;

use super::At;
use super::error::{Error, excerpt};

/// An answer, success or not.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) challenged: bool,
    /// The token that the call carried.
    pub(super) token: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether KV says that there is no such key; the number means other things elsewhere in the API.
    pub(super) fn is_key_not_found(&self) -> bool {
        let code = || self.json()?.pointer("/errors/0/code")?.as_i64();
        self.status == 404 && code() == Some(10_009)
    }

    /// The envelope of a successful answer.
    pub(super) fn envelope(&self, at: &At) -> Result<Value, Error> {
        let json = self.json();
        let success = json.as_ref().and_then(|json| json.get("success")).and_then(Value::as_bool);
        match (self.status, success, json) {
            (200..300, Some(true), Some(json)) => Ok(json),
            (204 | 205, None, None) if self.body.is_empty() => Ok(Value::Null),
            (_, _, json) => Err(self.error(at, json.as_ref())),
        }
    }

    /// What may be shown of a text that came back: some servers repeat what they were sent, the token in it.
    pub(super) fn told(&self, text: &str) -> String {
        text.replace(&self.token, "***")
    }

    pub(super) fn error(&self, at: &At, json: Option<&Value>) -> Error {
        let first = json.and_then(|json| json.pointer("/errors/0"));
        let code = first.and_then(|error| error.get("code")).and_then(Value::as_i64);
        let message = first.and_then(|error| error.get("message")).and_then(Value::as_str).map_or_else(
            || excerpt(self.told(&String::from_utf8_lossy(&self.body)).as_bytes()),
            |text| self.told(text),
        );
        let (at, status) = (at.clone(), self.status);
        match (status, code) {
            (_, _) if self.challenged => Error::Refused {
                at,
                status,
                code,
                message: "Cloudflare's firewall answered with a challenge".into(),
            },
            (300..400, _) => Error::Refused {
                at,
                status,
                code,
                message: "it leads elsewhere, where the token does not go; look at CLOUDFLARE_API_BASE_URL"
                    .into(),
            },
            (429, _) => Error::RateLimited { at, retry_after: self.retry_after },
            (401 | 403, _) | (400, Some(10_000 | 6_003 | 6_111 | 9_109)) => {
                Error::Unauthorised { at, status, code, message }
            }
            // Whoever says so without an envelope is not the API.
            (404, _) if json.is_some() => Error::NotFound { at, code, message },
            (404, _) => Error::Malformed { at, status, why: format!("not an API answer: {message}") },
            // Pages' word for "something went wrong, try again", whatever the status.
            (_, Some(8_000_000)) | (500.., _) => {
                Error::Unavailable { at, retry_after: self.retry_after, status, code, message }
            }
            (400..500, _) => Error::Refused { at, status, code, message },
            (_, Some(_)) => Error::Refused { at, status, code, message },
            (_, None) => Error::Malformed { at, status, why: format!("not an API answer: {message}") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means_is_one_table() {
        let failure =
            |code: i64| format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"no"}}]}}"#);
        let (success, bare) = (r#"{"success":true,"result":1}"#, r#"{"success":false}"#);
        for (status, body, means) in [
            // Both the status and `success` have to say so.
            (200, success, "done"),
            (204, "", "done"),
            (205, "", "done"),
            (200, "", "Malformed"),
            (200, "<html>", "Malformed"),
            (200, bare, "Malformed"),
            (200, &failure(10_013), "Refused"),
            (302, success, "Refused"),
            (500, success, "Unavailable"),
            (502, "<html>", "Unavailable"),
            // Pages' word for "try again" counts whatever the status.
            (200, &failure(8_000_000), "Unavailable"),
            (400, &failure(8_000_000), "Unavailable"),
            (400, &failure(1_001), "Refused"),
            (409, success, "Refused"),
            (413, "<html>", "Refused"),
            (400, &failure(10_000), "Unauthorised"),
            (401, &failure(8_000_013), "Unauthorised"),
            (403, "Expired JWT", "Unauthorised"),
            (429, "", "RateLimited"),
            // Whoever knows no such path is not the API.
            (404, &failure(8_000_007), "NotFound"),
            (404, "<html>", "Malformed"),
        ] {
            let said = match answer(status, body).envelope(&At::new("GET", "/x")) {
                Ok(_) => "done".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            assert!(said.starts_with(means), "{status} {body}: {said}");
        }
        let challenge = Answer { challenged: true, ..answer(403, "<html>") };
        let said = challenge.envelope(&At::new("GET", "/x")).unwrap_err();
        assert!(matches!(&said, Error::Refused { message, .. } if message.contains("challenge")), "{said:?}");
        for (status, code, missing) in [(404, 10_009, true), (404, 10_013, false), (400, 10_009, false)] {
            assert_eq!(answer(status, &failure(code)).is_key_not_found(), missing, "{status} {code}");
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, challenged: false, token: "s3cret".into(), body: body.into() }
    }
}
