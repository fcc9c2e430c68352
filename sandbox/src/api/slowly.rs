//! Answers that do not come in one piece.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;

use super::BODY_MAX;

#[derive(Debug, thiserror::Error)]
#[error("the answer breaks off on purpose")]
struct BrokenOff;

/// The first half of an answer, which said that there would be more.
pub(super) async fn half(answer: Response) -> Response {
    let (answer, body) = whole(answer).await;
    let half = body.slice(..body.len() / 2);
    with_body(answer, body.len(), Body::from_stream(stream::iter([Ok(half), Err(BrokenOff)])))
}

/// An answer byte by byte.
pub(super) async fn drip(answer: Response, every: Duration) -> Response {
    let (answer, body) = whole(answer).await;
    let length = body.len();
    let bytes = stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let byte = left.split_to(1);
        Some((Ok::<Bytes, BrokenOff>(byte), left))
    });
    with_body(answer, length, Body::from_stream(bytes))
}

async fn whole(answer: Response) -> (Response, Bytes) {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    (Response::from_parts(head, Body::empty()), body)
}

fn with_body(answer: Response, length: usize, body: Body) -> Response {
    let (mut head, _) = answer.into_parts();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Response::from_parts(head, body)
}
