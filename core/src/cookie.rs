//! The `Cookie` header. In: its value. Out: one cookie, or the header without one.
//!
//! By hand, because the router looks at it with every request and must not copy it for that. A value that no browser would
//! send is skipped, never an error.

/// The value of the first cookie of that name (<https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1>).
///
/// ```
/// use crossfade_core::cookie::find;
///
/// assert_eq!(find("theme=dark; crossfade=3f9c", "crossfade"), Some("3f9c"));
/// assert_eq!(find("theme=dark", "crossfade"), None);
/// ```
pub fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    pairs(header).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The header without any cookie of that name; empty when none is left. A second `Cookie` line, which no browser sends, is joined
/// to the first one with a comma by the time it gets here.
///
/// ```
/// use crossfade_core::cookie::without;
///
/// assert_eq!(without("theme=dark; crossfade=3f9c", "crossfade"), "theme=dark");
/// ```
pub fn without(header: &str, name: &str) -> String {
    let is_named = |pair: &&str| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    let joined = format!(", {name}=");
    let before = |pair: &'_ str| pair.find(&joined).unwrap_or(pair.len());
    let rest = pairs(header).filter(|pair| !is_named(pair)).map(|pair| &pair[..before(pair)]);
    rest.collect::<Vec<_>>().join("; ")
}

/// A `Set-Cookie` without its `Domain` when that is the origin's own host or a domain above it, and not the public host's
/// too: there a browser would refuse the cookie. `None` when there is nothing to change.
///
/// ```
/// use crossfade_core::cookie::at_home;
///
/// let set = "id=1; Domain=booking.pages.dev; Secure";
/// assert_eq!(at_home(set, "booking.pages.dev", "www.example.com").as_deref(), Some("id=1; Secure"));
/// assert_eq!(at_home("id=1; Secure", "booking.pages.dev", "www.example.com"), None);
/// ```
pub fn at_home(set_cookie: &str, origin_host: &str, public_host: &str) -> Option<String> {
    let leads_away = |attribute: &&str| {
        let Some((name, value)) = attribute.split_once('=') else { return false };
        let domain = value.trim().trim_start_matches('.');
        name.trim().eq_ignore_ascii_case("domain")
            && covers(domain, origin_host)
            && !covers(domain, public_host)
    };
    let mut parts = set_cookie.split(';');
    let pair = parts.next()?;
    let attributes: Vec<&str> = parts.collect();
    let kept: Vec<&str> = attributes.iter().copied().filter(|attribute| !leads_away(attribute)).collect();
    (kept.len() < attributes.len()).then(|| std::iter::once(pair).chain(kept).collect::<Vec<_>>().join(";"))
}

/// Whether a cookie of that domain is sent to a host (<https://www.rfc-editor.org/rfc/rfc6265#section-5.1.3>).
fn covers(domain: &str, host: &str) -> bool {
    let parent = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
    !domain.is_empty()
        && parent.is_some_and(|(below, parent)| {
            parent.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with('.'))
        })
}

fn pairs(header: &str) -> impl Iterator<Item = &str> {
    header.split(';').map(|pair| pair.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_cookie_of_that_very_name_is_found() {
        for (header, value) in [
            ("crossfade=a", Some("a")),
            ("theme=dark; crossfade=a; crossfade=b", Some("a")),
            ("theme=dark;crossfade=a", Some("a")),
            ("crossfade=", Some("")),
            ("crossfade=a=b", Some("a=b")),
            ("xcrossfade=a; crossfadex=b; Crossfade=c; crossfade", None),
            ("", None),
            (";;; ", None),
        ] {
            assert_eq!(find(header, "crossfade"), value, "{header}");
        }
    }

    #[test]
    fn a_cookie_is_taken_out_and_the_rest_stays() {
        assert_eq!(without("a=1; secret=x; b=2", "secret"), "a=1; b=2");
        assert_eq!(without("secret=x", "secret"), "");
        assert_eq!(without("secrets=x; secret=1;secret=2", "secret"), "secrets=x");
        assert_eq!(without("a=1, secret=x; b=2, 3", "secret"), "a=1; b=2, 3");
    }

    #[test]
    fn the_origins_domain_is_dropped_and_another_stays() {
        let host = "0a1b2c3d.booking.pages.dev";
        for (cookie, home) in [
            ("sid=1; Domain=0a1b2c3d.booking.pages.dev; Path=/", Some("sid=1; Path=/")),
            ("sid=1; domain=.booking.pages.dev; Secure", Some("sid=1; Secure")),
            ("sid=1;Path=/;DOMAIN = BOOKING.pages.dev", Some("sid=1;Path=/")),
            ("sid=1; Domain=example.com", None),
            ("sid=1; Domain=ooking.pages.dev", None),
            ("sid=1; Domain=", None),
            ("sid=domain=x; Path=/", None),
            ("sid=1", None),
        ] {
            assert_eq!(at_home(cookie, host, "www.example.com").as_deref(), home, "{cookie}");
        }
    }

    #[test]
    fn a_domain_that_is_the_public_hosts_too_stays() {
        for (domain, public, stays) in [
            ("example.com", "www.example.com", true),
            (".Example.com", "example.com", true),
            ("example.com", "www.example.org", false),
            ("example.com", "www.myexample.com", false),
            ("blue.example.com", "www.example.com", false),
        ] {
            let home = at_home(&format!("sid=1; Domain={domain}; Secure"), "blue.example.com", public);
            assert_eq!(home.is_none(), stays, "{domain} at {public}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(header in ".*", name in "[a-z_-]{1,8}") {
            let _ = find(&header, &name);
            let rest = without(&header, &name);
            prop_assert_eq!(find(&rest, &name), None);
            let _ = at_home(&header, &name, &header);
        }
    }
}
