//! One HTTP request in, the answer as it was seen out.

use std::time::{Duration, Instant};

use crossfade_core::probe::Observed;
use crossfade_core::table::{Origin, VariantName, Version};
use ureq::http;

use crate::edge::ControlToken;
use crate::transport::our_own_fault;

/// How much of a body is looked at.
const BODY_MAX: u64 = 1024 * 1024;

/// A site, and how it is asked.
#[derive(Clone, Debug)]
pub struct Target {
    base: String,
    through: Option<ThroughEdge>,
}

/// One version behind the router, whatever its weight: the router's override.
#[derive(Clone, Debug)]
struct ThroughEdge {
    variant: VariantName,
    version: Version,
    token: ControlToken,
}

impl Target {
    /// A site by its URL, without a path.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), through: None }
    }

    /// One version through the router at a public URL. Visitors' requests to a failing version may be rescued; these never are,
    /// and an answer by any other version counts as none.
    pub fn through_edge(base: &str, variant: VariantName, version: Version, token: ControlToken) -> Self {
        Self { through: Some(ThroughEdge { variant, version, token }), ..Self::new(base) }
    }

    /// The site's URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A path at this site; an absolute URL stays as it is, and is asked like any other site.
    fn url(&self, path: &str) -> (String, Option<&ThroughEdge>) {
        if path.starts_with("https://") || path.starts_with("http://") {
            return (path.to_owned(), None);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        (format!("{}{slash}{path}", self.base), self.through.as_ref())
    }
}

impl ThroughEdge {
    /// Whether the router's header says that this version answered, and not in another's place.
    fn answered(&self, header: &str) -> bool {
        header.starts_with(&format!("variant=\"{}\", version=\"{}\",", self.variant, self.version))
    }
}

/// What a site answers to `GET /`: whether it is there at all.
///
/// # Errors
/// Why there is no answer.
pub fn status(origin: &Origin) -> Result<u16, NoAnswer> {
    const WITHIN: Duration = Duration::from_secs(10);
    let request = Request { method: "GET", path: "/", headers: &[], body: None, timeout: WITHIN };
    send(&agent(), &Target::new(origin.as_str()), request).map(|observed| observed.status)
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
    let (url, through) = target.url(request.path);
    let mut builder = http::Request::builder().method(request.method).uri(url);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    if let Some(ThroughEdge { variant, token, .. }) = through {
        builder =
            builder.header("crossfade-variant", variant.as_str()).header("crossfade-token", token.expose());
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
    let mut body = Vec::new();
    let mut reader = std::io::Read::take(response.body_mut().as_reader(), BODY_MAX);
    std::io::Read::read_to_end(&mut reader, &mut body)
        .map_err(|error| NoAnswer::Failed(format!("the answer broke off: {error}")))?;
    let observed = Observed { status: response.status().as_u16(), headers, body, elapsed: started.elapsed() };
    let said = observed.header("crossfade").unwrap_or("nothing");
    match through {
        Some(through) if !through.answered(said) => Err(NoAnswer::CouldNotMeasure(format!(
            "the edge was asked for {} {} and says `{said}`",
            through.variant, through.version
        ))),
        Some(_) | None => Ok(observed),
    }
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
