//! What an answer can lead the client to.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::pace::{CALLS_MAX, Pace, WINDOW};
use super::{AccountId, ApiToken, Cloudflare, Fate};

#[test]
fn a_redirect_to_another_host_is_an_error_and_nobody_is_told_anything() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let there = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client(&api);
        let answering = std::thread::spawn(move || {
            for _ in 0..2 {
                answer(
                    &api,
                    &format!(
                        "HTTP/1.1 {status} Elsewhere\r\nlocation: http://{there}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    ),
                );
            }
        });
        let namespace = client.namespace("n");
        let read = namespace.read_once("k", Duration::from_secs(5)).map(drop).unwrap_err();
        let written = namespace.write_once("k", b"v", Duration::from_secs(5)).unwrap_err();
        answering.join().unwrap();
        for error in [read, written] {
            assert_eq!(error.fate(), Fate::Refused, "{status}: {error}");
            let said = format!("{error} {error:?}");
            assert!(said.contains("leads elsewhere") && !said.contains("s3cret"), "{status}: {said}");
        }
    }
    let nobody = elsewhere.accept().map(drop).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock, "somebody went there");
}

#[test]
fn a_token_that_an_answer_repeats_is_not_told() {
    for (status, body) in [
        (400, r#"{"success":false,"errors":[{"code":1001,"message":"no: Bearer s3cret"}]}"#.to_owned()),
        (400, format!("<html>{}Bearer s3cret</html>", " ".repeat(103))),
        (200, r#"{"success":true,"result":"Bearer s3cret"}"#.to_owned()),
    ] {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client(&api);
        let answering = std::thread::spawn(move || {
            answer(&api, &format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        });
        let error = client.project("booking", Duration::from_secs(5)).unwrap_err();
        answering.join().unwrap();
        let said = format!("{error} {error:?}");
        assert!(said.contains("***") && !said.contains("s3c"), "{said}");
    }
}

#[test]
fn two_writes_of_a_key_are_as_far_apart_as_they_have_to_be() {
    const APART: Duration = Duration::from_millis(300);
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/client/v4", api.local_addr().unwrap());
    let (account, token) = (AccountId::new("a".into()), ApiToken::new("s3cret".into()));
    let namespace = Cloudflare::paced(&base_url, account, token, Pace::new(APART)).namespace("n");
    let answering = std::thread::spawn(move || {
        let body = r#"{"success":true,"result":null}"#;
        let text =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        [0; 3].map(|_| {
            answer(&api, &text);
            Instant::now()
        })
    });
    for key in ["k", "other", "k"] {
        namespace.write_once(key, b"v", Duration::from_secs(5)).unwrap();
    }
    let [first, _, again] = answering.join().unwrap();
    assert!(again - first >= APART / 2, "{:?}", again - first);
}

#[test]
fn a_call_waits_while_there_were_too_many() {
    const LEFT: Duration = Duration::from_millis(300);
    let pace = Pace::new(Duration::ZERO);
    let Some(long_ago) = Instant::now().checked_sub(WINDOW - LEFT) else { return };
    (0..CALLS_MAX).for_each(|_| pace.count(long_ago));
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/client/v4", api.local_addr().unwrap());
    let client =
        Cloudflare::paced(&base_url, AccountId::new("a".into()), ApiToken::new("s3cret".into()), pace);
    let answering = std::thread::spawn(move || answer(&api, "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"));
    let started = Instant::now();
    client.project("booking", Duration::from_secs(5)).unwrap_err();
    answering.join().unwrap();
    assert!(started.elapsed() >= LEFT / 2, "{:?}", started.elapsed());
}

/// A client of what listens there.
pub(crate) fn client(api: &TcpListener) -> Cloudflare {
    let base_url = format!("http://{}/client/v4", api.local_addr().unwrap());
    Cloudflare::new(&base_url, AccountId::new("a".into()), ApiToken::new("s3cret".into()))
}

/// Answers one request, whatever it is.
pub(crate) fn answer(api: &TcpListener, text: &str) {
    let (mut stream, _) = api.accept().unwrap();
    let _ = stream.read(&mut [0; 4096]);
    stream.write_all(text.as_bytes()).unwrap();
}
