//! Cloudflare's REST API. In: a call. Out: its `result`, or an error that says whether the call can have had an effect.
//!
//! An answer counts as success only with a 2xx status *and* `"success": true`
//! (<https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/>). Everything has a deadline.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http;

use crate::report;
use crate::transport::{is_plain, proxy, retry_after};

mod answer;
pub mod balancing;
mod error;
pub mod kv;
mod pace;
pub mod pages;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod workers;
pub(crate) mod zones;

use answer::Answer;
pub(crate) use error::excerpt;
pub use error::{Error, Fate};

/// The variable that holds the API token.
pub const API_TOKEN: &str = "CLOUDFLARE_API_TOKEN";

/// An API token. It is sent as a bearer and shown nowhere.
#[derive(Clone)]
pub struct ApiToken(String);

impl ApiToken {
    /// A token as it came from the environment.
    pub const fn new(token: String) -> Self {
        Self(token)
    }
}

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

/// A Cloudflare account.
#[derive(Clone, Debug)]
pub struct AccountId(String);

impl AccountId {
    /// An account by its id.
    pub const fn new(id: String) -> Self {
        Self(id)
    }
}

/// A client of one account; cheap to clone, usable from several threads.
#[derive(Clone, Debug)]
pub struct Cloudflare {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    agent: ureq::Agent,
    base_url: String,
    account: AccountId,
    token: ApiToken,
    pace: pace::Pace,
}

/// Who a call claims to be.
pub(crate) enum Bearer<'a> {
    /// The account's API token.
    Api,
    /// The token that one upload was given.
    Upload(&'a str),
}

/// What a call carries.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
    Bytes {
        content_type: &'a str,
        bytes: &'a [u8],
    },
    /// Read while it is sent, so that it is never held whole.
    Stream {
        content_type: &'a str,
        length: u64,
        reader: &'a mut dyn Read,
    },
}

impl Cloudflare {
    /// A client. `base_url` includes `/client/v4`.
    pub fn new(base_url: &str, account: AccountId, token: ApiToken) -> Self {
        // A stand-in on this machine has no such limit, unless somebody wants to see what happens.
        let writes_apart = if is_plain(base_url) { Duration::ZERO } else { pace::WRITES_APART };
        Self::paced(base_url, account, token, pace::Pace::new(writes_apart))
    }

