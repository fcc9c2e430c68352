//! Cloudflare's REST API. Here: who may call, how answers are wrapped, what a fault does; the calls themselves are below.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::exchange;
use crate::faults::Action;
use crate::serve::Reset;
use crate::state::{ApiRequest, State};
use crate::{ACCOUNT_ID, API_TOKEN};

pub(crate) mod assets;
mod balancing;
mod kv;
mod pages;
mod slowly;
mod workers;
mod zones;

/// wrangler sends assets of up to 40 MiB as base64 in one request.
pub(crate) const BODY_MAX: usize = 128 * 1024 * 1024;
/// The rate limiter's words.
pub(crate) const TOO_MANY_REQUESTS: &str = "Please wait and consider throttling your request speed";
const PREFIX: &str = "/client/v4";

/// All paths below `/client/v4`.
pub(crate) fn router(state: Arc<State>) -> Router {
    let account = Router::new()
        .merge(kv::router())
        .merge(pages::router())
        .merge(workers::router())
        .merge(zones::domains())
        .merge(balancing::account());
    let api = Router::new()
        .nest("/accounts/{account}", account)
        .nest("/zones", zones::router())
        .nest("/zones/{zone}", balancing::zone())
        .nest("/pages/assets", assets::router())
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(authenticate))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), meet_faults))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), exchange::keep))
        .with_state(state);
    Router::new().nest(PREFIX, api)
}

/// A call that failed, as Cloudflare says it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// `None` for a plain text instead of an envelope.
    code: Option<i64>,
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into() }
    }

    /// A text that is no envelope.
    pub(crate) fn plain(status: StatusCode, text: &str) -> Self {
        Self { status, code: None, message: text.to_owned() }
    }

    pub(crate) fn bad_request(code: i64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(code: i64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Some(code) = self.code else { return (self.status, self.message).into_response() };
        let body = json!({
            "success": false, "errors": [{ "code": code, "message": self.message }], "messages": [], "result": null,
        });
        (self.status, axum::Json(body)).into_response()
    }
}

/// A call's `result`, wrapped.
#[derive(Debug)]
pub(crate) struct Answer {
    result: Value,
    info: Option<Value>,
}

pub(crate) type Result = std::result::Result<Answer, ApiError>;

/// A result without more.
pub(crate) fn answer(result: impl Into<Value>) -> Result {
    Ok(Answer { result: result.into(), info: None })
}

/// A result with `result_info`.
pub(crate) fn page(result: Vec<Value>, info: Value) -> Result {
    Ok(Answer { result: result.into(), info: Some(info) })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = json!({ "success": true, "errors": [], "messages": [], "result": self.result });
        if let Some(info) = self.info {
            body["result_info"] = info;
        }
        axum::Json(body).into_response()
    }
}

async fn unknown_route() -> ApiError {
    ApiError::not_found(
        7003,
        "Could not route to the requested resource, perhaps your object identifier is invalid?",
    )
}

async fn unknown_method(method: Method) -> ApiError {
    let message = format!("Method {method} not available for that URI.");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, 7001, message)
}

/// A JSON body, whatever its `Content-Type`: wrangler calls some of them `text/plain`.
pub(crate) fn json_body<T: DeserializeOwned>(body: &[u8], code: i64) -> std::result::Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(code, format!("invalid request body: {error}")))
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The API token for everything but the asset store, whose calls check the upload's token themselves.
async fn authenticate(request: Request, next: Next) -> Response {
    let refused = || ApiError::new(StatusCode::FORBIDDEN, 10_000, "Authentication error").into_response();
    let path = request.uri().path();
    if path.starts_with("/pages/assets/") {
        return next.run(request).await;
    }
    let account = path.strip_prefix("/accounts/").and_then(|rest| rest.split('/').next());
    match bearer(request.headers()) {
        None => ApiError::bad_request(9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
            .into_response(),
        Some(token) if token != API_TOKEN => refused(),
        Some(_) if account.is_some_and(|account| account != ACCOUNT_ID) => refused(),
        Some(_) => next.run(request).await,
    }
}

/// Applies the first fault that strikes, and keeps the log.
async fn meet_faults(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let too_many = state.limits().call(Instant::now());
    if let Err(left) = too_many {
        let mut response =
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, 971, TOO_MANY_REQUESTS).into_response();
        let seconds = left.as_millis().div_ceil(1000) as u64;
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        state.log(ApiRequest { method, path, status: 429 });
        return response;
    }
    let response = match state.struck(&method, &path) {
        None => next.run(request).await,
        Some(Action::Latency { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            next.run(request).await
        }
        Some(Action::Answer { status, code, message, retry_after }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = ApiError::new(status, code, message).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
        Some(Action::Text { status, text }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Body::from(text)).into_response()
        }
        Some(Action::Reset) => Reset::response(),
        Some(Action::AppliedThenReset) => {
            next.run(request).await;
            Reset::response()
        }
        Some(Action::AppliedThenError { status }) => {
            next.run(request).await;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            ApiError::new(status, 10_001, "internal error").into_response()
        }
        Some(Action::AppliedThenHalf) => slowly::half(next.run(request).await).await,
        Some(Action::AppliedThenDrip { ms }) => {
            slowly::drip(next.run(request).await, Duration::from_millis(ms)).await
        }
        Some(Action::Hang) => {
            state.log(ApiRequest { method, path, status: 0 });
            return std::future::pending().await;
        }
    };
    let closed = response.extensions().get::<Reset>().is_some();
    let status = if closed { 0 } else { response.status().as_u16() };
    state.log(ApiRequest { method, path, status });
    response
}
