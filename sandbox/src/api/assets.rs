//! `/pages/assets/…`: the store behind Direct Upload. Its bearer is the upload's token, not the API's.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Result, answer, bearer, json_body};
use crate::limits::{Refusal, UploadTokens};
use crate::state::State;

/// Pages' code for a request that makes no sense.
pub(super) const BAD_REQUEST: i64 = 8_000_001;
const FILE_BYTES_MAX: usize = 25 * 1024 * 1024;

pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route("/check-missing", post(check_missing))
        .route("/upload", post(upload))
        .route("/upsert-hashes", post(upsert_hashes))
}

/// A token for one upload: three parts, the middle one readable, as clients expect.
pub(super) fn token(tokens: UploadTokens) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let exp = now(tokens) + tokens.seconds;
    let head = part(json!({ "alg": "none", "typ": "JWT" }));
    let claims = part(json!({
        "exp": exp, "max_file_count_allowed": tokens.files_max, "jti": getrandom::u64().unwrap_or(1),
    }));
    format!("{head}.{claims}.sandbox")
}

/// The service's clock, in seconds.
fn now(tokens: UploadTokens) -> i64 {
    jiff::Timestamp::now().as_second() + tokens.clock
}

fn authorise(state: &State, headers: &HeaderMap) -> std::result::Result<(), ApiError> {
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, 8_000_013, "Authorization failed");
    let token = bearer(headers).ok_or_else(refused)?;
    let claims = token
        .strip_suffix(".sandbox")
        .and_then(|token| token.split('.').nth(1))
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .ok_or_else(refused)?;
    let exp = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
    let mut limits = state.limits();
    let good = limits.token_call(token) && exp > now(limits.tokens);
    match (good, limits.tokens.refusal) {
        (true, _) => Ok(()),
        (false, Refusal::Json) => Err(refused()),
        (false, Refusal::Text) => Err(ApiError::plain(StatusCode::FORBIDDEN, "Expired JWT")),
    }
}

#[derive(Deserialize)]
struct Hashes {
    hashes: Vec<String>,
}

async fn check_missing(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Result {
    authorise(&state, &headers)?;
    let asked: Hashes = json_body(&body, BAD_REQUEST)?;
    let assets = state.assets();
    let missing: Vec<String> = asked.hashes.into_iter().filter(|hash| !assets.contains_key(hash)).collect();
    answer(missing)
}

#[derive(Deserialize)]
struct Asset {
    key: String,
    value: String,
    metadata: Metadata,
    base64: bool,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "contentType")]
    content_type: String,
}

async fn upload(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Result {
    authorise(&state, &headers)?;
    let assets: Vec<Asset> = json_body(&body, BAD_REQUEST)?;
    let mut decoded = Vec::with_capacity(assets.len());
    for asset in assets {
        let wrong = |why: &str| ApiError::bad_request(BAD_REQUEST, format!("asset {}: {why}", asset.key));
        if !asset.base64 || asset.metadata.content_type.is_empty() {
            return Err(wrong("`base64` and `metadata.contentType` are required"));
        }
        let bytes = STANDARD.decode(&asset.value).map_err(|_| wrong("not base64"))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(wrong("larger than 25 MiB"));
        }
        decoded.push((asset.key, bytes));
    }
    state.assets().extend(decoded);
    answer(Value::Null)
}

/// The key of a file's content: a hash over its base64 and the extension of its name, which only the manifest tells.
pub(super) fn key(bytes: &[u8], path: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(STANDARD.encode(bytes).as_bytes()).update(extension(path).as_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// What stands after the last dot of a name that does not begin with it.
pub(crate) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, after)| after)
}

async fn upsert_hashes(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Result {
    authorise(&state, &headers)?;
    json_body::<Hashes>(&body, BAD_REQUEST)?;
    answer(Value::Null)
}
