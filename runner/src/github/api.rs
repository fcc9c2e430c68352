//! GitHub's REST API (<https://docs.github.com/en/rest>). In: a call. Out: its answer, or whether another try may help.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use ureq::http;

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::retry::{Policy, jitter};

/// The API's version that we speak (<https://docs.github.com/en/rest/about-the-rest-api/api-versions>).
const VERSION: &str = "2022-11-28";
/// The most one try may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How persistent a call is; GitHub asks for a minute when one is too fast, and a status can be as late as that.
const POLICY: Policy = Policy {
    attempts_max: 3,
    first_wait: Duration::from_millis(500),
    wait_max: Duration::from_secs(60),
    within: Duration::MAX,
};

/// A token. It is sent as a bearer and shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(token: String) -> Self {
        Self(token.trim().to_owned())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The API, for one repository.
#[derive(Clone, Debug)]
pub(super) struct Api {
    agent: ureq::Agent,
    /// Up to and with the repository.
    base: String,
    token: Token,
    /// The last call got no answer after all its tries: the next one is tried once, so that they do not pile up.
    dead: bool,
}

/// Why a call was of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The token may not do that; no such call will ever work.
    Denied(String),
    /// It failed.
    Failed(String),
}

/// Why a try failed.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    ForGood(Refused),
    /// With how long to wait.
    ForNow(String, Option<Duration>),
}

impl Api {
    pub(super) fn new(api_url: &str, repository: &str, token: Token) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could lead the token to somebody else.
            .max_redirects(0)
            .timeout_global(Some(WITHIN))
            .user_agent(concat!("crossfade/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let base = format!("{}/repos/{repository}", api_url.trim_end_matches('/'));
        Self { agent, base, token, dead: false }
    }

    /// Makes a call below the repository until it succeeds, fails for good, or is given up. It is left when somebody cancels.
    pub(super) fn call(
        &mut self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
        cancel: &Cancel,
    ) -> Result<Value, Refused> {
        let policy = Policy { attempts_max: if self.dead { 1 } else { POLICY.attempts_max }, ..POLICY };
        let mut tries = 0;
        let result = loop {
            tries += 1;
            let (why, after) = match self.try_once(method, path, body, cancel) {
                Ok(answer) => break Ok(answer),
                Err(Failure::ForGood(refused)) => break Err(refused),
                Err(Failure::ForNow(why, after)) => (why, after),
            };
            match policy.wait(tries, after, jitter()) {
                Some(wait) if !cancel.wait(wait) => {}
                Some(_) | None => break Err(Refused::Failed(why)),
            }
        };
        self.dead = matches!(result, Err(Refused::Failed(_)));
        result
    }

    fn try_once(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
        cancel: &Cancel,
    ) -> Result<Value, Failure> {
        let what = format!("{method} {path}");
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", VERSION)
            .header("authorization", format!("Bearer {}", self.token.0))
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .map_err(|error| Failure::ForGood(Refused::Failed(format!("{what}: {error}"))))?;
        let agent = self.agent.clone();
        // On a thread of its own, so that nobody waits for it who is asked to end.
        let sending = Beside::start(move || exchange(&agent, request));
        let reply = match sending.wait(cancel, None) {
            Waited::Ended(reply) => reply.map_err(|why| Failure::ForNow(format!("{what}: {why}"), None))?,
            Waited::Cancelled(_) => {
                return Err(Failure::ForGood(Refused::Failed(format!("{what}: no time was left"))));
            }
            Waited::NotYet | Waited::Panicked => {
                return Err(Failure::ForGood(Refused::Failed(format!(
                    "{what}: internal error: it panicked"
                ))));
            }
        };
        meaning(&what, reply)
    }
}

struct Reply {
    status: u16,
    /// How long GitHub wants to be left alone.
    wait: Option<Duration>,
    body: Value,
}

fn exchange(agent: &ureq::Agent, request: http::Request<String>) -> Result<Reply, String> {
    let mut response = if matches!(request.method(), &http::Method::GET) {
        agent.run(request.map(|_| ()))
    } else {
        agent.run(request)
    }
    .map_err(|error| format!("no answer: {error}"))?;
    let number =
        |name: &str| -> Option<u64> { response.headers().get(name)?.to_str().ok()?.trim().parse().ok() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let reset = (number("x-ratelimit-remaining") == Some(0)).then(|| number("x-ratelimit-reset")).flatten();
    let wait = number("retry-after").or_else(|| reset.map(|at| at.saturating_sub(now)));
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Reply { status, wait: wait.map(Duration::from_secs), body })
}

/// 403 is both "you may not" and, with how long to wait, "not so fast"
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>); 404 is also "not for you to know".
fn meaning(what: &str, reply: Reply) -> Result<Value, Failure> {
    let Reply { status, wait, body } = reply;
    let said: String = body["message"].as_str().unwrap_or_default().chars().take(200).collect();
    let why = format!("{what}: status is {status}: {said}");
    match (status, wait) {
        (200..300, _) => Ok(body),
        (403, Some(_)) | (408 | 429 | 500.., _) => Err(Failure::ForNow(why, wait)),
        (401 | 403 | 404, _) => Err(Failure::ForGood(Refused::Denied(why))),
        (_, _) => Err(Failure::ForGood(Refused::Failed(why))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_another_try_may_help() {
        let soon = Some(Duration::from_secs(1));
        for (status, wait, wanted) in [
            (201, None, "done"),
            (202, None, "done"),
            (401, None, "denied"),
            (403, None, "denied"),
            (404, None, "denied"),
            (403, soon, "for now"),
            (403, Some(Duration::from_secs(3_000)), "for now"),
            (429, None, "for now"),
            (500, None, "for now"),
            (503, soon, "for now"),
            (301, None, "failed"),
            (409, None, "failed"),
            (422, None, "failed"),
        ] {
            let said = match meaning("x", Reply { status, wait, body: Value::Null }) {
                Ok(_) => "done",
                Err(Failure::ForGood(Refused::Denied(_))) => "denied",
                Err(Failure::ForGood(Refused::Failed(_))) => "failed",
                Err(Failure::ForNow(_, after)) => {
                    assert_eq!(after, wait, "it is believed");
                    "for now"
                }
            };
            assert_eq!(said, wanted, "{status}");
        }
    }
}
