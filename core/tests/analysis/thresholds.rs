//! Plain thresholds: every row of the documented table, the limits, the windows.

use crossfade_core::analysis::threshold::{Condition, End, Limits, Measure, NoData, Tally};
use crossfade_core::analysis::{
    Counts, Failure, Inconclusive, Interval, Judge, Metric, Passed, Reading, Thresholds, Verdict,
};

use crate::{counts, interval, seconds};

/// What the documentation shows.
const RULES: &str = include_str!("../../src/analysis/threshold/rules.md");

#[test]
fn measurements_count_as_the_documented_table_says() {
    let rows: Vec<Vec<&str>> = (RULES.lines().skip(2))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let [reading, pass, fail, no_data, _, failures, inconclusive, successes, errors] = row[..] else {
            panic!("{row:?}");
        };
        for reading in readings(reading) {
            for (pass, fail, no_data) in each(pass, fail, no_data) {
                let metric = Metric { pass, fail, ..metric(Limits { no_data, ..unlimited() }) };
                let mut thresholds = Thresholds::new(vec![metric]);
                // One error before, so that what ends a row of errors shows.
                thresholds.observe(&read(Reading::Error("no network".into())));
                thresholds.observe(&read(reading.clone()));
                let (_, tally) = thresholds.metrics().next().unwrap();
                let more = |cell: &str| u32::from(cell == "one more");
                assert_eq!(tally.failures(), more(failures), "{row:?}");
                assert_eq!(tally.inconclusive(), more(inconclusive), "{row:?}");
                assert_eq!(tally.successes_in_step(), u64::from(more(successes)), "{row:?}");
                let in_a_row = if errors == "none" { 0 } else { 1 + more(errors) };
                assert_eq!(tally.errors_in_a_row(), in_a_row, "{row:?}");
            }
        }
    }
}

#[test]
fn a_metric_ends_with_one_more_than_is_forgiven_and_for_good() {
    const GOOD: f64 = 0.0;
    let error = || Reading::Error("no network".into());
    let value = Reading::Value;
    let cases: [(Vec<Reading>, Option<End>); 7] = [
        (vec![value(2.0), value(GOOD), value(2.0)], None),
        (vec![value(2.0), value(2.0), value(GOOD), value(2.0)], Some(End::Failed)),
        (vec![value(1.0), value(GOOD)], None),
        (vec![value(1.0), value(1.0), value(GOOD)], Some(End::Inconclusive)),
        (vec![error(), error(), value(GOOD), error(), error()], None),
        (vec![error(), error(), Reading::NoData, error()], Some(End::CouldNotMeasure)),
        (vec![value(2.0), value(2.0), value(2.0), error(), error(), error()], Some(End::Failed)),
    ];
    for (readings, end) in cases {
        let limits = Limits { failure_limit: 2, inconclusive_limit: 1, error_limit: 2, ..unlimited() };
        let grey = Metric {
            pass: Some(Condition::AtMost(0.5)),
            fail: Some(Condition::AtLeast(1.5)),
            ..metric(limits)
        };
        let mut thresholds = Thresholds::new(vec![grey]);
        readings.iter().for_each(|reading| thresholds.observe(&read(reading.clone())));
        assert_eq!(tally(&thresholds).end(), end, "{readings:?}");
    }
}

#[test]
fn the_limits_of_a_canary_are_two_percent_two_seconds_and_half_a_percent_unanswered() {
    let judged = |canary: Counts| {
        let mut judge = Judge::Thresholds(Thresholds::new(Thresholds::canary()));
        judge.observe(&interval(30, 500, canary, Counts::default()));
        judge.verdict(seconds(30))
    };
    let broken = |canary| match judged(canary) {
        Verdict::Fail(Failure::Threshold(broken)) => broken.measured.metric,
        verdict => verdict.to_string(),
    };
    let fast = Some([0; 3]);
    assert!(matches!(
        judged(counts(1000, 20, fast)),
        Verdict::Pass(Passed::Thresholds { measurements: 3, .. })
    ));
    assert_eq!(broken(counts(1000, 21, fast)), "error rate");
    assert_eq!(broken(Counts { unanswered: 6, ..counts(1000, 6, fast) }), "availability");
    let mut slow = counts(1, 0, None);
    slow.latency.record(2_000_001);
    assert_eq!(broken(slow), "response time");
    assert_eq!(
        judged(counts(1000, 21, fast)).to_string(),
        "error rate is 2.1 % in 1000 requests (at most 2 % passes): 1 failed measurement, more than the 0 forgiven"
    );
    slow = counts(400, 2, None);
    slow.latency.record(1_200_000);
    assert_eq!(
        judged(slow).to_string(),
        "3 measurements held: error rate is 0.5 % in 400 requests (at most 2 % passes), response time is 1.2 s in 400 requests \
         (at most 2 s passes), availability is 100 % in 400 requests (at least 99.5 % passes)"
    );
}

