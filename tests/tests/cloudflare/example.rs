//! The booking site in the real Pages runtime: what its pages name is there, and each switch breaks what it says and
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crossfade_sandbox::{Sandbox, Tools};
use crossfade_tests::{Ended, Site, root, sandbox, upload};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, get, send};

const VERSION: &str = "1.4.2";

/// A version that fails on request.
struct Broken {
    switches: &'static [&'static str],
    /// What is seen otherwise than of a sound version. Whatever is not named is as it was.
    otherwise: &'static [(&'static str, &'static str)],
}

const BROKEN: [Broken; 4] = [
    Broken {
        switches: &["health-basic", "smoke-auth", "missing-asset"],
        otherwise: &[
            ("basic", "503"),
            ("sign-in", "500"),
            ("booking", "401"),
            ("calendar", "404"),
            ("payment", "404"),
            ("cancellation", "401"),
            ("script", "404"),
        ],
    },
    Broken {
        switches: &["health-database", "smoke-booking", "wrong-version"],
        otherwise: &[
            ("database", "503"),
            ("booking", "500"),
            ("calendar", "404"),
            ("payment", "404"),
            ("cancellation", "404"),
            ("version", "1.4.2-other"),
        ],
    },
    Broken {
        switches: &["health-external", "smoke-calendar", "smoke-cancel", "slow=300"],
        otherwise: &[("external", "503"), ("calendar", "202 null"), ("cancellation", "200 confirmed")],
    },
    Broken { switches: &["smoke-payment", "real-host"], otherwise: &[("payment", "402")] },
];

#[test]
fn each_switch_breaks_what_it_says_and_nothing_else() {
    let mut sandbox = sandbox(|_| ());
    let public = sandbox.public_url().unwrap();
    let sound = seen(&deploy(&sandbox, VERSION, &[]));
    let expected = [
        ("basic", "200"),
        ("booking", "201 confirmed"),
        ("calendar", "202 event"),
        ("cancellation", "200 cancelled"),
        ("database", "200"),
        ("external", "200"),
        ("page", "200 1.4.2"),
        ("payment", "201 authorised"),
        ("script", "200"),
        ("sign-in", "201"),
        ("style", "200"),
        ("version", VERSION),
    ];
    assert_eq!(sound, expected.map(|(name, value)| (name, value.to_owned())).into());
    for Broken { switches, otherwise } in BROKEN {
        let url = deploy(&sandbox, VERSION, switches);
        let mut expected = sound.clone();
        expected.extend(otherwise.iter().map(|(name, value)| (*name, (*value).to_owned())));
        assert_eq!(seen(&url), expected, "{switches:?}");

        let started = Instant::now();
        get(&url);
        let is_slow = switches.contains(&"slow=300");
        assert!(!is_slow || started.elapsed() >= Duration::from_millis(299), "{switches:?}");
        sandbox.set_default_origin(&url).unwrap();
        for path in ["/", "/version.json", "/api/health/basic"] {
            let behind_the_router = get(&format!("{public}{path}")).status;
            assert_eq!(behind_the_router == 500, switches.contains(&"real-host"), "{path} of {switches:?}");
        }
    }
    let tried: BTreeSet<&str> = BROKEN
        .iter()
        .flat_map(|broken| broken.switches)
        .map(|name| name.split('=').next().unwrap())
        .collect();
    assert_eq!(tried, switches().iter().map(String::as_str).collect(), "every switch is tried");
}

#[test]
fn pages_name_fingerprinted_assets_that_are_there_and_never_change() {
    let site = Site::new();
    let urls = ["1.0.0", "1.1.0"].map(|version| deploy(&site.sandbox, version, &[]));
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for url in &urls {
        let page = get(url);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let named = assets(&page);
        assert_eq!(named.len(), 2, "a style sheet and a script: {named:?}");
        for (name, content_type) in named.iter().zip(["text/css; charset=utf-8", "application/javascript"]) {
            let parts: Vec<&str> = name.split('.').collect();
            assert!(parts.len() == 3 && parts[1].len() == 10, "{name} has no fingerprint");
            let asset = get(&format!("{url}{name}"));
            assert_eq!((asset.status, asset.header("content-type")), (200, Some(content_type)), "{name}");
            let lifetime = asset.header("cache-control").unwrap();
            assert!(lifetime.contains("immutable"), "{name}: {lifetime}");
            let known = contents.entry(name.clone()).or_insert_with(|| asset.body.clone());
            assert_eq!(*known, asset.body, "one name, one content: {name}");
        }
        assert_eq!(get(&format!("{url}/nothing.js")).status, 404, "a missing script is no page");
    }
    assert!(contents.len() > 2, "what changed has another name: {:?}", contents.keys());
    // The example's own checks fit the example.
    let checked = site.run(&["check", &urls[1]]).expect(0);
    assert!(checked.stdout.contains("4 of 4") && checked.stdout.contains("5 of 5"), "{}", checked.stdout);
}

