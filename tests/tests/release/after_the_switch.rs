//! After the switch: verification, the way home, the lease.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crossfade_tests::Site;
use crossfade_tests::origin::{Origin, Received};

/// The weight of `green`, whether the table has a lease, and whether `green` is stable.
type Seen = (u16, bool, bool);

#[test]
fn what_fails_only_behind_the_public_host_is_brought_home_by_itself() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.configure("[[health]]", "[[health]]\nretries = 0");
    site.configure(
        "[rollout]",
        "rolled_back = [{ run = \"echo back from $CROSSFADE_VERSION >> ran\" }]\nsettled = [{ run = \"echo settled >> ran\" }]\n[rollout]",
    );
    let before = site.table();
    let home = |revision: u64| {
        let table = site.table();
        assert_eq!(table.variants(), before.variants(), "the table before, as a new revision");
        assert_eq!((table.revision().number(), table.lease()), (revision, None));
        let failed = site.document("release:production")["origin"].clone();
        assert_eq!(
            failed.as_str().map(|url| url.trim_end_matches('/')),
            Some(table.previous()[0].origin.as_str()),
            "pages that the failed version answered still find their files"
        );
        assert_eq!(site.served_version(), "1.0.0");
        site.run(&["status"])
            .expect(0)
            .prints(&[&format!("edge: revision {revision}"), "last: rolled-back "]);
    };

    let ended = site.deploy("1.1.0", &["real-host"]).expect(4);
    let ended = ended.says(&[
        "error: rolled back: step 1 (100 %): basic: status is 500 with `{\"error\":\"this version does not work behind the public host\"}`",
        "hint: visitors are on the version before; mend it and deploy again",
    ]);
    let ended = ended.prints(&[
        "  ✓ smoke      5 of 5",
        "  ✓ switch     revision 2: green 100 %, served at the edge",
        "  ✗ verify     step 1 of 1, 100 % ",
        "  ✓ home       revision 3: blue 100 %, served at the edge",
    ]);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(said.matches("does not work behind the public host").count(), 1, "once is enough:\n{said}");
    assert!(!said.contains("promoted"), "{said}");
    assert_eq!(site.writes("routing:production"), 2, "there and back");
    home(3);

    // The smoke tests run again through the public URL, once. This one works once.
    let calls = AtomicUsize::new(0);
    let fickle = Origin::new(move |_, wire| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => wire.answer("200 OK", &[], "fine"),
        _ => wire.answer("500 Internal Server Error", &[], "no more"),
    });
    let smoke = format!("[[smoke]]\nname = \"fickle\"\nsteps = [{{ path = \"{}/x\" }}]\n", fickle.url());
    site.append(&smoke);
    let ended = site.deploy("1.2.0", &[]).expect(4);
    ended.says(&[
        "error: rolled back: step 1 (100 %): fickle: GET http://",
        "status is 500 with `no more`, expected 2xx",
    ]);
    home(5);
    assert_eq!(fickle.received().len(), 2);
    let told = |received: &Received| received.headers.iter().any(|(name, _)| name.starts_with("crossfade"));
    assert!(!fickle.received().iter().any(told), "the router's secret is for the router alone");
    let ran = std::fs::read_to_string(site.path().join("ran")).unwrap();
    assert_eq!(ran, "back from 1.1.0\nback from 1.2.0\n");
}

#[test]
fn a_first_release_that_fails_has_nowhere_to_go_back_to_and_the_next_one_replaces_it() {
    let site = Site::new();
    site.configure("[[health]]", "[[health]]\nretries = 0");
    let ended = site.deploy("1.0.0", &["real-host"]).expect(6);
    ended.says(&[
        "error: stuck: step 1 (100 %): basic: status is 500",
        "the first release ever serves everybody: there is no version to go back to",
        "hint: mend it and deploy again: the next version replaces this one",
    ]);
    assert_eq!(site.live(), ("1.0.0".into(), true));
    site.deploy("1.0.1", &[]).expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.0.1".into(), ("1.0.1".into(), true)));
}

#[test]
fn shifted_weights_have_a_lease_that_outlives_a_long_verification() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let (partner, gate) = partner();
    site.configure(
        "lease = \"60s\"",
        "lease = \"10s\"\nmeasure_every = \"1s\"\nsteps = [{ weight = \"25%\", hold = \"1s\" }]",
    );
    site.configure("renew_every = \"10s\"", "renew_every = \"2s\"");
    site.configure("propagation = \"5s\"", "propagation = \"1s\"");
    let checks = format!(
        "[[health]]\nname = \"partner\"\npath = \"{0}/health\"\nretries = 0\n\
         [[smoke]]\nname = \"slow\"\nsteps = [{{ path = \"{0}/slow\", timeout = \"60s\" }}]\n",
        partner.url()
    );
    site.append(&checks);

    let mut running = site.begin_deploy("1.1.0", &[]);
    let mut seen: Vec<Seen> = Vec::new();
    let (mut measured_from, mut wrong) = (None, Vec::new());
    running.until_met("it was promoted", |said| {
        let table = site.table();
        let green = table.variants().iter().find(|variant| variant.name.as_str() == "green");
        let weight = green.map_or(0, |variant| variant.weight.basis_points());
        let state = (weight, table.lease().is_some(), table.stable().name.as_str() == "green");
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        // From when everybody is on the new version and the slow smoke test runs, until six renewals later, twelve seconds.
        if gate.waiting() {
            let from = *measured_from.get_or_insert(table.revision().number());
            let served = site.served_version();
            if served != "1.1.0" {
                wrong.push(served);
            }
            if table.revision().number() >= from + 6 {
                gate.open();
            }
        }
        said.contains("\"type\":\"finished\"")
    });
    let ended = running.end().expect(0);
    assert_eq!(
        seen,
        [(0, false, false), (2_500, true, false), (10_000, true, false), (10_000, false, true)],
        "(green's weight, leased, green is stable)"
    );
    assert!(measured_from.is_some() && wrong.is_empty(), "visitors went back to {wrong:?} meanwhile");
    let finished = ended.event("finished");
    assert_eq!(finished["outcome"], "promoted", "{finished}");
    // The partner failed for both versions for a while; that was nobody's fault.
    let texts: Vec<String> = ended.events().iter().map(|event| event["text"].to_string()).collect();
    let blameless = |text: &&String| {
        text.contains("could not measure: stable fails the same check: partner: status is 503")
    };
    assert_eq!(texts.iter().filter(blameless).count(), 2, "{texts:#?}");
}

/// Lets a request pass when it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        self.waiting.store(true, Ordering::Relaxed);
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
        self.waiting.store(false, Ordering::Relaxed);
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Somebody else's service: healthy before the release, not so at its first two measurements, healthy again; its second
/// `/slow` waits at the gate.
fn partner() -> (Origin, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let (health, slow) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let its_gate = Arc::clone(&gate);
    let origin = Origin::new(move |request, wire| {
        // One call by the gate; then, twice, one for the new version and one for stable.
        if request.target == "/health" && (1..5).contains(&health.fetch_add(1, Ordering::Relaxed)) {
            return wire.answer("503 Service Unavailable", &[], "out of order");
        }
        if request.target == "/slow" && slow.fetch_add(1, Ordering::Relaxed) > 0 {
            its_gate.pass();
        }
        wire.answer("200 OK", &[], "fine");
    });
    (origin, gate)
}
