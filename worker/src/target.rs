//! Where a request goes. In: its URL. Out: the path as every later step sees it, and the way back home.

use crossfade_core::redirect;
use crossfade_core::table::Origin;
use web_sys::Url;

/// A request's URL, cut where the path begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Target<'a> {
    origin: &'a str,
    rest: &'a str,
}

impl<'a> Target<'a> {
    /// Cuts `https://host/path?query`. `None` when it is no such URL.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let host = url.find("://")? + 3;
        let path = url.get(host..)?.find('/').map_or(url.len(), |at| host + at);
        let (origin, rest) = url.split_at_checked(path)?;
        Some(Self { origin, rest })
    }

    /// The path without the query; empty only for a URL without one.
    pub(crate) fn path(&self) -> &'a str {
        self.rest.split(['?', '#']).next().unwrap_or_default()
    }

    /// Whether the visitor came over TLS.
    pub(crate) fn secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The public host, with its port if it has one.
    pub(crate) fn host(&self) -> &'a str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// The public host without its port.
    pub(crate) fn hostname(&self) -> &'a str {
        self.host().split(':').next().unwrap_or_default()
    }

    /// The same path at another origin. It always begins with a slash, so no path can change the host.
    pub(crate) fn at(&self, origin: &Origin) -> String {
        let slash = if self.rest.starts_with('/') { "" } else { "/" };
        format!("{origin}{slash}{}", self.rest)
    }

    /// A `Location` at the public origin when it leads to `origin`'s host; `None` when it leads elsewhere.
    pub(crate) fn home(&self, location: &str, origin: &Origin) -> Option<String> {
        redirect::home(location, origin, self.origin)
    }
}

/// A URL whose path has no `..`, `.` or backslash left in it, as the runtime would send it. `None` when it is so already.
///
/// The runtime hands over the path as it came and resolves it on its way out. Were it not resolved before, what a
/// request is decided by and what an origin is asked for could differ: `/x/../__crossfade/status` would be the origin's.
pub(crate) fn resolved(url: &str) -> Option<String> {
    if !["/.", "/%2e", "/%2E", "\\"].iter().any(|sign| url.contains(sign)) {
        return None;
    }
    let Target { origin, rest } = Target::parse(url)?;
    // The host is no part of this: a strange one must not take the path's place.
    let parsed = Url::new(&format!("http://router{rest}")).ok()?;
    Some(format!("{origin}{}{}", parsed.pathname(), parsed.search()))
}
