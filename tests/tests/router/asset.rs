//! Asset fallback: a page loaded before a release gets its own files after it, from whichever version has them.

use std::sync::{Arc, Mutex};

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::Origin;
use serde_json::json;

use crate::edge::{Edge, Nobody, table};

/// Who was asked, in order.
type Asked = Arc<Mutex<Vec<&'static str>>>;

/// The sites of one test.
struct Sites {
    asked: Asked,
    origins: Vec<(&'static str, Origin)>,
}

/// What a site answers for a file that it does not have: an honest 404, or the start page as Pages does.
#[derive(Clone, Copy, Debug)]
enum Missing {
    NotFound,
    StartPage,
}

impl Sites {
    /// Five versions: `green` is asked first and `blue` stable. Each has one file of its own, `/own-<name>….js`, and they
    /// all lack the others'.
    fn new(missing: Missing) -> Self {
        let asked = Asked::default();
        let site = |name: &'static str| {
            let (asked, own) = (Arc::clone(&asked), own(name));
            let origin = Origin::new(move |received, wire| {
                asked.lock().unwrap().push(name);
                let path = received.target.split('?').next().unwrap_or_default();
                match missing {
                    _ if path == own && received.header("if-none-match") == Some("\"same\"") => {
                        wire.answer("304 Not Modified", &[("etag", "\"same\"")], "");
                    }
                    _ if path == own => {
                        wire.answer("200 OK", &[("content-type", "text/javascript")], name);
                    }
                    Missing::NotFound => {
                        wire.answer("404 Not Found", &[("content-type", "text/html")], format!("{name}: no"));
                    }
                    Missing::StartPage => {
                        wire.answer("200 OK", &[("content-type", "text/html")], format!("{name}: start"));
                    }
                }
            });
            (name, origin)
        };
        Self { origins: ["green", "blue", "older", "oldest", "default"].map(site).into(), asked }
    }

    fn url(&self, name: &str) -> String {
        self.origins.iter().find(|(known, _)| *known == name).unwrap().1.url()
    }

