//! What an answer can lead the client to.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use super::{AccountId, ApiToken, Cloudflare, Fate};

#[test]
fn a_redirect_to_another_host_is_an_error_and_nobody_is_told_anything() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let there = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/client/v4", api.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = api.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                write!(
                    stream,
                    "HTTP/1.1 {status} Elsewhere\r\nlocation: http://{there}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
                .unwrap();
            }
        });
        let client = Cloudflare::new(&base_url, AccountId::new("a".into()), ApiToken::new("s3cret".into()));
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
