//! What the sandbox refuses: with Cloudflare's statuses and codes, in Cloudflare's envelope.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, Limits, NAMESPACE_ID, Refusal, UploadTokens};
use crossfade_tests::{openapi, sandbox, upload};
use serde_json::json;
use tempfile::TempDir;

use crate::http;
use crate::wrangler::Wrangler;

/// `A` is the account, `P` the project, `N` the namespace.
const ACCOUNT: [(&str, &str, &str, u16, i64); 28] = [
    // method, path, body, status, code
    ("GET", "A/pages/projects/nothing", "", 404, 8_000_007),
    ("DELETE", "A/pages/projects/nothing", "", 404, 8_000_007),
    ("GET", "A/pages/projects/nothing/upload-token", "", 404, 8_000_007),
    ("GET", "A/pages/projects/nothing/deployments", "", 404, 8_000_007),
    ("POST", "A/pages/projects/nothing/deployments", "x", 404, 8_000_007),
    ("GET", "A/pages/projects/nothing/deployments/5e1f", "", 404, 8_000_007),
    ("GET", "P/deployments/5e1f", "", 404, 8_000_009),
    ("GET", "P/deployments/5e1f/history/logs", "", 404, 8_000_009),
    ("DELETE", "P/deployments/5e1f?force=true", "", 404, 8_000_009),
    ("POST", "P/deployments", "no form", 400, 8_000_001),
    ("POST", "A/pages/projects", "no JSON", 400, 8_000_001),
    ("POST", "A/pages/projects", r#"{"production_branch":"main"}"#, 400, 8_000_001),
    ("POST", "A/pages/projects", r#"{"name":"booking"}"#, 409, 8_000_002),
    ("GET", "A/storage/kv/namespaces/0f2a", "", 404, 10_013),
    ("DELETE", "A/storage/kv/namespaces/0f2a", "", 404, 10_013),
    ("GET", "A/storage/kv/namespaces/0f2a/keys", "", 404, 10_013),
    ("GET", "A/storage/kv/namespaces/0f2a/values/key", "", 404, 10_013),
    ("PUT", "A/storage/kv/namespaces/0f2a/values/key", "x", 404, 10_013),
    ("GET", "N/values/key", "", 404, 10_009),
    ("GET", "N/metadata/key", "", 404, 10_009),
    ("PUT", "N/values/key?expiration_ttl=59", "x", 400, 10_034),
    ("GET", "N/keys?limit=9", "", 400, 10_011),
    ("POST", "A/storage/kv/namespaces", "no JSON", 400, 10_012),
    ("POST", "A/storage/kv/namespaces", r#"{"title":""}"#, 400, 10_019),
    ("POST", "A/storage/kv/namespaces", r#"{"title":"crossfade-routing"}"#, 400, 10_014),
    ("POST", "N/values/key", "x", 405, 7001),
    ("GET", "A/nothing", "", 404, 7003),
    ("GET", "/nothing", "", 404, 7003),
];

fn path(path: &str) -> String {
    let account = format!("/accounts/{ACCOUNT_ID}");
    match path.split_at(1) {
        ("A", rest) => format!("{account}{rest}"),
        ("P", rest) => format!("{account}/pages/projects/booking{rest}"),
        ("N", rest) => format!("{account}/storage/kv/namespaces/{NAMESPACE_ID}{rest}"),
        _ => path.to_owned(),
    }
}

#[test]
fn every_refusal_has_cloudflares_status_code_and_envelope() {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    let refused = |method: &str, path: &str, body: &[u8], status, code| {
        let answer = http::api(&sandbox, method, path, body).unwrap();
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["success"], false);
    };
    for (method, target, body, status, code) in ACCOUNT {
        refused(method, &path(target), body.as_bytes(), status, code);
    }
    let long = path(&format!("N/values/{}", "k".repeat(513)));
    refused("PUT", &long, b"x", 400, 10_033);
    refused("PUT", &path("N/values/key"), &vec![b'x'; 25 * 1024 * 1024 + 1], 413, 10_047);
    assert!(sandbox.kv_keys().is_empty(), "nothing was written");

    let mut exchanges = sandbox.take_exchanges();
    exchanges.retain(|exchange| exchange.status != 405 && !exchange.path.ends_with("/nothing"));
    openapi::check(&exchanges);
}

#[test]
fn rates_are_limited_as_cloudflare_limits_them() {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    let write = |key: &str| http::api(&sandbox, "PUT", &path(&format!("N/values/{key}")), b"x").unwrap();
    sandbox.set_limits(Limits { kv_key_writes: true, ..Limits::default() });
    // Two writes of a key within a second: one of three in a row is refused at least, however slow this machine is.
    let statuses: Vec<u16> = (0..3).map(|_| write("a").status).collect();
    assert!(statuses[0] == 200 && statuses.contains(&429), "{statuses:?}");
    assert_eq!(write("b").status, 200, "another key has its own rate");

    sandbox.set_limits(Limits { calls: Some((2, Duration::from_secs(300))), ..Limits::default() });
    let answers = [0; 3].map(|_| http::api(&sandbox, "GET", &path("P"), b"").unwrap());
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429]);
    assert_eq!((answers[2].code(), answers[2].header("retry-after")), (971, Some("300")));
    assert_eq!(write("c").status, 429, "all calls are blocked");
    openapi::check(&sandbox.take_exchanges());
}

#[test]
fn only_the_right_token_opens_an_account_and_only_an_uploads_token_its_assets() {
    let sandbox = sandbox(|options| options.worker = None);
    let claims =
        |claims: serde_json::Value| format!("e30.{}.sandbox", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let jwt = {
        let answer = http::api(&sandbox, "GET", &path("P/upload-token"), b"").unwrap();
        answer.json()["result"]["jwt"].as_str().unwrap().to_owned()
    };
    let project = path("P");
    let other_account = project.replace(ACCOUNT_ID, "0f2ac74b498b48028cb68387c421e279");
    let check = "/pages/assets/check-missing";
    let (expired, endless) = (claims(json!({ "exp": 1 })), claims(json!({})));
    let cases = [
        ("GET", &*project, None, 400, 9106),
        ("GET", &*project, Some("wrong"), 403, 10_000),
        ("GET", &*project, Some(""), 400, 9106),
        ("GET", &*project, Some(&*jwt), 403, 10_000),
        ("GET", &*other_account, Some(API_TOKEN), 403, 10_000),
        ("POST", check, None, 401, 8_000_013),
        ("POST", check, Some(API_TOKEN), 401, 8_000_013),
        ("POST", check, Some("a.b.c"), 401, 8_000_013),
        ("POST", check, Some("a.e30"), 401, 8_000_013),
        ("POST", check, Some(&*expired), 401, 8_000_013),
        ("POST", check, Some(&*endless), 401, 8_000_013),
        ("POST", "/pages/assets/upload", Some(&*expired), 401, 8_000_013),
        ("POST", "/pages/assets/upsert-hashes", Some(&*expired), 401, 8_000_013),
    ];
    sandbox.take_exchanges();
    let ask = |method: &str, path: &str, token: Option<&str>, body: &str| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        http::send(method, &format!("{}{path}", sandbox.api_url()), &headers, body.as_bytes()).unwrap()
    };
    for (method, path, token, status, code) in cases {
        let answer = ask(method, path, token, r#"{"hashes":[]}"#);
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{path} with {token:?}: {}",
            answer.text()
        );
    }
    for (body, status) in [(r#"{"hashes":["0123456789abcdef0123456789abcdef"]}"#, 200), ("no JSON", 400)] {
        assert_eq!(ask("POST", check, Some(&jwt), body).status, status, "{body}");
    }
    let not_base64 =
        json!([{ "key": "k", "value": "?", "metadata": { "contentType": "a/b" }, "base64": true }]);
    let answer = ask("POST", "/pages/assets/upload", Some(&jwt), &not_base64.to_string());
    assert_eq!((answer.status, answer.code()), (400, 8_000_001));
    openapi::check(&sandbox.take_exchanges());
}

#[test]
fn a_live_deployment_is_not_deleted_and_an_aliased_one_only_by_force() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = TempDir::new().unwrap();
    std::fs::write(site.path().join("index.html"), "x").unwrap();
    let live = upload(&sandbox, site.path(), None);
    let preview = upload(&sandbox, site.path(), Some("Feature/X"));
    sandbox.take_exchanges();
    let describe = |id: &str| http::api(&sandbox, "GET", &path(&format!("P/deployments/{id}")), b"").unwrap();
    let delete = |id: &str, query: &str| {
        http::api(&sandbox, "DELETE", &path(&format!("P/deployments/{id}{query}")), b"").unwrap()
    };
    assert_eq!(describe(&live.id).json()["result"]["environment"], "production");
    let described = describe(&preview.id).json();
    assert_eq!(described["result"]["environment"], "preview");
    assert_eq!(described["result"]["aliases"], json!(["https://feature-x.booking.pages.dev"]));

    for query in ["", "?force=true"] {
        assert_eq!(delete(&live.id, query).code(), 8_000_034, "the live production deployment{query}");
    }
    assert_eq!(delete(&preview.id, "").code(), 8_000_035);
    assert_eq!(sandbox.deployments().len(), 2);
    let deleted = delete(&preview.id, "?force=true");
    assert_eq!((deleted.status, &deleted.json()["success"]), (200, &json!(true)));
    assert_eq!(describe(&preview.id).code(), 8_000_009);
    assert_eq!(sandbox.deployments(), [(live.id, live.url)]);
    openapi::check(&sandbox.take_exchanges());
}

#[test]
fn what_is_too_much_or_was_never_uploaded_makes_no_deployment() {
    let sandbox = sandbox(|options| {
        options.worker = None;
        options.serve_pages = false;
    });
    let tokens = UploadTokens { files_max: 2, refusal: Refusal::Text, ..UploadTokens::default() };
    sandbox.set_upload_tokens(tokens);
    let jwt = {
        let answer = http::api(&sandbox, "GET", &path("P/upload-token"), b"").unwrap();
        answer.json()["result"]["jwt"].as_str().unwrap().to_owned()
    };
    let send = |path: &str, token: &str, content_type: &str, body: &str| {
        let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", content_type)];
        http::send("POST", &format!("{}{path}", sandbox.api_url()), &headers, body.as_bytes()).unwrap()
    };
    let store = |key: &str, content: &[u8]| {
        let metadata = json!({ "contentType": "text/html" });
        let asset =
            json!([{ "key": key, "value": STANDARD.encode(content), "metadata": metadata, "base64": true }]);
        send("/pages/assets/upload", &jwt, "application/json", &asset.to_string())
    };
    let deploy = |manifest: serde_json::Value| {
        let form = format!(
            "--b\r\ncontent-disposition: form-data; name=\"manifest\"\r\n\r\n{manifest}\r\n--b--\r\n"
        );
        send(&path("P/deployments"), API_TOKEN, "multipart/form-data; boundary=b", &form)
    };
    // Computed with wrangler's own hash.
    let (hello, empty) = ("66bc9692ae134d940e063b18c9b6a699", "bc88d1b19523ba52d6a2959dd93cf9c8");
    assert_eq!((store(hello, b"Hello, World!\n").status, store("0123", b"").status), (200, 200));
    let most = vec![0; 25 << 20];
    assert_eq!((store("most", &most).status, store("more", &[most, vec![0]].concat()).status), (200, 400));
    for (manifest, status) in [
        (json!({ "/a.html": hello, "/b.html": hello }), 200),
        (json!({ "/a.html": hello, "/b.html": hello, "/c.html": hello }), 400),
        (json!({ "/a.html": empty }), 400),
        (json!({ "/a.html": "0123" }), 400),
        (json!({ "/a.txt": hello }), 400),
    ] {
        let answer = deploy(manifest.clone());
        assert_eq!(answer.status, status, "{manifest}: {}", answer.text());
    }
    assert_eq!(sandbox.deployments().len(), 1);
    let refused = send("/pages/assets/check-missing", "a.b.c", "application/json", r#"{"hashes":[]}"#);
    assert_eq!(refused.status, 401, "it never was one");
    let run_out = format!("e30.{}.sandbox", URL_SAFE_NO_PAD.encode(r#"{"exp":1}"#));
    let refused = send("/pages/assets/check-missing", &run_out, "application/json", r#"{"hashes":[]}"#);
    assert_eq!((refused.status, refused.text()), (403, "Expired JWT".to_owned()));
}

#[test]
fn wrangler_repeats_our_refusals_in_cloudflares_words() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = TempDir::new().unwrap();
    std::fs::write(site.path().join("index.html"), "x").unwrap();
    let wrangler = Wrangler::new(&sandbox);
    let site = site.path().to_str().unwrap();
    let missing = wrangler.run(&["pages", "deploy", site, "--project-name", "nothing", "--branch", "main"]);
    missing.expect(1).mentions(&["\"nothing\" does not exist"]);
    let list = ["pages", "project", "list"];
    let wrong = wrangler.run_with(&list, &[("CLOUDFLARE_API_TOKEN", "wrong")]);
    wrong.expect(1).mentions(&["Authentication error [code: 10000]"]);
    let get = ["kv", "key", "list", "--namespace-id", "0f2ac74b498b48028cb68387c421e279", "--remote"];
    wrangler.run(&get).expect(1).mentions(&["namespace not found [code: 10013]"]);
}