#[test]
fn what_is_neither_good_nor_bad_is_told_with_both_limits_and_a_dry_run_is_told_beside_it() {
    let both = |name: &str, dry_run| Metric {
        name: name.into(),
        fail: Some(Condition::Above(3.0)),
        ..metric(Limits { dry_run, ..Limits::default() })
    };
    let mut judge = Judge::Thresholds(Thresholds::new(vec![both("queue", false), both("dry", true)]));
    let sentence = |judge: &Judge| (judge.verdict(seconds(90)).to_string(), judge.aside().unwrap());
    let rule = "(at most 1 passes, above 3 fails)";
    assert_eq!(
        sentence(&judge),
        (format!("queue is not measured yet {rule}"), format!("dry run: dry is not measured yet {rule}"))
    );
    let mut read = |values: [Reading; 2]| {
        let readings = ["queue", "dry"].map(str::to_owned).into_iter().zip(values).collect();
        judge.observe(&Interval { readings, ..interval(30, 500, Counts::default(), Counts::default()) });
        sentence(&judge)
    };
    assert_eq!(
        read([Reading::Value(0.0), Reading::Error("502".into())]),
        (
            format!("1 measurement held: queue is 0 {rule}; its step lasts another 1 min"),
            format!("dry run: dry is 502 {rule}")
        )
    );
    assert_eq!(read([Reading::NoData, Reading::Value(7.0)]).0, format!("queue is without data {rule}"));
    assert_eq!(
        read([Reading::Value(2.0), Reading::Value(7.0)]),
        (
            format!("queue is 2 {rule}: neither good nor bad in 1 measurement"),
            format!("dry run: dry is 7 {rule}")
        )
    );
}

#[test]
fn counts_are_kept_until_there_are_enough_and_dropped_when_the_weight_changes() {
    let of =
        Metric { measure: Measure::ErrorRate, ..metric(Limits { minimum_requests: 100, ..unlimited() }) };
    let mut thresholds = Thresholds::new(vec![of]);
    let mut observe = |weight, requests, errors| {
        thresholds.observe(&interval(30, weight, counts(requests, errors, None), Counts::default()));
        tally(&thresholds).last().cloned()
    };
    assert_eq!(observe(100, 60, 60), Some(Reading::NoData));
    assert_eq!(observe(500, 60, 3), Some(Reading::NoData));
    assert_eq!(observe(500, 60, 3), Some(Reading::Value(0.05)));
    assert_eq!(observe(500, 99, 0), Some(Reading::NoData));
}

#[test]
fn each_step_needs_a_success_of_its_own_and_its_time() {
    let limits = Limits { failure_limit: 9, ..unlimited() };
    let mut thresholds = Thresholds::new(vec![metric(limits)]);
    let mut observe = |weight, value| {
        let readings = [("queue".to_owned(), Reading::Value(value))].into();
        thresholds
            .observe(&Interval { readings, ..interval(30, weight, Counts::default(), Counts::default()) });
        thresholds.verdict(seconds(60))
    };
    assert!(matches!(observe(500, 0.0), Verdict::Inconclusive(Inconclusive::Time { .. })));
    assert!(matches!(observe(500, 0.0), Verdict::Pass(_)));
    assert!(matches!(observe(1000, 9.0), Verdict::Inconclusive(Inconclusive::Thresholds(_))));
    let forgiven = observe(1000, 9.0);
    assert!(matches!(forgiven, Verdict::Inconclusive(_)), "a forgiven failure does not promote: {forgiven}");
    assert!(matches!(observe(1000, 0.0), Verdict::Pass(_)));
    assert!(
        matches!(observe(2500, 0.0), Verdict::Inconclusive(Inconclusive::Time { .. })),
        "the time is the step's"
    );
}

