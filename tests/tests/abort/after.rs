//! Cancelled after the switch: traffic is home within six seconds of the signal, whatever was under way.

use std::time::{Duration, Instant};

use crossfade_sandbox::{Action, Fault, KvFault};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Running, Site};
use rustix::process::Signal;

use crate::partner::Partner;

/// What the contract gives a release to bring traffic home after a signal.
const HOME_WITHIN: Duration = Duration::from_secs(6);

/// Sends signals, and sees traffic home in KV and at the edge before the bound; then the end.
#[track_caller]
fn home_after(site: &Site, running: Running, signals: &[Signal], revision: u64) -> Ended {
    let signalled = Instant::now();
    for signal in signals {
        running.signal(*signal);
        std::thread::sleep(Duration::from_millis(50));
    }
    let home = || {
        let table = site.table();
        table.revision().number() == revision
            && site.live() == ("1.0.0".into(), true)
            && site.served_version() == "1.0.0"
    };
    while !home() {
        assert!(signalled.elapsed() < HOME_WITHIN, "not home after {HOME_WITHIN:?}: {:?}", site.table());
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = running
        .end()
        .expect(4)
        .says(&["error: rolled back: cancelled: SIG", "hint: visitors are on the version before"]);
    let home = ended.event("phase-ended");
    assert_eq!((&home["phase"], &home["ok"]), (&"home".into(), &true.into()), "{home}");
    assert!(home["text"].as_str().unwrap().ends_with("blue 100 %, served at the edge"), "{home}");
    assert_eq!(ended.event("finished")["outcome"], "rolled-back");
    assert_eq!(site.document("release:production")["ended"]["outcome"], "rolled-back");
    ended
}

#[test]
fn a_signal_after_the_switch_brings_traffic_home_at_once() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure("[rollout]", "rolled_back = [{ run = \"echo $CROSSFADE_VERSION >> back\" }]\n[rollout]");
    let partner = Partner::new();
    partner.take_part_in(&site);

    // While the edge is waited for: it serves the old table for another two seconds.
    site.sandbox.set_kv_fault(KvFault { propagation_ms: 2_000, ..KvFault::default() });
    let mut running = site.begin_deploy("1.1.0", &[]);
    running.until("\"phase\":\"switch\",\"text\":\"revision 2: green 100 %; it serves revision 1\"");
    home_after(&site, running, &[Signal::TERM], 3);
    site.sandbox.clear_faults();

    // While a smoke test hangs behind the public URL, with an API that takes its time, a second and third signal as GitHub sends
    // them, and a GitHub that accepts connections and nothing else.
    partner.hold(1);
    let github = Origin::new(|_, wire| wire.wait_for_the_end());
    let mut command = site.command(&["deploy", "--as", "1.2.0", "--json"]);
    command.envs([
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", "acme/booking"),
        ("GITHUB_SHA", "0a1b2c"),
    ]);
    command.env("GITHUB_API_URL", github.url()).env("CROSSFADE_GITHUB_TOKEN", "ghs_secret");
    let running = Running::begin(command);
    partner.until_held();
    assert_eq!(site.served_version(), "1.2.0");
    site.sandbox.fault(Fault { method: None, ..Fault::new("", "/storage/kv/", Action::Latency { ms: 800 }) });
    let ended = home_after(&site, running, &[Signal::INT, Signal::TERM, Signal::INT], 5);
    assert!(ended.error().contains("cancelled: SIGINT"), "the first reason stays: {}", ended.error());
    assert!(!github.received().is_empty(), "it was told, and not waited for");
    site.sandbox.clear_faults();

    // While it settles: everybody is on the new version already, and the edge does not know that this is for good.
    partner.hold(1);
    let mut running = site.begin_deploy("1.3.0", &[]);
    partner.until_held();
    site.sandbox.set_kv_fault(KvFault { propagation_ms: 2_000, ..KvFault::default() });
    partner.release();
    running.until("\"phase\":\"settle\",\"text\":\"revision 7: green 100 %; it serves revision 6\"");
    home_after(&site, running, &[Signal::INT], 8);

    let back = std::fs::read_to_string(site.path().join("back")).unwrap();
    assert_eq!(back, "1.1.0\n1.2.0\n1.3.0\n", "the signal does not keep the hooks from running afterwards");
}

#[test]
fn a_smoke_test_that_a_signal_cuts_short_still_cleans_up() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let partner = Partner::new();
    partner.take_part_in(&site);
    partner.hold(1);
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until_held();
    running.signal(Signal::TERM);
    // Everything else first: the order that hangs is left where it is, until there is nothing else to do.
    let deadline = Instant::now() + HOME_WITHIN * 2;
    while site.document("release:production")["ended"].is_null() {
        assert!(Instant::now() < deadline, "{:?}", site.table());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(site.live(), ("1.0.0".into(), true));
    assert_eq!(
        partner.asked(),
        ["GET /order", "DELETE /order/o7", "GET /order"],
        "the gate's, and the one that hangs"
    );
    partner.release();
    running.end().expect(4);
    assert_eq!(partner.asked().last().unwrap(), "DELETE /order/o7");
    assert_eq!(partner.asked().len(), 4);
}
