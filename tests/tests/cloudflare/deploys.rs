//! Deployments by real wrangler and by ours: what each sends for the same directory, and what wrangler says of the answers.

use std::collections::BTreeSet;
use std::path::Path;

use crossfade_sandbox::Sandbox;
use crossfade_tests::{reference, sandbox, try_upload, upload};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::form::{self, Part, without_layout};
use crate::sent::Sent;
use crate::wrangler::Wrangler;
use crate::{http, openapi};

/// The files that wrangler was recorded with, by names with the same extensions: keys are made of content and extension.
/// One of them was `.env` then, which we refuse to publish.
const SMALL: [(&str, &[u8]); 13] = [
    ("index.html", b"Hello, World!\n"),
    ("404.html", b"nf"),
    ("about.html", b"Hello, World!\n"),
    ("App.JS", b"console.log(1)\n"),
    ("css/app.css", b"body{color:red}"),
    ("img/logo.png", b"\x89PNG\r\n\x1a\n"),
    ("LICENSE", b"no ext"),
    ("ENVIRONMENT", b"S=1"),
    (".well-known/a.json", b"{}"),
    ("sub/_headers", b"x"),
    ("sub/_redirects", b"x"),
    ("with space/ünïcode %20#?&+.txt", b"a"),
    ("empty.txt", b""),
];

