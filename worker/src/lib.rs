//! The edge router. In: a visitor's request. Out: the answer of the variant that the routing table gives this visitor.
//!
//! | module | what it knows |
//! |---|---|
//! | [`settings`] | the Worker's variables and secrets |
//! | [`table`] | the table in force in this isolate, and how it stays fresh |
//! | [`target`] | the path of a request, and the way home |
//! | [`visitor`] | who is asking, and the cookie that remembers it |
//! | [`forward`] | the request to the origin and its answer |
//! | [`asset`] | files that only another version has |
//! | [`control`] | `/__crossfade/…` |
//! | [`answer`] | the few answers that are the router's own |
//!
//! Invariants: a request waits for KV only while this isolate has never seen a table; no body is read or buffered; a
//! router without a table still answers from `DEFAULT_ORIGIN`; nothing here panics.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod asset;
mod control;
mod forward;
mod settings;
mod table;
mod target;
mod visitor;

use crossfade_core::Timestamp;
use settings::Settings;
use target::Target;
use worker::{Context, Env, Result, event};

/// Runs once an isolate.
#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Answers one request.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> Result<web_sys::Response> {
    let url = target::resolved(request.url());
    let Some(target) = Target::parse(&url) else {
        return answer::text(400, "the request's URL is not one");
    };
    let now = now();
    let settings = Settings::of(&env);
    if control::owns(target.path()) {
        table::ensure(&env, &settings, &context, now).await;
        return control::answer(&request, target.path(), &settings, now);
    }
    match table::ensure(&env, &settings, &context, now).await {
        Some(assignment) => forward::to_variant(&request, target, &assignment, &settings, now).await,
        None => match &settings.default_origin {
            Some(origin) => forward::to_default(&request, target, origin).await,
            None => answer::no_table(),
        },
    }
}

/// The Worker's clock, which stands still between I/O.
fn now() -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are whole and far below 2^53"
    )]
    Timestamp::from_millis(js_sys::Date::now() as i64)
}
