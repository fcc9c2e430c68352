//! What the edge serves. In: the public URL, and the router's secret or the load balancer's ids. Out: which revision is in force there.

use std::time::Duration;

use crossfade_core::table::{Environment, Origin, Owner, Revision, VariantName, Version};
use crossfade_core::{RoutingTable, Timestamp};
use serde::Deserialize;
use ureq::http;

use crate::balancer::{self, Balancer};
use crate::cancel::Cancel;
use crate::probe::Target;
use crate::router::OVERRIDES;
use crate::routing::Routing;
use crate::source::{EdgeCounters, Patience};

mod follower;
mod metrics;

use follower::Follower;
pub use metrics::{MetricsError, by_variant};

/// The variable that holds the router's secret.
pub const CONTROL_TOKEN: &str = "CROSSFADE_TOKEN";

/// The secret that opens the router's control endpoints. It never appears in a message.
#[derive(Clone)]
pub struct ControlToken(String);

impl ControlToken {
    /// A token as it came from the environment.
    pub const fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself, for a request header and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ControlToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ControlToken(…)")
    }
}

/// What sends visitors on at a public URL.
#[derive(Clone, Debug)]
pub struct Edge {
    url: String,
    by: By,
    /// Which version of the Worker is to answer.
    overrides: Option<String>,
}

#[derive(Clone, Debug)]
enum By {
    Router(ControlToken),
    Balancer(Box<Follower>),
}

/// What one router says of itself at `/__crossfade/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct EdgeStatus {
    /// Whose table it reads. Every router says so; what does not is none.
    pub environment: String,
    /// The revision in force; `None` without a table.
    pub revision: Option<u64>,
    /// Who wrote it.
    pub release: Option<String>,
    /// The data centre.
    pub colo: Option<String>,
    /// The lease has run out, so everybody is home.
    #[serde(default)]
    pub lapsed: bool,
    /// When it does.
    pub lease_expires_at: Option<Timestamp>,
    /// The router's clock.
    pub now: Option<Timestamp>,
    /// How often it looks at KV, in seconds.
    pub refresh_seconds: Option<u64>,
    /// Why its last look gave no table.
    pub trouble: Option<String>,
    /// The table itself.
    #[serde(default)]
    table: Option<RoutingTable>,
    /// What a load balancer does that does not follow the table.
    #[serde(skip)]
    pub astray: Option<String>,
}

impl EdgeStatus {
    /// Which process wrote the table in force.
    pub fn owner(&self) -> Option<&Owner> {
        self.table.as_ref().and_then(RoutingTable::owner)
    }

    /// What it serves, and why it is nothing newer.
    pub fn served(&self) -> String {
        if let Some(astray) = &self.astray {
            return format!("the load balancer does not follow: {astray}");
        }
        let served = match self.revision {
            Some(revision) => format!("it serves revision {revision}"),
            None => "it has no table yet".into(),
        };
        match &self.trouble {
            Some(trouble) => format!("{served}: {trouble}"),
            None => served,
        }
    }
}

/// Why the edge did not say.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// No answer.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Which URL.
        url: String,
        /// Why not.
        why: String,
    },
    /// The secret is not the router's.
    #[error("{url} refuses CROSSFADE_TOKEN (401)")]
    Unauthorised {
        /// Which URL.
        url: String,
    },
    /// Something else answers there.
    #[error("{url} answers {status}, not like a Crossfade router")]
    NoRouter {
        /// Which URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The load balancer cannot be asked, or not be used.
    #[error(transparent)]
    Balancer(#[from] balancer::Error),
    /// The router reads another environment's table.
    #[error("the router at {url} is that of environment `{its}`, not of `{ours}`")]
    OtherEnvironment {
        /// Which URL.
        url: String,
        /// Whose it is.
        its: String,
        /// Whose it should be.
        ours: String,
    },
}

impl EdgeError {
    /// Whether asking again may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoRouter { status: 500.., .. } => true,
            Self::Balancer(balancer::Error::Cloudflare(error)) => error.is_transient(),
            Self::Unauthorised { .. }
            | Self::NoRouter { .. }
            | Self::OtherEnvironment { .. }
            | Self::Balancer(_) => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Balancer(error) => return error.hint(),
            Self::Unreachable { .. } => {
                "the environment's `url` in crossfade.toml must be where the router answers"
            }
            Self::Unauthorised { .. } => {
                "set the same CROSSFADE_TOKEN here and at the router (`crossfade router deploy` sets it there)"
            }
            Self::NoRouter { .. } => {
                "`crossfade router deploy` installs the router at the environment's `url`; `crossfade router status` shows what there is"
            }
            Self::OtherEnvironment { .. } => {
                "look at `url` of this environment in crossfade.toml, and at ENVIRONMENT of the router"
            }
        };
        Some(hint.to_owned())
    }
}

