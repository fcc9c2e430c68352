//! Hooks around a release: approval, checks of others, and who wants to be told.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossfade_sandbox::{API_TOKEN, CONTROL_TOKEN};
use crossfade_tests::origin::{Origin, Received};
use crossfade_tests::{Ended, Running, Site, hmac_sha256};
use rustix::process::Signal;
use serde_json::Value;

const KEY: &str = "key-0815-of-the-hook";
const TOKEN: &str = "token-4711-of-the-hook";

/// Whoever decides: answers 401 to who does not know the key, and to others by the path they come on. `/waits` is decided at
/// the third question.
fn office() -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::new(move |request, wire| {
        let signed =
            [request.header("crossfade-timestamp").unwrap_or_default().as_bytes(), b".", &request.body];
        let expected = format!("sha256={}", hmac_sha256(KEY, &signed.concat()));
        let authorization = request.header("authorization").unwrap_or_default();
        match request.target.as_str() {
            _ if request.header("crossfade-signature") != Some(&expected) => {
                wire.answer("401 Unauthorized", &[], format!("who are you? {authorization}"));
            }
            "/waits" if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
                wire.answer("429 Too Many Requests", &[("retry-after", "1")], "two have yet to agree");
            }
            "/fails" => wire.answer("403 Forbidden", &[], format!("not today, {authorization}")),
            "/later" => wire.answer("202 Accepted", &[("retry-after", "600")], "ask the boss"),
            _ => wire.answer("200 OK", &[], format!("as you like, {authorization}")),
        }
    })
}

/// Puts hooks into the site's configuration, OFFICE being where they are.
fn configure(site: &Site, office: &Origin, hooks: &str) {
    let hooks = hooks
        .replace("OFFICE", &office.url())
        .replace("KEYS", "hmac = \"HOOK_KEY\", bearer = \"HOOK_TOKEN\"");
    site.configure("[rollout]", &format!("{hooks}\n\n[rollout]"));
}

fn deploy(site: &Site, key: &str) -> Running {
    let mut command = site.command(&["deploy", "--as", "1.1.0", "--json"]);
    command.env("BOOKING_FAIL", "").env("HOOK_KEY", key).env("HOOK_TOKEN", TOKEN);
    Running::begin(command)
}

fn bodies(office: &Origin, path: &str) -> Vec<Value> {
    let of = |request: &Received| request.target == path;
    let received = office.received();
    received.iter().filter(|it| of(it)).map(|it| serde_json::from_slice(&it.body).unwrap()).collect()
}

/// Neither what the program said nor what it wrote to KV has a secret in it.
#[track_caller]
fn no_secret_is_told(site: &Site, ended: &Ended) {
    let mut said = format!("{}{}", ended.stdout, ended.stderr);
    for key in site.sandbox.kv_keys() {
        said += &String::from_utf8_lossy(&site.sandbox.kv(&key).unwrap_or_default());
    }
    for secret in [KEY, TOKEN, API_TOKEN, CONTROL_TOKEN] {
        assert!(!said.contains(secret), "`{secret}` is in:\n{said}");
    }
}

