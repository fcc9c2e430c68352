//! `/zones/…/load_balancers/…` and `/accounts/…/load_balancers/pools/…`: one of the former and two of the latter, which are there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::get;
use serde_json::{Map, Value};

use super::{ApiError, Result, answer, json_body};
use crate::balancer::patch;
use crate::state::State;
use crate::{LOAD_BALANCER_ID, ZONE_ID};

type Ids = Path<HashMap<String, String>>;

/// The codes of the real service are not known; these are of its kind.
const NOT_FOUND: i64 = 1_001;
const BAD_REQUEST: i64 = 1_002;

pub(super) fn zone() -> Router<Arc<State>> {
    Router::new().route("/load_balancers/{id}", get(balancer).patch(change_balancer))
}

pub(super) fn account() -> Router<Arc<State>> {
    Router::new().route("/load_balancers/pools/{id}", get(pool).patch(change_pool))
}

fn id<'a>(ids: &'a HashMap<String, String>, name: &str) -> &'a str {
    ids.get(name).map_or("", String::as_str)
}

fn known(ids: &HashMap<String, String>) -> std::result::Result<(), ApiError> {
    let known = id(ids, "zone") == ZONE_ID && id(ids, "id") == LOAD_BALANCER_ID;
    known.then_some(()).ok_or_else(|| ApiError::not_found(NOT_FOUND, "object does not exist"))
}

async fn balancer(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    known(&ids)?;
    answer(state.balancing().balancer.clone())
}

async fn change_balancer(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    known(&ids)?;
    let change: Map<String, Value> = json_body(&body, BAD_REQUEST)?;
    let mut all = state.balancing();
    let pools = change.get("random_steering").and_then(|it| it["pool_weights"].as_object());
    let named = pools.into_iter().flat_map(Map::keys).map(String::as_str);
    let fallback = change.get("fallback_pool").and_then(Value::as_str);
    if let Some(unknown) = named.chain(fallback).find(|id| !all.pools.contains_key(*id)) {
        return Err(ApiError::bad_request(BAD_REQUEST, format!("pool {unknown} does not exist")));
    }
    patch(&mut all.balancer, change);
    answer(all.balancer.clone())
}

async fn pool(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let missing = || ApiError::not_found(NOT_FOUND, "object does not exist");
    answer(state.balancing().pools.get(id(&ids, "id")).cloned().ok_or_else(missing)?)
}

async fn change_pool(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let change: Map<String, Value> = json_body(&body, BAD_REQUEST)?;
    let mut all = state.balancing();
    let missing = || ApiError::not_found(NOT_FOUND, "object does not exist");
    let pool = all.pools.get_mut(id(&ids, "id")).ok_or_else(missing)?;
    patch(pool, change);
    answer(pool.clone())
}
