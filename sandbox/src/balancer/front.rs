//! Where visitors of the load balancer go: a port that sends each request on as the load balancer says at that moment.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{COOKIE, Chosen};
use crate::state::State;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(send_on).with_state(state)
}

async fn send_on(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, Infallible> {
    let session = session(&request);
    let draw = f64::from(getrandom::u32().unwrap_or_default()) / (f64::from(u32::MAX) + 1.0);
    let chosen = state.balancing().choose(session.as_deref(), draw);
    let Some(chosen) = chosen else {
        return Ok((StatusCode::BAD_GATEWAY, "no pool is enabled").into_response());
    };
    Ok(exchange(request, &chosen).await.unwrap_or_else(|why| {
        let text = format!("the origin at {} cannot be reached: {why}", chosen.address);
        (StatusCode::from_u16(521).unwrap_or(StatusCode::BAD_GATEWAY), text).into_response()
    }))
}

/// The session that a visitor brings.
fn session(request: &Request) -> Option<String> {
    let cookies = request.headers().get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}

async fn exchange(mut request: Request, chosen: &Chosen) -> Result<Response, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(&chosen.address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse::<Uri>()?;
    *request.uri_mut() = path;
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(&chosen.host)?);
    let mut response = sender.send_request(request).await?.map(Body::new);
    if let Some(session) = &chosen.session {
        let cookie = HeaderValue::from_str(&format!("{COOKIE}={session}; HttpOnly"))?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