#[test]
fn a_release_waits_for_its_approval_and_tells_everybody_how_it_went() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let office = office();
    configure(
        &site,
        &office,
        "confirm_rollout = [{ url = \"OFFICE/waits\", name = \"approval\", KEYS }]\n\
         prepare = [{ name = \"talkative\", run = \"echo flags on; echo $HOOK_TOKEN >&2\" }]\n\
         pre_rollout = [{ url = \"OFFICE/pre\", KEYS }]\n\
         settled = [{ run = \"echo $CROSSFADE_PHASE $CROSSFADE_OUTCOME $CROSSFADE_DEPLOYMENT_URL > settled\" }]\n\
         post_rollout = [{ url = \"OFFICE/post\", KEYS }, { url = \"OFFICE/fails\", KEYS }]\n\
         event = [{ url = \"OFFICE/event\", KEYS }, { url = \"OFFICE/fails\", name = \"dead\", hmac = \"NOT_SET\" }]",
    );
    let ended = deploy(&site, KEY).end().expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    // Two streams, read as they come: which of the two lines is first is the kernel's business.
    for line in ["flags on", "***"] {
        assert!(ended.stderr.lines().any(|it| it == line), "`{line}` is not in {}", ended.stderr);
    }
    no_secret_is_told(&site, &ended);

    let approval = bodies(&office, "/waits");
    assert_eq!(approval.len(), 3);
    assert_eq!(
        (&approval[0]["phase"], &approval[0]["deployment_url"]),
        (&"confirm-rollout".into(), &Value::Null)
    );
    let record = site.document("release:production");
    let url = record["origin"].as_str().unwrap();
    assert_eq!(bodies(&office, "/pre")[0]["deployment_url"], url);
    let settled = std::fs::read_to_string(site.path().join("settled")).unwrap();
    assert_eq!(settled, format!("settled promoted {url}\n"));
    let post = &bodies(&office, "/post")[0];
    let text = "promoted 1.1.0: it serves everybody";
    assert_eq!((&post["outcome"], &post["text"]), (&"promoted".into(), &text.into()));

    // What hooks said is in the history.
    let history = site.document(&format!("history:production:{}", record["id"].as_str().unwrap()));
    let evidence = history["evidence"].as_array().unwrap();
    let said = |phase: &str| -> Vec<String> {
        let of = |entry: &&Value| entry["type"] == "hook" && entry["phase"] == phase;
        let hooks = evidence.iter().filter(of);
        hooks.map(|entry| format!("{} {} {}", entry["hook"], entry["answer"], entry["output"])).collect()
    };
    let waits = "\"approval\" \"wait\" \"two have yet to agree\"";
    assert_eq!(said("confirm-rollout"), [waits, waits, "\"approval\" \"pass\" \"as you like, Bearer ***\""]);
    let [prepare] = &said("prepare")[..] else { panic!("{evidence:?}") };
    assert!(prepare.starts_with("\"talkative\" \"pass\" \"") && prepare.contains("***"), "{prepare}");

    // Everything was told, and a hook that is dead has changed nothing.
    let told: Vec<Value> = bodies(&office, "/event").into_iter().map(|body| body["event"].clone()).collect();
    assert_eq!(told[0]["type"], "release-started");
    for phase in ["confirm-rollout", "upload", "switch", "settle"] {
        let ended = |event: &&Value| event["type"] == "phase-ended" && event["phase"] == phase;
        assert_eq!(told.iter().filter(ended).count(), 1, "{phase}");
    }
    assert!(told.iter().any(|event| event["type"] == "finished" && event["outcome"] == "promoted"));
    let warnings: Vec<String> = ended
        .events()
        .iter()
        .filter(|event| event["type"] == "warning")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    let [post, dead] = warnings.as_slice() else { panic!("{warnings:?}") };
    let fails = format!("{}/fails: ", office.url());
    assert_eq!(*post, format!("hook: {fails}status is 403: not today, Bearer ***"));
    assert!(dead.starts_with("hook dead: ") && dead.ends_with("variable NOT_SET is not set"), "{dead}");
}

