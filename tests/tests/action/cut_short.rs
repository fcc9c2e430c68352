//! Steps that do not come to their end: where visitors are then, and who has brought them home.

use std::time::{Duration, Instant};

use crossfade_sandbox::{Action, Fault};
use rustix::process::{Signal, kill_process};

use crate::executor::Job;
use crate::over::Over;
use crate::stage::{Stage, shift, until};

/// How long after a cancel visitors may be at the new version.
const HOME_WITHIN: Duration = Duration::from_secs(6);
const TABLE: &str = "/values/routing%3Aproduction";

#[track_caller]
fn says(over: &Over, text: &str) {
    assert!(over.said.contains(text), "`{text}` is not in:\n{}", over.said);
}

#[test]
fn whatever_ends_the_step_everybody_is_home_after_the_job() {
    let stage = Stage::new();

    // Cancelled: the program goes home by itself, long before the runner loses patience, and `post` finds nothing to do.
    let (mut job, mut step) = stage.shifted();
    let cancelled = Instant::now();
    step.cancel();
    let over = job.over(step);
    assert!(cancelled.elapsed() < HOME_WITHIN, "{:?}", cancelled.elapsed());
    assert_eq!((over.code, over.sent.as_slice()), (4, [Signal::INT].as_slice()));
    stage.is_home();
    assert!(!over.said.contains('\x1b'), "colours in a pipe:\n{}", over.said);
    let requests = stage.site.sandbox.requests().len();
    assert_eq!(job.post().code, 0);
    assert_eq!(stage.site.sandbox.requests().len(), requests, "post asked Cloudflare something");
    assert_eq!(job.kill_the_rest(), 0);
    drop(job);

    // Cancelled while each call takes nearly two seconds: home all the same.
    let (mut job, mut step) = stage.shifted();
    let slow = Fault { method: None, ..Fault::new("", "/storage/kv/", Action::Latency { ms: 1_800 }) };
    stage.site.sandbox.fault(slow);
    let cancelled = Instant::now();
    let is_home = std::thread::scope(|scope| {
        let home = scope.spawn(|| {
            until("they are home", || shift(&stage.site, "2.0.0").0 == 0);
            cancelled.elapsed()
        });
        step.cancel();
        home.join().unwrap()
    });
    assert!(is_home < HOME_WITHIN, "{is_home:?}");
    job.over(step);
    stage.site.sandbox.clear_faults();
    job.post();
    stage.is_home();
    assert_eq!(job.kill_the_rest(), 0);
    drop(job);

    // The program is killed: the step fails and says so, and `post` brings them home.
    let (mut job, step) = stage.shifted();
    let [program] = job.programs()[..] else { panic!("one program runs: {:?}", job.programs()) };
    kill_process(program, Signal::KILL).unwrap();
    let over = job.over(step);
    assert_ne!(over.code, 0);
    says(&over, "::error::crossfade was killed");
    assert_eq!(over.outputs["outcome"], "failed");
    assert_eq!(shift(&stage.site, "2.0.0"), (2_500, true), "nobody brought them home before `post`");
    assert_eq!(job.post().code, 0);
    stage.is_home();
    drop(job);

    // The action's own process is killed: the program notices and goes home without it.
    let (mut job, mut step) = stage.shifted();
    step.signal(Signal::KILL);
    let over = job.over(step);
    assert_eq!((over.code, job.programs().len()), (-1, 0), "{}", over.said);
    stage.is_home();
    assert_eq!(job.post().code, 0);
    stage.is_home();
}

#[test]
fn a_program_that_gets_no_further_is_finished_by_post_or_by_the_lease() {
    let stage = Stage::new();
    let stuck = || stage.site.sandbox.fault(Fault::new("PUT", TABLE, Action::Hang));

    // The user's `timeout-minutes`, while Cloudflare takes no write: all the runner's patience is used up. `post` has time of its
    // own, and by then there are writes again.
    let (mut job, mut step) = stage.shifted();
    stuck();
    step.cancel();
    let over = job.over(step);
    assert_eq!(over.sent, [Signal::INT, Signal::TERM, Signal::KILL]);
    stage.site.sandbox.clear_faults();
    assert_eq!(job.post().code, 0);
    stage.is_home();
    assert_eq!(job.programs(), []);
    drop(job);

    // The same when the runner itself is shut down: no step and no `post` any more. The lease brings them home.
    let (mut job, mut step) = stage.shifted();
    stuck();
    step.cancel();
    job.over(step);
    job.kill_the_rest();
    assert_eq!(shift(&stage.site, "2.0.0"), (2_500, true));
    until("the lease has run out", || stage.site.has_lapsed());
    assert_eq!(stage.site.served_version(), "1.0.0");
    drop(job);

    // The recovery workflow, a run of its own, brings the table after it.
    stage.site.sandbox.clear_faults();
    let mut recovery = Job::new(&stage.site, &[("command", "rollback --if-unsettled")]);
    let step = recovery.main();
    let over = recovery.over(step);
    assert_eq!(over.code, 0, "{}", over.said);
    stage.is_home();
}
