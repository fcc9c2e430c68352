//! Who is told of releases: a file, a webhook, a chat, standard output.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossfade_tests::origin::{Origin, Received};
use crossfade_tests::{Ended, Site, hmac_sha256};
use serde_json::Value;

/// A key that a webhook checks, and a part of a chat's address.
const KEY: &str = "4711-notify-key";

/// A webhook that is busy the first time, a chat, and one that refuses.
fn listener() -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::new(move |request, wire| match request.target.as_str() {
        "/hook" if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            wire.answer("503 Busy", &[("retry-after", "0")], "")
        }
        "/gone" => wire.answer("410 Gone", &[], format!("no longer here: {KEY}")),
        _ => wire.answer("200 OK", &[], "ok"),
    })
}

fn configure(site: &Site, listener: &Origin) {
    let url = listener.url();
    site.append(&format!(
        "[[notifications]]\nfile = \"events.jsonl\"\n\
         events = [\"deployment_started\", \"metrics_updated\", \"deployment_alert\", \"deployment_completed\", \"deployment_report\"]\n\
         [[notifications]]\nname = \"desk\"\nurl = \"{url}/hook\"\nhmac = \"NOTIFY_KEY\"\n\
         [[notifications]]\nslack = \"{{{{env.CHAT}}}}\"\n\
         [[notifications]]\nname = \"old\"\nurl = \"{url}/gone\"\nevents = [\"deployment_completed\"]\n"
    ));
}

fn bodies(received: &[Received], path: &str) -> Vec<Value> {
    let of = received.iter().filter(|request| request.target == path);
    of.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["type"].as_str()).collect()
}

#[test]
fn a_release_is_told_to_a_file_a_webhook_and_a_chat_in_one_form() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let listener = listener();
    configure(&site, &listener);
    let mut deploy = site.command(&["deploy", "--as", "1.1.0", "--json"]);
    deploy.env("BOOKING_FAIL", "smoke-booking").env("NOTIFY_KEY", KEY);
    deploy.env("CHAT", format!("{}/services/{KEY}", listener.url()));
    let ended = Ended::of(deploy).expect(3);

    let read = std::fs::read_to_string(site.path().join("events.jsonl")).unwrap();
    let lines: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(types(&lines), ["deployment_started", "deployment_completed"]);
    assert_eq!((&lines[0]["new_version"], &lines[0]["stable_version"]), (&"1.1.0".into(), &"1.0.0".into()));
    assert_eq!((&lines[1]["outcome"], &lines[1]["release"]), (&"not-started".into(), &lines[0]["release"]));

    // The same on standard output, and by the schema.
    let schema: Value = serde_json::from_str(&site.run(&["schema", "--events"]).expect(0).stdout).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in &lines {
        assert!(ended.events().contains(line), "{line} was not printed");
        assert!(schema.is_valid(line), "{line}: {:?}", schema.iter_errors(line).collect::<Vec<_>>());
    }
    assert!(
        !schema.is_valid(
            &serde_json::json!({ "version": 1, "at": lines[0]["at"], "type": "deployment_started" })
        )
    );

    let received = listener.received();
    // Tried again until it was taken, to the byte the same; then the next.
    assert_eq!(
        types(&bodies(&received, "/hook")),
        ["deployment_started", "deployment_started", "deployment_completed"]
    );
    for request in received.iter().filter(|request| request.target == "/hook") {
        let signed =
            [request.header("crossfade-timestamp").unwrap().as_bytes(), b".", &request.body].concat();
        assert_eq!(
            request.header("crossfade-signature"),
            Some(&*format!("sha256={}", hmac_sha256(KEY, &signed)))
        );
    }
    let chat = bodies(&received, &format!("/services/{KEY}"));
    let texts: Vec<&str> = chat.iter().filter_map(|message| message["text"].as_str()).collect();
    assert_eq!(texts[0], "🚀 production: the release of 1.1.0 begins, 1.0.0 serves now");
    assert!(
        texts[1].starts_with("❌ production: 1.1.0 was not released: smoke: booking creation"),
        "{texts:?}"
    );

    // What is refused is not tried again, and is named once; nobody's secret is.
    assert_eq!(bodies(&received, "/gone").len(), 1);
    let warnings: Vec<Value> =
        ended.events().into_iter().filter(|event| event["type"] == "warning").collect();
    let why = format!("{}/gone: status is 410: no longer here: ***", listener.url());
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(warning["text"], format!("notification old: 1 event could not be told: {why}"));
    assert!(!ended.stdout.contains(KEY) && !ended.stderr.contains(KEY));
}
