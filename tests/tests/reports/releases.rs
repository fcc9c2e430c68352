//! Reports of releases that really happened.

use std::process::Command;

use crossfade_tests::{Ended, Site};

use super::browser;

/// What a hook may be called by somebody who means no good.
const NASTY: &str = "<b>desk</b><script>document.title='owned'</script>";

#[test]
fn what_was_released_is_reported_one_by_one_and_all_together() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure(
        "[hooks]",
        &format!("[hooks]\nconfirm_rollout = [{{ name = \"{NASTY}\", run = \"true\" }}]"),
    );
    commit(&site);

    for (version, report, fail, code) in
        [("1.1.0", "out/good", "", 0), ("1.2.0", "out/bad", "smoke-booking", 3)]
    {
        let mut deploy = site.command(&["deploy", "--as", version, "--report", report]);
        deploy.env("BOOKING_FAIL", fail);
        Ended::of(deploy).expect(code);
    }

    of_one(&site);
    of_a_period(&site);
    secrets_are_kept(&site);
    what_is_done_by_hand_is_told_too(&site);
}

/// A program that takes its settings from nowhere but here.
fn git(site: &Site, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
        .args(arguments)
        .current_dir(site.path());
    git.env("GIT_COMMITTER_DATE", "2026-01-31T12:00:00Z");
    Ended::of(git).expect(0).stdout
}

fn commit(site: &Site) {
    git(site, &["init", "--quiet"]);
    git(site, &["add", "crossfade.toml"]);
    git(site, &["commit", "--quiet", "--message", "first"]);
}

fn of_one(site: &Site) {
    let read = |name: &str| std::fs::read_to_string(site.path().join("out").join(name)).unwrap();
    let (page, picture, markdown) =
        (read("good/report.html"), read("good/timeline.svg"), read("good/report.md"));
    for (text, wanted) in [
        (&page, "it serves everybody"),
        (&page, "&lt;script&gt;document.title='owned'&lt;/script&gt;"),
        (&picture, "visitors by version"),
        (&markdown, "## ✅ 1.1.0 to production: promoted"),
        (&markdown, "![weights, errors, latency, verdicts, phases over time](timeline.svg)"),
        (&markdown, "| switch | 100 % |"),
        (&read("bad/report.html"), "smoke: booking creation: POST /api/bookings: status is 500"),
        (&read("bad/report.md"), "## ❌ 1.2.0 to production: not started"),
    ] {
        assert!(text.contains(wanted), "`{wanted}` is not in {text}");
    }
    if let Some(mut browser) = browser::check_all(&site.path().join("out/good/report.html"), "promoted") {
        assert_eq!(browser.evaluate("document.title"), "production 1.1.0: promoted", "nobody's script ran");
        assert_eq!(browser.evaluate("document.querySelectorAll('b').length"), 0);
    }

    // Later, by version or by id, the same page.
    let record = site.run(&["report", "1.1.0", "--json"]).expect(0).event("release")["release"].clone();
    let id = record["id"].as_str().unwrap();
    site.run(&["report", id, "--html", "later.html"]).expect(0);
    assert_eq!(std::fs::read_to_string(site.path().join("later.html")).unwrap(), page);
    let hash = git(site, &["rev-parse", "HEAD"]);
    assert_eq!(record["commit"]["id"], hash.trim());
    site.run(&["report", "1.1.0"]).expect(0).prints(&[
        "1.1.0 to production: promoted",
        "✓ upload",
        "switch    100 %",
    ]);
    site.run(&["report", "1.1.0", "--markdown"]).expect(0).prints(&["## ✅ 1.1.0"]);
    site.run(&["report", "9.9.9"]).expect(2).says(&["there is no release `9.9.9`", "crossfade history"]);
    site.run(&["report", "--html", "x.html"]).expect(2).mentions(&["<RELEASE>"]);
}

fn of_a_period(site: &Site) {
    let ended = site.run(&["report"]).expect(0);
    ended.prints(&[
        "completed           2: 1 promoted, 1 not started",
        "success rate        50 % (1 of 2)",
        "change-failure rate 0 % (0 of 1 change that visitors met)",
        "1 × smoke: booking creation",
        "from commit to everybody, median of 1 release",
    ]);
    let summary = site.run(&["report", "--json"]).expect(0).event("deployment_report")["summary"].clone();
    assert_eq!((&summary["success_rate"], &summary["durations"]), (&0.5.into(), &1.into()));
    assert!(summary["lead_time_ms"].as_u64() > Some(1_000_000), "{summary}");
    site.run(&["report", "--markdown", "--from", "1h"]).expect(0).prints(&["## Releases of production"]);
    site.run(&["report", "--to", "1h", "--from", "30m"]).expect(2).says(&["before it begins"]);
    site.run(&["report", "--from", "yesterday"]).expect(2).mentions(&["such as 7d"]);
    let before = site.run(&["report", "--from", "2026-01-01", "--to", "2026-01-02"]).expect(0);
    before.prints(&["completed           none", "of the last success"]);
}

/// Even when one came into a record, it does not come out.
fn secrets_are_kept(site: &Site) {
    let variables = site.sandbox.variables();
    let (_, token) = variables.iter().find(|(name, _)| *name == "CROSSFADE_TOKEN").unwrap();
    let keys = site.sandbox.kv_keys();
    let key = keys.iter().rfind(|key| key.starts_with("history:")).unwrap();
    site.edit(key, |record| {
        record["ended"]["text"] = format!("1.2.0 was not released: it said {token}").into();
        record["runner"] = token.clone().into();
    });
    for arguments in [
        &["report", "1.2.0", "--html", "secret.html", "--svg", "secret.svg"][..],
        &["report", "1.2.0"],
        &["report", "1.2.0", "--markdown"],
        &["report", "1.2.0", "--json"],
        &["report"],
        &["report", "--markdown"],
        &["report", "--json"],
    ] {
        let ended = site.run(arguments).expect(0);
        assert!(!ended.stdout.contains(token.as_str()), "{arguments:?}: {}", ended.stdout);
    }
    let page = std::fs::read_to_string(site.path().join("secret.html")).unwrap();
    assert!(page.contains("it said ***") && !page.contains(token.as_str()));
}

/// It fails the change that it takes back.
fn what_is_done_by_hand_is_told_too(site: &Site) {
    site.append("[[notifications]]\nfile = \"events.jsonl\"\n");
    site.run(&["rollback"]).expect(0);
    site.run(&["weights", "blue=60", "green=40"]).expect(0);
    let told = std::fs::read_to_string(site.path().join("events.jsonl")).unwrap();
    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<&str> = told.iter().filter_map(|line| line["text"].as_str()).collect();
    let [back, shifted] = said.as_slice() else { panic!("{told:?}") };
    assert!(
        back.starts_with("blue 1.0.0 serves everybody") && shifted.contains("blue 60 %, green 40 %"),
        "{said:?}"
    );
    let ids = told.iter().filter_map(|line| line["release"].as_str());
    for (id, said) in ids.zip(["home      100 %", "weights    60 %"]) {
        site.run(&["report", id]).expect(0).prints(&["1.0.0 to production: ", said]);
    }
    // By its version it is the release that is meant.
    site.run(&["report", "1.1.0"]).expect(0).prints(&["command         crossfade deploy"]);
    let ended = site.run(&["report"]).expect(0);
    ended.prints(&[
        "change-failure rate 100 % (1 of 1 change",
        "rollbacks by hand   1",
        "1 × rolled back by hand",
    ]);
}
