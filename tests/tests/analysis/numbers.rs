//! Other judges and sources, from end to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossfade_sandbox::Counters;
use crossfade_tests::origin::Origin;

use crate::{Pages, Stage, looks};

const HALF: &str = r#"steps = [{ weight = "50%", hold = "2s" }]"#;

#[test]
fn thresholds_roll_back_by_counts_and_by_a_number_from_elsewhere() {
    let queue = Arc::new(AtomicU64::new(3));
    let length = Arc::clone(&queue);
    let metrics = Origin::new(move |_, wire| {
        let body = format!(r#"{{"queue":{}}}"#, length.load(Ordering::Relaxed));
        wire.answer("200 OK", &[("content-type", "application/json")], body);
    });
    let of_queue = format!(
        "[analysis]\njudge = \"threshold\"\nevery = \"1s\"\n\n[[analysis.metrics]]\nname = \"queue\"\n\
         source = {{ json = {{ url = \"{}\", pointer = \"/queue\" }} }}\npass = {{ at-most = 10 }}\ninterval = \"1s\"\n",
        metrics.url()
    );
    // Nobody counts, and nobody has to.
    let stage = Stage::counted(HALF, &of_queue, Counters::Absent);
    let ended = stage.release().expect(0);
    assert!(looks(&ended).iter().any(|look| look["verdict"] == "pass"), "{}", ended.stdout);
    assert!(stage.serves("2.0.0"));

    let stage = Stage::new(HALF, &of_queue);
    queue.store(11, Ordering::Relaxed);
    let ended = stage.release().expect(4);
    assert!(
        ended.error().contains("queue is 11 (at most 10 passes): 1 failed measurement"),
        "{}",
        ended.stderr
    );

    let of_counts = "[analysis]\njudge = \"threshold\"\nevery = \"1s\"\n\n[[analysis.metrics]]\nname = \"error rate\"\n\
                     measure = \"error-rate\"\npass = { at-most = 0.02 }\ninterval = \"1s\"\nminimum_requests = 50\n";
    let stage = Stage::new(HALF, of_counts);
    stage.are(Pages::Failing { one_of: 2 });
    let (_, _, ended) = stage.visited(|| stage.release().expect(4));
    assert!(
        ended.error().contains("requests (at most 2 % passes): 1 failed measurement"),
        "{}",
        ended.stderr
    );
}

#[test]
fn paired_probes_judge_where_nobody_visits() {
    let probes = "[analysis]\nevery = \"1s\"\nsource = { probe = { path = \"/\", requests = 30 } }\n\n\
                  [analysis.sequential]\nsettle = \"0s\"\nmargin = 0.05\ndispersion = 1.0\n";
    let stage = Stage::counted(HALF, probes, Counters::Absent);
    let ended = stage.release().expect(0);
    let looks = looks(&ended);
    assert!(looks.iter().any(|look| look["verdict"] == "pass"), "{looks:#?}");
    assert!(looks.iter().all(|look| look["canary"]["requests"] == look["stable"]["requests"]), "paired");
    assert!(looks[0]["canary"]["p95_ms"].is_number());

    let stage = Stage::counted(HALF, probes, Counters::Absent);
    stage.are(Pages::Failing { one_of: 2 });
    let ended = stage.release().expect(4);
    assert!(ended.error().contains("the canary fails more than"), "{}", ended.stderr);
    assert!(stage.serves("1.0.0"));
}
