//! `/__crossfade/…`: what the router tells those who hold the secret. Never cached, never sent on to an origin.

use crossfade_core::Timestamp;
use js_sys::Reflect;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use web_sys::{Request, Response};
use worker::Result;

use crate::answer;
use crate::settings::Settings;
use crate::table;

const PREFIX: &str = "/__crossfade";

/// Whether a path belongs to the router itself.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request.
pub(crate) fn answer(request: &Request, path: &str, settings: &Settings, now: Timestamp) -> Result<Response> {
    if !authorised(request, settings) {
        let response = answer::text(401, "this endpoint needs `Authorization: Bearer <CROSSFADE_TOKEN>`")?;
        response.headers().set("www-authenticate", "Bearer")?;
        return Ok(response);
    }
    match (path.strip_prefix(PREFIX), request.method().as_str()) {
        (Some("/status"), "GET" | "HEAD") => answer::json(200, &status(request, settings, now)),
        (Some("/status"), _) => {
            let response = answer::text(405, "GET only")?;
            response.headers().set("allow", "GET, HEAD")?;
            Ok(response)
        }
        (_, _) => answer::text(404, "there is `/__crossfade/status`"),
    }
}

/// Whether the request carries the secret. Time does not depend on where a wrong token differs; without a secret
/// everything is wrong.
fn authorised(request: &Request, settings: &Settings) -> bool {
    let Some(token) = &settings.token else { return false };
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    let given = match header.split_once(' ') {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => given.trim(),
        Some(_) | None => "",
    };
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

fn status(request: &Request, settings: &Settings, now: Timestamp) -> Value {
    let life = table::life();
    let table = life.table.as_deref().map(|assignment| assignment.table());
    json!({
        "environment": settings.environment,
        "now": now,
        "colo": colo(request),
        "revision": table.map(|table| table.revision()),
        "release": table.map(|table| table.release()),
        "lease_expires_at": table.and_then(|table| table.lease()).map(|lease| lease.expires_at),
        "lapsed": table.is_some_and(|table| table.lapsed(now)),
        "table": table,
        "checked_at": life.checked_at,
        "refresh_seconds": settings.refresh.as_secs(),
        "default_origin": settings.default_origin,
        "trouble": life.trouble,
    })
}

/// The data centre that answers, where the runtime says so.
fn colo(request: &Request) -> Option<String> {
    let cf = Reflect::get(request, &"cf".into()).ok()?;
    Reflect::get(&cf, &"colo".into()).ok()?.as_string()
}
