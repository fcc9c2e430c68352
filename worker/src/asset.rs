//! Asset fallback. In: an answer that says that a file is not there. Out: the file, from a version that has it.
//!
//! What counts as such a file and where to look is [`crossfade_core::asset`]'s; this module only asks.

use std::rc::Rc;

use crossfade_core::asset::{self, Place};
use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::js_sys::futures::JsFuture;

use crate::answer;
use crate::call::Call;
use crate::counting;
use crate::isolate::{Ready, header};
use crate::route::Route;

/// Whether this answer says that a file is not there that another version may have. Only for GET and HEAD: nothing else may be
/// asked twice.
pub(crate) fn is_missing(call: &Call, response: &Response, status: u16) -> bool {
    let dest = || call.request().headers().get("sec-fetch-dest").ok().flatten().unwrap_or_default();
    let content_type = || response.headers().get("content-type").ok().flatten().unwrap_or_default();
    asset::is_missing(call.target().path(), dest, status, content_type) && call.is_safe()
}

/// The file from the first place that has it, one place after the other; else the answer that was there.
pub(crate) async fn answer(call: Call, ready: Rc<Ready>, route: Route, missing: Response) -> JsValue {
    let table = ready.table();
    let Some(asked) = ready.variant(route.index) else { return answer::no_table() };
    let default = call.settings.default_origin.as_ref();
    let default = default.map(|origin| Place { name: "default", origin, version: "" });
    for place in asset::places(table, asked).into_iter().chain(default) {
        // A place that cannot be reached, or does not answer, does not have it either.
        let deadline = Some(table.policy().rescue.deadline);
        let Ok(response) = call.fetch_within(place.origin, deadline).await else { continue };
        let is_there = response.ok() || response.status() == 304;
        if is_there && !is_missing(&call, &response, response.status()) {
            discard(&missing).await;
            counting::fallback(&call, &ready, route.index);
            let name = header(place.name, place.version, table, route.lapsed, ", fallback");
            return answer::finish(&call, &ready, &route, &response, place.origin, Some(&name));
        }
        discard(&response).await;
    }
    answer::finish(&call, &ready, &route, &missing, &asked.origin, None)
}

/// Gives up a body, so that its connection is free: a request may have six open at once
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
pub(crate) async fn discard(response: &Response) {
    if let Some(body) = response.body() {
        let _: Result<JsValue, JsValue> = JsFuture::from(body.cancel()).await;
    }
}
