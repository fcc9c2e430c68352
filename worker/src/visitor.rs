//! Who is asking. In: a request. Out: an id, and the cookie that remembers it.

use crossfade_core::assign::VisitorId;
use crossfade_core::cookie;
use crossfade_core::table::{AffinityBy, SameSite};
use web_sys::Request;

use crate::call::Call;
use crate::isolate::Ready;

/// Browsers take a `__Host-` cookie only over HTTPS, for one host and the path `/`, so no neighbour can plant it
/// (<https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>).
const NAME_SECURE: &str = "__Host-crossfade";
/// Where `__Host-` can't be used: plain HTTP on a loopback host, or another path.
const NAME_PLAIN: &str = "crossfade";
/// A year.
const MAX_AGE_SECONDS: u32 = 31_536_000;

/// A visitor.
pub(crate) struct Visitor {
    /// The id.
    pub(crate) id: VisitorId,
    /// The `Set-Cookie` that remembers it; `None` when the browser does, or nobody is to.
    pub(crate) cookie: Option<String>,
}

impl Visitor {
    /// Recognises a visitor by what the table says, else by what the requests of one browser have in common. A forged or
    /// damaged cookie is a new visitor.
    pub(crate) fn of(request: &Request, cookies: &str, by: &AffinityBy, secure: bool) -> Self {
        match by {
            AffinityBy::Cookie { same_site, path } => {
                let name = if secure && path == "/" { NAME_SECURE } else { NAME_PLAIN };
                match cookie::find(cookies, name).and_then(VisitorId::parse) {
                    Some(id) => Self { id, cookie: None },
                    None => {
                        let id = by_traits(request);
                        Self { id, cookie: Some(set_cookie(name, id, *same_site, path, secure)) }
                    }
                }
            }
            AffinityBy::Header { header } => {
                let value = text(request, header);
                let id =
                    if value.is_empty() { by_traits(request) } else { VisitorId::derive(["", "", &value]) };
                Self { id, cookie: None }
            }
            AffinityBy::Address => Self { id: by_traits(request), cookie: None },
        }
    }

    /// The same once more, for a request that was sent.
    pub(crate) fn again(call: &Call, ready: &Ready) -> Self {
        let request = call.request();
        let cookies = text(&request, "cookie");
        Self::of(&request, &cookies, &ready.table().affinity().by, call.target().secure())
    }
}

fn by_traits(request: &Request) -> VisitorId {
    let traits = ["cf-connecting-ip", "user-agent", "accept-language"].map(|name| text(request, name));
    VisitorId::derive(traits.each_ref().map(String::as_str))
}

fn text(request: &Request, header: &str) -> String {
    request.headers().get(header).ok().flatten().unwrap_or_default()
}

fn set_cookie(name: &str, id: VisitorId, same_site: SameSite, path: &str, secure: bool) -> String {
    let same_site = match same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
        SameSite::None => "None",
    };
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={id}; HttpOnly; SameSite={same_site}{secure}; Path={path}; Max-Age={MAX_AGE_SECONDS}")
}
