//! The router itself fails, which it never should: its visitors are sent to the default origin, and the next one is not
//! bothered.
//!
//! It is the router as it is built, in an entry that takes functions of the platform away from it while a request says so. An
//! exception from one of them goes through its frames as a trap does, and leaves its memory as it was.

use std::path::Path;
use std::time::Duration;

use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::origin::Origin;
use serde_json::json;
use tempfile::TempDir;

use crate::client::Answer;
use crate::edge::{Edge, table};

/// `x-sabotage` says when the clock, which every decision needs, or the look at an answer's cookies fails.
const ENTRY: &str = r#"
import router from './worker/shim.mjs';
const { now } = Date;
const { getSetCookie } = Headers.prototype;
const broken = () => { throw new Error('sabotage'); };
export default {
  async fetch(request, env, context) {
    const sabotage = request.headers.get('x-sabotage');
    if (sabotage === 'at-once') Date.now = broken;
    if (sabotage === 'after-the-answer') Headers.prototype.getSetCookie = broken;
    try {
      const answer = router.fetch(request, env, context);
      // The first look at the clock was the decision's, the next one comes with the canary's answer.
      if (sabotage === 'in-a-future') Date.now = broken;
      return await answer;
    } finally {
      Date.now = now;
      Headers.prototype.getSetCookie = getSetCookie;
    }
  },
};
"#;

/// A router that can be made to fail; its files live as long as the second value.
fn sabotaged(routing: &serde_json::Value, default: Option<&Origin>) -> (Edge, TempDir) {
    let directory = TempDir::new().unwrap();
    let edge = Edge::with(|options| {
        copy(options.worker.as_deref().unwrap(), directory.path());
        std::fs::write(directory.path().join("index.js"), ENTRY).unwrap();
        options.worker = Some(directory.path().to_owned());
        options.default_origin = default.map(Origin::url);
        options.refresh_seconds = 3600;
    });
    edge.put(routing);
    edge.until_revision(1);
    (edge, directory)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A table whose `green` has everything below `/canary`.
fn routing(blue: &Origin, green: &Origin) -> serde_json::Value {
    let mut routing = table(1, blue, green, 0);
    routing["rules"] = json!([{ "to": "green", "path": { "prefix": "/canary" } }]);
    routing
}

/// The ways to fail, each with a path that leads there and whether an origin was asked before.
const WAYS: [(&str, &str, bool); 3] =
    [("at-once", "/x", false), ("after-the-answer", "/x", true), ("in-a-future", "/canary", true)];

/// A site that sets a cookie, and takes its time for what ends in `/slow`.
fn site(name: &'static str) -> Origin {
    Origin::new(move |received, wire| {
        if received.target.ends_with("/slow") {
            std::thread::sleep(Duration::from_millis(700));
        }
        wire.answer("200 OK", &[("set-cookie", "a=1")], name);
    })
}

#[track_caller]
fn works(edge: &Edge) {
    for (path, body) in [("/x", "blue"), ("/canary", "green"), ("/x", "blue")] {
        let answer = edge.get(path, &[]);
        assert_eq!((answer.status, answer.text().as_str(), answer.revision()), (200, body, 1));
    }
    assert_eq!(edge.status()["revision"], 1);
}

#[test]
fn its_visitors_are_sent_to_the_default_origin_and_the_next_ones_are_not_bothered() {
    let (blue, green, default) = (site("blue"), site("green"), site("default"));
    let (edge, _files) = sabotaged(&routing(&blue, &green), Some(&default));
    for _ in 0..3 {
        for (way, path, asked) in WAYS {
            works(&edge);
            let headers = [
                ("x-sabotage", way),
                ("host", "www.example.com"),
                ("crossfade-token", "wrong"),
                ("crossfade-variant", "green"),
                ("cookie", "crossfade-override=green:wrong"),
            ];
            let target = format!("{path}//%2F?q=//evil.example");
            let answer = edge.get(&target, &headers);
            assert_eq!((answer.status, answer.text().as_str()), (200, "default"), "{way}: {answer:?}");
            let received = default.only();
            assert_eq!(received.target, target, "{way}");
            assert_eq!(received.header("x-forwarded-host"), Some("www.example.com"));
            for private in ["crossfade-token", "crossfade-variant", "cookie"] {
                assert_eq!(received.header(private), None, "{way}: {private}");
            }
            works(&edge);
            default.forget();
            blue.forget();
            green.forget();
            // What may have changed something is sent again only when it has surely not been sent.
            let answer = edge.ask("POST", path, &[("x-sabotage", way)], b"order");
            works(&edge);
            let orders = |origin: &Origin| origin.received().iter().filter(|it| it.method == "POST").count();
            assert_eq!(orders(&blue) + orders(&green) + orders(&default), 1, "{way}");
            assert_eq!(orders(&default), usize::from(!asked), "{way}");
            assert_eq!(answer.status, if asked { 503 } else { 200 }, "{way}");
            default.forget();
        }
    }
}

#[test]
fn without_a_default_origin_there_is_a_clear_503_and_control_paths_go_nowhere() {
    let (blue, green) = (site("blue"), site("green"));
    let is_clear = |answer: &Answer| {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(
            (answer.header("retry-after"), answer.header("cache-control")),
            (Some("1"), Some("no-store"))
        );
        assert!(answer.text().contains("the router failed"), "{}", answer.text());
    };
    let (edge, _files) = sabotaged(&routing(&blue, &green), None);
    for (way, path, _) in WAYS {
        is_clear(&edge.get(path, &[("x-sabotage", way)]));
        works(&edge);
    }
    let default = Origin::saying("default");
    let (edge, _files) = sabotaged(&routing(&blue, &green), Some(&default));
    let bearer = format!("Bearer {CONTROL_TOKEN}");
    for path in ["/__crossfade/status", "/x/../__crossfade/status", "/__crossfade"] {
        is_clear(&edge.get(path, &[("x-sabotage", "at-once"), ("authorization", &bearer)]));
    }
    assert!(default.received().is_empty(), "the secret was in those requests");
    works(&edge);
}

#[test]
fn requests_that_are_under_way_are_answered_too() {
    let (blue, green, default) = (site("blue"), site("green"), site("default"));
    let (edge, _files) = sabotaged(&routing(&blue, &green), Some(&default));
    for (way, path, _) in WAYS {
        let mut under_way: Vec<_> = ["/slow", "/canary/slow", "/slow", "/canary/slow"]
            .map(|path| {
                let client = edge.connect();
                client.request("GET", path, &[], b"");
                client
            })
            .into();
        blue.until(|all| all.iter().filter(|it| it.target == "/slow").count() == 2);
        green.until(|all| all.iter().filter(|it| it.target == "/canary/slow").count() == 2);
        assert_eq!(edge.get(path, &[("x-sabotage", way)]).text(), "default");
        works(&edge);
        for client in &mut under_way {
            let answer = client.answer("GET");
            assert_eq!(answer.status, 200, "{way}: {answer:?}");
        }
        works(&edge);
        blue.forget();
        green.forget();
    }
}
