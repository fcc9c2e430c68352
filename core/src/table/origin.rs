//! Where a variant's requests go.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Problem, TableError};

/// Scheme, host and optional port, nothing else: `https://0a1b2c3d.booking.pages.dev`.
///
/// Plain `http` is accepted for loopback hosts only, where the sandbox lives: a table must not be able to send
/// visitors' cookies over an open line.
///
/// ```
/// use crossfade_core::table::{Origin, is_loopback};
///
/// let origin = Origin::new("origin", "https://4e5f6a7b.booking.pages.dev/")?;
/// assert_eq!(origin.as_str(), "https://4e5f6a7b.booking.pages.dev");
/// assert_eq!(origin.host(), "4e5f6a7b.booking.pages.dev");
/// assert!(Origin::new("origin", "http://booking.example.com").is_err());
/// assert!(Origin::new("origin", "http://127.0.0.1:8788")?.is_loopback() && is_loopback("localhost"));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl TryFrom<String> for Origin {
    type Error = TableError;

    fn try_from(text: String) -> Result<Self, TableError> {
        Self::new("origin", &text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl Origin {
    /// Checks the text; a single slash at the end is dropped.
    ///
    /// # Errors
    /// Names `field` and the text when it is not an origin.
    pub fn new(field: &str, text: &str) -> Result<Self, TableError> {
        let origin = text.strip_suffix('/').unwrap_or(text);
        if is_origin(origin) {
            Ok(Self(origin.to_owned()))
        } else {
            Err(TableError::new(field, text, Problem::NotAnOrigin))
        }
    }

    /// The host without the port.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or("", |(_, authority)| authority);
        authority.split_once(':').map_or(authority, |(host, _)| host)
    }

    /// Whether it is on this machine, as the sandbox's are.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// The text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_origin(text: &str) -> bool {
    let (authority, secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(authority), _) => (authority, true),
        (None, Some(authority)) => (authority, false),
        (None, None) => return false,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let port_fits = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    port_fits && is_host(host) && (secure || is_loopback(host))
}

/// A DNS name or an IPv4 address in lower case. Neither credentials (`@`) nor paths nor IPv6 brackets fit.
fn is_host(host: &str) -> bool {
    const LENGTH_MAX: usize = 253; // RFC 1035, section 2.3.4, less the root's dot and length octets
    host.len() <= LENGTH_MAX
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// Whether a host is this machine: RFC 6761, section 6.3, and RFC 1122, section 3.2.1.3.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_only() {
        for text in [
            "https://0a1b2c3d.booking.pages.dev",
            "https://0a1b2c3d.booking.pages.dev/",
            "https://example.com:8443",
            "http://127.0.0.1:8788",
            "http://localhost:1",
        ] {
            assert!(Origin::new("origin", text).is_ok(), "{text}");
        }
        for text in [
            "",
            "https://",
            "example.com",
            "http://example.com",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.com",
            "https://example.com/path",
            "https://example.com//",
            "https://user@example.com",
            "https://example.com?x",
            "https://example.com#x",
            "https://example.com:0",
            "https://example.com:",
            "https://example.com:99999",
            "https://EXAMPLE.com",
            "https://exa mple.com",
            "https://-a.com",
            "https://a..b",
            "ftp://example.com",
            "https://[::1]",
            "https://example.com\\@evil.com",
        ] {
            assert!(Origin::new("origin", text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_names_field_and_value() {
        let error = Origin::new("variants[1].origin", "http://example.com").unwrap_err();
        assert_eq!(
            error.to_string(),
            "routing table: `variants[1].origin` is `http://example.com`: an origin is `https://host[:port]` \
             (or `http://` on a loopback host) without path"
        );
    }
}
