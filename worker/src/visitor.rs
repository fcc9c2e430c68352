//! Who is asking. In: a request's headers. Out: an id, and the cookie that remembers it.

use cookie::{Cookie, SameSite, time::Duration};
use crossfade_core::assign::VisitorId;
use web_sys::Headers;

/// Browsers take a `__Host-` cookie only over HTTPS, for one host and the path `/`, so no neighbour can plant it
/// (<https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>).
const NAME_SECURE: &str = "__Host-crossfade";
/// Where `__Host-` can't be used: plain HTTP on a loopback host.
const NAME_PLAIN: &str = "crossfade";

/// A visitor and whether their browser remembers the id.
pub(crate) struct Visitor {
    /// The id.
    pub(crate) id: VisitorId,
    /// The id came from the cookie.
    pub(crate) remembered: bool,
}

impl Visitor {
    /// Recognises a visitor by the cookie, else by what the requests of one browser have in common. A forged or damaged
    /// cookie is a new visitor.
    pub(crate) fn of(headers: &Headers, secure: bool) -> Self {
        let text = |name: &str| headers.get(name).ok().flatten().unwrap_or_default();
        let cookies = text("cookie");
        let id = Cookie::split_parse(cookies.as_str())
            .flatten()
            .find(|cookie| cookie.name() == name(secure))
            .and_then(|cookie| VisitorId::parse(cookie.value()));
        match id {
            Some(id) => Self { id, remembered: true },
            None => {
                let traits = ["cf-connecting-ip", "user-agent", "accept-language"].map(text);
                let id = VisitorId::derive(traits.each_ref().map(String::as_str));
                Self { id, remembered: false }
            }
        }
    }
}

/// The `Set-Cookie` value that remembers an id for a year.
pub(crate) fn set_cookie(id: VisitorId, secure: bool) -> String {
    Cookie::build((name(secure), id.to_string()))
        .path("/")
        .max_age(Duration::days(365))
        .same_site(SameSite::Lax)
        .secure(secure)
        .http_only(true)
        .build()
        .to_string()
}

const fn name(secure: bool) -> &'static str {
    if secure { NAME_SECURE } else { NAME_PLAIN }
}
