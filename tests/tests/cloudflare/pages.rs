//! `crossfade pages deploy` on a bad day: it is live and says so, or it failed, says why, and does not exit 0.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crossfade_sandbox::{API_TOKEN, Action, Fault, Limits, Refusal, Sandbox, UploadTokens};
use crossfade_tests::{Ended, Running, crossfade, sandbox};
use serde_json::json;
use tempfile::TempDir;

use crate::openapi;
use crate::sent::Sent;

/// A stand-in that only stores, and a site of three buckets.
struct Stage {
    sandbox: Sandbox,
    site: TempDir,
}

impl Stage {
    fn new() -> Self {
        let sandbox = sandbox(|options| {
            options.worker = None;
            options.serve_pages = false;
        });
        let site = TempDir::new().unwrap();
        std::fs::write(site.path().join("index.html"), "Hello").unwrap();
        for number in 0..3_u8 {
            std::fs::write(site.path().join(format!("{number}.bin")), vec![number; 300 << 10]).unwrap();
        }
        sandbox.take_exchanges();
        Self { sandbox, site }
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = crossfade();
        command
            .args(["pages", "deploy"])
            .arg(self.site.path())
            .args(["--project-name", "booking"])
            .args(flags);
        command
            .current_dir(self.site.path().parent().unwrap_or(Path::new("/")))
            .envs(self.sandbox.variables());
        command
    }

    #[track_caller]
    fn deploy(&self, flags: &[&str]) -> Ended {
        let ended = Ended::of(self.command(flags));
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains(API_TOKEN) && !said.contains(".sandbox"), "a token was told:\n{said}");
        ended
    }

    fn calls(&self, end: &str) -> usize {
        self.sandbox.requests().iter().filter(|request| request.path.ends_with(end)).count()
    }

    fn deployments(&self) -> usize {
        self.sandbox.deployments().len()
    }
}

fn refused(status: u16, code: i64) -> Action {
    Action::Answer { status, code, message: "no".into(), retry_after: None }
}

fn text(status: u16, text: &str) -> Action {
    Action::Text { status, text: text.into() }
}

/// What goes wrong for good, and what is said of it. None of these may be taken for a success.
#[test]
fn a_deployment_that_failed_never_exits_0_and_says_why() {
    let success = r#"{"success":true,"errors":[],"messages":[],"result":null}"#;
    let failure =
        r#"{"success":false,"errors":[{"code":8000000,"message":"unknown"}],"messages":[],"result":null}"#;
    let cases = [
        ("GET", "/projects/booking", refused(403, 10_000), "Cloudflare Pages: Edit"),
        ("GET", "/upload-token", refused(400, 8_000_013), "upload token"),
        ("POST", "/check-missing", refused(400, 8_000_001), "which assets are missing"),
        ("POST", "/assets/upload", refused(400, 8_000_000), "upload assets"),
        ("POST", "/assets/upload", refused(413, 8_000_001), "upload assets"),
        ("POST", "/assets/upload", text(500, success), "upload assets"),
        ("POST", "/assets/upload", text(200, failure), "upload assets"),
        ("POST", "/assets/upload", text(302, ""), "leads elsewhere"),
        ("POST", "/assets/upload", text(401, "Expired JWT"), "refuses the token"),
        ("POST", "/deployments", refused(400, 8_000_096), "create the deployment"),
        ("POST", "/deployments", text(500, success), "create the deployment"),
        ("POST", "/deployments", text(200, failure), "create the deployment"),
    ];
    std::thread::scope(|scope| {
        for case in &cases {
            scope.spawn(move || {
                let (method, path, action, said) = case;
                let stage = Stage::new();
                stage.sandbox.fault(Fault::new(method, path, action.clone()));
                let ended = stage.deploy(&["--branch", "main"]);
                assert_eq!(ended.code, 3, "{case:?}\n{}{}", ended.stdout, ended.stderr);
                assert!(ended.error().contains(said), "{case:?}\n{}", ended.stderr);
                assert_eq!(stage.deployments(), 0, "{case:?}");
                // Whatever is tried again is tried a bounded number of times: six a token, and three tokens more a bucket.
                assert!(stage.calls("/assets/upload") <= 18, "{case:?}: {}", stage.calls("/assets/upload"));
            });
        }
    });
}

