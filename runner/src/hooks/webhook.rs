//! A request to somebody who decides, or wants to know. In: where to, and what to tell. Out: what was answered.

use std::io::Read as _;
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::probe::Place;
use serde_json::{Value, json};
use ureq::http;

use super::output::KEPT_MAX;
use super::{Answer, NoAnswer, Phase, WAIT_DEFAULT};
use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::cloudflare::excerpt;
use crate::config::{Webhook, check_hook_url, from_environment};
use crate::context::{Context, fill_headers};
use crate::probe;
use crate::report;
use crate::signing::hmac_sha256;
use crate::transport::retry_after;

/// Asks once; what was answered, and the beginning of the answer's body. Nothing that comes out has a secret in it.
pub(super) fn ask(
    webhook: &Webhook,
    phase: Phase,
    mut body: Value,
    timeout: Duration,
    context: &Context,
    cancel: &Cancel,
) -> (Result<Answer, NoAnswer>, String) {
    let no_answer = |why: &str| NoAnswer::Error(format!("{}: {}", webhook.place(), context.redact(why)));
    body["metadata"] = json!(webhook.metadata);
    let reply = match send(webhook, &body, timeout, context, cancel) {
        Ok(reply) => reply,
        Err(no_answer) => return (Err(no_answer), String::new()),
    };
    let said = context.redact(&String::from_utf8_lossy(&reply.body));
    let said = said.get(..said.floor_char_boundary(KEPT_MAX)).unwrap_or_default();
    let answer = match meaning(reply.status, reply.retry_after, phase) {
        Meaning::Pass => Ok(Answer::Pass),
        Meaning::Wait(after) => Ok(Answer::Wait(after)),
        Meaning::Fail(what) => Ok(Answer::Fail(format!(
            "{}: status is {}{what}: {}",
            webhook.place(),
            reply.status,
            excerpt(said.as_bytes())
        ))),
        Meaning::Nothing => Err(no_answer(&format!("nobody is there: status is {}", reply.status))),
    };
    (answer, said.to_owned())
}