#[test]
fn the_build_takes_a_version_and_refuses_what_it_does_not_know() {
    let out = TempDir::new().unwrap();
    let directory = out.path().join("dist");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    build(&["--version", "2.0.0-rc.1"], &directory).expect(0);
    assert_eq!(read("version.json").trim(), r#"{"version":"2.0.0-rc.1"}"#);
    assert!(read("index.html").contains("2.0.0-rc.1") && read("_worker.js").contains("'2.0.0-rc.1'"));
    build(&["--version", "3", "--fail", "nonsense"], &directory)
        .expect(2)
        .says(&["`nonsense`", "smoke-payment"]);
    build(&["--version", "a b"], &directory).expect(2).says(&["`a b` is not a version"]);
    build(&[], &directory).expect(2).says(&["--version"]);
    assert!(read("version.json").contains("2.0.0-rc.1"), "a build that fails leaves the one before");
}

/// Runs the example's build without any of its variables.
fn build(arguments: &[&str], out: &Path) -> Ended {
    let mut command = Command::new(Tools::load().unwrap().node);
    command.arg(root().join("example/build.mjs")).args(arguments).arg("--out").arg(out).env_clear();
    Ended::of(command)
}

/// Builds a version and deploys it; its URL.
#[track_caller]
fn deploy(sandbox: &Sandbox, version: &str, switches: &[&str]) -> String {
    let out = TempDir::new().unwrap();
    let fail = switches.iter().flat_map(|name| ["--fail", name]);
    build(&["--version", version].into_iter().chain(fail).collect::<Vec<_>>(), out.path()).expect(0);
    upload(sandbox, out.path(), None).url
}

/// The switches that the build knows.
fn switches() -> Vec<String> {
    let build = root().join("example/build.mjs");
    let mut command = Command::new(Tools::load().unwrap().node);
    let program = format!(
        "import({build:?}).then(({{ SWITCHES }}) => console.log(JSON.stringify(Object.keys(SWITCHES))))"
    );
    command.args(["-e", &program]);
    serde_json::from_str(&Ended::of(command).expect(0).stdout).unwrap()
}

/// What a visitor of a deployment meets, part by part.
#[track_caller]
fn seen(url: &str) -> BTreeMap<&'static str, String> {
    let ask = |method: &str, path: &str, body: Value, token: &str| -> (u16, Value) {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = send(method, &format!("{url}{path}"), &headers, body.as_bytes()).unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    };
    let mut seen = BTreeMap::new();
    for part in ["basic", "database", "external"] {
        seen.insert(part, ask("GET", &format!("/api/health/{part}"), Value::Null, "").0.to_string());
    }
    let (status, signed_in) =
        ask("POST", "/api/session", json!({ "email": "a@b.c", "password": "correct-horse" }), "");
    seen.insert("sign-in", status.to_string());
    let token = signed_in["token"].as_str().unwrap_or_default();
    let (status, booked) =
        ask("POST", "/api/bookings", json!({ "slot": "2026-12-01T09:00", "name": "Ada" }), token);
    seen.insert("booking", with_status(status, &booked));
    let id = booked["id"].as_str().unwrap_or("none");
    let (status, synced) = ask("POST", "/api/calendar/sync", json!({ "booking": id }), token);
    let event = match synced.get("event") {
        Some(Value::Null) => " null",
        Some(_) => " event",
        None => "",
    };
    seen.insert("calendar", format!("{status}{event}"));
    let (status, paid) =
        ask("POST", "/api/payments", json!({ "booking": id, "card": "4242424242424242" }), token);
    seen.insert("payment", with_status(status, &paid));
    let (status, cancelled) = ask("DELETE", &format!("/api/bookings/{id}"), Value::Null, token);
    seen.insert("cancellation", with_status(status, &cancelled));

    let page = get(url);
    let footer =
        page.text().split_once("<b>").and_then(|(_, rest)| Some(rest.split_once("</b>")?.0.to_owned()));
    seen.insert("page", format!("{} {}", page.status, footer.unwrap_or_default()));
    for asset in assets(&page) {
        let kind = if asset.ends_with(".css") { "style" } else { "script" };
        seen.insert(kind, get(&format!("{url}{asset}")).status.to_string());
    }
    let version = get(&format!("{url}/version.json")).json();
    seen.insert("version", version["version"].as_str().unwrap_or_default().to_owned());
    seen
}

/// A status, and the `status` of the JSON if it has one.
fn with_status(status: u16, json: &Value) -> String {
    json["status"].as_str().map_or_else(|| status.to_string(), |text| format!("{status} {text}"))
}

/// The assets that a page names, in their order.
fn assets(page: &Answer) -> Vec<String> {
    let text = page.text();
    let quoted = text.split('"').filter(|text| text.starts_with("/assets/"));
    quoted.map(str::to_owned).collect()
}
