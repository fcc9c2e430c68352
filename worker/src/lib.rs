//! The edge router. In: a visitor's request. Out: the answer of the variant that the routing table gives this visitor.
//!
//! | module | what it knows |
//! |---|---|
//! | [`settings`] | the Worker's variables and secrets |
//! | [`table`] | how the table gets here and stays fresh |
//! | [`isolate`] | the table in force, and how its variants have answered here |
//! | [`call`], [`ask`], [`target`] | one request: what it says of itself, its path, the way home |
//! | [`route`] | who answers it: lease, override, rules, draw, breaker |
//! | [`visitor`] | who is asking, and the cookie that remembers it |
//! | [`stable`] | the way of most requests, without a future |
//! | [`canary`] | the way of those that may fail: deadline, rescue, count |
//! | [`counting`] | how requests ended, and who is told |
//! | [`asset`] | files that only another version has |
//! | [`answer`] | what is done to every answer, and the few that are the router's own |
//! | [`control`] | `/__crossfade/…` |
//! | [`glue`] | calls of the platform that always come together |
//!
//! Invariants: a request waits for KV only while this isolate has never seen a table; no body is read or buffered; a
//! router without a table still answers from `DEFAULT_ORIGIN`; nothing here panics.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod ask;
mod asset;
mod call;
mod canary;
mod control;
mod counting;
mod glue;
mod isolate;
mod route;
mod settings;
mod stable;
mod table;
mod target;
mod visitor;

use std::rc::Rc;

use crossfade_core::Timestamp;
use wasm_bindgen::prelude::*;
use worker::{Env, js_sys};

use call::Call;
use glue::Incoming;
use isolate::Ready;
use settings::Settings;

/// Runs once an isolate.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Answers one request: with a response, or the promise of one. Most go their whole way without a Rust future, which would
/// cost each of them several turns of JavaScript's event loop.
#[wasm_bindgen]
pub fn fetch(incoming: Incoming, env: Env) -> JsValue {
    let now = now();
    let settings = Settings::of(&env);
    let ready = table::current();
    let cookies = ready.as_ref().is_none_or(|ready| ready.assignment.is_split());
    let call = Call::new(incoming, cookies, settings);
    if ready.is_some() {
        table::refresh_when_due(&env, &call, now);
    }
    if call.target().path().is_empty() {
        return answer::bad_request();
    }
    let is_control = control::owns(call.target().path());
    match ready {
        Some(_) if is_control => control::answer(call, now),
        Some(ready) => dispatch(call, ready, now),
        None => promise(call, async move |call| {
            let ready = table::first(&env, &call, now).await;
            // That took a while, in which a lease may have run out.
            let now = self::now();
            match ready {
                _ if is_control => control::answer_now(call, now).await,
                Some(ready) => dispatch(call, ready, now),
                None => answer::without_table(&call).await,
            }
        }),
    }
}

/// Sends a request on its way.
fn dispatch(call: Call, ready: Rc<Ready>, now: Timestamp) -> JsValue {
    match route::route(&call, &ready, now) {
        Ok(route) if route.index == ready.stable => stable::answer(&call, &ready, &route),
        Ok(route) => promise(call, |call| canary::answer(call, ready, route, now)),
        Err(unknown) => answer::unknown_variant(&unknown, ready.table()),
    }
}

/// The promise of what a request's future comes to.
fn promise<F: Future<Output = JsValue> + 'static>(call: Call, answer: impl FnOnce(Call) -> F) -> JsValue {
    let incoming = call.incoming.clone();
    let future = answer(call);
    let future = std::panic::AssertUnwindSafe(async { Ok(future.await) });
    glue::kept(&js_sys::futures::future_to_promise(future), &incoming).into()
}

/// The Worker's clock, which stands still between I/O.
fn now() -> Timestamp {
    moment(js_sys::Date::now())
}

/// A moment as JavaScript has it.
fn moment(millis: f64) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are whole and far below 2^53"
    )]
    Timestamp::from_millis(millis as i64)
}
