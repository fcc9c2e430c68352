//! `/__crossfade/…`: what the router tells those who hold the secret. Never cached, never sent on to an origin.

use std::rc::Rc;

use crossfade_core::Timestamp;
use crossfade_core::breaker::State;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use wasm_bindgen::JsValue;
use worker::console_error;

use crate::answer;
use crate::ask::cf;
use crate::call::Call;
use crate::counting;
use crate::isolate::{self, Isolate, Ready};

const PREFIX: &str = "/__crossfade";

/// Whether a path belongs to the router itself.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request, or promises to.
pub(crate) fn answer(call: Call, now: Timestamp) -> JsValue {
    crate::promise(call, async move |call| answer_now(call, now).await)
}

/// Answers a control request.
pub(crate) async fn answer_now(call: Call, now: Timestamp) -> JsValue {
    if !authorised(&call) {
        return answer::text(
            401,
            "this endpoint needs `Authorization: Bearer <CROSSFADE_TOKEN>`",
            &[("www-authenticate", "Bearer")],
        );
    }
    match (call.target().path().strip_prefix(PREFIX), call.request().method().as_str()) {
        (Some("/status"), "GET" | "HEAD") => answer::json(200, &status(&call, now)),
        (Some("/metrics"), "GET" | "HEAD") => metrics(&call).await,
        (Some("/status" | "/metrics"), _) => answer::text(405, "GET only", &[("allow", "GET, HEAD")]),
        (_, _) => answer::text(404, "there are `/__crossfade/status` and `/__crossfade/metrics`", &[]),
    }
}

/// What the counters' object says.
async fn metrics(call: &Call) -> JsValue {
    let settings = &call.settings;
    if settings.counters.is_none() {
        return answer::text(404, "this router counts nothing: it has no binding COUNTERS", &[]);
    }
    let accept = call.request().headers().get("accept").ok().flatten().unwrap_or_default();
    let query = call.target().query().strip_prefix('?').unwrap_or_default();
    // What is asked for by name goes before what is taken.
    let format = if accept.contains("text/plain") { "format=prometheus&" } else { "" };
    let path = format!("/metrics?{format}{query}&environment={}", settings.environment);
    match counting::ask(settings, &path).await {
        Ok(response) => response.into(),
        Err(error) => {
            console_error!("crossfade: the counters' object: {error:?}");
            let text = "the counters' object does not answer; the router goes on without it";
            answer::text(503, text, &[("retry-after", "5")])
        }
    }
}

/// Whether the request carries the secret. Time does not depend on where a wrong token differs; without a secret
/// everything is wrong.
fn authorised(call: &Call) -> bool {
    let Some(token) = &call.settings.token else { return false };
    let header = call.request().headers().get("authorization").ok().flatten().unwrap_or_default();
    let given = match header.split_once(' ') {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => given.trim(),
        Some(_) | None => "",
    };
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

fn status(call: &Call, now: Timestamp) -> Value {
    isolate::with(|isolate| {
        let ready = isolate.table.clone();
        let table = ready.as_deref().map(Ready::table);
        let variants = ready.as_ref().map(|ready| {
            let tallies = (0..ready.table().variants().len()).map(|index| tally(isolate, ready, index));
            tallies.collect::<Vec<_>>()
        });
        json!({
            "environment": call.settings.environment,
            "now": now,
            "colo": cf(&call.request(), "colo"),
            "revision": table.map(|table| table.revision()),
            "release": table.map(|table| table.release()),
            "lease_expires_at": table.and_then(|table| table.lease()).map(|lease| lease.expires_at),
            "lapsed": table.is_some_and(|table| table.lapsed(now)),
            "table": table,
            "isolate": variants,
            "checked_at": isolate.checked_at,
            "refresh_seconds": call.settings.refresh.as_secs(),
            "default_origin": call.settings.default_origin,
            "trouble": isolate.trouble,
        })
    })
}

/// How one variant has answered in this isolate.
fn tally(isolate: &mut Isolate, ready: &Rc<Ready>, index: usize) -> Value {
    let name = ready.variant(index).map(|variant| variant.name.as_str());
    let Some(tally) = isolate.tally(ready, index) else { return json!({ "variant": name }) };
    let breaker = match tally.breaker.state() {
        State::Closed { failures } => json!({ "state": "closed", "failures_in_a_row": failures }),
        State::Open { until } => json!({ "state": "open", "until": until }),
        State::HalfOpen { since } => json!({ "state": "half-open", "since": since }),
    };
    json!({
        "variant": name, "requests": tally.requests, "failures": tally.failures, "rescued": tally.rescued,
        "breaker": breaker,
    })
}
