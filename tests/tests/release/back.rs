//! Back to any release of the history, and forward again: one command, one write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossfade_tests::{Site, origin::Origin};
use serde_json::json;

/// 3.0.0 serves, 2.0.0 is listed beside it, 1.0.0 is known from the history alone.
fn three_versions() -> (Site, Vec<Origin>) {
    let (site, origins) = Site::serving(&[("blue", "3.0.0"), ("green", "2.0.0"), ("red", "1.0.0")]);
    site.edit("routing:production", |table| {
        table["variants"].as_array_mut().unwrap().truncate(2);
    });
    for (version, origin) in ["3.0.0", "2.0.0", "1.0.0"].into_iter().zip(&origins) {
        let id = format!("rel-2026010{}T000000-000001", &version[..1]);
        site.put(
            &format!("history:production:{id}"),
            &json!({
                "schema": 1, "id": id, "environment": "production", "command": "deploy", "version": version,
                "stable_version": null, "slot": "blue", "origin": origin.url(), "deployment_id": version,
                "phase": "promoted", "runner": "a workflow", "started_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z",
                "ended": { "at": "2026-01-01T00:00:00Z", "outcome": "promoted", "text": format!("promoted {version}") },
            }),
        );
    }
    (site, origins)
}

#[test]
fn any_release_of_the_history_is_one_write_away_back_and_forward() {
    let (site, mut origins) = three_versions();
    let serves = |version: &str| {
        let table = site.table();
        let variants: Vec<String> =
            table.variants().iter().map(|it| format!("{} {} {}", it.name, it.version, it.weight)).collect();
        assert_eq!((site.served_version(), table.lease()), (version.into(), None));
        variants.join(", ")
    };

    site.run(&["history"]).expect(0); // the program is built before the clock runs
    // Two releases back: it takes the idle slot, and who served stays to go back to.
    let took = time_to_last_wrong_answer(&site, "1.0.0", || {
        let back = site.run(&["rollback", "--to", "1.0.0"]).expect(0);
        back.prints(&["green 1.0.0 serves everybody"]);
    });
    println!("rollback --to: {took:?} from the command to the last answer of the wrong version");
    assert_eq!(serves("1.0.0"), "blue 3.0.0 0 %, green 1.0.0 100 %");
    assert_eq!(site.writes("routing:production"), 1);
    let previous: Vec<String> = site.table().previous().iter().map(|it| it.version.to_string()).collect();
    assert_eq!(previous, ["2.0.0"], "pages of the version that lost its slot still find their files");

    // Forward again, by the release's id: it is listed and keeps its name.
    site.run(&["rollback", "--to", "rel-20260103T000000-000001"]).expect(0);
    assert_eq!(serves("3.0.0"), "green 1.0.0 0 %, blue 3.0.0 100 %");
    site.run(&["rollback", "--to", "2.0.0"]).expect(0);
    assert_eq!(serves("2.0.0"), "blue 3.0.0 0 %, green 2.0.0 100 %");
    assert_eq!(site.writes("routing:production"), 3);

    // What cannot be gone to is refused with what can, and nothing is written.
    site.run(&["rollback", "--to", "9.9.9"]).expect(2).says(&[
        "`9.9.9` is no release or version of the history whose deployment is still there",
        "3.0.0 (rel-20260103T000000-000001), 1.0.0 (rel-20260101T000000-000001)",
    ]);
    site.edit("history:production:rel-20260103T000000-000001", |record| {
        record["deployment_id"] = json!(null)
    });
    site.run(&["rollback", "--to", "3.0.0"]).expect(2).says(&["`3.0.0` is no release or version"]);
    let gone = origins.remove(2);
    drop(gone);
    site.run(&["rollback", "--to", "1.0.0"]).expect(3).says(&["1.0.0 at http://127.0.0.1:", "with --force"]);
    assert_eq!((serves("2.0.0"), site.writes("routing:production")), (serves("2.0.0"), 3));
    site.run(&["rollback", "--to", "1.0.0", "--force"]).expect(0);
    assert_eq!((site.table().stable().version.as_str(), site.writes("routing:production")), ("1.0.0", 4));

    let history = site.run(&["history"]).expect(0).stdout;
    let marked: Vec<&str> = history.lines().filter(|line| line.starts_with('*')).collect();
    assert_eq!(marked.len(), 2, "what can be gone back to is marked: {history}");
}

/// How long visitors still got another version than `wanted`, counted from the command's start.
fn time_to_last_wrong_answer(site: &Site, wanted: &str, command: impl FnOnce()) -> Duration {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let started = Instant::now();
            let mut last_wrong = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                if site.served_version() != wanted {
                    last_wrong = started.elapsed();
                }
            }
            last_wrong
        });
        command();
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    })
}
