//! One HTTP request in, the answer as it was seen out.

use std::time::{Duration, Instant};

use crossfade_core::probe::Observed;
use ureq::http;

use crate::transport::our_own_fault;

/// How much of a body is looked at.
const BODY_MAX: u64 = 1024 * 1024;

/// A site, and what every request to it carries.
#[derive(Clone)]
pub struct Target {
    base: String,
    headers: Vec<(&'static str, String)>,
    version: Option<String>,
}

impl Target {
    /// A site by its URL, without a path.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), headers: Vec::new(), version: None }
    }

    /// One version behind the router at this site, whoever else it gives visitors to. `headers` are the override's; an answer of
    /// another version is none.
    #[must_use]
    pub fn only(self, version: &str, headers: Vec<(&'static str, String)>) -> Self {
        Self { headers, version: Some(version.to_owned()), ..self }
    }

    /// The site's URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A path at this site; an absolute URL stays as it is.
    fn url(&self, path: &str) -> String {
        if is_elsewhere(path) {
            return path.to_owned();
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{path}", self.base)
    }
}

/// A request to a site.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// A path, or an absolute URL.
    pub path: &'a str,
    /// Headers by name.
    pub headers: &'a [(String, String)],
    /// Content type and body.
    pub body: Option<(&'a str, Vec<u8>)>,
    /// The most it may take.
    pub timeout: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The site did not answer: that is a result.
    #[error("{0}")]
    Failed(String),
    /// Nothing can be said about the site: no network, no such name, no valid request.
    #[error("could not measure: {0}")]
    CouldNotMeasure(String),
}

/// An agent that follows no redirects, keeps cookies and closes its connections when it is dropped.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("crossfade/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Sends one request and reads its answer.
///
/// # Errors
/// See [`NoAnswer`].
pub fn send(agent: &ureq::Agent, target: &Target, request: Request<'_>) -> Result<Observed, NoAnswer> {
    let mut builder = http::Request::builder().method(request.method).uri(target.url(request.path));
    // What opens this site is nobody else's.
    let is_ours = !is_elsewhere(request.path);
    for (name, value) in target.headers.iter().filter(|_| is_ours) {
        builder = builder.header(*name, value);
    }
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    let invalid = |error: http::Error| NoAnswer::CouldNotMeasure(format!("no valid request: {error}"));
    let started = Instant::now();
    let answer = match request.body {
        Some((content_type, bytes)) => run(
            agent,
            builder.header("content-type", content_type).body(bytes).map_err(invalid)?,
            request.timeout,
        ),
        None => run(agent, builder.body(()).map_err(invalid)?, request.timeout),
    };
    let mut response = answer.map_err(|error| no_answer(&error))?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    if let Some(version) = target.version.as_deref().filter(|_| is_ours) {
        check_version(version, &response)?;
    }
    let mut body = Vec::new();
    let mut reader = std::io::Read::take(response.body_mut().as_reader(), BODY_MAX);
    std::io::Read::read_to_end(&mut reader, &mut body)
        .map_err(|error| NoAnswer::Failed(format!("the answer broke off: {error}")))?;
    Ok(Observed { status: response.status().as_u16(), headers, body, elapsed: started.elapsed() })
}

/// Whether a path is an absolute URL.
fn is_elsewhere(path: &str) -> bool {
    path.starts_with("https://") || path.starts_with("http://")
}

/// The router says which version answered. Another one tells nothing about this one: a router that has not seen the table yet.
fn check_version(version: &str, response: &http::Response<ureq::Body>) -> Result<(), NoAnswer> {
    let header = response.headers().get("crossfade").and_then(|value| value.to_str().ok());
    if header.is_some_and(|header| header.contains(&format!("version=\"{version}\""))) {
        return Ok(());
    }
    Err(NoAnswer::CouldNotMeasure(match header {
        Some(header) => format!("version {version} was asked for, and the edge answered with {header}"),
        None => format!("version {version} was asked for, and the edge knows none ({})", response.status()),
    }))
}

fn run<B: ureq::AsSendBody>(
    agent: &ureq::Agent,
    request: http::Request<B>,
    timeout: Duration,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    let request = agent
        .configure_request(request)
        .timeout_global(Some(timeout))
        .allow_non_standard_methods(true)
        .build();
    agent.run(request)
}

fn no_answer(error: &ureq::Error) -> NoAnswer {
    if our_own_fault(error) {
        NoAnswer::CouldNotMeasure(error.to_string())
    } else {
        NoAnswer::Failed(format!("no answer: {error}"))
    }
}
