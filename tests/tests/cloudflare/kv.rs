//! KV: wrangler's commands against the sandbox, and our own calls beside them.

use std::time::Duration;

use crossfade_sandbox::{ACCOUNT_ID, Exchange, NAMESPACE_ID};
use crossfade_tests::{client, reference, sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wrangler::Wrangler;
use crate::{form, openapi};

/// A key in which everything must be encoded, and that wrangler was recorded with.
const KEY: &str = "my key/ü?";

#[test]
fn wrangler_writes_reads_lists_and_deletes_keys() {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    let wrangler = Wrangler::new(&sandbox);
    let kv = |command: &[&str]| {
        let namespace = ["--namespace-id", NAMESPACE_ID, "--remote"];
        wrangler.run(&[&["kv", "key"], command, &namespace].concat())
    };
    kv(&["put", KEY, "value 1"]).expect(0);
    kv(&["put", "k1", "value 1", "--metadata", r#"{"rev":7}"#, "--ttl", "120"]).expect(0);
    assert_eq!(sandbox.kv(KEY).as_deref(), Some(b"value 1".as_slice()));
    assert_eq!(kv(&["get", KEY]).expect(0).stdout.trim_end(), "value 1");

    let listed: Value = serde_json::from_str(&kv(&["list"]).expect(0).stdout).unwrap();
    assert_eq!(listed[0]["name"], "k1");
    assert_eq!(listed[0]["metadata"], json!({ "rev": 7 }));
    assert!(listed[0]["expiration"].is_i64(), "{listed}");
    assert_eq!(listed[1], json!({ "name": KEY }));

    kv(&["delete", "k1"]).expect(0);
    assert_eq!(sandbox.kv_keys(), [KEY]);
    kv(&["get", "k1"]).expect(1).mentions(&["404"]);

    let namespaces: Value =
        serde_json::from_str(&wrangler.run(&["kv", "namespace", "list"]).expect(0).stdout).unwrap();
    assert_eq!(namespaces[0]["id"], NAMESPACE_ID);

    let exchanges = sandbox.take_exchanges();
    openapi::check(&exchanges);
    for (name, sent) in [
        ("60-kv-key-put-plain", &exchanges[0]),
        ("61-kv-key-put-metadata-ttl", &exchanges[1]),
        ("62-kv-key-get", &exchanges[2]),
        ("67-kv-key-delete", &exchanges[4]),
        ("77-kv-namespace-list", &exchanges[6]),
    ] {
        is_as_recorded(name, sent);
    }
}

#[test]
fn wrangler_makes_a_namespace_and_writes_reads_and_deletes_many_keys_at_once() {
    let sandbox = sandbox(|options| options.worker = None);
    sandbox.take_exchanges();
    let files = TempDir::new().unwrap();
    let file = |name: &str, json: Value| {
        let path = files.path().join(name);
        std::fs::write(&path, json.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pairs = json!([
        { "key": "a", "value": "1" },
        { "key": "b", "value": "Mg==", "base64": true, "metadata": { "m": 1 }, "expiration_ttl": 120 },
    ]);
    let (pairs, keys) = (file("bulk.json", pairs), file("keys.json", json!(["a", "b", "c"])));
    let wrangler = Wrangler::new(&sandbox);
    let bulk = |command: &[&str]| {
        let namespace = ["--namespace-id", NAMESPACE_ID, "--remote"];
        wrangler.run(&[&["kv", "bulk"], command, &namespace].concat())
    };
    bulk(&["put", &pairs]).expect(0);
    assert_eq!((sandbox.kv("a").as_deref(), sandbox.kv("b").as_deref()), (Some(&b"1"[..]), Some(&b"2"[..])));
    let read = bulk(&["get", &keys]).expect(0).stdout;
    assert!(read.contains("\"a\"") && read.contains('2'), "{read}");
    bulk(&["delete", &keys, "--force"]).expect(0);
    assert!(sandbox.kv_keys().is_empty());

    wrangler.run(&["kv", "namespace", "create", "another"]).expect(0);
    let namespaces = || -> Value {
        serde_json::from_str(&wrangler.run(&["kv", "namespace", "list"]).expect(0).stdout).unwrap()
    };
    let listed = namespaces();
    let made = listed.as_array().unwrap().iter().find(|namespace| namespace["title"] == "another").unwrap();
    let id = made["id"].as_str().unwrap();
    wrangler.run(&["kv", "namespace", "create", "another"]).expect(1);
    wrangler.run(&["kv", "namespace", "delete", "--namespace-id", id, "-y"]).expect(0);
    assert_eq!(namespaces().as_array().unwrap().len(), 1);
    openapi::check(&sandbox.take_exchanges());
}

#[test]
fn a_key_that_we_write_is_the_key_that_wrangler_reads() {
    let sandbox = sandbox(|options| options.worker = None);
    let namespace = client(&sandbox).namespace(NAMESPACE_ID);
    let within = Duration::from_secs(10);
    sandbox.take_exchanges();
    for key in ["routing:production", KEY] {
        namespace.write(key, b"{}", within).unwrap();
        assert_eq!(namespace.read(key, within).unwrap().as_deref(), Some(b"{}".as_slice()));
    }
    assert_eq!(namespace.read("nothing", within).unwrap(), None);
    assert_eq!(namespace.list("routing:", within).unwrap(), ["routing:production"]);
    let ours = sandbox.take_exchanges();
    for number in 0..1_001 {
        sandbox.put_kv(&format!("history:{number:04}"), b"{}");
    }
    let listed = namespace.list("history:", within).unwrap();
    assert_eq!((listed.len(), sandbox.take_exchanges().len()), (1_001, 2), "a list has pages of 1,000");
    openapi::check(&ours);

    let wrangler = Wrangler::new(&sandbox);
    let arguments = ["kv", "key", "get", "--namespace-id", NAMESPACE_ID, "--remote", "routing:production"];
    assert_eq!(wrangler.run(&arguments).expect(0).stdout.trim_end(), "{}");
    assert_eq!(sandbox.take_exchanges()[0].path, ours[0].path, "the key is encoded the same way");
    is_as_recorded_at("62-kv-key-get", &ours[3]);
}

/// Whether a request is the one that wrangler was recorded to send: path, query, body.
#[track_caller]
fn is_as_recorded(name: &str, sent: &Exchange) {
    let Some(recorded) = is_as_recorded_at(name, sent) else { return };
    match (recorded["kind"].as_str(), recorded.pointer("/parts")) {
        (Some("raw"), _) => {
            assert_eq!(recorded["text"].as_str().map(str::as_bytes), Some(&*sent.request.body), "{name}")
        }
        (_, Some(Value::Array(parts))) => {
            let ours: Vec<Value> = form::parts(&sent.request.body)
                .iter()
                .map(|part| json!({ "headers": part.headers, "text": part.text() }))
                .collect();
            let theirs: Vec<Value> = parts
                .iter()
                .map(|part| json!({ "headers": part["headers"], "text": part["text"] }))
                .collect();
            assert_eq!(ours, theirs, "{name}");
        }
        _ => assert!(recorded.is_null() && sent.request.body.is_empty(), "{name}: {recorded}"),
    }
}

/// The same for method, path and query alone; the recorded body.
#[track_caller]
fn is_as_recorded_at(name: &str, sent: &Exchange) -> Option<Value> {
    let recording = reference(&format!("captures/{name}.json"), "requests against wrangler's recorded ones")?;
    let recorded = &recording["requests"][0];
    let target = recorded["path"].as_str().unwrap();
    let target = target.replace("/client/v4/accounts/y/", &format!("/accounts/{ACCOUNT_ID}/"));
    let target = target.replace("0f2ac74b498b48028cb68387c421e279", NAMESPACE_ID);
    let query = sent.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    assert_eq!(
        (sent.method.as_str(), format!("{}{query}", sent.path)),
        (recorded["method"].as_str().unwrap(), target)
    );
    Some(recorded["body"].clone())
}
