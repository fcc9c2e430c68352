//! What is done to every answer, and the few that are the router's own.

use crossfade_core::cookie;
use crossfade_core::table::{Origin, RoutingTable};
use serde_json::Value;
use wasm_bindgen::JsValue;
use web_sys::{Response, ResponseInit};
use worker::console_error;
use worker::js_sys::JsString;

use crate::call::Call;
use crate::glue;
use crate::isolate::Ready;
use crate::route::Route;

/// Names the variant that answered, as a Structured Field dictionary (RFC 9651).
const RESPONSE_HEADER: &str = "crossfade";
/// What shared caches obey before `Cache-Control` (RFC 9213;
/// <https://developers.cloudflare.com/cache/concepts/cdn-cache-control/>).
const CACHES_ONLY: [&str; 3] = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

/// Whether an origin's answer counts as its failure.
pub(crate) const fn is_failure(status: u16) -> bool {
    status >= 500
}

/// The answer of the route's own variant, as the visitor gets it.
pub(crate) fn of_route(call: &Call, ready: &Ready, route: &Route, response: &Response) -> JsValue {
    match ready.variant(route.index) {
        Some(variant) => finish(call, ready, route, response, &variant.origin, None),
        None => no_table(),
    }
}

/// The answer of an origin, as the visitor gets it. `name` says who it is when that is not the route's own variant.
pub(crate) fn finish(
    call: &Call,
    ready: &Ready,
    route: &Route,
    response: &Response,
    origin: &Origin,
    name: Option<&str>,
) -> JsValue {
    let other = name.map(JsString::from);
    let Some(name) = other.as_ref().or_else(|| ready.name(route.index, route.lapsed)) else {
        return no_table();
    };
    let how = How { name, cookie: route.cookie.as_ref(), unindex: ready.unindexes(route.index) };
    match named(call, response, origin, how) {
        Ok(response) => {
            if route.private {
                // The secret's holder alone asked for this version; no cache may give it to a visitor.
                let headers = response.headers();
                let _ = headers.set("cache-control", "private, no-store");
                for name in CACHES_ONLY {
                    let _ = headers.delete(name);
                }
            }
            response.into()
        }
        Err(error) => unreachable(ready, route, &error),
    }
}

/// From `DEFAULT_ORIGIN`, while there is no table.
pub(crate) async fn without_table(call: &Call) -> JsValue {
    let Some(origin) = &call.settings.default_origin else { return no_table() };
    let name = JsString::from("variant=\"default\", version=\"\", revision=0");
    let how = How { name: &name, cookie: None, unindex: call.settings.unindexes(origin) };
    let answered = call.fetch(origin, None).await;
    match answered.and_then(|response| named(call, &response, origin, how)) {
        Ok(response) => response.into(),
        Err(error) => {
            console_error!("crossfade: DEFAULT_ORIGIN {origin}: {error:?}");
            no_table()
        }
    }
}

/// What is put on an answer.
struct How<'a> {
    name: &'a JsString,
    cookie: Option<&'a JsString>,
    unindex: bool,
}

/// Our header on an answer, and what would lead away from the public host led home.
fn named(call: &Call, response: &Response, origin: &Origin, how: How<'_>) -> Result<Response, JsValue> {
    const CREATED: u16 = 201;
    let status = response.status();
    // No copy can be made of a 101, which carries a socket that only the original object holds, nor of a status of an
    // origin's own invention (<https://fetch.spec.whatwg.org/#initialize-a-response>).
    if !(200..600).contains(&status) {
        // The same object: `response.clone()` would be JavaScript's, a copy.
        return Ok(Clone::clone(response));
    }
    let named = glue::named(response, how.name, how.cookie, how.unindex)?;
    if let Some(lines) = glue::domain_cookies(&named) {
        let public = call.target().hostname();
        let home =
            |line: &str| cookie::at_home(line, origin.host(), public).unwrap_or_else(|| line.to_owned());
        glue::replace_cookies(&named, &lines.split('\n').map(home).collect::<Vec<_>>().join("\n"));
    }
    if status == CREATED || (300..400).contains(&status) {
        let headers = named.headers();
        let home = headers.get("location")?.and_then(|location| call.target().home(&location, origin));
        if let Some(home) = home {
            headers.set("location", &home)?;
        }
    }
    Ok(named)
}

/// Nobody can answer: no table was ever seen and there is no default origin.
pub(crate) fn no_table() -> JsValue {
    let text = "Crossfade: there is no routing table yet and no DEFAULT_ORIGIN that answers. Please try again shortly.";
    retry_later(503, text, None)
}

/// The route's variant could not be reached.
pub(crate) fn unreachable(ready: &Ready, route: &Route, error: &JsValue) -> JsValue {
    let Some(variant) = ready.variant(route.index) else { return no_table() };
    console_error!("crossfade: variant {} at {}: {error:?}", variant.name, variant.origin);
    let text = format!("Crossfade: version {} did not answer. Please try again shortly.", variant.version);
    retry_later(502, &text, ready.name(route.index, route.lapsed))
}

/// The override asks for a variant that is not there.
pub(crate) fn unknown_variant(name: &str, table: &RoutingTable) -> JsValue {
    let names: Vec<&str> = table.variants().iter().map(|variant| variant.name.as_str()).collect();
    text(404, &format!("Crossfade: there is no variant `{name}`; there are {}", names.join(", ")), &[])
}

/// The request makes no sense.
pub(crate) fn bad_request() -> JsValue {
    text(400, "Crossfade: the request cannot be read", &[])
}

/// A line of plain text.
pub(crate) fn text(status: u16, text: &str, headers: &[(&str, &str)]) -> JsValue {
    build(status, "text/plain; charset=utf-8", &format!("{text}\n"), headers)
}

/// A JSON document.
pub(crate) fn json(status: u16, document: &Value) -> JsValue {
    build(status, "application/json", &document.to_string(), &[])
}

fn retry_later(status: u16, message: &str, name: Option<&JsString>) -> JsValue {
    const SECONDS: &str = "5";
    let name = name.map(String::from);
    let named = name.as_deref().map(|name| (RESPONSE_HEADER, name));
    let headers: Vec<(&str, &str)> = [("retry-after", SECONDS)].into_iter().chain(named).collect();
    text(status, message, &headers)
}

fn build(status: u16, content_type: &str, body: &str, headers: &[(&str, &str)]) -> JsValue {
    let init = ResponseInit::new();
    init.set_status(status);
    let Ok(response) = Response::new_with_opt_str_and_init(Some(body), &init) else {
        return JsValue::UNDEFINED;
    };
    let always = [("content-type", content_type), ("cache-control", "no-store")];
    for (name, value) in always.iter().chain(headers) {
        // Names and values are ours, and fit.
        let _ = response.headers().set(name, value);
    }
    response.into()
}
