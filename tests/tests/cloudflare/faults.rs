//! Cloudflare on a bad day: each fault does what it says, as often and from when it is told, asked for in the process or
//! over the control API; and a deployment survives one of each.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, Action, Fault, KvFault, NAMESPACE_ID, Sandbox};
use crossfade_tests::{client_at, openapi, sandbox, try_upload};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::program::Running;

const KEY: &str = "state";

fn value_path() -> String {
    format!("/accounts/{ACCOUNT_ID}/storage/kv/namespaces/{NAMESPACE_ID}/values/{KEY}")
}

fn write(sandbox: &Sandbox, value: &str) -> Result<Answer, ureq::Error> {
    http::api(sandbox, "PUT", &value_path(), value.as_bytes())
}

#[test]
fn a_write_meets_each_fault_once_and_is_done_only_where_the_fault_says_so() {
    let sandbox = sandbox(|options| options.worker = None);
    let rate_limited =
        Action::Answer { status: 429, code: 971, message: "Please wait".into(), retry_after: Some(7) };
    let unavailable = Action::Answer { status: 503, code: 10_001, message: "down".into(), retry_after: None };
    let page = Action::Text { status: 502, text: "<html>Bad gateway</html>".into() };
    sandbox.take_exchanges();
    // What happens, the status that is seen, whether the write is done.
    let cases = [
        (Action::Latency { ms: 300 }, Some(200), true),
        (rate_limited, Some(429), false),
        (unavailable, Some(503), false),
        (page, Some(502), false),
        (Action::Reset, None, false),
        (Action::AppliedThenReset, None, true),
        (Action::AppliedThenError { status: 500 }, Some(500), true),
    ];
    for (action, status, done) in cases {
        sandbox.delete_kv(KEY);
        sandbox.fault(Fault::new("PUT", "/values/", action.clone()).times(1));
        let started = Instant::now();
        let answer = write(&sandbox, "1");
        assert_eq!(answer.as_ref().ok().map(|answer| answer.status), status, "{action:?}: {answer:?}");
        assert_eq!(sandbox.kv(KEY).is_some(), done, "{action:?}");
        match (&action, answer) {
            (Action::Latency { ms }, _) => assert!(started.elapsed() >= Duration::from_millis(*ms)),
            (Action::Answer { code, message, retry_after, .. }, Ok(answer)) => {
                assert_eq!(answer.code(), *code);
                assert_eq!(answer.json()["errors"][0]["message"], message.as_str());
                assert_eq!(answer.header("retry-after"), retry_after.map(|s| s.to_string()).as_deref());
            }
            (Action::Text { text, .. }, Ok(answer)) => assert_eq!(answer.text(), *text),
            (Action::AppliedThenError { .. }, Ok(answer)) => assert_eq!(answer.json()["success"], false),
            _ => {}
        }
        assert_eq!(write(&sandbox, "2").unwrap().status, 200, "{action:?} struck twice");
    }
    let statuses: Vec<u16> = sandbox.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 200, 429, 200, 503, 200, 502, 200, 0, 200, 0, 200, 500, 200]);
    let mut exchanges = sandbox.take_exchanges();
    // A gateway's own page is in no description.
    exchanges.retain(|exchange| exchange.status != 502);
    openapi::check(&exchanges);
}

