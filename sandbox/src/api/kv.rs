//! `/storage/kv/namespaces…`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Path, Query, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, ApiError, Result, answer, json_body, page};
use crate::state::State;

mod bulk;

type Ids = Path<HashMap<String, String>>;
type Fields = Query<HashMap<String, String>>;

/// <https://developers.cloudflare.com/kv/platform/limits/>
const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 25 * 1024 * 1024;
/// KV's code for a request that makes no sense.
const BAD_REQUEST: i64 = 10_012;
const TTL_MIN: i64 = 60;

pub(super) fn router() -> Router<Arc<State>> {
    let namespace = "/storage/kv/namespaces/{namespace}";
    Router::new()
        .route("/storage/kv/namespaces", get(list_namespaces).post(create_namespace))
        .route(namespace, get(read_namespace).delete(delete_namespace))
        .merge(bulk::router())
        .route(&format!("{namespace}/keys"), get(list_keys))
        .route(&format!("{namespace}/values/{{key}}"), get(read).put(write).delete(delete))
        .route(&format!("{namespace}/metadata/{{key}}"), get(metadata))
}

async fn list_namespaces(Shared(state): Shared<Arc<State>>, Query(query): Fields) -> Result {
    let number =
        |name: &str, default: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (number, size) = (number("page", 1).max(1), number("per_page", 20).max(1));
    let all = state.kv().namespaces();
    let shown: Vec<Value> =
        all.iter().skip((number - 1) * size).take(size).map(|(id, title)| namespace(id, title)).collect();
    let info = json!({ "page": number, "per_page": size, "count": shown.len(), "total_count": all.len() });
    page(shown, info)
}

async fn create_namespace(Shared(state): Shared<Arc<State>>, body: Bytes) -> Result {
    let body: Value = json_body(&body, BAD_REQUEST)?;
    let Some(title) = body.get("title").and_then(Value::as_str).filter(|title| !title.is_empty()) else {
        return Err(ApiError::bad_request(10_019, "namespace title required"));
    };
    let mut kv = state.kv();
    if kv.namespaces().iter().any(|(_, known)| known == title) {
        return Err(ApiError::bad_request(
            10_014,
            "a namespace with this account ID and title already exists",
        ));
    }
    let id = format!("{:016x}{:016x}", getrandom::u64().unwrap_or(1), getrandom::u64().unwrap_or(2));
    kv.create(&id, title);
    answer(namespace(&id, title))
}

async fn read_namespace(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let id = known(&state, &ids)?;
    let title = state.kv().namespaces().into_iter().find(|(known, _)| known == id).map(|(_, title)| title);
    answer(namespace(id, &title.unwrap_or_default()))
}

async fn delete_namespace(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let id = known(&state, &ids)?;
    state.kv().remove(id);
    answer(Value::Null)
}

async fn list_keys(Shared(state): Shared<Arc<State>>, Path(ids): Ids, Query(query): Fields) -> Result {
    let id = known(&state, &ids)?;
    let limit: usize = query.get("limit").and_then(|text| text.parse().ok()).unwrap_or(1_000);
    if !(10..=1_000).contains(&limit) {
        return Err(ApiError::bad_request(10_011, "limit must be between 10 and 1000"));
    }
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("cursor").map_or("", String::as_str);
    let kv = state.kv();
    let mut keys: Vec<String> = kv.keys(id, prefix).into_iter().filter(|key| key.as_str() > after).collect();
    let more = keys.len() > limit;
    keys.truncate(limit);
    let cursor = if more { keys.last().cloned().unwrap_or_default() } else { String::new() };
    let described: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut described = json!({ "name": key });
            if let Some(entry) = kv.entry(id, key) {
                if let Some(metadata) = &entry.metadata {
                    described["metadata"] = metadata.clone();
                }
                if let Some(expiration) = entry.expiration {
                    described["expiration"] = expiration.into();
                }
            }
            described
        })
        .collect();
    let info = json!({ "count": described.len(), "cursor": cursor });
    page(described, info)
}

