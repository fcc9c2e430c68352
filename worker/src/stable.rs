//! The way of most requests: sent on, answered, named, without a Rust future. One closure waits for the answer.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::Response;
use worker::js_sys::Math;

use crate::answer;
use crate::asset;
use crate::call::Call;
use crate::glue;
use crate::isolate::{self, Ready};
use crate::route::Route;

/// Answers from the stable variant.
pub(crate) fn answer(call: Call, ready: Rc<Ready>, route: Route) -> JsValue {
    let Some(variant) = ready.variant(route.index) else { return answer::no_table() };
    isolate::with_tally(&ready, route.index, |tally| tally.requests += 1);
    match call.send(&variant.origin, None) {
        Ok(sent) => {
            let callback = Closure::once_into_js(move |result| finish(call, ready, route, result));
            glue::when(&sent, &callback).into()
        }
        Err(error) => finish(call, ready, route, error),
    }
}

/// Takes the answer, or what went wrong.
fn finish(call: Call, ready: Rc<Ready>, route: Route, result: JsValue) -> JsValue {
    let response = result.dyn_into::<Response>();
    let status = response.as_ref().map_or(0, Response::status);
    if response.is_err() || answer::is_failure(status) {
        isolate::with_tally(&ready, route.index, |tally| tally.failures += 1);
    }
    let response = match response {
        Ok(response) => response,
        Err(error) => return answer::unreachable(&ready, &route, &error),
    };
    if !route.lapsed {
        mirror(&call, &ready);
    }
    if asset::is_missing(&call, &response, status) {
        return crate::promise(asset::answer(call, ready, route, response));
    }
    answer::of_route(&call, &ready, &route, &response)
}

/// Repeats a share of the GET requests on another variant, once the visitor has been seen to.
fn mirror(call: &Call, ready: &Ready) {
    let Some(mirror) = &ready.table().policy().mirror else { return };
    let share = f64::from(mirror.weight.basis_points()) / 10_000.0;
    if call.ask().method != "GET" || Math::random() >= share {
        return;
    }
    let Some(variant) = ready.table().variant(&mirror.to) else { return };
    let sent = call.mirror(&variant.origin);
    call.context.wait_until(async move {
        // What a copy comes to is nobody's business but the canary's own logs'.
        let _ = worker::js_sys::futures::JsFuture::from(sent).await;
    });
}
