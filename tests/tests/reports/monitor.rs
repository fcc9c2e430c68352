//! `crossfade monitor`, and the same alerts while a release moves visitors.

use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::origin::{Origin, Received, Wire};
use crossfade_tests::{Running, Site};
use rustix::process::Signal;
use serde_json::Value;

use super::counters::{Counters, Traffic};

fn token(site: &Site) -> String {
    let variables = site.sandbox.variables();
    variables.into_iter().find(|(name, _)| *name == "CROSSFADE_TOKEN").unwrap().1
}

/// The lines of a type so far, of an environment.
fn of<'a>(lines: &'a [Value], r#type: &str, environment: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == r#type && line["environment"] == environment).collect()
}

fn lines(said: &str) -> Vec<Value> {
    // The last line may be half written.
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn alerts(said: &str) -> Vec<String> {
    let all = lines(said);
    let told = of(&all, "deployment_alert", "production").into_iter();
    told.map(|it| format!("{} {}", it["alert"].as_str().unwrap(), it["state"].as_str().unwrap())).collect()
}

/// A site whose environments are watched: production has counters, staging's router has none.
fn watched(counters: &Counters) -> (Site, [Origin; 2]) {
    let site = Site::new();
    let (counters, token) = (counters.clone(), token(&site));
    let edge = Origin::new(move |request, wire| match request.target.split(['?', '#']).next() {
        Some("/__crossfade/metrics") => counters.answer(request, &token, wire),
        _ => wire.answer("404 Not Found", &[], "nothing here"),
    });
    let without = Origin::new(|_, wire| wire.answer("404 Not Found", &[], "nothing here"));
    site.write(
        "crossfade.toml",
        &format!(
            "project = \"booking\"\n[environments.production]\nurl = \"{}\"\nkv_namespace = \"{NAMESPACE_ID}\"\n\
             [environments.staging]\nurl = \"{}\"\nkv_namespace = \"{NAMESPACE_ID}\"\n\
             [monitor]\nevery = \"100ms\"\nreport_every = \"700ms\"\n\
             [[notifications]]\nfile = \"events.jsonl\"\n[[notifications]]\nname = \"lost\"\nfile = \"no/such/directory.jsonl\"\n",
            edge.url(),
            without.url(),
        ),
    );
    (site, [edge, without])
}

#[test]
fn what_visitors_get_is_watched_and_each_alert_is_told_once_and_resolved() {
    let counters = Counters::new(Traffic::Well);
    let (site, _edge) = watched(&counters);
    let mut monitor = Running::begin(site.command(&["monitor", "--only", "production", "--json"]));
    monitor.until("\"type\":\"metrics_updated\"");
    monitor.until("\"type\":\"deployment_report\"");

    counters.become_(Traffic::Failing);
    monitor.until_met("an alert was raised", |said| alerts(said) == ["error rate raised"]);
    let asked = counters.asked();
    monitor.until_met("it went on for a while", |_| counters.asked() >= asked + 5);
    counters.become_(Traffic::Well);
    let told = ["error rate raised", "error rate resolved"];
    monitor.until_met("it was resolved, and told once", |said| alerts(said) == told);
    counters.become_(Traffic::Dead);
    let blind = [&told[..], &["not measured raised"]].concat();
    monitor.until_met("nobody sees anything", |said| alerts(said) == blind);
    counters.become_(Traffic::Nobody);
    let seen = [&blind[..], &["not measured resolved"]].concat();
    monitor.until_met("somebody sees again", |said| alerts(said) == seen);
    counters.become_(Traffic::Failing);
    monitor.until_met("it was raised again", |said| alerts(said).len() == 5);
    monitor.signal(Signal::INT);
    let ended = monitor.end().expect(0);
    assert_eq!(alerts(&ended.stdout), [&seen[..], &["error rate raised", "error rate unwatched"]].concat());

    let all = ended.events();
    figures_are_complete(&all, &counters);
    by_the_schema(&site, &all);
    let file = std::fs::read_to_string(site.path().join("events.jsonl")).unwrap();
    assert_eq!(alerts(&file), alerts(&ended.stdout), "the file is told the same");
    let warned: Vec<&str> =
        all.iter().filter(|it| it["type"] == "warning").filter_map(|it| it["text"].as_str()).collect();
    assert!(
        warned.iter().any(|text| text.contains("notification lost: ") && text.contains("could not be told"))
    );
    let dead = warned.iter().filter(|text| text.contains("answers 500")).count();
    assert_eq!(dead, 1, "the same trouble is told once: {warned:?}");
}

/// No request is told twice, and none is left out.
fn figures_are_complete(all: &[Value], counters: &Counters) {
    let told = of(all, "metrics_updated", "production");
    let requests = |it: &Value| -> u64 {
        it["variants"].as_array().unwrap().iter().map(|variant| variant["requests"].as_u64().unwrap()).sum()
    };
    let sum: u64 = told.iter().map(|it| requests(it)).sum();
    // An answer that was on its way when the signal came is told to nobody.
    assert!([sum, sum + 100].contains(&counters.requests()), "{sum} told, {} counted", counters.requests());
    assert!(told.windows(2).skip(1).all(|pair| pair[0]["to"] == pair[1]["from"]), "{told:?}");
    let figures = &told[1]["variants"][0];
    assert_eq!(
        (&figures["variant"], &figures["error_rate"], &figures["mean_ms"]),
        (&"green".into(), &0.0.into(), &40.0.into())
    );
}

fn by_the_schema(site: &Site, all: &[Value]) {
    let schema: Value = serde_json::from_str(&site.run(&["schema", "--events"]).expect(0).stdout).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in all.iter().filter(|line| line["type"].as_str().is_some_and(|it| it.contains('_'))) {
        assert!(schema.is_valid(line), "{line}");
    }
}

#[test]
fn all_environments_are_watched_and_a_router_without_counters_is_named_once() {
    let counters = Counters::new(Traffic::Failing);
    let (site, [_edge, without]) = watched(&counters);
    let mut monitor = Running::begin(site.command(&["monitor"]));
    monitor.until(&format!("watching staging at {}", without.url()));
    monitor.until("▲ alert      production: green 1.5.0: error rate is 20 % in 100 requests, above 10 %");
    monitor.until("! staging: there are no counters");
    without.until(|received| received.len() > 5);
    monitor.until("completed           none");
    monitor.signal(Signal::TERM);
    let line = "production green 1.5.0: 100 requests, 20 % failed, p95 39.8 ms";
    let ended = monitor.end().expect(0).prints(&[line]);
    assert_eq!(ended.stdout.matches("there are no counters").count(), 1, "{}", ended.stdout);
    assert!(!ended.stdout.contains("staging: not measured"), "{}", ended.stdout);
    // With a time it ends by itself.
    site.run(&["monitor", "--for", "100ms"])
        .expect(0)
        .prints(&["watching production at ", "watching staging at "]);
    site.run(&["monitor", "--only", "nowhere"]).expect(2).says(&["environment `nowhere` is not in"]);
}

#[test]
fn a_release_raises_the_same_alerts_and_keeps_them() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let counters = Counters::new(Traffic::Failing);
    let (public, seen, token) = (site.sandbox.public_url().unwrap(), counters.clone(), token(&site));
    let front = Origin::new(move |request, wire| {
        if request.target.starts_with("/__crossfade/metrics") {
            seen.answer(request, &token, wire);
        } else {
            pass_on(&public, request, wire);
        }
    });
    site.configure(&site.sandbox.public_url().unwrap(), &front.url());
    site.append("[monitor]\nevery = \"100ms\"\n");
    site.configure(
        "[rollout]",
        "[rollout]\nmeasure_every = \"300ms\"\nsteps = [{ weight = \"5%\", hold = \"3s\" }, { weight = \"100%\", hold = \"1s\" }]",
    );
    let ended = site.begin_deploy("1.1.0", &[]).end().expect(0);
    assert_eq!(alerts(&ended.stdout), ["error rate raised", "error rate unwatched"]);
    assert!(of(&ended.events(), "metrics_updated", "production").len() > 5);

    // They are in the history, and in its report; the figures, which measurements tell better, are not.
    let record = site.run(&["report", "1.1.0", "--json"]).expect(0).event("release")["release"].clone();
    let evidence = record["evidence"].as_array().unwrap();
    let kept = |name: &str| evidence.iter().filter(|it| it["type"] == name).count();
    assert_eq!((kept("deployment_alert"), kept("metrics_updated"), kept("deployment_started")), (2, 0, 0));
    site.run(&["report", "1.1.0"])
        .expect(0)
        .prints(&["▲ green 1.5.0: error rate is 20 % in 100 requests, above 10 %"]);
}

/// Sends a request to the real router, and its answer back.
fn pass_on(public: &str, request: &Received, wire: &mut Wire<'_>) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let mut sent = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("{public}{}", request.target));
    for (name, value) in request
        .headers
        .iter()
        .filter(|(name, _)| !["host", "content-length"].contains(&&*name.to_lowercase()))
    {
        sent = sent.header(name, value);
    }
    let mut answer = agent.run(sent.body(request.body.clone()).unwrap()).unwrap();
    let status = answer.status().to_string();
    let body = answer.body_mut().read_to_vec().unwrap();
    let kept = ["content-type", "crossfade", "set-cookie", "location"];
    let headers: Vec<(&str, &str)> =
        kept.iter().filter_map(|name| Some((*name, answer.headers().get(*name)?.to_str().ok()?))).collect();
    wire.answer(&status, &headers, body);
}
