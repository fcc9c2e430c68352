//! Deployments in the real Pages runtime, each on its own origin; the router in real workerd in front of them.

use crossfade::upload::Error;
use crossfade_sandbox::CONTROL_TOKEN;
use crossfade_tests::{client, sandbox, upload, upload_to};
use serde_json::json;
use tempfile::TempDir;

use crate::http::{get, send};
use crate::wrangler::Wrangler;

fn site(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

const API: &str = "
import { greeting } from './words/greeting.js';
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/api/hello') return Response.json({ greeting, method: request.method }, { status: 201 });
    return env.ASSETS.fetch(request);
  },
};";

#[test]
fn every_deployment_has_the_pages_runtimes_rules_on_an_origin_of_its_own() {
    let sandbox = sandbox(|options| options.worker = None);
    let with_404 = site(&[
        ("index.html", "home"),
        ("about.html", "about"),
        ("blog/index.html", "blog"),
        ("blog/404.html", "no such post"),
        ("404.html", "no such page"),
        ("style.css", "body{}"),
        ("_headers", "/*\n  X-Frame-Options: DENY\n/style.css\n  Cache-Control: public, max-age=60\n"),
        ("_redirects", "/old /about 301\n"),
    ]);
    let without_404 = site(&[("index.html", "the app")]);
    let one = upload(&sandbox, with_404.path(), None);
    let other = upload(&sandbox, without_404.path(), None);
    assert_ne!(one.url, other.url);
    assert!([&one, &other].iter().all(|deployment| deployment.url.starts_with("http://127.0.0.1:")));

    // Path, status, body, one header.
    for (path, status, body, (header, value)) in [
        ("/", 200, "home", ("x-frame-options", Some("DENY"))),
        ("/", 200, "home", ("cache-control", Some("public, max-age=0, must-revalidate"))),
        ("/about", 200, "about", ("content-type", Some("text/html; charset=utf-8"))),
        ("/about.html", 308, "", ("location", Some("/about"))),
        ("/blog", 308, "", ("location", Some("/blog/"))),
        ("/blog/", 200, "blog", ("location", None)),
        ("/old", 301, "Redirecting to /about", ("location", Some("/about"))),
        ("/style.css", 200, "body{}", ("cache-control", Some("public, max-age=60"))),
        ("/nothing", 404, "no such page", ("cache-control", Some("no-store"))),
        ("/blog/nothing", 404, "no such post", ("cache-control", Some("no-store"))),
    ] {
        let answer = get(&format!("{}{path}", one.url));
        assert_eq!((answer.status, &*answer.text()), (status, body), "{path}");
        assert_eq!(answer.header(header), value, "{header} of {path}");
    }
    let etag = get(&one.url).header("etag").unwrap().to_owned();
    assert_eq!(send("GET", &one.url, &[("if-none-match", &etag)], b"").unwrap().status, 304);
    assert_eq!(send("POST", &one.url, &[], b"x").unwrap().status, 405);
    let missing_script = get(&format!("{}/app.gone.js", other.url));
    assert_eq!(
        (missing_script.status, &*missing_script.text()),
        (200, "the app"),
        "no 404.html: a page for all paths"
    );
}

#[test]
fn a_worker_of_several_modules_runs_whether_wrangler_bundled_it_or_we_sent_it() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = site(&[
        ("index.html", "a page"),
        ("_worker.js/index.js", API),
        ("_worker.js/words/greeting.js", "export const greeting = 'hello';"),
        ("_routes.json", r#"{"version":1,"include":["/api/*"],"exclude":["/api/static.txt"]}"#),
        ("api/static.txt", "static"),
    ]);
    let ours = upload(&sandbox, site.path(), None);
    let directory = site.path().to_str().unwrap();
    let deploy = ["pages", "deploy", directory, "--project-name", "booking", "--branch", "main"];
    Wrangler::new(&sandbox).run(&deploy).expect(0);
    let deployments = sandbox.deployments();
    let (_, wranglers) = deployments.iter().find(|(id, _)| *id != ours.id).unwrap();
    for url in [&ours.url, wranglers] {
        let answer = send("PUT", &format!("{url}/api/hello"), &[], b"x").unwrap();
        assert_eq!((answer.status, answer.json()), (201, json!({ "greeting": "hello", "method": "PUT" })));
        assert_eq!(get(&format!("{url}/api/static.txt")).text(), "static");
        assert_eq!(get(url).text(), "a page");
    }
}

#[test]
fn a_deployment_that_cannot_run_fails_with_the_runtimes_own_words() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = site(&[("index.html", "x"), ("_worker.js", "export default { fetch( { }")]);
    let failed = upload_to(&client(&sandbox), site.path(), None);
    let Err(Error::Failed { stage, log, .. }) = &failed else { panic!("{failed:?}") };
    assert_eq!(stage, "deploy");
    assert_eq!(log.last().map(String::as_str), Some("✘ [ERROR] Failed to build _worker.js."), "{log:?}");
}

#[test]
fn the_router_leads_visitors_to_a_deployment_and_starts_anew_where_it_was() {
    let mut sandbox = sandbox(|_| ());
    let public = sandbox.public_url().unwrap();
    assert_eq!(get(&public).status, 503, "there is nothing to lead to");
    let site = site(&[("index.html", "the first version")]);
    let deployment = upload(&sandbox, site.path(), None);
    sandbox.set_default_origin(&deployment.url).unwrap();
    assert_eq!(sandbox.public_url().as_deref(), Some(&*public));
    assert_eq!(get(&public).text(), "the first version");

    let table = json!({
        "schema": 1, "environment": "production", "revision": 7, "release": "rel-7",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "blue", "affinity": { "by": "cookie", "salt": "rel-7" },
        "variants": [{ "name": "blue", "origin": deployment.url, "version": "1.4.2", "weight": 10_000 }],
    });
    sandbox.put_kv("routing:production", table.to_string().as_bytes());
    sandbox.restart_router().unwrap();
    let reads = sandbox.kv_reads();
    let answer = get(&public);
    let header = r#"variant="blue", version="1.4.2", revision=7"#;
    assert_eq!((&*answer.text(), answer.header("crossfade")), ("the first version", Some(header)));
    assert!(sandbox.kv_reads() > reads, "a fresh isolate reads the table anew");
    let authorization = format!("Bearer {CONTROL_TOKEN}");
    let status =
        send("GET", &format!("{public}/__crossfade/status"), &[("authorization", &authorization)], b"");
    assert_eq!(status.unwrap().json()["revision"], 7);
}
