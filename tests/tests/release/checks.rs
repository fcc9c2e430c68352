//! `crossfade check`: the same checks as in a release, against a site that answers as told.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossfade_tests::origin::{Origin, Received};
use crossfade_tests::{Ended, crossfade};

/// The rest of a configuration, and what is run with it: no sandbox, because nothing of Cloudflare is asked.
fn check(url: &str, checks: &str, arguments: &[&str]) -> Ended {
    check_with(url, checks, arguments, &[])
}

/// The same with variables in the environment.
fn check_with(url: &str, checks: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    let config = format!(
        "project = \"p\"\n[environments.production]\nurl = \"{url}\"\n\
         kv_namespace = \"00000000000000000000000000000000\"\n{checks}"
    );
    std::fs::write(directory.path().join("crossfade.toml"), config).unwrap();
    let mut command = crossfade();
    command.arg("check").args(arguments).envs(variables.iter().copied()).current_dir(directory.path());
    Ended::of(command)
}

/// `METHOD target` of each request.
fn asked(origin: &Origin) -> Vec<String> {
    origin.received().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

#[test]
fn values_captured_from_one_answer_are_used_in_the_next_request() {
    let shop =
        Origin::new(|request: &Received, wire| match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/cart") => wire.answer(
                "201 Created",
                &[
                    ("content-type", "application/json"),
                    ("location", "/cart/b 1/ü"),
                    ("set-cookie", "sid=s3; Path=/"),
                ],
                r#"{"cart":{"id":"c\"7"},"items":[{"sku":41}]}"#,
            ),
            _ => wire.answer("200 OK", &[], request.header("x-seen").unwrap_or("nothing")),
        });
    let ended = check(
        &shop.url(),
        "[[smoke]]\nname = \"cart\"\nsteps = [\n\
         { method = \"POST\", path = \"/cart\", capture = { id = \"/cart/id\", sku = \"/items/0/sku\", at = { header = \"Location\" } } },\n\
         { path = \"/look/{{at}}?sku={{sku}}\", headers = { x-seen = \"{{id}} {{release}}\" }, expect = { body = \"c\\\"7 check\" } },\n\
         { method = \"PUT\", path = \"/item\", json = { id = \"{{id}}\", n = 1, note = \"{{ random }}\" } },\n\
         ]\n",
        &[],
    );
    ended.expect(0).prints(&["✓ smoke      1 of 1", "· cart "]);
    let requests = shop.received();
    assert_eq!(
        asked(&shop),
        ["POST /cart", "GET /look/%2Fcart%2Fb%201%2F%C3%BC?sku=41", "PUT /item"],
        "a value never breaks out of the path"
    );
    let body: serde_json::Value = serde_json::from_slice(&requests[2].body).unwrap();
    assert_eq!((&body["id"], &body["n"]), (&"c\"7".into(), &1.into()));
    assert_eq!(body["note"].as_str().map(str::len), Some(8));
    assert_eq!(requests[2].header("content-type"), Some("application/json"));
    assert_eq!(requests[2].header("cookie"), Some("sid=s3"), "a scenario keeps its cookies");
}

