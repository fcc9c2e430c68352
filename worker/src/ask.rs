//! What a request says of itself. In: the lines of [`crate::glue::facts`]. Out: method, target, cookies, and the override.

use crossfade_core::cookie;
use crossfade_core::table::{Facts, RoutingTable};
use subtle::ConstantTimeEq as _;
use web_sys::Request;
use worker::js_sys::Reflect;

use crate::settings::Settings;

/// The cookie of the override: `<variant>:<token>`, for browsers. Its name also stands in `glue.js`.
pub(crate) const OVERRIDE_COOKIE: &str = "crossfade-override";

/// A request, as far as decisions need it.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// `GET`, …
    pub(crate) method: &'a str,
    /// The whole URL.
    pub(crate) url: &'a str,
    /// The cookies; empty too when nobody needs them.
    pub(crate) cookies: &'a str,
    /// The override's header, when one of its two headers is there.
    token: Option<&'a str>,
    variant: &'a str,
}

/// Whether somebody who holds the secret asks for a variant.
pub(crate) enum Override {
    /// Nobody does, or the secret is wrong.
    No,
    /// They do, and get this one (an index into the table's variants).
    To(usize),
    /// They do, and there is no such variant.
    Unknown(String),
}

impl<'a> Ask<'a> {
    /// Takes the lines apart.
    pub(crate) fn parse(lines: &'a str) -> Self {
        let mut lines = lines.split('\n');
        let mut next = || lines.next().unwrap_or_default();
        let (method, url, cookies) = (next(), next(), next());
        let token = lines.next();
        Self { method, url, cookies, token, variant: lines.next().unwrap_or_default() }
    }

    /// Whether the request changes nothing.
    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }

    /// Who is asked for by header or cookie. The time it takes does not depend on where a wrong secret differs.
    pub(crate) fn override_to(&self, settings: &Settings, table: &RoutingTable) -> Override {
        let Some(secret) = &settings.token else { return Override::No };
        let by_cookie = || cookie::find(self.cookies, OVERRIDE_COOKIE)?.split_once(':');
        let by_header = self.token.filter(|token| !token.is_empty()).map(|token| (self.variant, token));
        let Some((name, token)) = by_header.or_else(by_cookie) else { return Override::No };
        if !bool::from(token.as_bytes().ct_eq(secret.as_bytes())) {
            return Override::No;
        }
        match table.variants().iter().position(|variant| variant.name.as_str() == name) {
            Some(index) => Override::To(index),
            None => Override::Unknown(name.to_owned()),
        }
    }

    /// Whether the override's headers are there, right or wrong.
    pub(crate) const fn has_secrets(&self) -> bool {
        self.token.is_some()
    }

    /// The cookies without the override's, when it is among them: the origin must not see the secret.
    pub(crate) fn cookies_for_origin(&self) -> Option<String> {
        cookie::find(self.cookies, OVERRIDE_COOKIE).map(|_| cookie::without(self.cookies, OVERRIDE_COOKIE))
    }
}

/// What rules may ask for beyond that, from the request itself.
pub(crate) struct RequestFacts<'a>(pub(crate) &'a Request);

impl Facts for RequestFacts<'_> {
    fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    fn cookie(&self, name: &str) -> Option<String> {
        cookie::find(&self.header("cookie")?, name).map(str::to_owned)
    }

    fn country(&self) -> Option<String> {
        cf(self.0, "country")
    }
}

/// A property of `request.cf`, which Cloudflare's network fills
/// (<https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties>).
pub(crate) fn cf(request: &Request, property: &str) -> Option<String> {
    let cf = Reflect::get(request, &"cf".into()).ok()?;
    Reflect::get(&cf, &property.into()).ok()?.as_string()
}
