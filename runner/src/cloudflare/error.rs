//! How a call can fail, and what that means for what it was to do.

use std::time::Duration;

use super::At;
use crate::transport::never_sent;

/// A call that did not succeed. No variant carries a token or a query.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is wrong, or may not do this.
    #[error("{at}: Cloudflare refuses the token ({status}{}: {message})", shown(*code))]
    Unauthorised {
        /// The call.
        at: At,
        /// HTTP status.
        status: u16,
        /// Cloudflare's code.
        code: Option<i64>,
        /// Cloudflare's words.
        message: String,
    },
    /// There is no such thing.
    #[error("{at}: not found{}: {message}", shown(*code))]
    NotFound {
        /// The call.
        at: At,
        /// Cloudflare's code.
        code: Option<i64>,
        /// Cloudflare's words.
        message: String,
    },
    /// Too many calls.
    #[error("{at}: too many requests (429)")]
    RateLimited {
        /// The call.
        at: At,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// Cloudflare understood it and will not do it.
    #[error("{at}: refused ({status}{}: {message})", shown(*code))]
    Refused {
        /// The call.
        at: At,
        /// HTTP status.
        status: u16,
        /// Cloudflare's code.
        code: Option<i64>,
        /// Cloudflare's words.
        message: String,
    },
    /// Cloudflare failed; what was asked may have been done all the same.
    #[error("{at}: Cloudflare failed ({status}{}: {message})", shown(*code))]
    Unavailable {
        /// The call.
        at: At,
        /// When to come back.
        retry_after: Option<Duration>,
        /// HTTP status.
        status: u16,
        /// Cloudflare's code.
        code: Option<i64>,
        /// Cloudflare's words.
        message: String,
    },
    /// It was never sent.
    #[error("{at}: cannot reach the API at {why}")]
    Unreachable {
        /// The call.
        at: At,
        /// Its URL, and why not.
        why: String,
    },
    /// It was sent and the answer was lost.
    #[error("{at}: no answer: {why}")]
    Unknown {
        /// The call.
        at: At,
        /// Why.
        why: String,
    },
    /// What answered does not speak this API.
    #[error("{at}: an answer that makes no sense ({status}): {why}")]
    Malformed {
        /// The call.
        at: At,
        /// HTTP status.
        status: u16,
        /// What was wrong with it.
        why: String,
    },
}

/// What became of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not applied, and never going to be as it is.
    Refused,
    /// Not applied; later it may be.
    NotApplied,
    /// Nobody knows.
    Unknown,
}

impl Error {
    pub(super) fn invalid(at: &At, api: &str, error: &ureq::http::Error) -> Self {
        Self::Unreachable { at: at.clone(), why: format!("{api}: no valid request: {error}") }
    }

    pub(super) fn from_transport(at: &At, api: &str, error: &ureq::Error) -> Self {
        let at = at.clone();
        if never_sent(error) {
            Self::Unreachable { at, why: format!("{api}: {error}") }
        } else {
            Self::Unknown { at, why: error.to_string() }
        }
    }

