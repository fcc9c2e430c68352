//! The router itself: what the Worker is called, how visitors get to it, and what it is bound to.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::table::Origin;
use schemars::JsonSchema;
use serde::Deserialize;

/// The Worker of an environment, as `crossfade router deploy` installs it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Its name, and the title of its KV namespace. Default: `crossfade-<project>-<environment>`.
    pub name: Option<String>,
    /// How visitors of the environment's URL get to it. Default: `auto`.
    pub entry: Entry,
    /// The site as it is without Crossfade. Default: the Pages project's production deployment.
    pub origin: Option<String>,
    /// How old a routing table may get until the router looks for a newer one. Default: `30s`.
    pub refresh: Span,
    /// The only hosts that visitors may be sent to, whatever the table says: `https://*.booking.pages.dev`. Default: any, or
    /// what the router was told before.
    pub allowed_origins: Option<String>,
    /// The Analytics Engine dataset that gets a data point for every request. Default: none, or the one that the
    /// router has.
    pub dataset: Option<String>,
}

/// How visitors get to the Worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A route where the host has a DNS record, else a custom domain.
    #[default]
    Auto,
    /// A Workers route in front of whatever the host's DNS record names: it comes and goes without a gap.
    Route,
    /// A custom domain: Cloudflare makes the DNS record and the certificate.
    Domain,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: None,
            entry: Entry::Auto,
            origin: None,
            refresh: Span(Duration::from_secs(30)),
            allowed_origins: None,
            dataset: None,
        }
    }
}

impl WorkerConfig {
    /// The invariants; `at` is the field's place.
    pub(super) fn check(&self, at: &str) -> Result<(), String> {
        if let Some(name) = &self.name {
            check_name(name).map_err(|why| format!("`{at}.name` is `{name}`: {why}"))?;
        }
        if let Some(origin) = &self.origin {
            Origin::new("origin", origin)
                .map_err(|error| format!("`{at}.origin` is `{origin}`: {}", error.problem))?;
        }
        let seconds = self.refresh.0.as_secs();
        if !(1..=3600).contains(&seconds) || self.refresh.0.subsec_nanos() > 0 {
            return Err(format!("`{at}.refresh` is `{}`: it must be whole seconds, 1s to 1h", self.refresh));
        }
        Ok(())
    }
}

/// A Worker's name, which may become a label of a host's.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    const LENGTH_MAX: usize = 63;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = name.starts_with('-') || name.ends_with('-');
    if (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed) && !edges {
        Ok(())
    } else {
        Err(format!("it must be 1 to {LENGTH_MAX} of a-z, 0-9 and `-`, with no `-` at an end"))
    }
}