#[test]
fn a_reset_connection_is_reset_and_a_hanging_request_says_nothing() {
    let sandbox = sandbox(|options| options.worker = None);
    let ask = || {
        let authority = sandbox.api_url().replace("http://", "").replace("/client/v4", "");
        let mut stream = TcpStream::connect(&authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let head = format!(
            "GET /client/v4{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_TOKEN}\r\n\r\n",
            value_path()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read(&mut [0; 1]).map_err(|error| error.kind())
    };
    sandbox.fault(Fault::new("GET", "/values/", Action::Reset).times(1));
    assert_eq!(ask(), Err(std::io::ErrorKind::ConnectionReset));
    sandbox.fault(Fault::new("GET", "/values/", Action::Hang).times(1));
    assert_eq!(ask(), Err(std::io::ErrorKind::WouldBlock), "nothing came in half a second");
    assert_eq!(ask(), Ok(1), "the next request is answered");
}

#[test]
fn a_fault_strikes_its_own_requests_after_some_and_for_a_while() {
    let sandbox = sandbox(|options| options.worker = None);
    let fails = |status| Action::Answer { status, code: 10_001, message: "down".into(), retry_after: None };
    sandbox.fault(Fault::new("PUT", "/values/", fails(500)).after(1).times(2));
    let mut read = vec![http::api(&sandbox, "GET", &value_path(), b"").unwrap().status];
    let written: Vec<u16> = (0..5).map(|_| write(&sandbox, "1").unwrap().status).collect();
    assert_eq!(written, [200, 500, 500, 200, 200], "after one, two times");
    read.push(http::api(&sandbox, "GET", &value_path(), b"").unwrap().status);
    assert_eq!(read, [404, 200], "another method is not struck");

    sandbox.fault(Fault {
        method: None,
        path: "/storage/".into(),
        after: 0,
        times: None,
        action: fails(501),
    });
    sandbox.fault(Fault::new("PUT", "/values/", fails(502)));
    assert_eq!([write(&sandbox, "1").unwrap().status, write(&sandbox, "1").unwrap().status], [501, 501]);
    let project = format!("/accounts/{ACCOUNT_ID}/pages/projects/booking");
    assert_eq!(http::api(&sandbox, "GET", &project, b"").unwrap().status, 200, "another path is not struck");
    sandbox.clear_faults();
    assert_eq!(write(&sandbox, "1").unwrap().status, 200);
}

#[test]
fn a_deployment_survives_one_of_each_fault_and_waits_as_long_as_it_is_told() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = TempDir::new().unwrap();
    let refused =
        |status, code, retry_after| Action::Answer { status, code, message: "no".into(), retry_after };
    let faults = [
        ("GET", "/upload-token", refused(500, 10_001, None)),
        ("POST", "/check-missing", Action::Reset),
        ("POST", "/assets/upload", refused(429, 971, Some(2))),
        ("POST", "/assets/upload", Action::Text { status: 403, text: "Expired JWT".into() }),
        ("POST", "/assets/upload", refused(401, 8_000_013, None)),
        ("POST", "/upsert-hashes", Action::Text { status: 502, text: "<html>".into() }),
        ("POST", "/deployments", Action::AppliedThenReset),
    ];
    for (method, path, action) in faults {
        sandbox.fault(Fault::new(method, path, action).times(1));
    }
    std::fs::write(site.path().join("index.html"), "x").unwrap();
    let started = Instant::now();
    let deployment = try_upload(&sandbox, site.path(), None).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "Retry-After was not honoured");
    let calls = |name: &str| sandbox.requests().iter().filter(|request| request.path.ends_with(name)).count();
    // One token failed, one was used, each of two refusals fetched a new one.
    assert_eq!((calls("/upload-token"), calls("/assets/upload")), (4, 4));
    // The answer was lost: what it had made is found and taken, not made again.
    let posts = sandbox.requests();
    let posts =
        posts.iter().filter(|request| request.method == "POST" && request.path.ends_with("/deployments"));
    assert_eq!(posts.map(|request| request.status).collect::<Vec<_>>(), [0]);
    let path = format!("/accounts/{ACCOUNT_ID}/pages/projects/booking/deployments");
    let listed = http::api(&sandbox, "GET", &path, b"").unwrap().json();
    assert_eq!(listed["result_info"]["total_count"], 1, "{listed}");
    assert_eq!(listed["result"][0]["id"], deployment.id.as_str());
}

