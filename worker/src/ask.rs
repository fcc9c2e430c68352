//! What a request says of itself. In: the lines of [`crate::glue::facts`]. Out: URL, cookies, and the override.

use crossfade_core::cookie;
use crossfade_core::table::{Facts, RoutingTable};
use subtle::ConstantTimeEq as _;
use web_sys::Request;
use worker::js_sys::Reflect;

use crate::settings::Settings;

/// The cookie of the override: `<variant>:<token>`, for browsers. Its name also stands in `glue.js`.
pub(crate) const OVERRIDE_COOKIE: &str = "crossfade-override";

/// A request, as far as decisions need it.
pub(crate) struct Ask {
    lines: String,
    /// Where the lines end.
    ends: [usize; 3],
    /// Whether the override's cookie may be among them.
    has_cookie: bool,
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

impl Ask {
    /// Takes the lines apart.
    pub(crate) fn parse(lines: String) -> Self {
        let mut ends = [lines.len(); 3];
        let breaks = lines.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        for (end, (at, _)) in ends.iter_mut().zip(breaks) {
            *end = at;
        }
        let mut ask = Self { lines, ends, has_cookie: false };
        ask.has_cookie = ask.cookies().contains(OVERRIDE_COOKIE);
        ask
    }

    /// The whole URL.
    pub(crate) fn url(&self) -> &str {
        let [url, ..] = self.ends;
        self.lines.get(..url).unwrap_or_default()
    }

    /// The cookies; empty too when nobody needs them.
    pub(crate) fn cookies(&self) -> &str {
        let [url, cookies, _] = self.ends;
        self.lines.get(url + 1..cookies).unwrap_or_default()
    }

    /// The override's headers, variant and token, when one of them is there.
    fn secrets(&self) -> Option<(&str, &str)> {
        let [_, cookies, token] = self.ends;
        Some((self.lines.get(token + 1..)?, self.lines.get(cookies + 1..token)?))
    }

    /// Who is asked for by header or cookie. The time it takes does not depend on where a wrong secret differs.
    pub(crate) fn override_to(&self, settings: &Settings, table: &RoutingTable) -> Override {
        let Some(secret) = &settings.token else { return Override::No };
        let by_cookie = || cookie::find(self.cookies(), OVERRIDE_COOKIE)?.split_once(':');
        let by_header = self.secrets().filter(|(_, token)| !token.is_empty());
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
    pub(crate) fn has_secrets(&self) -> bool {
        self.secrets().is_some()
    }

    /// The cookies without the override's, when it is among them: the origin must not see the secret.
    pub(crate) fn cookies_for_origin(&self) -> Option<String> {
        self.has_cookie.then(|| cookie::without(self.cookies(), OVERRIDE_COOKIE))
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
