//! Nothing of a request or an answer is lost or changed on its way.

use crossfade_tests::origin::{Origin, Wire};

use crate::client::Client;
use crate::edge::{Edge, only, table};

/// A router that sends everybody to one origin, which answers like this.
fn edge(answer: impl Fn(&mut Wire<'_>) + Send + Sync + 'static) -> (Edge, Origin) {
    let origin = Origin::new(move |_, wire| answer(wire));
    (Edge::settled(&only(1, &origin)), origin)
}

/// After each answer the connection must be good for the next one: nothing too much was sent, nothing is missing.
#[track_caller]
fn still_in_step(client: &mut Client, origin: &Origin) {
    client.get("/next", &[]);
    assert_eq!(origin.received().last().unwrap().target, "/next");
    origin.forget();
}

#[test]
fn methods_and_bodies_pass() {
    let (edge, origin) = edge(|wire| wire.answer("200 OK", &[], "done"));
    let mut client = edge.connect();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE", "HEAD"] {
        let bodies: &[&[u8]] = match method {
            "GET" | "HEAD" => &[b""],
            _ => &[b"", b"a", b"\x00\xff\r\n0\r\n\r\n", &[7; 70_000]],
        };
        for body in bodies {
            let answer = client.ask(method, "/it", &[("content-type", "application/x-own")], body);
            let expected = if method == "HEAD" { "" } else { "done" };
            assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{method}");
            let received = origin.only();
            assert_eq!((received.method.as_str(), received.complete), (method, true));
            assert!(received.body == *body, "{method}: {} bytes of {}", received.body.len(), body.len());
            assert_eq!(received.header("content-type"), Some("application/x-own"));
            origin.forget();
        }
    }
}

#[test]
fn status_codes_pass() {
    let origin =
        Origin::new(|received, wire| wire.answer(&format!("{} Word", &received.target[1..]), &[], "body"));
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    let bodiless = [204, 304];
    for status in [
        200, 201, 202, 203, 204, 206, 207, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404,
        405, 409, 410, 412, 413, 416, 418, 421, 425, 428, 429, 451, 499, 500, 501, 502, 503, 504, 511, 520,
        530, 599,
    ] {
        let answer = client.get(&format!("/{status}"), &[]);
        let body = if bodiless.contains(&status) { "" } else { "body" };
        assert_eq!((answer.status, answer.text().as_str()), (status, body));
        assert_eq!(answer.variant(), "blue");
        still_in_step(&mut client, &origin);
    }
}

#[test]
fn a_status_that_only_this_origin_knows_passes_too() {
    let origin = Origin::new(|_, wire| wire.answer("999 Request Denied", &[("x-own", "1")], "denied"));
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let answer = edge.get("/", &[]);
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-own")), (999, "denied", Some("1")));
}