#[test]
fn a_deployment_has_ended_when_its_last_stage_has_and_not_before() {
    let stage = Stage::new();
    let live_within = ["--branch", "main", "--live-within", "20s"];
    let slow = [("queued", "active"), ("queued", "success"), ("deploy", "active"), ("deploy", "success")];
    stage.sandbox.set_stages(&slow, &[]);
    stage.deploy(&live_within).expect(0).prints(&["deployed: http"]);
    let looks = stage.sandbox.requests();
    let looks =
        looks.iter().filter(|request| request.method == "GET" && request.path.contains("/deployments/"));
    assert_eq!(looks.count(), 4);

    for (stages, said) in [
        (
            vec![("queued", "active"), ("deploy", "failure")],
            "failed at stage `deploy`\n  the first line\n  the last line",
        ),
        (vec![("build", "failure")], "failed at stage `build`\n  the first line"),
        (vec![("initialize", "canceled")], "failed at stage `initialize`"),
    ] {
        stage.sandbox.set_stages(&stages, &["the first line", "the last line"]);
        stage.deploy(&live_within).expect(3).says(&[said]);
    }
    stage.sandbox.set_stages(&[("deploy", "active")], &[]);
    let started = Instant::now();
    stage
        .deploy(&["--branch", "main", "--live-within", "1s"])
        .expect(3)
        .says(&["was not live within 1 s (stage `deploy/active`)"]);
    assert!(started.elapsed() < Duration::from_secs(20));
    openapi::check(&stage.sandbox.take_exchanges());
}

#[test]
fn a_token_that_runs_out_again_and_again_is_replaced_however_it_is_refused() {
    for refusal in [Refusal::Json, Refusal::Text] {
        // Good for one call each, though it claims to be good for long: as for a client whose clock is behind.
        let stage = Stage::new();
        stage.sandbox.set_upload_tokens(UploadTokens { calls: Some(1), refusal, ..UploadTokens::default() });
        stage.deploy(&["--branch", "main"]).expect(0);
        let exchanges = stage.sandbox.take_exchanges();
        let sent = Sent::of(&exchanges.into_iter().filter(|it| it.status == 200).collect::<Vec<_>>());
        assert_eq!((sent.uploaded.len(), sent.in_use.len()), (4, 4), "{refusal:?}");

        // One that has half a minute left is not begun with.
        let stage = Stage::new();
        stage.sandbox.set_upload_tokens(UploadTokens { seconds: 30, refusal, ..UploadTokens::default() });
        stage.deploy(&["--branch", "main"]).expect(0);
        assert!(stage.calls("/upload-token") > 3, "{}", stage.calls("/upload-token"));

        // Run out by the clock when it is made: as for a client whose clock is ahead. It is bounded.
        let stage = Stage::new();
        stage.sandbox.set_upload_tokens(UploadTokens { seconds: -3_600, refusal, ..UploadTokens::default() });
        stage.deploy(&["--branch", "main"]).expect(3).says(&["refuses the token"]);
        assert!(stage.calls("/upload-token") <= 12, "{}", stage.calls("/upload-token"));
    }
}

#[test]
fn an_upload_that_was_cut_off_goes_on_where_it_was() {
    let stage = Stage::new();
    // Of three buckets with a file each the first two arrive; then the program dies.
    std::fs::remove_file(stage.site.path().join("index.html")).unwrap();
    stage.sandbox.fault(Fault::new("POST", "/assets/upload", Action::Hang).after(2));
    let mut running = Running::begin(stage.command(&["--branch", "main", "--json"]));
    running.until("2 of 3 files");
    drop(running);
    let arrived = Sent::of(&answered(&stage.sandbox)).uploaded;
    assert_eq!(arrived.len(), 2);
    stage.sandbox.clear_faults();
    stage.deploy(&["--branch", "main"]).expect(0);
    let rest = Sent::of(&answered(&stage.sandbox)).uploaded;
    assert!(rest.len() == 1 && rest.is_disjoint(&arrived), "something was sent twice");
}

fn answered(sandbox: &Sandbox) -> Vec<crossfade_sandbox::Exchange> {
    sandbox.take_exchanges().into_iter().filter(|exchange| exchange.status == 200).collect()
}

#[test]
fn one_bucket_that_fails_for_a_while_costs_the_others_nothing() {
    let stage = Stage::new();
    // Five failures in a row: wrangler shares its five tries among all buckets.
    stage.sandbox.fault(Fault::new("POST", "/assets/upload", refused(500, 8_000_000)).times(5));
    stage.deploy(&["--branch", "main"]).expect(0);
    assert_eq!(stage.calls("/assets/upload"), 3 + 5);
    let sent = Sent::of(&answered(&stage.sandbox));
    assert_eq!(sent.uploaded.len(), 4);
}

