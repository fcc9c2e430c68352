//! What the sandbox starts ends with it, however it ends; Linux tells us what runs.

use std::path::PathBuf;

use crossfade_tests::{client, client_at, sandbox, try_upload, upload, upload_to};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::processes::{self, Process};
use crate::program::Running;

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    std::fs::write(site.path().join("index.html"), "x").unwrap();
    site
}

/// The directory of a sandbox with one deployment, after a look at what runs there.
#[track_caller]
fn running(deployment: &str) -> PathBuf {
    let directory = processes::directory_of(deployment);
    let running = processes::of(&directory);
    let routers: Vec<&Process> = running
        .iter()
        .filter(|process| process.runs("workerd") && process.command.contains(&"serve".to_owned()))
        .collect();
    assert!(
        routers.iter().any(|router| router.command.iter().any(|text| text.ends_with("workerd.capnp"))),
        "{running:#?}"
    );
    let pages = |process: &Process| {
        process.runs("node") && process.command.windows(2).any(|words| words == ["pages", "dev"])
    };
    assert!(running.iter().any(pages), "{running:#?}");
    // The router, and the runtime below `wrangler pages dev`.
    assert!(running.iter().filter(|process| process.runs("workerd")).count() >= 2, "{running:#?}");
    directory
}

#[test]
fn no_process_outlives_the_program_whatever_ends_it() {
    let mut left: Option<PathBuf> = None;
    for (signal, code) in [(Signal::KILL, None), (Signal::TERM, Some(0)), (Signal::INT, Some(0))] {
        let mut program = Running::start(&["--json", "--api-port", "0", "--public-port", "0"]);
        // Whoever is killed cannot tidy up; whichever sandbox begins next does.
        assert!(left.is_none_or(|left| !left.exists()));
        let client = client_at(program.variable("CLOUDFLARE_API_BASE_URL"));
        let deployment = upload_to(&client, site().path(), None).unwrap();
        let directory = running(&deployment.id);
        assert_eq!(program.end_by(signal), code, "{signal:?}");
        processes::until(&directory, <[_]>::is_empty);
        assert!(signal == Signal::KILL || !directory.exists(), "{signal:?}: {}", directory.display());
        left = Some(directory);
    }
}

#[test]
fn no_process_outlives_the_value_also_one_that_is_still_starting() {
    let sandbox = sandbox(|_| ());
    let site = site();
    let deployment = upload(&sandbox, site.path(), None);
    let directory = running(&deployment.id);
    let starting = try_upload(&sandbox, site.path(), None).unwrap();
    processes::until(&processes::home(&directory, &starting.id), |running| !running.is_empty());
    drop(sandbox);
    assert!(!directory.exists(), "nothing of it works in the background: {}", directory.display());
    processes::until(&directory, <[_]>::is_empty);
}

#[test]
fn a_deleted_deployment_ends_at_once_also_while_it_is_starting() {
    let sandbox = sandbox(|options| options.worker = None);
    let site = site();
    let kept = upload(&sandbox, site.path(), None);
    let directory = processes::directory_of(&kept.id);
    let before = processes::of(&directory).len();
    let deleted = try_upload(&sandbox, site.path(), Some("preview")).unwrap();
    let home = processes::home(&directory, &deleted.id);
    processes::until(&home, |running| !running.is_empty());
    client(&sandbox).delete_deployment("booking", &deleted.id, true, &|| false).unwrap();
    processes::until(&home, <[_]>::is_empty);
    assert_eq!(processes::of(&directory).len(), before, "the other one runs on");
}