/// Sends once, and leaves it when somebody cancels. No secret is in why there is no reply.
pub(super) fn send(
    webhook: &Webhook,
    body: &Value,
    timeout: Duration,
    context: &Context,
    cancel: &Cancel,
) -> Result<Reply, NoAnswer> {
    let no_answer = |why: &str| NoAnswer::Error(format!("{}: {}", webhook.place(), context.redact(why)));
    let request = request(webhook, body, context, report::now()).map_err(|why| no_answer(&why))?;
    let sending = Beside::start(move || exchange(request, timeout));
    match sending.wait(cancel, None) {
        Waited::Ended(reply) => reply.map_err(|why| no_answer(&why)),
        Waited::Cancelled(reason) => Err(NoAnswer::Cancelled(reason)),
        Waited::NotYet | Waited::Panicked => Err(no_answer("internal error: the request panicked")),
    }
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// What a status means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Pass,
    Wait(Duration),
    /// With what is remarkable about it.
    Fail(&'static str),
    /// What stands before the hook answers in its place.
    Nothing,
}

/// 2xx passes. 202 is "not decided yet"; from who is only told something, it is "got it". 425, 429 and 503 are *wait* when they
/// say how long. 502, 503 and 504 are otherwise a gateway's, and say nothing of what the hook would.
fn meaning(status: u16, retry_after: Option<Duration>, phase: Phase) -> Meaning {
    match (status, retry_after) {
        (202, _) if phase.only_tells() => Meaning::Pass,
        (202, after) => Meaning::Wait(after.unwrap_or(WAIT_DEFAULT)),
        (200..300, _) => Meaning::Pass,
        (425 | 429 | 503, Some(after)) => Meaning::Wait(after),
        (502..=504, _) => Meaning::Nothing,
        (300..400, _) => Meaning::Fail(" (redirects are not followed)"),
        (_, _) => Meaning::Fail(""),
    }
}

/// The request with its secrets. They go into the headers, or into the URL where the configuration puts them.
fn request(
    webhook: &Webhook,
    body: &Value,
    context: &Context,
    now: Timestamp,
) -> Result<http::Request<Vec<u8>>, String> {
    let fill =
        |template: &str| context.variables.fill(template, Place::Text).map_err(|error| error.to_string());
    let secret = |name: &String| {
        fill(&from_environment(name)).map_err(|_| format!("the environment variable {name} is not set"))
    };
    let url = fill(&webhook.url)?;
    check_hook_url(&url).map_err(|why| format!("the URL is {why}"))?;
    let body = body.to_string().into_bytes();
    let mut request = http::Request::builder()
        .method(webhook.method.as_str())
        .uri(url)
        .header("content-type", "application/json");
    for (name, value) in
        fill_headers(&webhook.headers, &context.variables).map_err(|error| error.to_string())?
    {
        request = request.header(name, value);
    }
    if let Some(name) = &webhook.bearer {
        request = request.header("authorization", format!("Bearer {}", secret(name)?));
    }
    if let Some(name) = &webhook.hmac {
        let seconds = (now.as_millis() / 1000).to_string();
        let signature = signature(&secret(name)?, &seconds, &body);
        request = request.header("crossfade-timestamp", seconds).header("crossfade-signature", signature);
    }
    request.body(body).map_err(|error| format!("no valid request: {error}"))
}

/// Over the time, so that an old request cannot be sent again, and the body.
fn signature(key: &str, seconds: &str, body: &[u8]) -> String {
    let mac = hmac_sha256(key, &[seconds.as_bytes(), b".", body]);
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn exchange(request: http::Request<Vec<u8>>, timeout: Duration) -> Result<Reply, String> {
    let agent = probe::agent();
    let request = agent.configure_request(request).timeout_global(Some(timeout)).build();
    let mut response = agent.run(request).map_err(|error| format!("no answer: {error}"))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status().as_u16();
    let retry_after = header("retry-after").and_then(|text| retry_after(text, report::now()));
    let mut body = Vec::new();
    // More than is kept, so that no secret is cut in two where it ends. The status is the answer: when its text breaks off,
    // there is less of it to show.
    let _ = response.body_mut().as_reader().take(4 * KEPT_MAX as u64).read_to_end(&mut body);
    Ok(Reply { status, retry_after, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_of_the_three_answers_or_none() {
        let after = Some(Duration::from_secs(30));
        let wait = |seconds| Meaning::Wait(Duration::from_secs(seconds));
        for (status, retry_after, asked, told) in [
            (200, None, Meaning::Pass, Meaning::Pass),
            (204, after, Meaning::Pass, Meaning::Pass),
            (202, None, Meaning::Wait(WAIT_DEFAULT), Meaning::Pass),
            (202, after, wait(30), Meaning::Pass),
            (425, after, wait(30), wait(30)),
            (429, after, wait(30), wait(30)),
            (503, after, wait(30), wait(30)),
            (425, None, Meaning::Fail(""), Meaning::Fail("")),
            (429, None, Meaning::Fail(""), Meaning::Fail("")),
            (503, None, Meaning::Nothing, Meaning::Nothing),
            (502, after, Meaning::Nothing, Meaning::Nothing),
            (504, None, Meaning::Nothing, Meaning::Nothing),
            (500, after, Meaning::Fail(""), Meaning::Fail("")),
            (403, after, Meaning::Fail(""), Meaning::Fail("")),
            (
                302,
                None,
                Meaning::Fail(" (redirects are not followed)"),
                Meaning::Fail(" (redirects are not followed)"),
            ),
        ] {
            assert_eq!(meaning(status, retry_after, Phase::ConfirmRollout), asked, "{status}");
            assert_eq!(meaning(status, retry_after, Phase::PostRollout), told, "{status}");
        }
    }

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        // printf '1769860800.{"schema":1}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature("key", "1769860800", br#"{"schema":1}"#),
            "sha256=258ddc10a587dbb487f66d89625fdc5a159eda1aaf69dad7518c232066947239"
        );
    }
}
