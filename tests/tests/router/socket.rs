//! WebSockets pass: the handshake and the messages of both sides.

use std::net::TcpListener;

use crossfade_tests::origin::Origin;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{ClientRequestBuilder, Message};

use crate::edge::{Edge, table};

/// Takes one socket, greets, answers one message, and tells what it was asked for and by which public host.
fn serve(listener: &TcpListener) -> (String, String) {
    let mut asked = Default::default();
    let stream = listener.accept().unwrap().0;
    #[expect(clippy::result_large_err, reason = "it is tungstenite's own type")]
    let look = |request: &Request, response: Response| {
        let host = request.headers().get("x-forwarded-host").unwrap().to_str().unwrap();
        asked = (request.uri().to_string(), host.to_owned());
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, look).unwrap();
    socket.send("welcome".into()).unwrap();
    let Message::Text(text) = socket.read().unwrap() else { panic!("no text") };
    socket.send(format!("you said {text}").into()).unwrap();
    socket.send(vec![0xff; 100_000].into()).unwrap();
    asked
}

#[test]
fn a_websocket_passes_both_ways_to_stable_and_to_a_canary() {
    // Split too, so that there would be a cookie to set, which a 101 must do without.
    for weight in [0, 5000, 10_000] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let unused = Origin::saying("unused");
        let mut routing = table(1, &unused, &unused, weight);
        for variant in routing["variants"].as_array_mut().unwrap() {
            variant["origin"] = format!("http://{}", listener.local_addr().unwrap()).into();
        }
        let edge = Edge::settled(&routing);
        let origin = std::thread::spawn(move || serve(&listener));
        let public = edge.url().replace("http://", "ws://");
        let request = ClientRequestBuilder::new(format!("{public}/live?x=%2F").parse().unwrap());
        let (mut socket, answer) = tungstenite::connect(request).unwrap();
        assert_eq!(answer.status(), 101);
        assert_eq!(socket.read().unwrap(), "welcome".into());
        socket.send("hello".into()).unwrap();
        assert_eq!(socket.read().unwrap(), "you said hello".into());
        assert_eq!(socket.read().unwrap(), vec![0xff; 100_000].into());
        let host = public.replace("ws://", "");
        assert_eq!(origin.join().unwrap(), ("/live?x=%2F".to_owned(), host));
    }
}
