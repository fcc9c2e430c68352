//! The program dies at the worst moment: all visitors are on a version that nobody has vouched for.

use std::path::Path;
use std::time::{Duration, Instant};

use crossfade_tests::Site;
use rustix::process::Signal;

use crate::partner::Partner;

#[test]
fn when_the_program_is_killed_the_edge_goes_home_by_itself_and_the_next_release_clears_up() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure("lease = \"60s\"", "lease = \"8s\"");
    site.configure("renew_every = \"10s\"", "renew_every = \"2s\"");
    site.configure("propagation = \"5s\"", "propagation = \"1s\"");
    let partner = Partner::new();
    partner.take_part_in(&site);
    partner.hold(1);
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until_held();
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, -1);
    assert_eq!(site.served_version(), "1.1.0", "the lease has not run out yet");
    let left = site.document("routing:production");
    let ends = site.table().lease().unwrap().expires_at;

    let deadline = Instant::now() + Duration::from_secs(20);
    while site.served_version() != "1.0.0" {
        assert!(Instant::now() < deadline, "visitors are still on what nobody vouched for");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(site.document("routing:production"), left, "with no write and no message");
    site.run(&["status"]).expect(0).prints(&[
        &format!("the lease ran out at {ends}: every router sends all visitors to blue"),
        "in charge: ",
    ]);

    // The dead release counts as alive until its record runs out; after that anybody may clear up.
    let expires = site.document("release:production")["expires_at"].clone();
    let dead_from = &expires.as_str().unwrap()[11..19];
    site.deploy("1.2.0", &[]).expect(5).says(&[
        "of 1.1.0 is in charge",
        &format!("revision {}", left["revision"]),
        &format!("it counts as dead from {dead_from} UTC on unless it is heard of before"),
        &format!("if its runner is dead, try again after {dead_from} UTC, or"),
        "`crossfade rollback --force`",
    ]);
    assert_eq!(site.document("routing:production"), left);
    site.edit("release:production", |record| record["expires_at"] = "2026-01-01T00:00:00Z".into());
    let dead = left["release"].as_str().unwrap();
    site.run(&["status"]).expect(0).prints(&[&format!("{dead} of 1.1.0 stopped without ending (revision ")]);
    partner.release();
    let ended = site.deploy("1.2.0", &[]).expect(0);
    ended.prints(&[&format!("! release {dead} stopped without settling; its lease ran out at {ends} and visitors went home to blue")]);
    assert_eq!((site.served_version(), site.live()), ("1.2.0".into(), ("1.2.0".into(), true)));
    let history = site.document(&format!("history:production:{dead}"));
    assert!(history["deployment_id"].is_string(), "what it uploaded can be cleaned up: {history}");
    site.run(&["history"])
        .expect(0)
        .prints(&["deploy   1.1.0        abandoned    1.1.0 never ended: last heard of at 20"]);
    let table = site.table();
    let versions: Vec<&str> = table.variants().iter().map(|variant| variant.version.as_str()).collect();
    assert_eq!(
        table.previous()[0].version.as_str(),
        "1.1.0",
        "pages that it answered still find their files"
    );
    assert_eq!(versions, ["1.0.0", "1.2.0"], "the version that nobody vouched for is gone");
}

#[test]
fn a_hook_does_not_outlive_a_killed_program() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure(
        "[rollout]",
        "prepare = [{ name = \"long\", run = \"trap 'echo unlocked > said; exit 1' TERM; sleep 3071 & echo $! > child; wait\" }]\n[rollout]",
    );
    let running = site.begin_deploy("1.1.0", &[]);
    let read = |name: &str| std::fs::read_to_string(site.path().join(name)).unwrap_or_default();
    let until = |what: &str, met: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !met() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the hook runs", &|| read("child").ends_with('\n'));
    let child = Path::new("/proc").join(read("child").trim()).join("cmdline");
    assert!(std::fs::read_to_string(&child).unwrap_or_default().contains("3071"));
    running.signal(Signal::KILL);
    running.end();
    until("all of it ends", &|| !std::fs::read_to_string(&child).unwrap_or_default().contains("3071"));
    assert_eq!(read("said"), "unlocked\n", "it was asked first");
}
