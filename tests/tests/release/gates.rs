//! Everything that can fail before the switch: exit code 3, visitors untouched, no table written.

use crossfade_sandbox::API_TOKEN;
use crossfade_tests::{Ended, Site};

/// A gate was red: nothing was written, visitors are where they were, and the history says why.
#[track_caller]
fn visitors_are_untouched(site: &Site, ended: &Ended) {
    assert_eq!(site.writes("routing:production"), 0);
    assert_eq!(site.live(), ("1.0.0".into(), true));
    assert_eq!(site.served_version(), "1.0.0");
    let record = site.document("release:production");
    assert_eq!(record["ended"]["outcome"], "not-started");
    let why = record["ended"]["text"].as_str().unwrap();
    let error = ended.error().lines().next().unwrap().trim_start_matches("error: ");
    assert!(why.contains(error), "`{error}` is not in the history: {why}");
    assert!(ended.error().contains("hint: nothing was changed for visitors; mend it and deploy again"));
}

#[test]
fn a_hook_that_fails_stops_the_release_before_anything_is_uploaded() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let hooks = "\
prepare = [
  { name = \"flags\", run = \"echo flags >> ran; env | grep -E '^(CROSSFADE_|CLOUDFLARE_API_TOKEN)' | sort > environment\" },
  { run = \"env | grep -E '^(CROSSFADE|CLOUDFLARE_API)_TOKEN=' > trusted\", secrets = true },
  { run = \"test ! -e broken-prepare && echo warm >> ran\" },
]
database = { name = \"migrations\", run = \"test ! -e broken-database && echo database >> ran\", timeout = \"2s\" }
";
    let from = "database = { name = \"migrations\", run = \"true\" }";
    site.configure(from, &format!("{hooks}# "));
    let ran = || std::fs::read_to_string(site.path().join("ran")).unwrap_or_default();

    site.write("broken-database", "");
    let ended = site.deploy("1.1.0", &[]).expect(3);
    let ended = ended.says(&[
        "error: database: `test ! -e broken-database && echo database >> ran` ended with exit status: 1",
    ]);
    visitors_are_untouched(&site, &ended);
    assert_eq!(ran(), "flags\nwarm\n", "hooks run in their order");
    let environment = std::fs::read_to_string(site.path().join("environment")).unwrap();
    let release = site.document("release:production")["id"].as_str().unwrap().to_owned();
    assert_eq!(
        environment,
        format!(
            "CROSSFADE_ENVIRONMENT=production\nCROSSFADE_PHASE=prepare\nCROSSFADE_RELEASE={release}\nCROSSFADE_SLOT=green\nCROSSFADE_VERSION=1.1.0\n"
        )
    );
    let trusted = std::fs::read_to_string(site.path().join("trusted")).unwrap();
    assert_eq!(trusted, format!("CLOUDFLARE_API_TOKEN={API_TOKEN}\n"), "one secret, for who asks for it");

    site.configure("timeout = \"2s\"", "timeout = \"200ms\"");
    site.configure("test ! -e broken-database && echo database >> ran", "sleep 60");
    let ended =
        site.deploy("1.1.0", &[]).expect(3).says(&["error: database: `sleep 60` took longer than 200 ms"]);
    visitors_are_untouched(&site, &ended);

    site.write("broken-prepare", "");
    let ended = site.deploy("1.1.0", &[]).expect(3);
    let ended = ended.says(&["error: prepare: `test ! -e broken-prepare"]);
    visitors_are_untouched(&site, &ended);

    site.configure("--out dist", "--out dist --no-such-switch");
    let ended = site.run(&["deploy", "--as", "1.1.0"]).expect(3);
    assert!(
        ended.stderr.contains("\nerror: build: `node ") && ended.stderr.contains("ended with exit status: 2")
    );
    assert_eq!(site.changes(), [], "nothing was uploaded and no table written");
    assert_eq!(site.served_version(), "1.0.0");
}

#[test]
fn a_deployment_that_is_another_version_or_unhealthy_is_never_switched_to() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure("[[health]]", "[[health]]\nretries = 0");
    site.configure("json = \"/version\"", "json = \"/version\"\nwithin = \"15s\"");
    let refused = |fail: &[&str], says: &[&str]| {
        let ended = site.deploy("1.1.0", fail).expect(3).says(says);
        visitors_are_untouched(&site, &ended);
        ended
    };
    let basic = "basic: status is 503 with `{\"status\":\"failing\",\"version\":\"1.1.0\",\"reason\":\"basic is down on \
                 request\"}`, expected 200";
    let ended = refused(&["health-basic"], &[&format!("error: health: {basic}\n")]);
    ended.prints(&["    ✗ basic\n  ✗ health     1 of 4 checks failed"]);
    refused(&["health-database"], &["error: health: database: status is 503 with `", "expected 2xx\n"]);
    refused(&["health-external"], &["error: health: external: status is 503 with `", "expected 2xx\n"]);

    // All at once, so all that is wrong is told at once: too slow, and another page.
    site.configure("latency = \"2s\"", "latency = \"250ms\"");
    site.configure("body = \"Pick a time\"", "body = \"Pick a date\"");
    let ended = refused(
        &["slow=300"],
        &[
            "error: health: basic: latency is ",
            " ms, expected at most 250 ms | application: body is `<!doctype html>",
            "expected text that contains `Pick a date`",
        ],
    );
    ended.prints(&["    ✗ basic\n    ✗ application\n  ✗ health     2 of 4 checks failed"]);

    site.configure("within = \"15s\"", "within = \"10s\"");
    let ended = refused(
        &["wrong-version"],
        &["/version.json does not name version 1.1.0: it says that it is `1.1.0-other`"],
    );
    assert!(ended.error().starts_with("error: live: http://127.0.0.1:"), "{}", ended.error());
}

#[test]
fn every_smoke_test_is_a_gate() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    for (fail, passed, says) in [
        (
            "smoke-booking",
            0,
            "booking creation: POST /api/bookings: status is 500 with `{\"error\":\"booking fails on request\"}`, expected 201",
        ),
        (
            "smoke-cancel",
            1,
            "booking cancellation: DELETE /api/bookings/{{booking}}: json /status is `\"confirmed\"`, expected `\"cancelled\"`",
        ),
        (
            "smoke-calendar",
            2,
            "calendar sync: POST /api/calendar/sync: json /event is `null`, expected text that contains `e.`",
        ),
        (
            "smoke-auth",
            0,
            "booking creation: POST /api/session: status is 500 with `{\"error\":\"sign-in fails on request\"}`, expected 201",
        ),
        (
            "smoke-payment",
            4,
            "payment processing: POST /api/payments: status is 402 with `{\"error\":\"declined on request\"}`, expected 201",
        ),
    ] {
        let ended = site.deploy("1.1.0", &[fail]).expect(3).says(&[&format!("error: smoke: {says}")]);
        visitors_are_untouched(&site, &ended);
        ended.prints(&[&format!("  ✗ smoke      {passed} of 5 passed")]);
    }
}
