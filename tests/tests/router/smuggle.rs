//! Request smuggling: whatever a visitor's bytes claim to be, an origin only ever sees requests that the router decided on,
//! each framed in one way.

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::{Origin, Received};

use crate::edge::{Edge, table};

const PUBLIC: &str = "www.example.com";
/// A request that says of itself what the router would never say. If it travels inside another one's body and an origin
/// takes it for a request, it shows.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: www.example.com\r\nx-forwarded-host: evil.example\r\n\
                      crossfade-token: x\r\n\r\n";

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// No origin hears of it.
    Refused,
    /// Its body is what the framing says, and nothing comes behind it.
    Whole,
    /// What is behind its body is the connection's next request, and goes through the router like any other.
    Two,
    /// No origin takes it for whole.
    Broken,
}

#[test]
fn no_framing_hides_a_request_from_the_router() {
    use Fate::{Broken, Refused, Two, Whole};
    let origin = Origin::saying("hello");
    let length = HIDDEN.len();
    let chunked = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    let empty_first = format!("0\r\n\r\n{HIDDEN}");
    let plain =
        |headers: &str, fate| (headers.replace("LENGTH", &length.to_string()), HIDDEN.to_owned(), fate);
    let chunks = |headers: &str, fate| (headers.to_owned(), chunked.clone(), fate);
    let own = |body: &str, fate| ("transfer-encoding: chunked".to_owned(), body.to_owned(), fate);
    let cases = [
        plain("content-length: 0\r\ncontent-length: LENGTH", Refused),
        plain("content-length: LENGTH\r\ncontent-length: 0", Refused),
        plain("content-length: LENGTH\r\ncontent-length: LENGTH", Whole),
        plain("content-length: LENGTH, LENGTH", Refused),
        plain("content-length: +LENGTH", Refused),
        plain("content-length: 0x10", Refused),
        plain("content-length: -1", Refused),
        plain("content-length: 99999999999999999999", Refused),
        plain("content-length : LENGTH", Refused),
        plain("transfer_encoding: chunked", Two),
        // RFC 9112, section 6.1: chunks overrule a length, and such a connection ends with that request.
        (format!("content-length: {length}\r\ntransfer-encoding: chunked"), empty_first.clone(), Whole),
        (format!("transfer-encoding: chunked\r\ncontent-length: {length}"), empty_first.clone(), Whole),
        ("transfer-encoding: xchunked".into(), empty_first.clone(), Refused),
        ("transfer-encoding: chunked, identity".into(), empty_first, Refused),
        chunks("transfer-encoding: identity, chunked", Whole),
        chunks("transfer-encoding : chunked", Refused),
        chunks("transfer-encoding:\tchunked", Whole),
        chunks("transfer-encoding:\u{b}chunked", Refused),
        chunks("transfer-encoding:\r\n chunked", Refused),
        chunks("x: y\r\n transfer-encoding: chunked", Refused),
        chunks("x: y\rtransfer-encoding: chunked", Refused),
        chunks("x: y\ntransfer-encoding: chunked", Whole),
        chunks("transfer-encoding: chunked\r\ntransfer-encoding: identity", Refused),
        chunks("transfer-encoding: chunked\r\ntransfer-encoding: chunked", Whole),
        chunks("Transfer-Encoding: CHUNKED", Whole),
        own(&format!("0;a=b\r\n\r\n{HIDDEN}"), Two),
        own(&format!("0\r\nx: y\r\n\r\n{HIDDEN}"), Two),
        own(&format!("{length:x};\n{HIDDEN}\r\n0\r\n\r\n"), Broken),
        own(&format!("10000000000000000{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"), Broken),
        own(&format!("-1\r\n{HIDDEN}\r\n0\r\n\r\n"), Broken),
    ];
    for weight in [0, 10_000] {
        let edge = Edge::settled(&table(1, &origin, &origin, weight));
        for (headers, body, fate) in &cases {
            let client = edge.connect();
            client.send(format!("POST /seen HTTP/1.1\r\nhost: {PUBLIC}\r\n{headers}\r\n\r\n{body}"));
            let said = client.finish();
            let received = origin.received();
            let whole: Vec<&str> =
                received.iter().filter(|it| it.complete).map(|it| it.target.as_str()).collect();
            let expected: &[&str] = match fate {
                Refused | Broken => &[],
                Whole => &["/seen"],
                Two => &["/seen", "/hidden"],
            };
            assert_eq!(whole, expected, "{headers:?} {body:?}: {said}");
            assert_eq!(said.matches("HTTP/1.1 200 OK").count(), expected.len(), "{headers:?}: {said}");
            for request in &received {
                is_the_routers(request, &origin);
            }
            origin.forget();
        }
    }
}