impl Edge {
    /// The router at `url`.
    pub fn new(url: &str, token: ControlToken) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), by: By::Router(token), overrides: None }
    }

    /// The same, as one version of the Worker; `overrides` is what Cloudflare's header for that says.
    pub(crate) fn asking_for(&self, overrides: &str) -> Self {
        Self { overrides: Some(overrides.to_owned()), ..self.clone() }
    }

    /// The load balancer at `url`, which follows the tables of an environment.
    pub fn balanced(url: &str, routing: Routing, balancer: Balancer) -> Self {
        let follower = Follower { routing, balancer };
        Self {
            url: url.trim_end_matches('/').to_owned(),
            by: By::Balancer(Box::new(follower)),
            overrides: None,
        }
    }

    /// One version, whatever its weight: through the router, or, where a load balancer lets nobody choose, at its origin.
    pub fn target(&self, variant: &VariantName, version: &Version, origin: &Origin) -> Target {
        match &self.by {
            By::Router(token) => {
                Target::through_edge(&self.url, variant.clone(), version.clone(), token.clone())
            }
            By::Balancer(_) => Target::new(origin.as_str()),
        }
    }

    /// The same for a version that everybody gets: through the public URL in either case.
    pub fn target_of_everybody(&self, variant: &VariantName, version: &Version, origin: &Origin) -> Target {
        match &self.by {
            By::Router(_) => self.target(variant, version, origin),
            By::Balancer(_) => Target::new(&self.url),
        }
    }

    /// The counters of the router; a load balancer has none.
    pub fn counters(&self, patience: Patience, cancel: Cancel) -> Option<EdgeCounters> {
        match &self.by {
            By::Router(token) => Some(EdgeCounters::new(&self.url, token.clone(), patience, cancel)),
            By::Balancer(_) => None,
        }
    }

    /// Makes sure that the router answers, knows the secret and serves this environment, before anything depends on it;
    /// says which revision it serves.
    ///
    /// # Errors
    /// What it says instead; a router that does not answer is asked three times.
    pub fn check(&self, environment: &Environment) -> Result<Option<Revision>, EdgeError> {
        const TRIES: usize = 3;
        const ASK_WITHIN: Duration = Duration::from_secs(5);
        if let By::Balancer(follower) = &self.by {
            follower.balancer.check(ASK_WITHIN)?;
            return Ok(None);
        }
        let mut tries = 0;
        let status = loop {
            tries += 1;
            match self.status(ASK_WITHIN) {
                Err(error) if error.may_pass() && tries < TRIES => {
                    std::thread::sleep(Duration::from_millis(500))
                }
                result => break result?,
            }
        };
        if status.environment == environment.as_str() {
            return Ok(status.revision.and_then(Revision::new));
        }
        let (its, ours) = (status.environment, environment.to_string());
        Err(EdgeError::OtherEnvironment { url: self.url.clone(), its, ours })
    }

    /// Asks over a connection of its own, so that several questions can meet several routers.
    ///
    /// # Errors
    /// When nothing answers within `within`, or what answers is no router of ours.
    pub fn status(&self, within: Duration) -> Result<EdgeStatus, EdgeError> {
        let token = match &self.by {
            By::Router(token) => token,
            By::Balancer(follower) => return follower.status(within),
        };
        let (url, mut response) = self.ask("status", token, within)?;
        let no_router = || EdgeError::NoRouter { url, status: 200 };
        response.body_mut().read_json().map_err(|_| no_router())
    }

    /// Asks one of the control endpoints; the URL without its query, and an answer of status 200.
    fn ask(
        &self,
        what: &str,
        token: &ControlToken,
        within: Duration,
    ) -> Result<(String, http::Response<ureq::Body>), EdgeError> {
        let url = format!("{}/__crossfade/{what}", self.url);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .proxy(crate::transport::proxy(&url))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(within))
            .user_agent(concat!("crossfade/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let place = url.split('?').next().unwrap_or_default().to_owned();
        let unreachable =
            |error: ureq::Error| EdgeError::Unreachable { url: place.clone(), why: error.to_string() };
        let bearer = format!("Bearer {}", token.0);
        let mut request = agent.get(&url).header("authorization", &bearer);
        if let Some(overrides) = &self.overrides {
            request = request.header(OVERRIDES, overrides);
        }
        let response = request.call().map_err(unreachable)?;
        match response.status().as_u16() {
            200 => Ok((place, response)),
            401 => Err(EdgeError::Unauthorised { url: place }),
            status => Err(EdgeError::NoRouter { url: place, status }),
        }
    }
}
