//! Cancelled before the switch: exit code 3, nothing written, nothing left running.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossfade_sandbox::{Action, Fault};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Running, Site};
use rustix::process::Signal;

#[test]
fn a_signal_before_the_switch_ends_the_release_and_leaves_visitors_untouched() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let (partner, partner_red) = partner();
    site.configure(
        "[rollout]",
        "prepare = [{ name = \"long\", run = \"test ! -e hold || { sleep 3071 & echo $! > child; wait; }\" }]\n[rollout]",
    );
    site.configure("json = \"/version\"", "json = \"/version\"\nwithin = \"60s\"");
    site.append(&format!(
        "[[health]]\nname = \"partner\"\npath = \"{0}/health\"\nretries = 9\nretry_delay = \"30s\"\n\
         [[smoke]]\nname = \"order\"\n\
         steps = [{{ path = \"{0}/order\", capture = {{ id = \"/id\" }} }}, {{ path = \"{0}/never\" }}]\n\
         cleanup = [{{ method = \"DELETE\", path = \"{0}/order/{{{{id}}}}\" }}]\n",
        partner.url()
    ));
    let cancelled = |running: Running, signal: Signal, phase: &str| {
        running.signal(signal);
        let name = if signal == Signal::INT { "SIGINT" } else { "SIGTERM" };
        let says = format!("error: cancelled ({name}) before any traffic was moved");
        let ended = running.end().expect(3).says(&[&says]);
        let failed = ended.event("phase-ended");
        assert_eq!((&failed["phase"], &failed["ok"]), (&phase.into(), &false.into()), "{failed}");
        assert_eq!(ended.event("finished")["outcome"], "not-started");
        assert_eq!(site.document("release:production")["ended"]["outcome"], "not-started");
        assert_eq!(site.writes("routing:production"), 0, "{phase}");
        assert_eq!((site.live(), site.served_version()), (("1.0.0".into(), true), "1.0.0".into()));
    };

    for signal in [Signal::INT, Signal::TERM] {
        site.write("hold", "");
        let mut running = site.begin_deploy("1.1.0", &[]);
        running.until_met("the hook has a child", |_| child(&site).is_some());
        let child = child(&site).unwrap();
        assert!(is_sleeping(&child));
        cancelled(running, signal, "prepare");
        assert!(!is_sleeping(&child), "the hook's own child is left running");
        std::fs::remove_file(site.path().join("child")).unwrap();
    }
    std::fs::remove_file(site.path().join("hold")).unwrap();

    // A call that hangs is left behind: nobody wants to wait for its end.
    site.sandbox.fault(Fault::new("GET", "/upload-token", Action::Hang).times(1));
    let mut running = site.begin_deploy("1.1.0", &[]);
    running.until("\"phase\":\"upload\",\"text\":\"5 files, ");
    cancelled(running, Signal::TERM, "upload");
    assert_eq!(site.changes(), [], "nothing was uploaded");

    let mut running = site.begin_deploy("1.1.0", &["wrong-version"]);
    running.until("\"phase\":\"live\",\"text\":\"it says that it is `1.1.0-other`\"");
    cancelled(running, Signal::INT, "live");

    partner_red.store(true, Ordering::Relaxed);
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until(|received| !received.is_empty());
    cancelled(running, Signal::TERM, "health");
    partner_red.store(false, Ordering::Relaxed);

    partner.forget();
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until(|received| received.iter().any(|request| request.target == "/order"));
    cancelled(running, Signal::INT, "smoke");
    let asked: Vec<String> =
        partner.received().iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(asked, ["GET /health", "GET /order", "DELETE /order/o7"], "what was made is cleaned up");

    // The last moment: the release's record says already that it switches, the table is not written yet.
    partner.forget();
    let mut running = site.begin_deploy("1.1.0", &[]);
    partner.until(|received| received.iter().any(|request| request.target == "/order"));
    site.sandbox.fault(Fault::new("PUT", "/values/release%3Aproduction", Action::Latency { ms: 1_000 }));
    running.until_phase("switch");
    cancelled(running, Signal::TERM, "switch");
}

/// Somebody else's service, red on request; it takes its time with orders.
fn partner() -> (Origin, Arc<AtomicBool>) {
    let red = Arc::new(AtomicBool::new(false));
    let its_red = Arc::clone(&red);
    let origin = Origin::new(move |request, wire| match request.target.as_str() {
        "/health" if its_red.load(Ordering::Relaxed) => wire.answer("503 Service Unavailable", &[], ""),
        "/order" => {
            std::thread::sleep(Duration::from_millis(700));
            wire.answer("201 Created", &[], r#"{"id":"o7"}"#);
        }
        _ => wire.answer("200 OK", &[], "{}"),
    });
    (origin, red)
}

/// The process id that the hook wrote.
fn child(site: &Site) -> Option<String> {
    let text = std::fs::read_to_string(site.path().join("child")).ok()?;
    text.ends_with('\n').then(|| text.trim().to_owned())
}

fn is_sleeping(pid: &str) -> bool {
    let arguments = std::fs::read_to_string(Path::new("/proc").join(pid).join("cmdline"));
    arguments.is_ok_and(|arguments| arguments.contains("3071"))
}
