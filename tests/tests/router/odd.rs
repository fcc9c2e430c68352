//! Requests and answers that nobody sends on purpose: whatever comes, the router does not fall over.

use crossfade_tests::origin::Origin;

use crate::edge::{Edge, table};

/// What the runtime prints when our code trapped or threw.
const SIGNS_OF_A_PANIC: [&str; 6] =
    ["panicked", "RuntimeError", "unreachable executed", "Uncaught", "RangeError", "TypeError"];

#[track_caller]
fn no_panic(edge: &Edge, after: &str) {
    let output = edge.sandbox.router_output();
    let found = output.iter().find(|line| SIGNS_OF_A_PANIC.iter().any(|sign| line.contains(sign)));
    assert!(found.is_none(), "after {after}: {output:#?}");
}

/// Each byte a character.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[test]
fn odd_requests_do_not_bring_the_router_down() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let long = "x".repeat(6000);
    let many: String = (0..150).map(|number| format!("x-{number}: {number}\r\n")).collect();
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b?c#d\r\n\r\n",
        "GET /x/../y HTTP/1.1\r\nhost: a/b?c#d\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: u:p@h:99999\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /\\..\\.. HTTP/1.1\r\nhost: [::1]:x\r\n\r\n",
        "GET http://a.example/..//x HTTP/1.1\r\nhost: b\r\n\r\n",
        "GET ftp://a.example/ HTTP/1.1\r\nhost: b\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        "TRACE /?? HTTP/1.1\r\nhost: a\r\n\r\n",
        "FOO / HTTP/1.1\r\nhost: a\r\n\r\n",
        "get / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET  HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\u{ff}\u{fe} HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /%ff%fe%00 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a-8f3a2c1\u{e9}.js HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\u{c3}\u{bc}-8f3a2c1d.j\u{c3}\u{bc} HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncookie: crossfade=\u{e9}; =; ;;; \u{ff}\r\nuser-agent: \u{80}\u{ff}\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncookie: \u{c3}\u{28}=\u{c3}\u{28}\r\naccept-language: \u{f0}\u{28}\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: gopher\r\n\r\n",
        "GET /__crossfade/status HTTP/1.1\r\nhost: a\r\nauthorization: Bearer \u{ff}\u{e9}\r\n\r\n",
        "GET /__crossfade/status HTTP/1.1\r\nhost: a\r\nauthorization:\r\nauthorization: Bearer x\r\n\r\n",
        "GET /__crossfade%2Fstatus HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "HEAD / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "GET /a-8f3a2c1d.js HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
        "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nrange: bytes=-,9-1\r\nif-none-match: \"\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
        &format!("GET /{long} HTTP/1.1\r\nhost: a\r\nx: {long}\r\ncookie: {long}\r\n\r\n"),
        &format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
    ] {
        let client = edge.connect();
        client.send(bytes(request));
        let said = client.finish();
        no_panic(&edge, request);
        let status = said.split(' ').nth(1).unwrap_or_default();
        assert!(!status.starts_with("500"), "{request:?}: {said}");
        assert_eq!(edge.get("/", &[]).status, 200, "after {request:?}");
    }
}

#[test]
fn odd_answers_do_not_bring_the_router_down() {
    let answers: &[&str] = &[
        "",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 600 High\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 999 Highest\r\ncontent-length: 1\r\nlocation: //\r\n\r\nx",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: \u{ff}\u{fe}//\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://[\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 \u{ff}\u{fe}\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip, x-own\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-type: text/h\u{e9}\u{ff}ml\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: \u{c3}\u{bc}\u{c3}\u{bc}\u{c3}\u{bc}\u{c3}\u{bc}\u{c3}\u{bc}\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nset-cookie:\r\nset-cookie: \u{ff}=\u{fe}\r\ncrossfade: \u{ff}\r\ncontent-length: 0\r\n\r\n",
        "220 mail.example.com ESMTP\r\n",
    ];
    let origin = Origin::new(move |received, wire| {
        let number = received.header("x-number").and_then(|text| text.parse::<usize>().ok());
        match number {
            Some(number) => {
                wire.send(bytes(answers[number]));
                wire.close();
            }
            None => wire.answer("200 OK", &[], ""),
        }
    });
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    for (number, answer) in answers.iter().enumerate() {
        for (method, path) in [("GET", "/"), ("HEAD", "/"), ("GET", "/a-8f3a2c1d.js"), ("POST", "/")] {
            let client = edge.connect();
            client.request(method, path, &[("x-number", &number.to_string())], b"");
            let said = client.finish();
            no_panic(&edge, answer);
            assert!(said.starts_with("HTTP/1.1 "), "{method} {path} {answer:?}: {said}");
            let status = said.split(' ').nth(1).unwrap_or_default();
            assert!(!status.starts_with("500"), "{method} {path} {answer:?}: {said}");
        }
        assert_eq!(edge.get("/", &[]).status, 200, "after {answer:?}");
    }
}