    fn paced(base_url: &str, account: AccountId, token: ApiToken, pace: pace::Pace) -> Self {
        let agent = ureq::Agent::config_builder()
            .proxy(proxy(base_url))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(5)))
            .user_agent(concat!("crossfade/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let base_url = base_url.trim_end_matches('/').to_owned();
        Self { shared: Arc::new(Shared { agent, base_url, account, token, pace }) }
    }

    /// A KV namespace of the account, by its id.
    pub fn namespace(&self, id: &str) -> kv::Namespace {
        kv::Namespace::new(self.clone(), id)
    }

    /// A path below the account.
    pub(crate) fn account_path(&self, rest: &str) -> String {
        format!("/accounts/{}{rest}", self.shared.account.0)
    }

    /// One attempt of one call; its `result`.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        bearer: Bearer<'_>,
        body: Body<'_>,
        within: Duration,
    ) -> Result<T, Error> {
        let at = At::new(method, path);
        let answer = self.send(&at, path, bearer, body, within)?;
        let envelope = answer.envelope(&at)?;
        serde_json::from_value(envelope.get("result").cloned().unwrap_or(Value::Null)).map_err(|error| {
            Error::Malformed { at, status: answer.status, why: answer.told(&error.to_string()) }
        })
    }

    /// One attempt of a query to Analytics Engine; its answer as JSON.
    pub(crate) fn sql(&self, query: &str, within: Duration) -> Result<Value, Error> {
        let path = self.account_path("/analytics_engine/sql");
        let at = At::new("POST", &path);
        let body = Body::Bytes { content_type: "text/plain", bytes: query.as_bytes() };
        let answer = self.send(&at, &path, Bearer::Api, body, within)?;
        match (answer.status, answer.json()) {
            (200, Some(json)) => Ok(json),
            (_, json) => Err(answer.error(&at, json.as_ref())),
        }
    }

    /// One attempt of a call whose answer is no envelope; `None` when there is no such thing.
    pub(crate) fn bytes(&self, path: &str, within: Duration) -> Result<Option<Vec<u8>>, Error> {
        let at = At::new("GET", path);
        let answer = self.send(&at, path, Bearer::Api, Body::None, within)?;
        match answer.status {
            200..300 => Ok(Some(answer.body)),
            404 if answer.is_key_not_found() => Ok(None),
            _ => answer.envelope(&at).map(|_| None),
        }
    }

    fn send(
        &self,
        at: &At,
        path: &str,
        bearer: Bearer<'_>,
        body: Body<'_>,
        within: Duration,
    ) -> Result<Answer, Error> {
        let within = self.wait_for_turn(at, within);
        let token = match bearer {
            Bearer::Api => &self.shared.token.0,
            Bearer::Upload(token) => token,
        };
        let request = http::Request::builder()
            .method(at.method)
            .uri(format!("{}{path}", self.shared.base_url))
            .header("authorization", format!("Bearer {token}"));
        let invalid = |error: http::Error| Error::invalid(at, &self.shared.base_url, &error);
        let sent = match body {
            Body::None => self.run(at, request.body(()).map_err(invalid)?, within),
            Body::Json(json) => self.run(
                at,
                request.header("content-type", "application/json").body(json.to_string()).map_err(invalid)?,
                within,
            ),
            Body::Bytes { content_type, bytes } => self.run(
                at,
                request.header("content-type", content_type).body(bytes).map_err(invalid)?,
                within,
            ),
            Body::Stream { content_type, length, reader } => {
                let request = request.header("content-type", content_type).header("content-length", length);
                let body = ureq::SendBody::from_reader(reader);
                self.run(at, request.body(body).map_err(invalid)?, within)
            }
        };
        let mut response = sent?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let retry_after = header("retry-after").and_then(|text| retry_after(&text, report::now()));
        let challenged = header("cf-mitigated").is_some_and(|value| value == "challenge");
        let body = response
            .body_mut()
            .with_config()
            .limit(kv::VALUE_MAX)
            .read_to_vec()
            .map_err(|error| Error::from_transport(at, &self.shared.base_url, &error))?;
        Ok(Answer { status, retry_after, challenged, token: token.to_owned(), body })
    }

    /// Waits as long as the call is one too many; says what is left of its time. A write of KV waits for the one of
    /// the same key before and for nothing else, and one of a load balancer for nothing: they may bring visitors home, and
    /// there are few.
    fn wait_for_turn(&self, at: &At, within: Duration) -> Duration {
        let (pace, now) = (&self.shared.pace, Instant::now());
        let wait = match at.method {
            "PUT" if at.path.contains("/storage/kv/") => pace.wait_to_write(&at.path, now),
            "PATCH" if at.path.contains("/load_balancers/") => Duration::ZERO,
            _ => pace.wait(now),
        };
        // What cannot wait that long is better tried than given up.
        let wait = if wait < within { wait } else { Duration::ZERO };
        std::thread::sleep(wait);
        pace.count(Instant::now());
        within.saturating_sub(wait)
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        at: &At,
        request: http::Request<B>,
        within: Duration,
    ) -> Result<http::Response<ureq::Body>, Error> {
        let agent = &self.shared.agent;
        let request = agent
            .configure_request(request)
            .timeout_global(Some(within))
            .allow_non_standard_methods(true)
            .build();
        agent.run(request).map_err(|error| Error::from_transport(at, &self.shared.base_url, &error))
    }
}

/// Which call: method and path without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    method: &'static str,
    path: Box<str>,
}

impl At {
    fn new(method: &'static str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or(path);
        Self { method, path: path.into() }
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