#[test]
fn the_rate_limiter_is_waited_for_as_long_as_it_says() {
    let stage = Stage::new();
    stage.sandbox.set_limits(Limits { calls: Some((4, Duration::from_secs(2))), ..Limits::default() });
    stage.deploy(&["--branch", "main"]).expect(0);
    let limited = stage.sandbox.requests().iter().filter(|request| request.status == 429).count();
    assert!((1..12).contains(&limited), "{limited} calls while it was blocked");
}

#[test]
fn a_missing_project_is_made_only_when_that_is_asked_for() {
    let stage = Stage::new();
    let other = ["--project-name", "other", "--branch", "trunk"];
    let command = |flags: &[&str]| {
        let mut command = crossfade();
        command.args(["pages", "deploy"]).arg(stage.site.path()).args(other).args(flags);
        Ended::of({
            command.envs(stage.sandbox.variables()).current_dir("/");
            command
        })
    };
    command(&[]).expect(3).says(&["read the Pages project", "not found", "wrangler pages project create"]);
    command(&["--dry-run"]).expect(3);
    command(&["--dry-run", "--create-project"]).expect(0).prints(&["4 files, 4 of them new"]);
    assert_eq!(stage.sandbox.describe()["projects"], json!(["booking"]));
    // The project is made and the answer lost: it is looked for, not made again.
    stage.sandbox.fault(Fault::new("POST", "/pages/projects", Action::AppliedThenReset).times(1));
    let made = command(&["--create-project", "--production-branch", "trunk", "--json"]).expect(0);
    assert_eq!(made.event("deployed")["pages_environment"], "production");
    assert_eq!(made.event("deployed")["project"], "other");
    openapi::check(&stage.sandbox.take_exchanges());
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let stage = Stage::new();
    let planned = stage.deploy(&["--dry-run"]).expect(0);
    planned.prints(&["4 files, 4 of them new (901 KiB)", "nothing was sent"]);
    let mut proxied = stage.command(&["--dry-run"]);
    proxied.envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")));
    Ended::of(proxied).expect(0);
    assert_eq!((stage.calls("/assets/upload"), stage.calls("/deployments")), (0, 0));
    stage.sandbox.fault(Fault::new("POST", "/upsert-hashes", refused(400, 8_000_001)).times(1));
    let noted_nothing = "4 files, 4 of them new; Cloudflare took no note";
    stage.deploy(&["--branch", "main"]).expect(0).prints(&[noted_nothing]);
    std::fs::write(stage.site.path().join("new.html"), "new").unwrap();
    stage.deploy(&["--dry-run"]).expect(0).prints(&["5 files, 1 of them new (1 KiB)"]);
    stage.deploy(&["--dry-run", "--skip-caching"]).expect(0).prints(&["5 files, 5 of them new (901 KiB)"]);
}

#[test]
fn what_is_missing_or_wrong_is_said_before_anything_is_sent() {
    let stage = Stage::new();
    let nothing = TempDir::new().unwrap();
    for (flags, without, said) in [
        (&["--project-name", "No_Name"][..], "", "--project-name"),
        (&["--live-within", "soon"], "", "soon"),
        (&["--production-branch", "x"], "", "--create-project"),
        (&[], "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN is not set"),
        (&[], "CLOUDFLARE_ACCOUNT_ID", "account id is not set"),
    ] {
        let mut command = stage.command(flags);
        if flags.contains(&"--project-name") {
            command = crossfade();
            command.args(["pages", "deploy", "/"]).args(flags).envs(stage.sandbox.variables());
        }
        command.env_remove(without);
        let ended = Ended::of(command).expect(2);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let mut command = crossfade();
    command.args(["pages", "deploy"]).envs(stage.sandbox.variables()).current_dir(nothing.path());
    Ended::of(command).expect(2).says(&["the Pages project is not set", "--project-name NAME"]);
    let plain = ("CLOUDFLARE_API_BASE_URL", "http://api.example.com/client/v4");
    let mut command = stage.command(&[]);
    command.env(plain.0, plain.1);
    Ended::of(command).expect(2).says(&["secrets would travel"]);
    assert!(stage.sandbox.take_exchanges().is_empty());
    // As many files as the plan has, and no more; known once the token says so.
    stage.sandbox.set_upload_tokens(UploadTokens { files_max: 3, ..UploadTokens::default() });
    stage.deploy(&[]).expect(3).says(&["the directory has 4 files; Pages takes up to 3"]);
    assert_eq!(stage.calls("/assets/upload"), 0);
}
