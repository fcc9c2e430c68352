//! Plain requests: what goes out, what comes back, no retries.

use std::time::Duration;

use crossfade_sandbox::{API_TOKEN, Sandbox};
use serde_json::Value;
use ureq::http;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    /// The code of the first error in Cloudflare's envelope.
    #[track_caller]
    pub(crate) fn code(&self) -> i64 {
        let json = self.json();
        json.pointer("/errors/0/code").and_then(Value::as_i64).unwrap_or_else(|| panic!("no code: {json}"))
    }
}

/// A request on a connection of its own. Redirects are not followed.
///
/// # Errors
/// When there is no whole answer within 20 s.
pub(crate) fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = match body {
        [] => agent.run(request.body(()).unwrap())?,
        body => agent.run(request.body(body).unwrap())?,
    };
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
}

/// A GET that is answered.
#[track_caller]
pub(crate) fn get(url: &str) -> Answer {
    send("GET", url, &[], b"").unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// A call of the API with its token. What is POSTed is JSON, what is PUT is bytes.
///
/// # Errors
/// When there is no answer.
pub(crate) fn api(sandbox: &Sandbox, method: &str, path: &str, body: &[u8]) -> Result<Answer, ureq::Error> {
    let authorization = format!("Bearer {API_TOKEN}");
    let content_type = if method == "PUT" { "application/octet-stream" } else { "application/json" };
    let headers = [("authorization", authorization.as_str()), ("content-type", content_type)];
    let sent = if body.is_empty() { &headers[..1] } else { &headers };
    send(method, &format!("{}{path}", sandbox.api_url()), sent, body)
}