/// What goes beside the assets, as in other recordings.
const SPECIAL: [(&str, &[u8]); 4] = [
    ("_headers", b"/*\n  X-Frame-Options: DENY\n"),
    ("_redirects", b"/old /new 301\n"),
    ("_worker.js", b"export default { async fetch(req, env) { return env.ASSETS.fetch(req); } };\n"),
    ("_routes.json", br#"{"version":1,"include":["/api/*"],"exclude":[]}"#),
];

#[test]
fn wrangler_and_we_send_the_same_deployment_and_it_is_the_recorded_one() {
    let site = TempDir::new().unwrap();
    write(site.path(), &SMALL);
    write(site.path(), &SPECIAL);
    std::os::unix::fs::symlink("../css", site.path().join("sub/cssdir")).unwrap();
    std::os::unix::fs::symlink("../index.html", site.path().join("sub/link.html")).unwrap();
    let wranglers = {
        let sandbox = recording();
        let deployed = deploy(&sandbox, site.path(), &["--commit-message", "Hello wörld", "--no-bundle"]);
        assert_eq!(http::get(&deployed.url).text(), "Hello, World!\n");
        assert_eq!(deployed.said("Uploaded"), "✨ Success! Uploaded 15 files");
        deployed.sent
    };
    let ours = {
        let sandbox = recording();
        try_upload(&sandbox, site.path(), Some("main")).unwrap();
        Sent::of(&sandbox.take_exchanges())
    };
    // wrangler waits for its deployment, an upload alone does not.
    assert_eq!(wranglers.calls.split_last().unwrap(), (&"GET deployment".to_owned(), ours.calls.as_slice()));
    assert_eq!(wranglers.asked_for, ours.asked_for);
    assert_eq!(wranglers.uploaded, ours.uploaded);
    assert_eq!(wranglers.in_use, ours.in_use);
    assert_eq!(without_layout(&wranglers.form), without_layout(&ours.form));

    is_as_recorded(&ours);
}

#[test]
fn a_second_deployment_uploads_only_what_is_new_whoever_makes_it() {
    let sandbox = recording();
    let site = TempDir::new().unwrap();
    write(site.path(), &SMALL);
    write(site.path(), &SPECIAL[3..]);
    let first = deploy(&sandbox, site.path(), &[]);
    assert_eq!(first.sent.uploaded.len(), 11);
    assert!(first.sent.form.iter().all(|part| part.name() != "_routes.json"), "nothing is there to route to");

    write(site.path(), &[("new.pdf", b"%PDF-1.7")]);
    let second = deploy(&sandbox, site.path(), &[]);
    assert_eq!(second.said("Uploaded"), "✨ Success! Uploaded 1 files (13 already uploaded)");
    assert_eq!(second.sent.uploaded.len(), 1);
    assert!(second.sent.uploaded.first().unwrap().contains("application/pdf"), "{:?}", second.sent.uploaded);
    assert_eq!(second.sent.in_use.len(), 12);
    assert_eq!(http::get(&format!("{}/new.pdf", second.url)).body, b"%PDF-1.7");
    assert_eq!(http::get(&first.url).text(), "Hello, World!\n", "the first is still served");

    let third = upload(&sandbox, site.path(), None);
    let ours = Sent::of(&sandbox.take_exchanges());
    assert!(ours.uploaded.is_empty() && !ours.calls.contains(&"POST upload".to_owned()), "{:?}", ours.calls);
    assert_eq!((&ours.in_use, ours.form[0].name()), (&second.sent.in_use, "manifest"));
    assert_eq!(http::get(&format!("{}/new.pdf", third.url)).body, b"%PDF-1.7");
}

#[test]
fn wrangler_lists_creates_and_deletes() {
    let sandbox = recording();
    let wrangler = Wrangler::new(&sandbox);
    let site = TempDir::new().unwrap();
    write(site.path(), &SMALL[..1]);
    let [older, newer] = [0; 2].map(|_| upload(&sandbox, site.path(), None));
    sandbox.take_exchanges();

    wrangler.run(&["pages", "project", "create", "other", "--production-branch", "main"]).expect(0);
    let projects = wrangler.run(&["pages", "project", "list"]).expect(0).stdout;
    assert!(projects.contains("│ booking") && projects.contains("│ other"), "{projects}");

    let list =
        || wrangler.run(&["pages", "deployment", "list", "--project-name", "booking"]).expect(0).stdout;
    let delete =
        |id| wrangler.run(&["pages", "deployment", "delete", id, "--project-name", "booking", "--force"]);
    let listed = list();
    assert!(listed.contains(&older.url) && listed.contains(&newer.url), "{listed}");
    assert!(listed.find(&newer.id) < listed.find(&older.id), "the newest comes first: {listed}");
    delete(&newer.id).expect(1).mentions(&["live production deployment", "8000034"]);
    delete(&older.id).expect(0);
    let listed = list();
    assert!(!listed.contains(&older.id) && listed.contains(&newer.id), "{listed}");

    wrangler.run(&["pages", "project", "delete", "other", "--yes"]).expect(0);
    assert_eq!(sandbox.describe()["projects"], json!(["booking"]));

    let exchanges = sandbox.take_exchanges();
    openapi::check(&exchanges);
    let Some(create) = recorded("51-project-create") else { return };
    let sent: Value = serde_json::from_slice(&exchanges[0].request.body).unwrap();
    assert_eq!(sent["deployment_configs"], create[0]["body"]["json"]["deployment_configs"]);
}

/// Whether a deployment of [`SMALL`] and [`SPECIAL`] consists of what wrangler was recorded to send.
#[track_caller]
fn is_as_recorded(sent: &Sent) {
    let Some(small) = recorded("01-small-site-cold") else { return };
    let assets: BTreeSet<String> = small
        .iter()
        .filter_map(|request| request.pointer("/body/items")?.as_array())
        .flatten()
        .map(|item| {
            json!({ "key": item["key"], "value": item["value"], "metadata": item["metadata"], "base64": item["base64"] })
                .to_string()
        })
        .collect();
    assert_eq!(sent.uploaded, assets);
    let special = recorded_form("04-headers-redirects-routes-404");
    let worker = recorded_form("06-worker-js-no-bundle");
    let message = recorded_form("01-small-site-cold");
    let names: Vec<&str> = sent.form.iter().map(Part::name).collect();
    let expected = [
        "manifest",
        "branch",
        "commit_message",
        "commit_dirty",
        "_headers",
        "_redirects",
        "_worker.bundle",
        "_routes.json",
    ];
    assert_eq!(names, expected);
    for (name, recorded) in [
        ("branch", &special),
        ("commit_message", &message),
        ("commit_dirty", &special),
        ("_headers", &special),
        ("_redirects", &special),
        ("_worker.bundle", &worker),
        ("_routes.json", &worker),
    ] {
        let part = sent.form.iter().find(|part| part.name() == name).unwrap();
        let recorded = recorded.iter().find(|part| part["name"] == name).unwrap();
        assert_eq!(json!(part.headers), recorded["headers"], "{name}");
        match recorded["inner_multipart"].as_array() {
            None => assert_eq!(Some(&*part.text()), recorded["text"].as_str(), "{name}"),
            Some(inner) => {
                for (part, recorded) in form::parts(&part.body).iter().zip(inner) {
                    assert_eq!(json!(part.headers), recorded["headers"], "{name}");
                    assert_eq!(Some(&*part.text()), recorded["text"].as_str(), "{name}");
                }
            }
        }
    }
}

/// A deployment by wrangler.
struct Deployed {
    url: String,
    stdout: String,
    sent: Sent,
}

impl Deployed {
    /// The line that contains a text, without the time that it took.
    fn said(&self, text: &str) -> String {
        let line = self.stdout.lines().find(|line| line.contains("Success!") && line.contains(text));
        let line = line.unwrap_or_else(|| panic!("no `{text}` in:\n{}", self.stdout));
        line.rsplit_once(" (").map_or(line, |(line, _)| line).to_owned()
    }
}

/// Deploys a directory to production by wrangler, which must see it succeed.
#[track_caller]
fn deploy(sandbox: &Sandbox, site: &Path, more: &[&str]) -> Deployed {
    let site = site.to_str().unwrap();
    let arguments =
        ["pages", "deploy", site, "--project-name", "booking", "--branch", "main", "--commit-dirty=true"];
    let stdout = Wrangler::new(sandbox).run(&[&arguments, more].concat()).expect(0).stdout;
    let (_, url) =
        stdout.split_once("Deployment complete! Take a peek over at ").unwrap_or_else(|| panic!("{stdout}"));
    let url = url.split_whitespace().next().unwrap().to_owned();
    let exchanges = sandbox.take_exchanges();
    openapi::check(&exchanges);
    Deployed { url, sent: Sent::of(&exchanges), stdout }
}

fn recording() -> Sandbox {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    sandbox
}

fn write(directory: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// The requests of a recorded wrangler.
fn recorded(name: &str) -> Option<Vec<Value>> {
    let recording =
        reference(&format!("captures/{name}.json"), "a deployment against wrangler's recorded one")?;
    recording["requests"].as_array().cloned()
}

/// The parts of its form.
fn recorded_form(name: &str) -> Vec<Value> {
    let requests = recorded(name).unwrap();
    let form = requests.iter().find_map(|request| request.pointer("/body/parts")?.as_array());
    form.unwrap().clone()
}
