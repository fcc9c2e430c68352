//! `/sandbox/…` on the API's port: faults and the request log, for programs in other languages than this one.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::Value;

use crate::faults::{Fault, KvFault};
use crate::state::{ApiRequest, State};

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/sandbox", get(describe))
        .route("/sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/sandbox/kv/fault", put(set_kv_fault))
        .route("/sandbox/requests", get(requests).delete(clear_requests))
        .with_state(state)
}

async fn describe(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    Json(state.describe())
}

async fn faults(Shared(state): Shared<Arc<State>>) -> Json<Vec<Fault>> {
    Json(state.faults())
}

async fn add_fault(Shared(state): Shared<Arc<State>>, Json(fault): Json<Fault>) -> StatusCode {
    state.add_fault(fault);
    StatusCode::CREATED
}

async fn clear_faults(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.clear_faults();
    StatusCode::NO_CONTENT
}

async fn set_kv_fault(Shared(state): Shared<Arc<State>>, Json(fault): Json<KvFault>) -> StatusCode {
    state.set_kv_fault(fault);
    StatusCode::NO_CONTENT
}

async fn requests(Shared(state): Shared<Arc<State>>) -> Json<Vec<ApiRequest>> {
    Json(state.requests())
}

async fn clear_requests(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.clear_requests();
    StatusCode::NO_CONTENT
}
