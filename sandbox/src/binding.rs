//! What the runtime's bindings talk to. In: workerd's requests for KV (`GET /<key>?urlencoded=true&cache_ttl=…`), data points. Out: values.
//!
//! The protocol is what workerd's client sends
//! (<https://github.com/cloudflare/workerd/blob/main/src/workerd/api/kv.c%2B%2B>); only reads are answered, because the
//! router only reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::NAMESPACE_ID;
use crate::state::State;

/// Says which namespace is read; the runtime is configured to add it.
pub(crate) const NAMESPACE_HEADER: &str = "x-sandbox-namespace";

/// <https://developers.cloudflare.com/kv/api/read-key-value-pairs/#cachettl-parameter>
const CACHE_TTL_MIN: u64 = 30;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().route("/{*key}", get(read)).route("/", post(data_point)).with_state(state)
}

async fn read(
    Shared(state): Shared<Arc<State>>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let namespace =
        headers.get(NAMESPACE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or(NAMESPACE_ID);
    state.count_kv_read();
    if let Some(ttl) = query.get("cache_ttl")
        && ttl.parse::<u64>().is_ok_and(|ttl| ttl < CACHE_TTL_MIN)
    {
        let text = format!("Invalid cache_ttl of {ttl}. Cache TTL must be at least {CACHE_TTL_MIN}.");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let fault = state.kv_fault();
    if fault.hang {
        std::future::pending::<()>().await;
    }
    if fault.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    if let Some(status) = fault.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return (status, "KV fails on request").into_response();
    }
    match state.kv().value_seen(namespace, &key, Duration::from_millis(fault.propagation_ms)) {
        Some(value) => value.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn data_point(Shared(state): Shared<Arc<State>>, Json(point): Json<serde_json::Value>) {
    state.add_data_point(point);
}
