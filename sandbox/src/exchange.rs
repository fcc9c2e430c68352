//! Whole exchanges with the API, for tests that compare what clients send and check what we answer.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::BODY_MAX;
use crate::serve::Reset;
use crate::state::State;

/// A request to the API and what was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path without `/client/v4`, as it was on the wire.
    pub path: String,
    /// What stands after the question mark.
    pub query: Option<String>,
    /// What was sent.
    pub request: Message,
    /// The status it was answered with; 0 when the connection was reset instead.
    pub status: u16,
    /// What was answered.
    pub response: Message,
}

/// Headers and body.
#[derive(Clone, Debug)]
pub struct Message {
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    fn new(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        Self { headers, body: body.to_vec() }
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// Keeps the exchange when the sandbox was told to.
pub(crate) async fn keep(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    if !state.keeps_exchanges() {
        return next.run(request).await;
    }
    let (method, uri) = (request.method().to_string(), request.uri().clone());
    let (head, body) = request.into_parts();
    // A body that breaks off reaches the API as an empty one, which it refuses.
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let sent = Message::new(&head.headers, &body);
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let reset = head.extensions.get::<Reset>().is_some();
    state.keep_exchange(Exchange {
        method,
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        request: sent,
        status: if reset { 0 } else { head.status.as_u16() },
        response: Message::new(&head.headers, &body),
    });
    Response::from_parts(head, Body::from(body))
}
