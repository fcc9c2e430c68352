//! A canary from its first visitor to its last step, under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Stage;

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
