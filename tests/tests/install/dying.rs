//! The process may die at every call.

use crossfade_sandbox::{Action, Fault};
use crossfade_tests::{Running, Visitors};
use rustix::process::Signal;

use super::{Ground, built, other_router};

/// Runs a command that is killed while a call is under way, done already or not.
fn die_at(
    ground: &Ground,
    arguments: &[&str],
    bundle: &std::path::Path,
    method: &str,
    path: &str,
    done: bool,
) {
    let action = if done { Action::AppliedThenDrip { ms: 60_000 } } else { Action::Hang };
    ground.sandbox.fault(Fault::new(method, path, action).times(1));
    let seen = || {
        let requests = ground.sandbox.requests();
        requests.iter().filter(|it| it.method == method && it.path.contains(path)).count()
    };
    let before = seen();
    let mut running = Running::begin(ground.command(arguments, bundle));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while seen() == before {
        assert!(
            !running.has_ended() && std::time::Instant::now() < deadline,
            "it never came to {method} {path}"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    running.signal(Signal::KILL);
    running.end();
    ground.sandbox.clear_faults();
}

#[test]
fn an_installation_an_upgrade_and_a_removal_that_die_at_every_call_go_on_where_they_stopped() {
    let ground = Ground::new();
    let visitors = Visitors::at(&ground.url(), 2);
    let built = built();
    for (method, path, done) in [
        ("POST", "/storage/kv/namespaces", true),
        ("PUT", "/values/", false),
        ("PUT", "/values/", true),
        ("PUT", "/workers/scripts/", true),
        ("POST", "/workers/routes", true),
        ("POST", "/workers/routes", false),
        ("POST", "/workers/routes", true),
        ("DELETE", "/workers/routes/", false),
    ] {
        die_at(&ground, &["deploy"], &built, method, path, done);
    }
    ground.run(&["deploy"]).expect(0);
    ground.assert_installed();

    let index = std::fs::read_to_string(built.join("index.js")).unwrap();
    let newer = other_router(&format!("{index}// newer\n"));
    let upgrade = ["upgrade", "--hold", "100ms"];
    for (path, done) in [("/versions", true), ("/deployments", true), ("/deployments", false)] {
        die_at(&ground, &upgrade, newer.path(), "POST", path, done);
    }
    // At 10 %: the next run goes on from there.
    let mut running = Running::begin(ground.command(&["upgrade", "--hold", "60s", "--json"], newer.path()));
    running.until("send 10 % of the requests to it\",\"elapsed_ms\"");
    running.signal(Signal::KILL);
    running.end();
    let goes_on = ground.run_with(&["upgrade", "--dry-run", "--json"], &newer).expect(0).event("plan");
    assert_eq!(goes_on["steps"][0], "send 10 % of the requests to it");
    // Somebody who cancels it has it put back.
    let mut running = Running::begin(ground.command(&["upgrade", "--hold", "60s", "--json"], newer.path()));
    running.until("send 10 % of the requests to it\",\"elapsed_ms\"");
    running.signal(Signal::INT);
    running.end().expect(4);
    ground.run_with(&upgrade, &newer).expect(0);

    for (method, path, done) in [("DELETE", "/workers/routes/", true), ("DELETE", "/workers/scripts/", false)]
    {
        die_at(&ground, &["remove", "--purge"], &built, method, path, done);
    }
    ground.run(&["remove", "--purge"]).expect(0);
    ground.assert_untouched();
    let failed = visitors.leave().into_iter().flatten().filter(|visit| visit.status != 200).count();
    assert_eq!(failed, 0);
}
