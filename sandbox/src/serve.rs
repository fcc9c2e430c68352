//! HTTP/1.1 on a loopback port. An answer marked [`Reset`] is not sent: the connection is reset instead.

use std::future::poll_fn;

use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::Error;

/// Marks an answer that the caller must never see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

impl Reset {
    /// An answer that resets the connection.
    pub(crate) fn response() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Self);
        response
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
struct Closed;

/// Listens on 127.0.0.1; port 0 takes any.
pub(crate) async fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(Error::io(format!("listen on 127.0.0.1:{port}")))
}

/// The port that was taken.
pub(crate) fn port(listener: &TcpListener) -> Result<u16, Error> {
    listener.local_addr().map(|address| address.port()).map_err(Error::io("read a port"))
}

/// A port that nobody listens on at the moment, for a child that takes no port 0. It lies below the ports that systems
/// give away by themselves, so that it is still free when the child gets around to it, seconds later on a busy machine.
pub(crate) fn free_port() -> Result<u16, Error> {
    const FIRST: u16 = 20_000;
    const COUNT: u64 = 12_000;
    const TRIES: u64 = 100;
    let mut failed = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for attempt in 0..TRIES {
        let random = getrandom::u64().unwrap_or(attempt);
        let port = FIRST + u16::try_from(random % COUNT).unwrap_or_default();
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => failed = error,
        }
    }
    Err(Error::io("find a free port")(failed))
}

/// Answers for ever.
pub(crate) async fn serve(listener: TcpListener, app: axum::Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let app = app.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let app = app.clone();
                Box::pin(async move {
                    let Ok(response) = app.oneshot(request.map(Body::new)).await;
                    if response.extensions().get::<Reset>().is_some() { Err(Closed) } else { Ok(response) }
                })
            });
            let mut connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if poll_fn(|context| connection.poll_without_shutdown(context)).await.is_err() {
                // Closed on purpose, or the client went away. A plain close would look like an end of file; without
                // lingering the client's system is told that the connection was reset.
                let _ = connection.into_parts().io.into_inner().set_zero_linger();
            }
        });
    }
}
