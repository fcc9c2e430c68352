//! The `Cookie` header. In: its value. Out: one cookie, or the header without one.
//!
//! By hand, because the router looks at it with every request and must not copy it for that. A value that no browser would
//! send is skipped, never an error.

/// The value of the first cookie of that name (<https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1>).
pub fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    pairs(header).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The header without any cookie of that name; empty when none is left.
pub fn without(header: &str, name: &str) -> String {
    let is_named = |pair: &&str| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    pairs(header).filter(|pair| !is_named(pair)).collect::<Vec<_>>().join("; ")
}

/// A `Set-Cookie` without its `Domain` when that is the origin's own host or a domain above it: at the public host a browser
/// would refuse the cookie. `None` when there is nothing to change.
pub fn at_home(set_cookie: &str, origin_host: &str) -> Option<String> {
    let is_foreign = |attribute: &str| {
        let (name, value) = attribute.split_once('=')?;
        let domain = value.trim().trim_start_matches('.');
        let covers = origin_host.len() >= domain.len()
            && origin_host.is_char_boundary(origin_host.len() - domain.len())
            && origin_host[origin_host.len() - domain.len()..].eq_ignore_ascii_case(domain);
        (name.trim().eq_ignore_ascii_case("domain") && !domain.is_empty() && covers).then_some(())
    };
    let mut parts = set_cookie.split(';');
    let pair = parts.next()?;
    let attributes: Vec<&str> = parts.collect();
    let kept: Vec<&str> =
        attributes.iter().copied().filter(|attribute| is_foreign(attribute).is_none()).collect();
    (kept.len() < attributes.len()).then(|| std::iter::once(pair).chain(kept).collect::<Vec<_>>().join(";"))
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
    }

    #[test]
    fn the_origins_domain_is_dropped_and_another_stays() {
        let host = "0a1b2c3d.booking.pages.dev";
        for (cookie, home) in [
            ("sid=1; Domain=0a1b2c3d.booking.pages.dev; Path=/", Some("sid=1; Path=/")),
            ("sid=1; domain=.booking.pages.dev; Secure", Some("sid=1; Secure")),
            ("sid=1;Path=/;DOMAIN = BOOKING.pages.dev", Some("sid=1;Path=/")),
            ("sid=1; Domain=example.com", None),
            ("sid=1; Domain=", None),
            ("sid=domain=x; Path=/", None),
            ("sid=1", None),
        ] {
            assert_eq!(at_home(cookie, host).as_deref(), home, "{cookie}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(header in ".*", name in "[a-z_-]{1,8}") {
            let _ = find(&header, &name);
            let rest = without(&header, &name);
            prop_assert_eq!(find(&rest, &name), None);
            let _ = at_home(&header, &name);
        }
    }
}
