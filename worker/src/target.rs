//! Where a request goes. In: its URL. Out: the path as every later step sees it, and the way back home.

use crossfade_core::redirect;
use crossfade_core::table::Origin;
use web_sys::Url;

/// A request's URL, cut where the path begins and where it ends.
#[derive(Default)]
pub(crate) struct Target {
    url: String,
    path_begin: usize,
    path_end: usize,
    /// Whether the URL is spelled otherwise than the request has it.
    respelled: bool,
}

impl Target {
    /// Cuts `https://host/path?query`. `None` when it is no such URL.
    ///
    /// The runtime hands over the path as it came and resolves it on its way out. Were it not resolved before, what a
    /// request is decided by and what an origin is asked for could differ: `/x/../__crossfade/status` would be the
    /// origin's.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let host = if url.starts_with("https://") { 8 } else { 7 };
        let path_begin = url.bytes().skip(host).position(is_delimiter).map_or(url.len(), |at| host + at);
        let (origin, rest) = url.split_at_checked(path_begin).filter(|_| path_begin > host)?;
        let respelled = !is_resolved(rest);
        let url = if respelled { format!("{origin}{}", resolved(rest)?) } else { url.to_owned() };
        let end = url.bytes().skip(path_begin).position(|byte| matches!(byte, b'?' | b'#'));
        let path_end = end.map_or(url.len(), |at| path_begin + at);
        Some(Self { url, path_begin, path_end, respelled })
    }

    /// The path without the query. It begins with a slash, so no path can change the host; only of no URL it is empty.
    pub(crate) fn path(&self) -> &str {
        self.url.get(self.path_begin..self.path_end).unwrap_or_default()
    }

    /// The query, with its question mark.
    pub(crate) fn query(&self) -> &str {
        self.url.get(self.path_end..).unwrap_or_default()
    }

    /// Whether the visitor came over TLS.
    pub(crate) fn secure(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// The public host without its port.
    pub(crate) fn hostname(&self) -> &str {
        let host = self.origin().split_once("://").map_or("", |(_, host)| host);
        host.split(':').next().unwrap_or_default()
    }

    /// The URL when it is not spelled as the request has it.
    pub(crate) fn respelled(&self) -> Option<&str> {
        self.respelled.then_some(&self.url)
    }

    /// Where the path begins, as JavaScript counts.
    pub(crate) fn path_begin(&self) -> u32 {
        u32::try_from(self.origin().encode_utf16().count()).unwrap_or(u32::MAX)
    }

    /// A `Location` at the public origin when it leads to `origin`'s host; `None` when it leads elsewhere.
    pub(crate) fn home(&self, location: &str, origin: &Origin) -> Option<String> {
        redirect::home(location, origin, self.origin())
    }

    fn origin(&self) -> &str {
        self.url.get(..self.path_begin).unwrap_or_default()
    }
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#')
}

/// Whether a path begins with a slash and surely has no `..`, `.` or backslash in it. That of most has not, and one look tells.
fn is_resolved(rest: &str) -> bool {
    let rest = rest.as_bytes();
    let unresolved = rest.iter().enumerate().any(|(at, byte)| match byte {
        b'\\' => true,
        b'/' => {
            let next = rest.get(at + 1..).unwrap_or_default();
            next.starts_with(b".") || next.starts_with(b"%2e") || next.starts_with(b"%2E")
        }
        _ => false,
    });
    rest.starts_with(b"/") && !unresolved
}

/// A path and query that have no `..`, `.` or backslash left in them, as the runtime would send them.
fn resolved(rest: &str) -> Option<String> {
    // The host is no part of this: a strange one must not take the path's place.
    let parsed = Url::new(&format!("http://router{rest}")).ok()?;
    Some(format!("{}{}", parsed.pathname(), parsed.search()))
}