#[test]
fn nothing_is_measured_before_its_delay_and_dry_runs_never_count() {
    let late = metric(Limits { initial_delay: crossfade_core::Span(seconds(60)), ..Limits::default() });
    let dry = Metric {
        name: "dry".into(),
        ..metric(Limits { dry_run: true, no_data: NoData::Fail, ..Limits::default() })
    };
    let mut thresholds = Thresholds::new(vec![late, dry]);
    for (value, measured) in [(9.0, false), (9.0, false), (0.0, true)] {
        thresholds.observe(&read(Reading::Value(value)));
        assert_eq!(tally(&thresholds).last().is_some(), measured);
    }
    let (_, dry) = thresholds.metrics().nth(1).unwrap();
    assert_eq!(dry.end(), Some(End::Failed));
    assert!(matches!(thresholds.verdict(seconds(30)), Verdict::Pass(_)));
}

#[test]
fn their_state_can_be_written_and_read_back() {
    let mut judge = Judge::Thresholds(Thresholds::new(Thresholds::canary()));
    judge.observe(&interval(45, 500, counts(1000, 3, Some([3, 2, 1])), Counts::default()));
    let written = serde_json::to_string(&judge).unwrap();
    assert_eq!(serde_json::from_str::<Judge>(&written).unwrap(), judge, "{written}");
}

#[test]
fn metrics_are_read_as_people_write_them_and_unknown_fields_are_refused() {
    let read = serde_json::from_str::<Metric>;
    let written = r#"{"name": "p99", "measure": {"quantile-seconds": 0.99}, "pass": {"at-most": 1.5}, "interval": "1m", "failure_limit": 3}"#;
    let metric = read(written).unwrap();
    assert_eq!((metric.measure, metric.pass), (Measure::QuantileSeconds(0.99), Some(Condition::AtMost(1.5))));
    assert_eq!(
        (metric.limits.interval.0, metric.limits.failure_limit, metric.limits.error_limit),
        (seconds(60), 3, 4)
    );
    assert!(
        read(&written.replace("failure_limit", "failures")).unwrap_err().to_string().contains("failures")
    );
}

/// A metric called `queue`, read from a source, good up to 1.
fn metric(limits: Limits) -> Metric {
    Metric {
        name: "queue".into(),
        measure: Measure::Reading,
        pass: Some(Condition::AtMost(1.0)),
        fail: None,
        limits,
    }
}

fn unlimited() -> Limits {
    Limits {
        failure_limit: u32::MAX,
        inconclusive_limit: u32::MAX,
        error_limit: u32::MAX,
        ..Limits::default()
    }
}

fn read(reading: Reading) -> Interval {
    let readings = [("queue".to_owned(), reading)].into();
    Interval { readings, ..interval(30, 500, Counts::default(), Counts::default()) }
}

fn tally(thresholds: &Thresholds) -> &Tally {
    thresholds.metrics().next().unwrap().1
}

fn readings(cell: &str) -> Vec<Reading> {
    match cell {
        "number" => vec![Reading::Value(1.0)],
        "none, or too few requests" => vec![Reading::NoData],
        "error, or no number" => vec![Reading::Error("no network".into()), Reading::Value(f64::NAN)],
        _ => panic!("{cell}"),
    }
}

/// All that a row's conditions may stand for.
fn each(pass: &str, fail: &str, no_data: &str) -> Vec<(Option<Condition>, Option<Condition>, NoData)> {
    let conditions = |cell: &str| match cell {
        "holds" => vec![Some(Condition::AtMost(1.0))],
        "holds not" => vec![Some(Condition::Above(1.0))],
        "absent" => vec![None],
        "any" => vec![None, Some(Condition::Above(1.0))],
        _ => panic!("{cell}"),
    };
    let no_data = match no_data {
        "hold" => vec![NoData::Hold],
        "fail" => vec![NoData::Fail],
        "pass" => vec![NoData::Pass],
        "any" => vec![NoData::Hold, NoData::Fail, NoData::Pass],
        _ => panic!("{no_data}"),
    };
    let mut all = Vec::new();
    for pass in conditions(pass) {
        for fail in conditions(fail) {
            all.extend(no_data.iter().map(|no_data| (pass, fail, *no_data)));
        }
    }
    all
}
