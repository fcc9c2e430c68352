//! Many keys in one call.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::{post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{ApiError, Result, answer, json_body};
use super::{BAD_REQUEST, Ids, check_key, expiration, known};
use crate::state::State;

/// Keys in one call (<https://developers.cloudflare.com/kv/platform/limits/>).
const KEYS_MAX: usize = 10_000;
const READ_MAX: usize = 100;

pub(super) fn router() -> Router<Arc<State>> {
    let bulk = "/storage/kv/namespaces/{namespace}/bulk";
    Router::new()
        .route(bulk, put(write).delete(delete))
        .route(&format!("{bulk}/delete"), post(delete))
        .route(&format!("{bulk}/get"), post(read))
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: String,
    #[serde(default)]
    base64: bool,
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    expiration: Option<i64>,
    #[serde(default)]
    expiration_ttl: Option<i64>,
}

async fn write(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let id = known(&state, &ids)?;
    let pairs: Vec<Pair> = json_body(&body, BAD_REQUEST)?;
    check_count(pairs.len(), KEYS_MAX)?;
    let mut decoded = Vec::with_capacity(pairs.len());
    for pair in pairs {
        check_key(&pair.key)?;
        let times = [("expiration", pair.expiration), ("expiration_ttl", pair.expiration_ttl)];
        let times: HashMap<String, String> = times
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())))
            .collect();
        let value = match pair.base64 {
            true => STANDARD
                .decode(&pair.value)
                .map_err(|_| ApiError::bad_request(BAD_REQUEST, format!("{}: not base64", pair.key)))?,
            false => pair.value.into_bytes(),
        };
        decoded.push((pair.key, value, pair.metadata, expiration(&times)?));
    }
    let count = decoded.len();
    let mut kv = state.kv();
    for (key, value, metadata, expiration) in decoded {
        kv.put(id, &key, value, metadata, expiration);
    }
    answer(json!({ "successful_key_count": count, "unsuccessful_keys": [] }))
}

async fn delete(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let id = known(&state, &ids)?;
    let keys: Vec<String> = json_body(&body, BAD_REQUEST)?;
    check_count(keys.len(), KEYS_MAX)?;
    for key in &keys {
        state.kv().delete(id, key);
    }
    answer(json!({ "successful_key_count": keys.len(), "unsuccessful_keys": [] }))
}

#[derive(Deserialize)]
struct Wanted {
    keys: Vec<String>,
}

async fn read(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let id = known(&state, &ids)?;
    let Wanted { keys } = json_body(&body, BAD_REQUEST)?;
    check_count(keys.len(), READ_MAX)?;
    let kv = state.kv();
    let text = |key: &String| kv.value(id, key).map(|value| String::from_utf8_lossy(&value).into_owned());
    let values: serde_json::Map<String, Value> =
        keys.iter().map(|key| (key.clone(), text(key).map_or(Value::Null, Value::from))).collect();
    answer(json!({ "values": values }))
}

fn check_count(keys: usize, max: usize) -> std::result::Result<(), ApiError> {
    match keys {
        0 => Err(ApiError::bad_request(10_029, "no keys were given")),
        count if count > max => Err(ApiError::bad_request(BAD_REQUEST, format!("more than {max} keys"))),
        _ => Ok(()),
    }
}
