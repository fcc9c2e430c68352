//! What an origin is asked for: the visitor's path and query to the byte, as far as a URL has any; and what the origin
//! is told about where the visitor came from.

use crossfade_tests::origin::{Origin, Received};

use crate::edge::{Edge, only, table};

/// Each byte a character, as the wire's helpers take and give it.
fn bytes(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[test]
fn path_and_query_reach_the_origin_to_the_byte() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    for target in [
        "/",
        "/?",
        "/a?",
        "/a%2Fb%2fc",
        "/a//b///",
        "//example.com/x",
        "/a%5Cb",
        "/%C3%BC/%c3%bc",
        "/%ff%00%0a%0D",
        "/%",
        "/%zz",
        "/.well-known/acme",
        "/...",
        "/a..b/c./d",
        "/a;b=c,d'(e)*!$&+=@:~_-",
        "/a%20b+c",
        "/?q=%20+&q=&&=%2F/../.&http://x/?y",
        "/a?b=/../c/./d\\e",
        "/index.html?v=1?v=2",
    ] {
        client.get(target, &[]);
        assert_eq!(origin.only().target, target);
        origin.forget();
    }
    let long = format!("/{}?{}", "a/".repeat(1000), "b=c&".repeat(1000));
    client.get(&long, &[]);
    assert_eq!(origin.only().target, long);
}

/// The runtime can only send what the URL standard calls a URL (<https://url.spec.whatwg.org/#path-state>).
#[test]
fn what_is_no_url_to_the_byte_reaches_the_origin_as_the_url_standard_writes_it() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&only(1, &origin));
    for (target, sent) in [
        ("/ü?ü", "/%C3%BC?%C3%BC"),
        ("/日本/語", "/%E6%97%A5%E6%9C%AC/%E8%AA%9E"),
        ("/a/../b/./c", "/b/c"),
        ("/a/%2E%2e/b/%2e", "/b/"),
        ("/a\\b", "/a/b"),
        ("/../../x", "/x"),
        ("//example.com/..", "//"),
        ("/a#b", "/a"),
    ] {
        edge.get(&bytes(target), &[]);
        assert_eq!(origin.only().target, sent, "{target}");
        origin.forget();
    }
}

/// Every way to write the router's own paths must be the router's, or else something that the origin was asked for as
/// it stands.
#[test]
fn no_way_of_writing_it_brings_a_control_path_to_an_origin() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&only(1, &origin));
    for target in [
        "/__crossfade",
        "/__crossfade/",
        "/__crossfade?x",
        "/__crossfade/status",
        "/__crossfade/status?x=/../y",
        "/__crossfade/a/../status",
        "/x/../__crossfade/status",
        "/./__crossfade/status",
        "/%2e/__crossfade/status",
        "/%2E%2e/__crossfade/status",
        "/x\\..\\__crossfade\\status",
        "/__crossfade\\status",
        "http://elsewhere.example/__crossfade/status",
    ] {
        assert_eq!(edge.get(target, &[]).status, 401, "{target}");
        assert!(origin.received().is_empty(), "{target} reached the origin");
    }
    for (target, sent) in [
        ("/__crossfade/../x", "/x"),
        ("/__crossfadex", "/__crossfadex"),
        ("/__CROSSFADE/status", "/__CROSSFADE/status"),
        ("//__crossfade/status", "//__crossfade/status"),
        ("/x?/../__crossfade", "/x?/../__crossfade"),
    ] {
        assert_eq!(edge.get(target, &[]).status, 200, "{target}");
        assert_eq!(origin.only().target, sent);
        origin.forget();
    }
}

#[test]
fn the_origin_learns_the_public_host_and_scheme_and_nothing_private() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let forged = [
        ("host", "www.example.com:8080"),
        ("x-forwarded-host", "evil.example"),
        ("X-Forwarded-Host", "evil2.example"),
        ("crossfade-token", "a secret"),
        ("Crossfade-Token", "another"),
        ("crossfade-variant", "green"),
        ("CROSSFADE-VARIANT", "blue"),
        ("crossfade-else", "not private"),
    ];
    let all = |received: &Received, name: &str| -> Vec<String> {
        let headers = received.headers.iter();
        headers
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .collect()
    };
    for proto in ["http", "https"] {
        edge.get("/", &[&forged[..], &[("x-forwarded-proto", proto)]].concat());
        let received = origin.only();
        assert_eq!(all(&received, "host"), [origin.host()]);
        assert_eq!(all(&received, "x-forwarded-host"), ["www.example.com:8080"]);
        assert_eq!(all(&received, "x-forwarded-proto"), [proto]);
        assert_eq!(all(&received, "crossfade-else"), ["not private"]);
        for private in ["crossfade-token", "crossfade-variant"] {
            assert!(all(&received, private).is_empty(), "{private}: {received:#?}");
        }
        origin.forget();
    }
}
