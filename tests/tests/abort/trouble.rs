//! The API on a bad day, at the worst moment: whatever happens, the release ends promoted or home, with a table that says so.

use crossfade_sandbox::{Action, Fault};
use crossfade_tests::Site;
use rustix::process::Signal;

use crate::partner::Partner;

const TABLE: &str = "/values/routing%3Aproduction";

/// `METHOD status` of each API request for the table, from the first PUT on.
fn table_requests(site: &Site, skip: usize) -> Vec<String> {
    let requests = site.sandbox.requests();
    requests
        .iter()
        .skip(skip)
        .filter(|request| request.path.ends_with(TABLE))
        .skip_while(|request| request.method != "PUT")
        .map(|request| format!("{} {}", request.method, request.status))
        .collect()
}

fn answer(status: u16, retry_after: Option<u64>) -> Action {
    Action::Answer { status, code: 10_001, message: "trouble".into(), retry_after }
}

#[test]
fn writes_that_fail_are_tried_again_and_unknown_ones_are_looked_up_first() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let put = |action: Action| site.sandbox.fault(Fault::new("PUT", TABLE, action).times(1));
    // The switch.
    put(answer(500, None));
    put(answer(429, Some(1)));
    put(Action::Reset);
    put(Action::AppliedThenReset);
    // Settling.
    put(Action::AppliedThenError { status: 502 });
    site.deploy("1.1.0", &[]).expect(0).prints(&["✓ switch     revision 2: green 100 %, served at the edge"]);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    assert_eq!(site.table().revision().number(), 3, "no try took a revision of its own");
    assert_eq!(
        table_requests(&site, 0),
        [
            "PUT 500", "GET 200", // not written after all …
            "GET 200",
            "PUT 429", // … so once more; this one was surely not written, nothing to look up
            "GET 200", "PUT 0", "GET 200", "GET 200", "PUT 0",
            "GET 200", // looked up, and found to be written
            "GET 200", "PUT 502", "GET 200", // settling the same
            "GET 200", // cleaning up looks at what is in use
        ]
    );

    // A write that is refused for good is not tried again, and nothing has happened.
    site.sandbox.clear_faults();
    site.sandbox.fault(Fault::new("PUT", TABLE, answer(403, None)));
    let skip = site.sandbox.requests().len();
    let ended = site.deploy("1.2.0", &[]).expect(3);
    ended.says(&[
        "error: switch: the routing table could not be written: PUT ",
        "refuses the token (403",
        "hint: nothing was changed",
    ]);
    assert_eq!(table_requests(&site, skip), ["PUT 403"]);
    assert_eq!((site.served_version(), site.table().revision().number()), ("1.1.0".into(), 3));
}

#[test]
fn an_api_that_goes_away_after_the_switch_and_comes_back_leaves_nobody_stuck() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    // Settling is never answered, and then it cannot be looked up.
    let put = |action: Action| Fault::new("PUT", TABLE, action);
    site.sandbox.fault(put(Action::Hang).after(1).times(1));
    // Three looks before: at the start, before the switch, before settling.
    site.sandbox.fault(
        Fault::new("GET", TABLE, Action::Text { status: 503, text: "<html>".into() }).after(3).times(1),
    );
    site.sandbox.fault(Fault { method: None, ..Fault::new("", "/storage/kv/", Action::Latency { ms: 300 }) });
    site.deploy("1.1.0", &[]).expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    assert_eq!(site.table().revision().number(), 3);
    assert_eq!(
        table_requests(&site, 0),
        ["PUT 200", "GET 200", "PUT 0", "GET 503", "GET 200", "PUT 200", "GET 200"],
        "switch; settling hangs, cannot be looked up, is tried again; cleaning up"
    );
    site.sandbox.clear_faults();

    // All writes fail from the switch on, for longer than the lease leaves time: settling is given up, home is tried until it
    // works.
    site.configure("lease = \"60s\"", "lease = \"20s\"");
    site.sandbox.fault(put(answer(503, None)).after(1));
    let mut running = site.begin_deploy("1.2.0", &[]);
    running.until_phase("home");
    assert_eq!(
        site.served_version(),
        "1.2.0",
        "until then visitors stay where they are, and the lease is on them"
    );
    assert!(site.table().lease().is_some());
    site.sandbox.clear_faults();
    let ended = running.end().expect(4);
    ended.says(&[
        "error: rolled back: the routing table could not be written: PUT ",
        "Cloudflare failed (503",
    ]);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
}

#[test]
fn home_is_written_although_nobody_can_look_at_what_it_replaces() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let partner = Partner::new();
    partner.take_part_in(&site);
    partner.hold(1);
    let running = site.begin_deploy("1.1.0", &[]);
    partner.until_held();
    let skip = site.sandbox.requests().len();
    site.sandbox.fault(Fault::new("GET", TABLE, answer(503, None)));
    running.signal(Signal::TERM);
    running.end().expect(4).says(&["error: rolled back: cancelled: SIGTERM"]);
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    let requests = site.sandbox.requests();
    let asked: Vec<u16> = requests[skip..]
        .iter()
        .filter(|request| request.path.ends_with(TABLE))
        .map(|request| request.status)
        .collect();
    assert_eq!(asked, [503, 200], "one look that failed, one write");
    partner.release();
}
