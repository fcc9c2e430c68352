//! Asset fallback. In: an answer that says that a fingerprinted file is not there. Out: the file, from a version that
//! has it.
//!
//! What counts as such a file and where to look is [`crossfade_core::asset`]'s; this module only asks.

use crossfade_core::RoutingTable;
use crossfade_core::asset::{self, Place};
use crossfade_core::table::{Origin, Variant};
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::js_sys::futures::JsFuture;

use crate::forward;
use crate::target::Target;

/// Whether a request is for a file that another version may have. Only GET and HEAD: nothing else may be asked twice.
pub(crate) fn may_be_elsewhere(method: &str, target: Target<'_>) -> bool {
    matches!(method, "GET" | "HEAD") && asset::is_fingerprinted(target.path())
}

/// Whether this answer says that the file is not there.
pub(crate) fn is_missing(response: &Response) -> bool {
    let content_type = response.headers().get("content-type").ok().flatten().unwrap_or_default();
    asset::is_missing(response.status(), &content_type)
}

/// The file from the first place that has it, one place after the other; `None` when nobody has it.
pub(crate) async fn elsewhere<'a>(
    request: &Request,
    target: Target<'_>,
    table: &'a RoutingTable,
    asked: &Variant,
    default_origin: Option<&'a Origin>,
) -> Option<(Place<'a>, Response)> {
    let default = default_origin.map(|origin| Place { name: "default", origin, version: "" });
    for place in asset::places(table, asked).into_iter().chain(default) {
        // A place that cannot be reached does not have it either.
        let Ok(response) = forward::send(request, target, place.origin).await else { continue };
        if response.ok() && !is_missing(&response) || response.status() == 304 {
            return Some((place, response));
        }
        discard(&response).await;
    }
    None
}

/// Gives up a body, so that its connection is free: a request may have six open at once
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
pub(crate) async fn discard(response: &Response) {
    if let Some(body) = response.body() {
        let _: Result<JsValue, JsValue> = JsFuture::from(body.cancel()).await;
    }
}
