//! Bodies stream both ways: what came goes on at once, nothing is collected, and who cannot take more holds the sender
//! back.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crossfade_tests::origin::Origin;

use crate::edge::{Edge, only, table};

const MIB: usize = 1024 * 1024;
/// How long one side waits for the other's next move.
const PATIENCE: Duration = Duration::from_secs(20);

/// A signal that an origin's script waits for; `false` when it never comes.
fn signalled(signal: &Mutex<Receiver<()>>) -> bool {
    signal.lock().unwrap().recv_timeout(PATIENCE).is_ok()
}

#[test]
fn an_answers_first_bytes_arrive_before_its_last_are_sent() {
    for (framing, first, last) in [
        ("content-length: 9\r\n", "first", "last"),
        ("transfer-encoding: chunked\r\n", "5\r\nfirst\r\n", "4\r\nlast\r\n0\r\n\r\n"),
        ("connection: close\r\n", "first", "last"),
        (
            "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n",
            "5\r\nfirst\r\n",
            "4\r\nlast\r\n",
        ),
    ] {
        let (seen, until_seen) = channel();
        let until_seen = Mutex::new(until_seen);
        let origin = Origin::new(move |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n{first}"));
            if signalled(&until_seen) {
                wire.send(last);
            }
            wire.close();
        });
        for weight in [0, 10_000] {
            let edge = Edge::settled(&table(1, &origin, &origin, weight));
            let mut client = edge.connect();
            client.request("GET", "/", &[], b"");
            assert_eq!(client.head().0, 200);
            client.until("first");
            seen.send(()).unwrap();
            client.until("last");
        }
    }
}

#[test]
fn a_requests_first_bytes_arrive_before_its_last_are_sent() {
    let origin = Origin::saying("done");
    let edge = Edge::settled(&only(1, &origin));
    for (framing, first, last) in [
        (("content-length", "9"), "first", "last"),
        (("transfer-encoding", "chunked"), "5\r\nfirst\r\n", "4\r\nlast\r\n0\r\n\r\n"),
    ] {
        let mut client = edge.connect();
        client.request("POST", "/", &[framing], b"");
        client.send(first);
        origin.until(|all| all.iter().any(|received| received.body == b"first"));
        assert!(!origin.only().complete);
        client.send(last);
        assert_eq!(client.answer("POST").text(), "done");
        let received = origin.only();
        assert_eq!((received.body.as_slice(), received.complete), (b"firstlast".as_slice(), true));
        assert_eq!(received.header(framing.0), Some(framing.1));
        origin.forget();
    }
}

/// The sender of each piece waits until the one before has arrived.
#[test]
fn a_large_body_passes_piece_by_piece() {
    const PIECES: usize = 24;
    let (arrived, until_arrived) = channel();
    let until_arrived = Mutex::new(until_arrived);
    let origin = Origin::new(move |_, wire| {
        wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECES * MIB));
        for number in 0..PIECES {
            wire.send(vec![b'a' + number as u8; MIB]);
            if !signalled(&until_arrived) {
                return wire.close();
            }
        }
    });
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    client.request("PUT", "/", &[("content-length", &(PIECES * MIB).to_string())], b"");
    for number in 0..PIECES {
        client.send(vec![b'a' + number as u8; MIB]);
        origin.until(|all| all.last().is_some_and(|received| received.body.len() == (number + 1) * MIB));
    }
    origin.until(|all| all.iter().all(|received| received.complete));
    let sent = origin.only();
    let (status, head) = client.head();
    let mut received = Vec::with_capacity(PIECES * MIB);
    let whole = client.body(&head, |bytes| {
        let pieces = received.len() / MIB;
        received.extend_from_slice(bytes);
        for _ in pieces..received.len() / MIB {
            arrived.send(()).unwrap();
        }
    });
    assert!(whole.is_ok(), "{whole:?}");
    assert_eq!(status, 200);
    assert!(received == sent.body, "each byte in its place");
    assert!(
        received
            .chunks(MIB)
            .enumerate()
            .all(|(number, piece)| piece.iter().all(|b| *b == b'a' + number as u8))
    );
}

/// Far more than the sockets on the way can hold, and too much for a router that collects.
const FLOOD: usize = 256 * MIB;
const HELD_BACK: usize = 64 * MIB;

#[test]
fn a_visitor_who_does_not_read_holds_the_origin_back() {
    let (went, how_much) = channel();
    let went = Mutex::new(went);
    let origin = Origin::new(move |_, wire| {
        wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {FLOOD}\r\n\r\n"));
        went.lock().unwrap().send(wire.fill(FLOOD)).unwrap();
        wire.close();
    });
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    client.request("GET", "/", &[], b"");
    let (status, _) = client.head();
    let went = how_much.recv_timeout(PATIENCE).unwrap();
    assert!(status == 200 && went < HELD_BACK, "{went} bytes are somewhere in between");
}

#[test]
fn an_origin_that_does_not_read_holds_the_visitor_back() {
    let sink = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut routing = only(1, &Origin::saying("unused"));
    routing["variants"][0]["origin"] = format!("http://{}", sink.local_addr().unwrap()).into();
    let edge = Edge::settled(&routing);
    let client = edge.connect();
    client.request("POST", "/", &[("content-length", &FLOOD.to_string())], b"");
    let went = client.fill(FLOOD);
    assert!(went < HELD_BACK, "{went} bytes are somewhere in between");
    // It is the origin that did not read: the request is there.
    let (mut connection, _) = sink.accept().unwrap();
    let mut begin = [0; 5];
    connection.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"POST ");
}

#[test]
fn a_body_that_breaks_off_breaks_off_for_the_visitor_too() {
    for (framing, part) in [("content-length: 10", "part"), ("transfer-encoding: chunked", "4\r\npart\r\n")] {
        let origin = Origin::new(move |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{part}"));
            wire.close();
        });
        let edge = Edge::settled(&only(1, &origin));
        let mut client = edge.connect();
        client.request("GET", "/", &[], b"");
        let (status, head) = client.head();
        let mut body = Vec::new();
        let broken = client.body(&head, |bytes| body.extend_from_slice(bytes));
        assert!(status == 200 && broken.is_err(), "{framing}: nobody may take {body:?} for the whole");
    }
}
