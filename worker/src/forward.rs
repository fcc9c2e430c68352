//! The way to an origin and back. In: a visitor's request. Out: the origin's answer, streamed, with our header on it.
//!
//! The incoming request is the new one's init object: method, headers, body stream and `redirect: "manual"` go over in
//! one call and nothing is read.

use crossfade_core::Timestamp;
use crossfade_core::assign::Assignment;
use crossfade_core::table::{Origin, Variant};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Request, RequestInit, Response, ResponseInit};
use worker::{Result, console_error, js_sys::futures::JsFuture};

use crate::settings::Settings;
use crate::target::Target;
use crate::visitor::{Visitor, set_cookie};
use crate::{answer, asset};

/// Names the variant that answered, as a Structured Field dictionary (RFC 9651).
pub(crate) const RESPONSE_HEADER: &str = "crossfade";
/// Request headers that are between the maintainers and the router, not for the origin to see.
const PRIVATE_HEADERS: [&str; 2] = ["crossfade-token", "crossfade-variant"];

/// Sends a request to the variant that the table gives this visitor.
pub(crate) async fn to_variant(
    request: &Request,
    target: Target<'_>,
    assignment: &Assignment,
    settings: &Settings,
    now: Timestamp,
) -> Result<Response> {
    let visitor = Visitor::of(&request.headers(), target.secure());
    let choice = assignment.choose(visitor.id, now);
    let table = assignment.table();
    let Some(variant) = table.variants().get(choice.variant) else { return answer::no_table() };
    let lapsed = if choice.lapsed { ", lapsed" } else { "" };
    let name = |name: &str, version: &str, more: &str| {
        format!("variant=\"{name}\", version=\"{version}\", revision={}{lapsed}{more}", table.revision())
    };
    let chosen = name(variant.name.as_str(), variant.version.as_str(), "");
    let response = match send(request, target, &variant.origin).await {
        Ok(response) => response,
        Err(error) => return unreachable_origin(variant, &chosen, &error),
    };
    if asset::may_be_elsewhere(&request.method(), target) && asset::is_missing(&response) {
        let default = settings.default_origin.as_ref();
        if let Some((place, found)) = asset::elsewhere(request, target, table, variant, default).await {
            asset::discard(&response).await;
            return with_header(&found, &name(place.name, place.version, ", fallback"));
        }
    }
    if is_sealed(&response) {
        return Ok(response);
    }
    let response = with_header(&response, &chosen)?;
    // While one variant has everybody there is nothing to remember, and no cookie.
    if !visitor.remembered && !choice.lapsed && assignment.is_split() {
        response.headers().append("set-cookie", &set_cookie(visitor.id, target.secure()))?;
    }
    home_redirect(&response, target, &variant.origin)?;
    Ok(response)
}

/// Sends a request to the origin that answers while there is no table.
pub(crate) async fn to_default(request: &Request, target: Target<'_>, origin: &Origin) -> Result<Response> {
    match send(request, target, origin).await {
        Ok(response) if is_sealed(&response) => Ok(response),
        Ok(response) => {
            let response = with_header(&response, "variant=\"default\", version=\"\", revision=0")?;
            home_redirect(&response, target, origin)?;
            Ok(response)
        }
        Err(error) => {
            console_error!("crossfade: DEFAULT_ORIGIN {origin}: {error:?}");
            answer::no_table()
        }
    }
}

/// Sends the request as it is to another host.
pub(crate) async fn send(
    request: &Request,
    target: Target<'_>,
    origin: &Origin,
) -> Result<Response, JsValue> {
    // The runtime reads the same properties of a `Request` as of an init object.
    let outgoing =
        Request::new_with_str_and_init(&target.at(origin), request.unchecked_ref::<RequestInit>())?;
    let headers: Headers = outgoing.headers();
    headers.set("x-forwarded-host", target.host())?;
    headers.set("x-forwarded-proto", if target.secure() { "https" } else { "http" })?;
    for name in PRIVATE_HEADERS {
        headers.delete(name)?;
    }
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    JsFuture::from(global.fetch_with_request(&outgoing)).await?.dyn_into()
}

/// Whether an answer must pass as it is, because no copy of it can be made: a 101 carries a socket that only the original
/// object holds, and no `Response` can be constructed with a status of an origin's own invention
/// (<https://fetch.spec.whatwg.org/#initialize-a-response>).
fn is_sealed(response: &Response) -> bool {
    !(200..600).contains(&response.status())
}

/// The same answer with headers that can be changed, and ours among them.
fn with_header(response: &Response, name: &str) -> Result<Response> {
    let init = response.unchecked_ref::<ResponseInit>();
    let changed = Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)?;
    changed.headers().set(RESPONSE_HEADER, name)?;
    Ok(changed)
}

/// A `Location` of the origin's own host would show it to the visitor and lead past the router.
fn home_redirect(response: &Response, target: Target<'_>, origin: &Origin) -> Result<()> {
    const CREATED: u16 = 201;
    if response.status() != CREATED && !(300..400).contains(&response.status()) {
        return Ok(());
    }
    let headers = response.headers();
    if let Some(home) = headers.get("location")?.and_then(|location| target.home(&location, origin)) {
        headers.set("location", &home)?;
    }
    Ok(())
}

fn unreachable_origin(variant: &Variant, name: &str, error: &JsValue) -> Result<Response> {
    console_error!("crossfade: variant {} at {}: {error:?}", variant.name, variant.origin);
    let response = answer::unreachable(variant)?;
    response.headers().set(RESPONSE_HEADER, name)?;
    Ok(response)
}