    /// What became of a write that failed like this.
    pub const fn fate(&self) -> Fate {
        match self {
            Self::Unauthorised { .. } | Self::NotFound { .. } | Self::Refused { .. } => Fate::Refused,
            Self::RateLimited { .. } | Self::Unreachable { .. } => Fate::NotApplied,
            Self::Unavailable { .. } | Self::Unknown { .. } | Self::Malformed { .. } => Fate::Unknown,
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self.fate() {
            Fate::Refused => false,
            Fate::NotApplied | Fate::Unknown => true,
        }
    }

    /// Whether the thing does not exist.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it is KV's word for a namespace that does not exist, which comes with 400 or 404.
    pub(crate) fn is_no_namespace(&self) -> bool {
        let code = match self {
            Self::NotFound { at, code, .. } | Self::Refused { at, code, .. }
                if at.path.contains("/storage/kv/") =>
            {
                code
            }
            _ => return false,
        };
        *code == Some(10_013)
    }

    /// How long Cloudflare asks to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let about = |at: &At| at.path.to_string();
        match self {
            Self::Unauthorised { at, .. } => Some(format!(
                "CLOUDFLARE_API_TOKEN needs the permission \"{}\" on this {}; also look at {}",
                permission(&at.path),
                if at.path.starts_with("/zones/") { "zone" } else { "account" },
                match at.path.starts_with("/zones/") {
                    true if about(at).contains("/load_balancers/") => "`load_balancer.zone`",
                    true => "the zones that it is for",
                    false => "CLOUDFLARE_ACCOUNT_ID",
                },
            )),
            Self::NotFound { at, .. } if about(at).contains("/storage/kv/") => Some(
                "look at `kv_namespace` in crossfade.toml: `wrangler kv namespace list` shows the ids of this account".into(),
            ),
            Self::NotFound { at, .. } if about(at).contains("/pages/projects/") => Some(
                "look at `project` in crossfade.toml: `wrangler pages project list` shows the names, \
                 `wrangler pages project create NAME` makes one"
                    .into(),
            ),
            Self::NotFound { at, .. } if about(at).contains("/load_balancers/") => Some(
                "look at `load_balancer` in crossfade.toml: the zone's id, the load balancer's, and those of its two pools".into(),
            ),
            // KV answers a namespace that does not exist with 400 or 404 and 10013.
            Self::Refused { at, code: Some(10_013 | 7_003), .. } if about(at).contains("/storage/kv/") => Some(
                "look at `kv_namespace` in crossfade.toml: `wrangler kv namespace list` shows the ids of this account".into(),
            ),
            Self::RateLimited { .. } => Some("Cloudflare allows 1,200 calls in five minutes; wait and try again".into()),
            Self::Unreachable { .. } => {
                Some("look at this machine's network, and at CLOUDFLARE_API_BASE_URL if it is set".into())
            }
            Self::Unavailable { .. } | Self::Unknown { .. } => {
                Some("https://www.cloudflarestatus.com tells whether Cloudflare has trouble; try again".into())
            }
            Self::Malformed { .. } => {
                Some("something else than Cloudflare's API answers there; look at CLOUDFLARE_API_BASE_URL".into())
            }
            Self::NotFound { .. } | Self::Refused { .. } => None,
        }
    }
}

/// What a token must be allowed for a call, in the words of the dashboard
/// (<https://developers.cloudflare.com/fundamentals/api/reference/permissions/>).
fn permission(path: &str) -> &'static str {
    const PERMISSIONS: [(&str, &str); 7] = [
        ("/storage/kv/", "Workers KV Storage: Edit"),
        ("/analytics_engine/", "Account Analytics: Read"),
        ("/load_balancers/pools/", "Load Balancing: Monitors and Pools: Edit"),
        ("/load_balancers/", "Load Balancers: Edit"),
        ("/workers/routes", "Workers Routes: Edit"),
        ("/workers/", "Workers Scripts: Edit"),
        ("/dns_records", "DNS: Read"),
    ];
    let found = PERMISSIONS.iter().find(|(product, _)| path.contains(product));
    found.map_or("Cloudflare Pages: Edit", |(_, permission)| permission)
}

fn shown(code: Option<i64>) -> String {
    code.map_or_else(String::new, |code| format!(", code {code}"))
}

/// The beginning of a body that should have been JSON, on one line.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const SHOWN_MAX: usize = 120;
    let text = String::from_utf8_lossy(body.get(..4 * SHOWN_MAX).unwrap_or(body));
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect();
    if line.trim().is_empty() { "(empty)".into() } else { line.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_told_what_it_lacks() {
        for (path, permission) in [
            ("/accounts/a/storage/kv/namespaces/n/values/routing", "\"Workers KV Storage: Edit\""),
            ("/accounts/a/analytics_engine/sql", "\"Account Analytics: Read\""),
            ("/accounts/a/load_balancers/pools/p", "\"Load Balancing: Monitors and Pools: Edit\""),
            ("/zones/z/load_balancers/l", "\"Load Balancers: Edit\""),
            ("/zones/z/workers/routes", "\"Workers Routes: Edit\" on this zone; also look at the zones"),
            ("/accounts/a/workers/scripts/w", "\"Workers Scripts: Edit\" on this account"),
            ("/accounts/a/pages/projects/booking/deployments", "\"Cloudflare Pages: Edit\""),
            ("/pages/assets/upload", "\"Cloudflare Pages: Edit\""),
        ] {
            let (at, message) = (At::new("GET", path), String::new());
            let hint = Error::Unauthorised { at, status: 403, code: Some(10_000), message }.hint().unwrap();
            assert!(hint.contains(permission), "{path}: {hint}");
        }
    }
}
