use std::collections::BTreeMap;
use std::time::Duration;

use crossfade_core::alert::{Alerts, Rule, Subject};
use crossfade_core::analysis::Counts;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-01-31T12:00:00Z").unwrap().plus(Duration::from_secs(seconds))
}

fn counted() -> BTreeMap<Subject, Counts> {
    let mut counts = Counts { requests: 60, errors: 12, unanswered: 1, ..Counts::default() };
    (1..60).for_each(|nth| counts.latency.record(nth * 1_000));
    let green = Subject { variant: "green".into(), version: "1.5.0".into() };
    BTreeMap::from([(green, counts)])
}

/// One of each.
fn all() -> Vec<Notice> {
    let environment = || "production".to_owned();
    let mut alerts = Alerts::new(Rule::defaults());
    let raised = alerts.look(at(30), &counted());
    let (mut blind, mut blinded) = (Alerts::new(Vec::new()), Vec::new());
    (0..4).for_each(|look| blinded.extend(blind.blind(at(look))));
    let over = alerts.end(at(60));
    let summary = Summary::of("production", Vec::new(), None, (at(0), at(3600)), at(3600));
    let variants = counted().iter().map(|(subject, counts)| VariantFigures::of(subject, counts)).collect();
    let notices = [
        Notice::Started(Started {
            environment: environment(),
            release: "rel-1".into(),
            command: "deploy".into(),
            new_version: "1.5.0".into(),
            stable_version: Some("1.4.2".into()),
            slot: "green".into(),
            runner: "process 12 on desk".into(),
            taken_over: false,
        }),
        Notice::Metrics(Metrics { environment: environment(), from: at(0), to: at(30), variants }),
        Notice::Completed(Completed {
            environment: environment(),
            release: "rel-1".into(),
            new_version: "1.5.0".into(),
            stable_version: None,
            outcome: "promoted".into(),
            text: "promoted 1.5.0: it serves everybody".into(),
            elapsed_ms: 65_000,
        }),
        Notice::Report(Report { environment: environment(), summary }),
    ];
    let changes = [raised, blinded, over].concat();
    notices.into_iter().chain(changes.iter().map(|change| Notice::alert("production", change))).collect()
}

#[test]
fn notices_have_one_form_which_is_part_of_the_interface() {
    let lines: Vec<Line> = all().into_iter().map(|notice| Line { version: 1, at: at(90), notice }).collect();
    insta::assert_json_snapshot!("lines", lines);
    insta::assert_json_snapshot!("schema", Notice::schema());
    let headlines: Vec<String> = all().iter().map(Notice::headline).collect();
    insta::assert_snapshot!("headlines", headlines.join("\n"));
}

#[test]
fn figures_of_nothing_are_no_numbers_out_of_the_air() {
    let (subject, _) = counted().pop_first().unwrap();
    let figures = VariantFigures::of(&subject, &Counts::default());
    assert_eq!((figures.error_rate, figures.availability, figures.mean_ms), (0.0, 1.0, None));
}
