//! Redirects of an origin to itself. In: its `Location`. Out: the same at the public host.
//!
//! An origin that builds absolute URLs from the host it was asked by would show that host to the visitor and lead them
//! past the router.

use crate::table::Origin;

/// The `Location` at the public origin (`https://www.example.com`) when it leads to `origin`'s host, by whatever scheme:
/// a site behind something that ends TLS often does not know its own. `None` when it leads elsewhere.
///
/// ```
/// use crossfade_core::{redirect, table::Origin};
///
/// let origin = Origin::new("origin", "https://booking.pages.dev")?;
/// let led = redirect::home("http://booking.pages.dev/login", &origin, "https://www.example.com");
/// assert_eq!(led.as_deref(), Some("https://www.example.com/login"));
/// assert_eq!(redirect::home("https://elsewhere.example/", &origin, "https://www.example.com"), None);
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
pub fn home(location: &str, origin: &Origin, public: &str) -> Option<String> {
    let (scheme, there) = location.split_once("//")?;
    if !["", "http:", "https:"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (_, own) = origin.as_str().split_once("//")?;
    let (host, rest) = there.split_at(there.find(['/', '?', '#']).unwrap_or(there.len()));
    let is_own = without_default_port(host).eq_ignore_ascii_case(without_default_port(own));
    is_own.then(|| format!("{public}{rest}"))
}

fn without_default_port(host: &str) -> &str {
    host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "https://www.example.com";

    fn led(location: &str, origin: &str) -> Option<String> {
        home(location, &Origin::new("origin", origin).unwrap(), PUBLIC)
    }

    #[test]
    fn the_origins_own_host_becomes_the_public_one() {
        let pages = "https://0a1b2c3d.booking.pages.dev";
        for (location, rest) in [
            ("https://0a1b2c3d.booking.pages.dev", ""),
            ("https://0a1b2c3d.booking.pages.dev/", "/"),
            ("https://0a1b2c3d.booking.pages.dev/a%2Fb?c#d", "/a%2Fb?c#d"),
            ("https://0a1b2c3d.booking.pages.dev?q", "?q"),
            ("https://0a1b2c3d.booking.pages.dev#x", "#x"),
            ("https://0a1b2c3d.booking.pages.dev:443/x", "/x"),
            ("http://0a1b2c3d.booking.pages.dev/x", "/x"),
            ("http://0a1b2c3d.booking.pages.dev:80/x", "/x"),
            ("//0a1b2c3d.booking.pages.dev/x", "/x"),
            ("HTTPS://0A1B2C3D.booking.pages.dev/X", "/X"),
            ("//0a1b2c3d.booking.pages.dev//x//y", "//x//y"),
        ] {
            assert_eq!(led(location, pages), Some(format!("{PUBLIC}{rest}")), "{location}");
        }
        for (location, origin) in [
            ("http://127.0.0.1:8788/x", "http://127.0.0.1:8788"),
            ("https://a.example/x", "https://a.example:443"),
            ("https://a.example:8443/x", "https://a.example:8443"),
        ] {
            assert_eq!(led(location, origin), Some(format!("{PUBLIC}/x")), "{location}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_left_alone() {
        for location in [
            "",
            "/",
            "/a//a.example/x",
            "x?y",
            "a.example/x",
            "https:/a.example/x",
            "https://b.example/",
            "https://a.example:8443/",
            "https://a.example.evil.com/",
            "https://a.exampleevil.com/",
            "https://a.example@evil.com/",
            "https://evil.com/https://a.example/",
            "ftp://a.example/",
            "mailto://a.example",
            "javascript://a.example/%0aalert(1)",
        ] {
            assert_eq!(led(location, "https://a.example"), None, "{location}");
        }
    }
}
