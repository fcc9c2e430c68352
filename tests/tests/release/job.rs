//! A release in a job of GitHub Actions: what it leaves there.

use std::collections::BTreeMap;
use std::path::Path;

use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Site, job_values};
use serde_json::Value;

const GITHUB_TOKEN: &str = "ghs_0123456789abcdef";

/// Runs `crossfade` as a step; its outputs and its summary.
fn step(site: &Site, github: &Origin, arguments: &[&str]) -> (Ended, BTreeMap<String, String>, String) {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let mut command = site.command(arguments);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", file("output"))
        .env("GITHUB_STATE", file("state"))
        .env("GITHUB_STEP_SUMMARY", file("summary"))
        .env("GITHUB_API_URL", github.url())
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_REPOSITORY", "acme/booking")
        .env("GITHUB_RUN_ID", "17")
        .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
        .env("CROSSFADE_GITHUB_TOKEN", GITHUB_TOKEN)
        .env("CROSSFADE_REPORT", site.path().join("report"));
    let ended = Ended::of(command);
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap_or_default();
    if ended.code == 0 {
        let looks_at: Vec<String> = serde_json::from_str(&job_values(&read("state"))["where"]).unwrap();
        assert_eq!(looks_at[..4], ["--config", "crossfade.toml", "--environment", "production"]);
    }
    (ended, job_values(&read("output")), read("summary"))
}

fn events(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("events.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_job_is_told_what_a_release_came_to_and_takes_orders_from_nobody_else() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let says = "echo '::set-output name=outcome::stolen'; env | grep -cE 'GITHUB_(TOKEN|STATE)=' || true";
    site.configure("[rollout]", &format!("prepare = [{{ run = \"{says}\" }}]\n[rollout]"));
    // The token may not do anything.
    let github = Origin::new(|_, wire| {
        wire.answer("403 Forbidden", &[], r#"{"message":"Resource not accessible by integration"}"#);
    });
    let (ended, said, summary) = step(&site, &github, &["deploy", "--as", "1.1.0"]);
    let ended = ended.expect(0);
    assert_eq!(said["outcome"], "promoted", "{said:?}");
    assert_eq!(said["reason"], "promoted 1.1.0: it serves everybody");
    assert_eq!(said["revision"], site.table().revision().to_string());
    assert_eq!(said["release"], site.table().release().as_str());
    let origin = site.table().stable().origin.to_string();
    assert_eq!(said["deployment-url"].trim_end_matches('/'), origin);
    assert_eq!(said["pages-environment"], "production");
    assert_eq!(said["pages-deployment-id"], said["stable-deployment-id"]);
    assert_eq!(site.document("release:production")["deployment_id"], said["stable-deployment-id"].as_str());
    assert!(summary.starts_with("## ✅ 1.1.0 to production: promoted\n"), "{summary}");
    assert!(summary.contains("```mermaid\nxychart-beta\n") && summary.contains("\n### Steps\n"));
    assert_eq!(said["report"], site.path().join("report").to_string_lossy());
    for name in ["report.html", "report.md", "timeline.svg"] {
        assert!(site.path().join("report").join(name).is_file(), "{name}");
    }
    let told = events(&site.path().join("report"));
    let types: Vec<&str> = told.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"release-started"));
    assert!(types.contains(&"weights") && types.contains(&"deployed") && types.contains(&"finished"));

    let log = &ended.stdout;
    let [before, after] = [log.find("::stop-commands::"), log.find("\n::set-output")].map(Option::unwrap);
    assert!(before < after, "{log}");
    assert!(log.contains("\n0\n"), "the hook has no token of GitHub's, and nothing to say to `post`: {log}");
    assert_eq!(log.matches("::notice title=crossfade::GitHub Deployments: not told").count(), 1, "{log}");
    assert!(log.contains("\n::notice title=crossfade::promoted 1.1.0: it serves everybody ("), "{log}");
    assert_eq!(github.received().len(), 1, "what may not be is not tried again");
    assert_eq!(ended.stderr, "");
    let first = said;

    let (ended, said, summary) = step(&site, &github, &["deploy", "nowhere", "--as", "1.2.0\u{7}"]);
    assert_eq!((ended.code, said["outcome"].as_str()), (2, "failed"));
    assert_eq!(ended.stdout.matches("::error title=crossfade::").count(), 1, "{}", ended.stdout);
    assert!(summary.starts_with("## ❌ the version is") && said["reason"].starts_with("the version is"));
    assert_eq!(events(&site.path().join("report")).last().unwrap()["type"], "error");

    // By hand too it is known what happened, and of a version that was named by its address which deployment it is.
    let (_, back, _) = step(&site, &github, &["rollback"]);
    assert_eq!(
        (back["release"].as_str(), back["outcome"].as_str()),
        (site.table().release().as_str(), "promoted")
    );
    assert!(!back.contains_key("stable-deployment-id"), "1.0.0 is not at Pages: {back:?}");
    let (_, again, _) = step(&site, &github, &["rollout", "--origin", &origin, "--as", "1.1.0"]);
    assert_eq!(again["stable-deployment-id"], first["pages-deployment-id"], "{again:?}");

    // With `--json` what hooks print is on standard error, and the runner listens there too.
    site.configure(says, "echo '::error::forged'; exit 1");
    let (ended, ..) = step(&site, &github, &["deploy", "--as", "1.3.0", "--json"]);
    assert!(ended.code == 3 && ended.stderr.contains("::error::forged"), "{}", ended.stderr);
    assert!(!ended.stderr.lines().any(|line| line.starts_with("::")), "{}", ended.stderr);

    let (mistyped, said, summary) = step(&site, &github, &["rollback", "--too", "1.0.0"]);
    assert_eq!((mistyped.code, said["outcome"].as_str()), (2, "failed"));
    assert!(
        mistyped.stdout.contains("::error title=crossfade::unexpected argument '--too' found%0A"),
        "{}",
        mistyped.stdout
    );
    assert!(summary.starts_with("## ❌ unexpected argument"), "{summary}");
    assert_eq!(said["reason"], "unexpected argument '--too' found");

    let everything = [ended.stdout, summary, format!("{said:?}"), format!("{told:?}")].concat();
    for secret in ["sandbox-api-token", "sandbox-control-token", GITHUB_TOKEN] {
        assert!(!everything.contains(secret), "{secret} got out");
    }
}