#[test]
fn the_routers_reads_of_kv_fail_on_request_too() {
    let running = Running::start(&["--json", "--api-port", "0", "--public-port", "0"]);
    let [api, public] = ["api_url", "public_url"].map(|name| running.said[name].as_str().unwrap());
    let root = api.trim_end_matches("/client/v4");
    let set = |fault: KvFault| {
        let body = serde_json::to_vec(&fault).unwrap();
        let headers = [("content-type", "application/json")];
        assert_eq!(
            http::send("PUT", &format!("{root}/sandbox/kv/fault"), &headers, &body).unwrap().status,
            204
        );
    };
    set(KvFault { status: Some(500), ..KvFault::default() });
    // The sandbox itself serves as the origin: it answers at /sandbox.
    let table = json!({
        "schema": 1, "environment": "production", "revision": 1, "release": "rel-1",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "blue", "affinity": { "by": "cookie", "salt": "rel-1" },
        "variants": [{ "name": "blue", "origin": root, "version": "1.0.0", "weight": 10_000 }],
    });
    let namespace = client_at(api).namespace(NAMESPACE_ID);
    namespace.write("routing:production", table.to_string().as_bytes(), Duration::from_secs(10)).unwrap();
    let reads = || http::get(&format!("{root}/sandbox")).json()["kv_reads"].as_u64().unwrap();
    let before = reads();
    assert_eq!(http::get(&format!("{public}/sandbox")).status, 503, "the table cannot be read");
    assert!(reads() > before, "it was tried");

    set(KvFault::default());
    let deadline = Instant::now() + Duration::from_secs(20);
    while http::get(&format!("{public}/sandbox")).status != 200 {
        assert!(Instant::now() < deadline, "KV works again and the router does not");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_control_api_does_the_same_for_programs_in_other_languages() {
    let running = Running::start(&["--json", "--api-port", "0", "--public-port", "0"]);
    let api = running.variable("CLOUDFLARE_API_BASE_URL");
    let control = |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let url = format!("{}/sandbox{path}", api.trim_end_matches("/client/v4"));
        http::send(method, &url, &[("content-type", "application/json")], body.as_bytes()).unwrap()
    };
    let read = || {
        let authorization = format!("Bearer {}", running.variable("CLOUDFLARE_API_TOKEN"));
        http::send("GET", &format!("{api}{}", value_path()), &[("authorization", &authorization)], b"")
    };
    for (action, status) in [
        (json!({ "kind": "latency", "ms": 1 }), Some(404)),
        (
            json!({ "kind": "answer", "status": 429, "code": 971, "message": "wait", "retry_after": 3 }),
            Some(429),
        ),
        (json!({ "kind": "text", "status": 502, "text": "gateway" }), Some(502)),
        (json!({ "kind": "reset" }), None),
        (json!({ "kind": "applied-then-reset" }), None),
        (json!({ "kind": "applied-then-error", "status": 500 }), Some(500)),
    ] {
        let fault = json!({ "method": "GET", "path": "/values/", "after": 1, "times": 1, "action": action });
        assert_eq!(control("POST", "/faults", fault).status, 201, "{action}");
        let seen = [0; 3].map(|_| read().ok().map(|answer| answer.status));
        assert_eq!(seen, [Some(404), status, Some(404)], "{action}");
    }
    for wrong in [
        json!({ "path": "/", "action": { "kind": "nonsense" } }),
        json!({ "path": "/", "tims": 1, "action": { "kind": "reset" } }),
    ] {
        assert_eq!(control("POST", "/faults", wrong.clone()).status, 422, "{wrong}");
    }

    assert_eq!(control("GET", "/faults", Value::Null).json().as_array().map(Vec::len), Some(6));
    assert_eq!(control("DELETE", "/faults", Value::Null).status, 204);
    assert_eq!(control("GET", "/faults", Value::Null).json(), json!([]));
    let log = control("GET", "/requests", Value::Null).json();
    assert_eq!(log[4], json!({ "method": "GET", "path": value_path(), "status": 429 }));
    assert_eq!(control("DELETE", "/requests", Value::Null).status, 204);
    assert_eq!(control("GET", "/requests", Value::Null).json(), json!([]));

    let described = control("GET", "", Value::Null).json();
    assert_eq!(described["projects"], json!(["booking"]));
    assert_eq!(described["namespace_id"], NAMESPACE_ID);
}