#[test]
fn without_approval_nothing_is_prepared_and_nothing_uploaded() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let office = office();
    configure(
        &site,
        &office,
        "confirm_rollout = [{ url = \"OFFICE/fails\", KEYS, metadata = { team = \"booking\" } }]\n\
         prepare = [{ run = \"touch prepared\" }]\n\
         post_rollout = [{ url = \"OFFICE/post\", KEYS }]",
    );
    let nothing_happened = |ended: Ended, outcome: &str| {
        assert_eq!(site.changes(), [], "nothing was uploaded and no table written");
        assert!(!site.path().join("prepared").exists());
        assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
        assert_eq!(site.document("release:production")["ended"]["outcome"], "not-started");
        let post = bodies(&office, "/post");
        assert_eq!(post.last().map(|body| body["outcome"].clone()), Some(outcome.into()));
        no_secret_is_told(&site, &ended);
    };
    let fails = format!("error: confirm-rollout: {}/fails: status is", office.url());
    let refused = deploy(&site, KEY).end().expect(3).says(&[&format!("{fails} 403: not today, Bearer ***")]);
    assert_eq!(bodies(&office, "/fails")[0]["metadata"]["team"], "booking");
    nothing_happened(refused, "not-started");

    // Who signs with another key is nobody.
    let forged = deploy(&site, "another key").end().expect(3);
    nothing_happened(forged.says(&[&format!("{fails} 401: who are you? Bearer ***")]), "not-started");

    // Who has no key does not begin.
    deploy(&site, " ")
        .end()
        .expect(2)
        .says(&["a variable that a webhook needs is not set", "hint: set HOOK_KEY"]);

    // A command can say the same, and a release that waits can be cancelled.
    site.configure(
        &format!("url = \"{}/fails\"", office.url()),
        &format!("url = \"{}/later\"", office.url()),
    );
    let mut waits = deploy(&site, KEY);
    waits.until("\"answer\":\"wait\"");
    waits.signal(Signal::INT);
    let cancelled = waits.end().expect(3).says(&["cancelled (SIGINT) before any traffic was moved"]);
    nothing_happened(cancelled, "not-started");
    site.configure(
        "confirm_rollout = [",
        "confirm_rollout = [{ run = \"echo closed; exit 75\", wait_max = \"1s\" }, ",
    );
    let closed = deploy(&site, KEY).end().expect(3);
    let says = "error: confirm-rollout: echo closed; exit 75 was not decided within 1 s";
    nothing_happened(closed.says(&[says]), "not-started");
}

#[test]
fn what_fails_before_the_first_visitor_is_no_release() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let office = office();
    configure(&site, &office, "pre_rollout = [{ url = \"OFFICE/fails\", name = \"load test\", KEYS }]");
    let ended = deploy(&site, KEY).end().expect(3);
    ended.says(&["error: pre-rollout: ", "/fails: status is 403", "hint: nothing was changed for visitors"]);
    assert_eq!(site.writes("routing:production"), 0);
    assert_eq!(site.served_version(), "1.0.0");
    assert_eq!(site.sandbox.deployments().len(), 1, "it was uploaded, and nobody saw it");
}

#[test]
fn who_decides_in_flight_can_hold_refuse_or_call_back() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let office = office();
    site.configure(
        "[rollout]",
        "[rollout]\nsteps = [{ weight = \"5%\", hold = \"1s\" }]\nmeasure_every = \"1s\"",
    );
    configure(
        &site,
        &office,
        "confirm_traffic_increase = [{ url = \"OFFICE/waits\", KEYS }]\nrollout = [{ url = \"OFFICE/load\", KEYS }]\n\
         confirm_promotion = [{ url = \"OFFICE/fails\", KEYS }]\nrollback = []",
    );
    let back = |ended: Ended, says: &str| {
        no_secret_is_told(&site, &ended);
        ended.says(&[says, "hint: visitors are on the version before"]);
        assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    };
    let refused = deploy(&site, KEY).end().expect(4);
    back(refused, "/fails: status is 403: not today, Bearer ***");
    let of = |path: &str, fields: [&str; 3]| -> Vec<String> {
        let of = |body: &Value| fields.map(|field| body[field].to_string()).join(" ");
        bodies(&office, path).iter().map(of).collect()
    };
    let told = ["phase", "step", "weight"];
    let asked = of("/waits", told);
    let raise = |step: usize, weight: u16| format!("\"confirm-traffic-increase\" {step} {weight}");
    assert_eq!(asked[..3], [raise(2, 500), raise(2, 500), raise(2, 500)], "{asked:?}");
    assert_eq!(asked[3..], [raise(3, 10_000)], "it was open for 5 % and is asked once for everybody");
    assert_eq!(of("/fails", told), ["\"confirm-promotion\" 3 10000"]);
    let load = of("/load", told);
    assert!(load.contains(&"\"rollout\" 2 500".to_owned()), "{load:?}");

    site.configure("rollback = []", "rollback = [{ run = \"test $CROSSFADE_WEIGHT = 500\" }]");
    let called = deploy(&site, KEY).end().expect(4);
    back(called, "rollback hook: test $CROSSFADE_WEIGHT = 500 asks for it");
}
