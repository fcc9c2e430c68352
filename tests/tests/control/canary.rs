//! A canary from its first visitor to its last step, under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossfade_sandbox::{Action, Fault};
use rustix::process::Signal;

use crate::{Health, Stage};

/// Visitors who come again and again, each with its cookies, and how many of them were turned away.
fn under_load(stage: &Stage, while_: impl FnOnce()) -> (usize, usize) {
    let url = format!("{}/", stage.site.sandbox.public_url().unwrap());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let agent = ureq::Agent::config_builder()
                        .http_status_as_error(false)
                        .timeout_global(Some(Duration::from_secs(10)))
                        .build()
                        .new_agent();
                    let (mut asked, mut failed) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        asked += 1;
                        let well = agent.get(&url).call().is_ok_and(|answer| answer.status() == 200);
                        failed += usize::from(!well);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    (asked, failed)
                })
            })
            .collect();
        while_();
        done.store(true, Ordering::Relaxed);
        let counts = visitors.into_iter().map(|visitor| visitor.join().unwrap());
        counts.fold((0, 0), |(asked, failed), (more, worse)| (asked + more, failed + worse))
    })
}

#[test]
fn a_canary_is_promoted_step_by_step_and_nobody_is_turned_away() {
    let stage = Stage::new(
        r#"steps = [{ weight = "1%", hold = "2s" }, { weight = "25%", hold = "2s" }, { weight = "100%", hold = "2s" }]"#,
    );
    let (asked, failed) = under_load(&stage, || {
        stage.begin().end().expect(0);
    });
    assert!(asked > 500, "only {asked} requests");
    assert_eq!(failed, 0, "of {asked}");
    assert_eq!(stage.written(), [(100, true), (2_500, true), (10_000, true), (10_000, false)]);
}

#[test]
fn a_canary_that_goes_bad_at_a_quarter_goes_home() {
    for (health, why) in [(Health::Failing, "500"), (Health::Slow, "basic")] {
        let stage = Stage::new(r#"steps = [{ weight = "25%", hold = "1h" }]"#);
        let mut running = stage.begin();
        stage.until_held(&mut running, "25 %");
        let (_, failed) = under_load(&stage, || {
            stage.is(health);
            let ended = running.end().expect(4);
            assert!(ended.stderr.contains(why), "{}", ended.stderr);
        });
        assert_eq!(failed, 0, "what the canary failed at was rescued");
        let outcome = stage.record()["ended"]["outcome"].clone();
        assert_eq!((stage.site.served_version(), outcome), ("1.0.0".into(), "rolled-back".into()));
        assert_eq!(stage.written(), [(2_500, true), (0, false)]);
    }
}

#[test]
fn kv_may_be_away_for_twenty_seconds_in_the_middle() {
    let stage = Stage::new(r#"steps = [{ weight = "25%", hold = "4s" }]"#);
    let config = std::fs::read_to_string(stage.site.path().join("crossfade.toml")).unwrap();
    stage.site.write("crossfade.toml", &config.replace("lease = \"6s\"", "lease = \"60s\""));
    let mut running = stage.begin();
    stage.until_held(&mut running, "25 %");
    let (asked, failed) = under_load(&stage, || {
        let message = "trouble".to_owned();
        let away = Action::Answer { status: 503, code: 10_001, message, retry_after: None };
        let fault = Fault { method: None, path: "/values/".into(), after: 0, times: None, action: away };
        stage.site.sandbox.fault(fault);
        std::thread::sleep(Duration::from_secs(20));
        assert!(!running.has_ended(), "nothing is lost while the lease holds");
        stage.site.sandbox.clear_faults();
        running.end().expect(0);
    });
    assert!(failed == 0 && asked > 500, "{failed} of {asked}");
    assert_eq!(stage.site.served_version(), "2.0.0");
    assert_eq!(stage.site.table().stable().version.as_str(), "2.0.0");
}

#[test]
fn a_signal_brings_everybody_home_from_a_hold_a_pause_and_an_approval() {
    for (steps, order) in [
        (r#"[{ weight = "25%", hold = "1h" }]"#, None),
        (r#"[{ weight = "25%", hold = "1h" }]"#, Some("pause")),
        (r#"[{ weight = "25%", hold = "0s" }, { weight = "50%", hold = "0s", approval = true }]"#, None),
    ] {
        let stage = Stage::new(&format!("steps = {steps}"));
        let mut running = stage.begin();
        stage.until_held(&mut running, "25 %");
        if let Some(order) = order {
            stage.site.run(&[order]).expect(0);
        }
        let signalled = std::time::Instant::now();
        running.signal(Signal::TERM);
        while stage.weight() > 0 {
            assert!(signalled.elapsed() < Duration::from_secs(6), "home is written within 6 s of a signal");
        }
        running.end().expect(4).says(&["cancelled: SIGTERM"]);
        assert_eq!(stage.written(), [(2_500, true), (0, false)]);
    }
}

#[test]
fn an_older_record_never_overwrites_a_newer_one() {
    let stage = Stage::new(
        r#"steps = [{ weight = "5%", hold = "1s" }, { weight = "25%", hold = "1s" }, { weight = "50%", hold = "1s" }]"#,
    );
    // A renewal begins before the next step is saved, and would end after it.
    for slow in [3, 5, 7, 9] {
        let later = Action::Latency { ms: 2_500 };
        stage.site.sandbox.fault(Fault::new("PUT", "values/release", later).after(slow).times(1));
    }
    stage.begin().end().expect(0);
    let exchanges = stage.site.sandbox.take_exchanges();
    let puts = exchanges.iter().filter(|it| it.method == "PUT" && it.path.contains("values/release"));
    let records = puts.map(|put| serde_json::from_slice::<serde_json::Value>(&put.request.body).unwrap());
    let steps: Vec<u64> = records.filter_map(|record| record["saved"]["at"]["step"].as_u64()).collect();
    assert!(steps.is_sorted() && steps.len() > 4 && steps.last() == Some(&3), "{steps:?}");
}