/// What holds for every request that the router sends.
#[track_caller]
fn is_the_routers(request: &Received, origin: &Origin) {
    let all = |name: &str| -> Vec<&str> {
        let headers = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        headers.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("host"), [origin.host()], "{request:?}");
    assert_eq!(all("x-forwarded-host"), [PUBLIC], "{request:?}");
    assert!(all("crossfade-token").is_empty(), "{request:?}");
    assert!(all("content-length").len() + all("transfer-encoding").len() <= 1, "{request:?}");
}

#[test]
fn odd_methods_and_first_lines_open_no_tunnel_and_carry_no_secret() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 0));
    for (line, passes) in [
        ("TRACE / HTTP/1.1", true),
        ("OPTIONS * HTTP/1.1", true),
        ("CONNECT evil.example:443 HTTP/1.1", false),
        ("CONNECT / HTTP/1.1", false),
        ("TRACK / HTTP/1.1", false),
        ("get / HTTP/1.1", false),
        ("GE\tT / HTTP/1.1", false),
        ("GET /a\tb HTTP/1.1", false),
        ("GET /a b HTTP/1.1", false),
        ("GET /\0 HTTP/1.1", false),
        ("GET / HTTP/9.9", false),
        ("GET / HTTP/1.1 HTTP/1.1", false),
        ("PRI * HTTP/2.0", false),
        (
            "POST / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMA",
            true,
        ),
        // To whatever a first line points, the origin is the variant's.
        ("GET http://evil.example/ HTTP/1.1", true),
        ("GET http://evil.example@127.0.0.1:1/ HTTP/1.1", true),
        ("GET //evil.example/ HTTP/1.1", true),
        ("GET @evil.example/ HTTP/1.1", false),
        ("GET /@evil.example/ HTTP/1.1", true),
        ("GET \\\\evil.example\\ HTTP/1.1", false),
        ("GET /\\evil.example/ HTTP/1.1", true),
        ("GET /%2f%2Fevil.example HTTP/1.1", true),
        ("GET /%0d%0ahost:%20evil.example HTTP/1.1", true),
        ("GET ?@evil.example/ HTTP/1.1", false),
    ] {
        for variant in ["blue", "green"] {
            let client = edge.connect();
            let secret = format!("crossfade-variant: {variant}\r\ncrossfade-token: {CONTROL_TOKEN}");
            client.send(format!("{line}\r\nhost: {PUBLIC}\r\n{secret}\r\n\r\n"));
            let said = client.finish();
            let received = origin.received();
            assert_eq!(received.len(), usize::from(passes), "{line:?}: {said} {received:?}");
            assert_eq!(said.starts_with("HTTP/1.1 200 "), passes, "{line:?}: {said}");
            for request in &received {
                assert_eq!(request.header("host"), Some(origin.host().as_str()), "{line:?}");
                assert_eq!(request.header("upgrade"), None, "{line:?}");
                assert!(!format!("{request:?}").contains(CONTROL_TOKEN), "{line:?}: {request:?}");
            }
            origin.forget();
        }
    }
}