/// Values are answered raw, without an envelope.
async fn read(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> std::result::Result<Response, ApiError> {
    let id = known(&state, &ids)?;
    let entry = state.kv().entry(id, key(&ids)?).cloned();
    let entry = entry.ok_or_else(|| ApiError::not_found(10_009, "get: 'key not found'"))?;
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], entry.value).into_response();
    if let Some(expiration) = entry.expiration {
        response.headers_mut().insert("expiration", expiration.into());
    }
    Ok(response)
}

async fn metadata(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let id = known(&state, &ids)?;
    let entry = state.kv().entry(id, key(&ids)?).cloned();
    let entry = entry.ok_or_else(|| ApiError::not_found(10_009, "get: 'key not found'"))?;
    answer(entry.metadata.unwrap_or(Value::Null))
}

/// The body is the value, or a form with `value` and `metadata`.
async fn write(
    Shared(state): Shared<Arc<State>>,
    Path(ids): Ids,
    Query(query): Fields,
    request: Request,
) -> std::result::Result<Answer, ApiError> {
    let id = known(&state, &ids)?.to_owned();
    let key = key(&ids)?.to_owned();
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("multipart/form-data")));
    let unreadable = || ApiError::bad_request(BAD_REQUEST, "invalid request body");
    let (value, metadata) = if is_form {
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| unreadable())?;
        let (mut value, mut metadata) = (None, None);
        while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
            let name = field.name().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|_| unreadable())?;
            match name.as_deref() {
                Some("value") => value = Some(bytes.to_vec()),
                Some("metadata") => {
                    metadata = Some(serde_json::from_slice(&bytes).map_err(|_| unreadable())?)
                }
                Some(_) | None => {}
            }
        }
        (value.ok_or_else(unreadable)?, metadata)
    } else {
        let bytes = Bytes::from_request(request, &()).await.map_err(|_| unreadable())?;
        (bytes.to_vec(), None)
    };
    if value.len() > VALUE_BYTES_MAX {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, 10_047, "value too large"));
    }
    let expiration = expiration(&query)?;
    if state.limits().kv_key_writes() && state.kv().was_just_written(&id, &key) {
        // Which words the REST API has for it is documented nowhere; the status is.
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, 10_000, super::TOO_MANY_REQUESTS));
    }
    state.kv().put(&id, &key, value, metadata, expiration);
    answer(Value::Null)
}

async fn delete(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let id = known(&state, &ids)?;
    state.kv().delete(id, key(&ids)?);
    answer(Value::Null)
}

fn expiration(query: &HashMap<String, String>) -> std::result::Result<Option<i64>, ApiError> {
    let number = |name: &str| query.get(name).map(|text| text.parse::<i64>().unwrap_or(-1));
    let now = jiff::Timestamp::now().as_second();
    let at = match (number("expiration_ttl"), number("expiration")) {
        (Some(ttl), _) => now + ttl,
        (None, Some(at)) => at,
        (None, None) => return Ok(None),
    };
    if at < now + TTL_MIN {
        return Err(ApiError::bad_request(10_034, "invalid expiration_ttl: it must be at least 60"));
    }
    Ok(Some(at))
}

fn known<'a>(state: &State, ids: &'a HashMap<String, String>) -> std::result::Result<&'a str, ApiError> {
    let id = ids.get("namespace").map_or("", String::as_str);
    if state.kv().has(id) { Ok(id) } else { Err(ApiError::not_found(10_013, "namespace not found")) }
}

fn key(ids: &HashMap<String, String>) -> std::result::Result<&str, ApiError> {
    let key = ids.get("key").map_or("", String::as_str);
    check_key(key)?;
    Ok(key)
}

fn check_key(key: &str) -> std::result::Result<(), ApiError> {
    if key.is_empty() || key == "." || key == ".." || key.len() > KEY_BYTES_MAX {
        return Err(ApiError::bad_request(10_033, "invalid key name"));
    }
    Ok(())
}

fn namespace(id: &str, title: &str) -> Value {
    json!({ "id": id, "title": title, "supports_url_encoding": true })
}
