//! Redirects go to the visitor, not after them; one to the origin's own host leads to the public one. Which do is
//! `crossfade_core::redirect`'s, and tested there.

use crossfade_tests::origin::Origin;

use crate::client::Answer;
use crate::edge::{Edge, only};

/// An origin that redirects as it is asked to.
fn redirecting() -> Origin {
    Origin::new(|received, wire| {
        let location = received.header("x-wanted").unwrap_or_default().to_owned();
        let status = format!("{} Word", received.header("x-status").unwrap_or_default());
        wire.answer(&status, &[("location", &location)], "")
    })
}

#[track_caller]
fn ask(edge: &Edge, proto: &str, status: u16, wanted: &str) -> Answer {
    let (host, status) = ("www.example.com:8080", status.to_string());
    let headers = [("x-forwarded-proto", proto), ("host", host), ("x-wanted", wanted), ("x-status", &status)];
    let answer = edge.get("/here", &headers);
    assert_eq!(answer.status.to_string(), status);
    answer
}

#[test]
fn a_redirect_to_the_origins_own_host_leads_to_the_public_one() {
    let origin = redirecting();
    for (variant, edge) in [
        ("blue", Edge::settled(&only(1, &origin))),
        ("default", Edge::with(|options| options.default_origin = Some(origin.url()))),
    ] {
        for status in [201, 301, 302, 303, 307, 308] {
            for proto in ["http", "https"] {
                let answer = ask(&edge, proto, status, &format!("{}/there?q=%2F#x", origin.url()));
                let home = format!("{proto}://www.example.com:8080/there?q=%2F#x");
                assert_eq!(answer.all("location"), [home], "{status}");
                assert_eq!(answer.variant(), variant);
            }
        }
    }
    assert!(origin.received().iter().all(|received| received.target == "/here"), "nobody followed");
}

#[test]
fn any_other_redirect_passes_as_it_is() {
    let origin = redirecting();
    let edge = Edge::settled(&only(1, &origin));
    for wanted in [
        "/there",
        "there/../x?y",
        "?q",
        "https://example.com/",
        "//example.com/",
        &format!("{}0/", origin.url()),
    ] {
        for status in [201, 301, 302, 303, 307, 308] {
            assert_eq!(ask(&edge, "http", status, wanted).all("location"), [wanted], "{status}");
        }
    }
}