#[test]
fn request_headers_pass() {
    let (edge, origin) = edge(|wire| wire.answer("200 OK", &[], ""));
    let headers = [
        ("accept", "text/html, */*;q=0.1"),
        ("accept-encoding", "gzip, br, zstd, x-own"),
        ("authorization", "Basic dTpw"),
        ("cookie", "a=1; b=\"2\"; crossfade=not-an-id"),
        ("user-agent", "caf\u{e9} \u{80}"),
        ("x-empty", ""),
        ("x-long", &"x".repeat(8000)),
        ("if-none-match", "W/\"a\", \"b\""),
        ("if-modified-since", "Sat, 31 Jan 2026 12:00:00 GMT"),
        ("if-range", "\"b\""),
        ("range", "bytes=0-3, 5-"),
        ("referer", "https://example.com/?q=%2F"),
        ("cache-control", "no-cache"),
        ("cf-connecting-ip", "203.0.113.9"),
    ];
    edge.get("/", &headers);
    let received = origin.only();
    for (name, value) in headers {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
}

#[test]
fn answer_headers_pass_and_several_set_cookie_stay_several() {
    let (edge, _origin) = edge(|wire| {
        wire.send(
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: a=1; Expires=Sat, 31 Jan 2026 12:00:00 GMT\r\n\
              x-latin: caf\xe9\r\nset-cookie: b=2, c; Path=/\r\nlink: </a>; rel=preload\r\nset-cookie: __Host-a=\r\n\
              link: </b>\r\ncache-control: max-age=60\r\netag: W/\"x\"\r\nvary: cookie\r\nx-empty:\r\n\
              content-security-policy: default-src 'self'; script-src \"x\"\r\ndate: Sat, 31 Jan 2026 12:00:00 GMT\r\n\
              server: own/1.0\r\nset-cookie: a=1\r\n\r\n",
        );
    });
    let answer = edge.get("/", &[]);
    let cookies = ["a=1; Expires=Sat, 31 Jan 2026 12:00:00 GMT", "b=2, c; Path=/", "__Host-a=", "a=1"];
    assert_eq!(answer.all("set-cookie"), cookies);
    assert_eq!(answer.all("link").join(", "), "</a>; rel=preload, </b>");
    for (name, value) in [
        ("x-latin", "caf\u{e9}"),
        ("cache-control", "max-age=60"),
        ("etag", "W/\"x\""),
        ("vary", "cookie"),
        ("x-empty", ""),
        ("content-security-policy", "default-src 'self'; script-src \"x\""),
        ("date", "Sat, 31 Jan 2026 12:00:00 GMT"),
        ("server", "own/1.0"),
    ] {
        assert_eq!(answer.all(name), [value]);
    }
}

/// RFC 9110, section 7.6.1.
#[test]
fn what_concerns_one_connection_stays_on_it() {
    let hop_by_hop = ["connection", "keep-alive", "te", "trailer", "upgrade", "transfer-encoding"];
    let (edge, origin) = edge(|wire| {
        let headers =
            [("connection", "keep-alive, upgrade"), ("keep-alive", "timeout=5"), ("upgrade", "h2c")];
        wire.answer("200 OK", &[&headers[..], &[("trailer", "x-sum")]].concat(), "body");
    });
    let mut client = edge.connect();
    let headers = [("connection", "keep-alive, te"), ("te", "trailers"), ("keep-alive", "timeout=5")];
    let answer = client.get("/", &[&headers[..], &[("trailer", "x-sum")]].concat());
    let received = origin.only();
    for name in hop_by_hop {
        assert_eq!((received.header(name), answer.header(name)), (None, None), "{name}");
    }
    origin.forget();
    still_in_step(&mut client, &origin);
}

#[test]
fn head_ranges_conditions_and_codings_pass() {
    let origin = Origin::new(|received, wire| {
        let unchanged = received.header("if-none-match") == Some("\"v1\"");
        let range = received.header("range");
        match range {
            _ if unchanged => wire.answer("304 Not Modified", &[("etag", "\"v1\"")], ""),
            Some("bytes=2-4") => {
                wire.answer("206 Partial Content", &[("content-range", "bytes 2-4/10")], "234")
            }
            Some(_) => wire.answer("416 Range Not Satisfiable", &[("content-range", "bytes */10")], ""),
            None if received.target == "/coded" => {
                wire.answer("200 OK", &[("content-encoding", "gzip")], b"\x1f\x8b not really");
            }
            None => wire.answer("200 OK", &[("etag", "\"v1\""), ("accept-ranges", "bytes")], "0123456789"),
        }
    });
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    let mut check = |method: &str,
                     target: &str,
                     header: (&str, &str),
                     status: u16,
                     length: Option<&str>,
                     body: &[u8]| {
        let answer = client.ask(method, target, &[header], b"");
        assert_eq!((answer.status, answer.header("content-length")), (status, length), "{method} {header:?}");
        assert_eq!(answer.body, body, "{method} {header:?}");
        still_in_step(&mut client, &origin);
        answer
    };
    let nothing = ("x-nothing", "");
    let whole = check("GET", "/", nothing, 200, Some("10"), b"0123456789");
    assert_eq!((whole.header("etag"), whole.header("accept-ranges")), (Some("\"v1\""), Some("bytes")));
    let head = check("HEAD", "/", nothing, 200, Some("10"), b"");
    assert_eq!(head.header("etag"), Some("\"v1\""));
    let part = check("GET", "/", ("range", "bytes=2-4"), 206, Some("3"), b"234");
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    check("HEAD", "/", ("range", "bytes=2-4"), 206, Some("3"), b"");
    let beyond = check("GET", "/", ("range", "bytes=99-"), 416, Some("0"), b"");
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    for method in ["GET", "HEAD"] {
        let unchanged = check(method, "/", ("if-none-match", "\"v1\""), 304, None, b"");
        assert_eq!(unchanged.header("etag"), Some("\"v1\""));
        let coded = check(
            method,
            "/coded",
            ("accept-encoding", "gzip"),
            200,
            Some("13"),
            match method {
                "GET" => b"\x1f\x8b not really",
                _ => b"",
            },
        );
        assert_eq!(coded.header("content-encoding"), Some("gzip"));
    }
}
