//! `/__crossfade/…`: what the router tells those who hold the secret. Never cached, never sent on to an origin.

use std::rc::Rc;

use crossfade_core::Timestamp;
use crossfade_core::breaker::State;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use wasm_bindgen::JsValue;

use crate::answer;
use crate::ask::cf;
use crate::call::Call;
use crate::isolate::{self, Isolate, Ready};

const PREFIX: &str = "/__crossfade";

/// Whether a path belongs to the router itself.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request.
pub(crate) fn answer(call: &Call, now: Timestamp) -> JsValue {
    if !authorised(call) {
        return answer::text(
            401,
            "this endpoint needs `Authorization: Bearer <CROSSFADE_TOKEN>`",
            &[("www-authenticate", "Bearer")],
        );
    }
    match (call.target().path().strip_prefix(PREFIX), call.request().method().as_str()) {
        (Some("/status"), "GET" | "HEAD") => answer::json(200, &status(call, now)),
        (Some("/status"), _) => answer::text(405, "GET only", &[("allow", "GET, HEAD")]),
        (_, _) => answer::text(404, "there is `/__crossfade/status`", &[]),
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