    fn origin(&self, name: &str) -> &Origin {
        &self.origins.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// A router that gives everybody to `green`.
    fn edge(&self) -> Edge {
        let mut routing = table(7, self.origin("blue"), self.origin("green"), 10_000);
        routing["previous"] = json!([
            { "origin": self.url("older"), "version": "1.3.0" },
            { "origin": self.url("oldest"), "version": "1.2.0" },
        ]);
        let edge = Edge::with(|options| {
            options.default_origin = Some(self.url("default"));
            options.refresh_seconds = 3600;
        });
        edge.put(&routing);
        edge
    }

    /// Who was asked since the last time.
    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn own(name: &str) -> String {
    format!("/assets/own-{name}-8f3a2c1d.js")
}

const CHOSEN: &str = r#"variant="green", version="1.5.0", revision=7"#;

#[test]
fn a_file_missing_on_the_chosen_version_comes_from_the_first_other_that_has_it() {
    for missing in [Missing::NotFound, Missing::StartPage] {
        let sites = Sites::new(missing);
        let edge = sites.edge();
        for (name, header, asked) in [
            ("green", CHOSEN, &["green"][..]),
            ("blue", r#"variant="blue", version="1.4.2", revision=7, fallback"#, &["green", "blue"]),
            (
                "older",
                r#"variant="previous", version="1.3.0", revision=7, fallback"#,
                &["green", "blue", "older"],
            ),
            (
                "oldest",
                r#"variant="previous", version="1.2.0", revision=7, fallback"#,
                &["green", "blue", "older", "oldest"],
            ),
            (
                "default",
                r#"variant="default", version="", revision=7, fallback"#,
                &["green", "blue", "older", "oldest", "default"],
            ),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = edge.ask(method, &own(name), &[], b"");
                let body = if method == "GET" { name } else { "" };
                assert_eq!(
                    (answer.status, answer.text().as_str()),
                    (200, body),
                    "{missing:?} {method} {name}"
                );
                assert_eq!(answer.header("content-type"), Some("text/javascript"));
                assert_eq!(answer.header("content-length"), Some(name.len().to_string().as_str()));
                assert_eq!(answer.crossfade(), header);
                assert_eq!(sites.asked(), asked, "{missing:?} {method} {name}");
            }
        }
    }
}

#[test]
fn when_nobody_has_it_the_first_answer_stands() {
    for (missing, status, body) in
        [(Missing::NotFound, 404, "green: no"), (Missing::StartPage, 200, "green: start")]
    {
        let sites = Sites::new(missing);
        let edge = sites.edge();
        for method in ["GET", "HEAD"] {
            let answer = edge.ask(method, &own("nobody"), &[], b"");
            let body = if method == "GET" { body } else { "" };
            assert_eq!((answer.status, answer.text().as_str(), answer.crossfade()), (status, body, CHOSEN));
            assert_eq!(sites.asked(), ["green", "blue", "older", "oldest", "default"]);
        }
    }
}

#[test]
fn pages_and_other_methods_are_the_chosen_versions_alone() {
    for (missing, status) in [(Missing::NotFound, 404), (Missing::StartPage, 200)] {
        let sites = Sites::new(missing);
        let edge = sites.edge();
        let asset = own("blue");
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/book"),
            ("GET", "/gone-8f3a2c1d.html"),
            ("HEAD", "/gone-8f3a2c1d"),
            ("GET", "/favicon.ico"),
            ("GET", "/data.json?file=app-8f3a2c1d.js"),
            ("POST", &asset),
            ("PUT", &asset),
            ("PATCH", &asset),
            ("DELETE", &asset),
            ("OPTIONS", &asset),
        ] {
            let answer = edge.ask(method, path, &[], b"");
            assert_eq!((answer.status, answer.crossfade()), (status, CHOSEN), "{missing:?} {method} {path}");
            assert_eq!(sites.asked(), ["green"], "{missing:?} {method} {path}");
        }
    }
}

#[test]
fn the_other_versions_are_asked_the_same_question() {
    let sites = Sites::new(Missing::NotFound);
    let edge = sites.edge();
    let headers = [
        ("accept-encoding", "br"),
        ("if-none-match", "\"same\""),
        ("crossfade-token", "secret"),
        ("host", "www.example.com"),
    ];
    let answer = edge.get(&format!("{}?v=%2F", own("older")), &headers);
    assert_eq!(answer.status, 304, "the browser has it already");
    assert_eq!(answer.crossfade(), r#"variant="previous", version="1.3.0", revision=7, fallback"#);
    for name in ["green", "blue", "older"] {
        let received = sites.origin(name).only();
        assert_eq!(
            (received.method.as_str(), received.target.clone()),
            ("GET", format!("{}?v=%2F", own("older")))
        );
        assert_eq!(received.header("accept-encoding"), Some("br"));
        assert_eq!(received.header("x-forwarded-host"), Some("www.example.com"));
        assert_eq!(received.header("crossfade-token"), None);
    }
}

#[test]
fn a_version_that_fails_or_cannot_be_reached_is_passed_over() {
    let sites = Sites::new(Missing::NotFound);
    let failing = Origin::new(|_, wire| wire.answer("500 Internal Server Error", &[], "oops"));
    let nobody = Nobody::new();
    let mut routing = table(7, &failing, sites.origin("green"), 10_000);
    routing["previous"] = json!([
        { "origin": nobody.url(), "version": "1.3.0" },
        { "origin": sites.url("oldest"), "version": "1.2.0" },
    ]);
    let edge = Edge::settled(&routing);
    let answer = edge.get(&own("oldest"), &[]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "oldest"));
    assert_eq!(answer.crossfade(), r#"variant="previous", version="1.2.0", revision=7, fallback"#);
    assert_eq!(failing.received().len(), 1);
    let answer = edge.get(&own("nobody"), &[]);
    assert_eq!((answer.status, answer.text().as_str(), answer.crossfade()), (404, "green: no", CHOSEN));
}

#[test]
fn after_the_lease_has_lapsed_files_of_the_canary_are_still_found() {
    let sites = Sites::new(Missing::StartPage);
    let mut routing = table(7, sites.origin("blue"), sites.origin("green"), 10_000);
    routing["lease"] = json!({ "expires_at": "2026-01-31T12:05:00Z" });
    let edge = Edge::settled(&routing);
    let answer = edge.get(&own("green"), &[]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "green"));
    assert_eq!(answer.crossfade(), r#"variant="green", version="1.5.0", revision=7, lapsed, fallback"#);
}

/// The browser says what it wants the answer for. Pages without a `404.html` answers with the start page whatever it was.
#[test]
fn a_start_page_in_place_of_what_a_browser_wants_a_script_for_is_a_missing_file() {
    let page = |name: &'static str| {
        Origin::new(move |received, wire| match received.target.as_str() {
            "/app.js" if name == "blue" => {
                wire.answer("200 OK", &[("content-type", "text/javascript")], name)
            }
            _ => wire.answer("200 OK", &[("content-type", "text/html; charset=utf-8")], name),
        })
    };
    let (blue, green) = (page("blue"), page("green"));
    let edge = Edge::settled(&table(7, &blue, &green, 10_000));
    for (dest, path, body) in [
        ("script", "/app.js", "blue"),
        ("style", "/app.js", "blue"),
        ("serviceworker", "/app.js", "blue"),
        ("script", "/nobody.js", "green"),
        ("document", "/app.js", "green"),
        ("iframe", "/app.js", "green"),
        ("empty", "/app.js", "blue"),
        ("", "/app.js", "blue"),
        ("", "/app", "green"),
    ] {
        let answer = edge.get(path, &[("sec-fetch-dest", dest)]);
        assert_eq!(
            (answer.status, answer.text().as_str(), answer.variant()),
            (200, body, body),
            "{dest} {path}"
        );
        assert_eq!(answer.crossfade().contains("fallback"), body == "blue", "{dest} {path}");
    }
    assert_eq!(edge.ask("POST", "/app.js", &[("sec-fetch-dest", "script")], b"").text(), "green");
}

#[test]
fn who_asks_for_one_version_learns_what_that_one_lacks() {
    let sites = Sites::new(Missing::NotFound);
    let edge = sites.edge();
    for variant in ["green", "blue"] {
        let headers = [("crossfade-variant", variant), ("crossfade-token", CONTROL_TOKEN)];
        let answer = edge.get(&own("older"), &headers);
        assert_eq!((answer.status, answer.variant()), (404, variant));
        assert_eq!(sites.asked(), [variant]);
    }
}

#[test]
fn a_version_that_hangs_is_passed_over() {
    let sites = Sites::new(Missing::NotFound);
    let hanging = Origin::new(|_, wire| wire.wait_for_the_end());
    let mut routing = table(7, sites.origin("blue"), &hanging, 0);
    routing["rescue"] = json!({ "deadline_ms": 250 });
    routing["previous"] = json!([{ "origin": sites.url("older"), "version": "1.3.0" }]);
    let edge = Edge::settled(&routing);
    for (name, status, body) in [("older", 200, "older"), ("nobody", 404, "blue: no")] {
        let answer = edge.get(&own(name), &[]);
        assert_eq!((answer.status, answer.text().as_str()), (status, body));
    }
    assert_eq!(hanging.received().len(), 2);
}