#[test]
fn a_clean_up_runs_after_a_failure_as_far_as_there_is_something_to_clean() {
    let tries = AtomicUsize::new(0);
    let shop = Origin::new(move |request, wire| match request.target.as_str() {
        "/made" => wire.answer("201 Created", &[], r#"{"id":"m1"}"#),
        "/half-made" => wire.answer("500 Internal Server Error", &[], r#"{"id":"h1"}"#),
        "/second-try" if tries.fetch_add(1, Ordering::Relaxed) == 0 => wire.close(),
        "/undo/refused" => wire.answer("409 Conflict", &[], "still in use"),
        _ => wire.answer("200 OK", &[], "{}"),
    });
    let smoke = |name: &str, steps: &str, cleanup: &str| {
        format!("[[smoke]]\nname = \"{name}\"\nsteps = [{steps}]\ncleanup = [{cleanup}]\n")
    };
    const OTHER: &str = "{ path = \"/never\", capture = { other = \"/id\" } }";
    let id = "capture = { id = \"/id\" }";
    let undo = "{ method = \"DELETE\", path = \"/undo/{{id}}\" }, { method = \"DELETE\", path = \"/undo/{{other}}\" }";

    // A step fails after something was made: that is undone, and what was never made is not.
    let made = smoke(
        "made",
        &format!("{{ path = \"/made\", {id} }}, {{ path = \"/x\", expect = {{ status = 204 }} }}, {OTHER}"),
        undo,
    );
    let later = smoke("later", "{ path = \"/later\" }", "");
    let ended = check(&shop.url(), &format!("{made}{later}"), &[]).expect(3);
    ended
        .says(&[
            "error: smoke: made: GET /x: status is 200 with `{}`, expected 204",
            "hint: `crossfade check` deploys and moves nothing; mend the site or the check",
        ])
        .prints(&["✗ smoke      0 of 2 passed"]);
    assert_eq!(
        asked(&shop),
        ["GET /made", "GET /x", "DELETE /undo/m1"],
        "the first failure ends it, after its clean-up"
    );

    // The failing step itself made something.
    shop.forget();
    let half = smoke("half", &format!("{{ path = \"/half-made\", {id} }}, {OTHER}"), undo);
    check(&shop.url(), &half, &[]).expect(3).says(&["half: GET /half-made: status is 500"]);
    assert_eq!(asked(&shop), ["GET /half-made", "DELETE /undo/h1"]);

    // What could not be cleaned up is told, and fails nothing.
    shop.forget();
    let left = smoke(
        "left",
        &format!("{{ path = \"/made\", {id} }}"),
        "{ method = \"DELETE\", path = \"/undo/refused\" }, { path = \"/after\" }",
    );
    let ended = check(&shop.url(), &left, &[]).expect(0);
    ended.prints(&["not cleaned up: DELETE /undo/refused: status is 409 with `still in use`, expected 2xx"]);
    assert_eq!(asked(&shop), ["GET /made", "DELETE /undo/refused", "GET /after"]);

    // A step may be tried again.
    shop.forget();
    check(&shop.url(), &smoke("again", "{ path = \"/second-try\", retries = 1 }", ""), &[]).expect(0);
    assert_eq!(asked(&shop), ["GET /second-try", "GET /second-try"]);
    // A variable that is not set is told with those that are known.
    let unknown = smoke("unknown", "{ path = \"/{{env.TOKN}}\" }", "");
    check(&shop.url(), &unknown, &[])
        .expect(3)
        .says(&["`{{env.TOKN}}` is not known here; known are random, release, version"]);
}

#[test]
fn a_site_is_checked_by_its_url_all_health_checks_at_once() {
    let site = Origin::new(|request, wire| match request.target.as_str() {
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_millis(700));
            wire.answer("200 OK", &[("content-type", "application/json")], r#"{"status":"ok"}"#);
        }
        "/gone" => wire.close(),
        _ => wire.answer("200 OK", &[("x-region", "eu")], "hello"),
    });
    let health = |name: &str, rest: &str| format!("[[health]]\nname = \"{name}\"\nretries = 0\n{rest}\n");
    let four: String = (0..4)
        .map(|index| {
            health(&format!("slow {index}"), "path = \"/slow\"\nexpect = { json = { \"/status\" = \"ok\" } }")
        })
        .collect();
    let smoke = "[[smoke]]\nname = \"hello\"\nsteps = [{ path = \"/\" }]\n";
    // The environment's URL is the default, and any other can be given.
    check(&site.url(), &format!("{four}{smoke}"), &[])
        .expect(0)
        .prints(&["✓ health     4 of 4: slow 0 7", "✓ smoke"]);
    let arrivals = site.received();
    assert!(arrivals[..4].iter().all(|request| request.target == "/slow") && arrivals.len() == 5);
    site.forget();
    let ended =
        check("http://127.0.0.1:1", &format!("{four}{smoke}"), &[&site.url(), "--health-only"]).expect(0);
    assert!(!ended.stdout.contains("smoke") && site.received().len() == 4);

    let red = [
        health("latency", "path = \"/slow\"\nexpect = { latency = \"500ms\" }"),
        health("timeout", "path = \"/slow\"\ntimeout = \"300ms\""),
        health("header", "path = \"/\"\nexpect = { header = { x-region = \"us\" } }"),
        health("gone", "path = \"/gone\""),
        health("green", "path = \"/\""),
    ];
    let ended = check(&site.url(), &red.concat(), &["--json"]).expect(3);
    ended.error();
    let why = ended.event("error")["text"].as_str().unwrap().to_owned();
    for says in [
        "latency: latency is ",
        "expected at most 500 ms",
        "timeout: no answer: timeout",
        "header: header x-region is `eu`, expected `us`",
        "gone: no answer: ",
    ] {
        assert!(why.contains(says), "`{says}` is not in {why}");
    }
    assert!(!why.contains("green"), "{why}");
    assert_eq!(ended.event("phase-ended")["text"], "4 of 5 checks failed");
    // A site that cannot be looked up says nothing about itself.
    let nowhere = health("nowhere", "path = \"http://[::ffff:0:0\"");
    check(&site.url(), &nowhere, &[]).expect(3).says(&["nowhere: no valid request"]);
}

#[test]
fn a_health_check_carries_secrets_of_the_environment_and_reports_do_not() {
    let site = Origin::new(|request, wire| {
        let seen = format!("{} {}", request.target, request.header("authorization").unwrap_or("nothing"));
        wire.answer("403 Forbidden", &[], &seen);
    });
    let health = |variable: &str| {
        format!(
            "[[health]]\nname = \"private\"\nretries = 0\npath = \"/{{{{release}}}}?key={{{{env.{variable}}}}}\"\n\
             headers = {{ authorization = \"Bearer {{{{env.{variable}}}}}\" }}\n"
        )
    };
    let ended = check(&site.url(), &health("BOOKING_KEY"), &[]).expect(3);
    ended.says(&["private: `{{env.BOOKING_KEY}}` is not known here"]);
    assert_eq!(site.received().len(), 0);

    let ended = check_with(&site.url(), &health("BOOKING_KEY"), &["--json"], &[("BOOKING_KEY", "hunter 22")]);
    let ended = ended.expect(3).says(&["private: status is 403 with `/check?key=*** Bearer ***`"]);
    let request = &site.received()[0];
    assert_eq!(
        (request.target.as_str(), request.header("authorization")),
        ("/check?key=hunter%2022", Some("Bearer hunter 22"))
    );
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter"), "{}", ended.stdout);
}
