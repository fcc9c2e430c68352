use proptest::prelude::*;

use super::*;
use crate::record::{Commit, Ended};
use crossfade_core::table::{Environment, ReleaseId};

/// Minutes since an arbitrary midnight.
fn at(minutes: u64) -> Timestamp {
    let midnight = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    midnight.plus(Duration::from_secs(60 * minutes))
}

fn record(command: &str, version: &str, from: u64, to: u64, outcome: &str, text: &str) -> Record {
    let id = ReleaseId::new("release", format!("rel-{from:04}")).unwrap();
    let environment = Environment::new("environment", "production").unwrap();
    Record {
        started_at: at(from),
        ended: Some(Ended { at: at(to), outcome: outcome.into(), text: text.into() }),
        ..Record::begin(&id, &environment, command, version, "green")
    }
}

fn promoted(version: &str, from: u64, to: u64) -> Record {
    let commit = Some(Commit { id: "0a1b".into(), at: at(from.saturating_sub(30)) });
    Record { commit, ..record("deploy", version, from, to, "promoted", "promoted: it serves everybody") }
}

/// A rollback by hand from one version to another.
fn rollback(from: &str, to: &str, minute: u64) -> Record {
    let text = format!("blue {to} serves everybody (revision 9)");
    Record {
        stable_version: Some(from.into()),
        ..record("rollback", to, minute, minute + 1, "promoted", &text)
    }
}

/// A month as it may be.
fn month() -> Vec<Record> {
    let failed = |version: &str, from, outcome: &str, text: &str| {
        record("deploy", version, from, from + 4, outcome, text)
    };
    vec![
        promoted("1.0.0", 60, 64),
        failed(
            "1.1.0",
            100,
            "rolled-back",
            "rolled back 1.1.0: step 1 (5 %): basic: status is 500 with `no`, expected 2xx",
        ),
        failed("1.1.1", 200, "not-started", "1.1.1 was not released: smoke: payment: status is 402"),
        failed("1.1.2", 300, "not-started", "1.1.2 was not released: smoke: payment: no answer"),
        promoted("1.2.0", 400, 406),
        rollback("1.2.0", "1.0.0", 500),
        promoted("1.3.0", 600, 602),
        failed("1.4.0", 700, "superseded", "superseded: rel-7 took over"),
        record("weights", "1.3.0", 800, 800, "shifted", "green 50 %"),
        failed("1.5.0", 900, "stuck", "stuck: home could not be written"),
    ]
}

fn summary(records: Vec<Record>) -> Summary {
    Summary::of("production", records, None, (at(0), at(10_000)), at(10_000))
}

#[test]
fn a_month_of_releases_is_told_in_figures() {
    let summary = summary(month());
    let Completed { promoted, rolled_back, not_started, superseded, stuck, abandoned, rollbacks_by_hand } =
        summary.completed;
    assert_eq!(
        [promoted, rolled_back, not_started, superseded, stuck, abandoned, rollbacks_by_hand],
        [3, 1, 2, 1, 1, 0, 1]
    );
    assert_eq!(summary.success_rate, Some(3.0 / 7.0), "what was superseded is left out");
    assert_eq!((summary.mean_duration_ms, summary.durations), (Some(4 * 60_000), 3));
    assert_eq!((summary.lead_time_ms, summary.lead_times), (Some(34 * 60_000), 3));
    // 1.1.0 was rolled back, 1.2.0 by hand, 1.5.0 is stuck; 1.0.0 and 1.3.0 are well.
    assert_eq!((summary.failed_changes, summary.changes), (3, 5));
    let first = &summary.causes[0];
    assert_eq!(
        (first.cause.as_str(), first.releases, first.last.as_str()),
        ("smoke: payment", 2, "rel-0300")
    );
}

#[test]
fn only_what_ended_in_the_period_counts_but_for_the_durations() {
    let only = |from, to| Summary::of("production", month(), None, (at(from), at(to)), at(to));
    assert_eq!(only(600, 602).completed.total(), 0, "the end of a period is not in it");
    assert_eq!(only(601, 603).completed, Completed { promoted: 1, ..Completed::default() });
    assert_eq!(only(601, 603).durations, 3);
    let nothing = only(2000, 3000);
    assert_eq!((nothing.success_rate, nothing.change_failure_rate, nothing.lead_time_ms), (None, None, None));
    assert!(nothing.causes.is_empty());
}

#[test]
fn the_last_twenty_successes_are_averaged() {
    let slow = (0..5).map(|nth| promoted("0", nth, nth + 1000));
    let quick = (0..20).map(|nth| promoted("1", 2000 + nth, 2002 + nth));
    let records: Vec<Record> = slow.chain(quick).collect();
    assert!(Summary::has_enough(&records) && !Summary::has_enough(&records[6..]));
    let summary = summary(records);
    assert_eq!((summary.durations, summary.mean_duration_ms), (20, Some(2 * 60_000)));
}

#[test]
fn a_rollback_by_hand_fails_the_change_that_it_takes_back_and_no_other() {
    let failed_changes = |records: Vec<Record>| summary(records).failed_changes;
    let [one, two] = [promoted("1", 10, 11), promoted("2", 20, 21)];
    assert_eq!(failed_changes(vec![one.clone(), two.clone(), rollback("2", "1", 30)]), 1);
    // And forward again.
    let forward = vec![one.clone(), two.clone(), rollback("2", "1", 30), rollback("1", "2", 40)];
    assert_eq!(failed_changes(forward), 1);
    // Forward to a release that had been rolled back.
    let tried = record("deploy", "2", 20, 21, "not-started", "2 was not released: smoke: red");
    assert_eq!(failed_changes(vec![one.clone(), tried, rollback("1", "2", 30)]), 0);
    // It did not work.
    let stuck = record("rollback", "1", 30, 31, "stuck", "stuck");
    assert_eq!(failed_changes(vec![one, two, Record { stable_version: Some("2".into()), ..stuck }]), 0);
}

#[test]
fn an_abandoned_release_failed_its_visitors_only_when_there_were_any() {
    let abandoned = record("deploy", "2", 10, 20, "abandoned", "2 never ended");
    let summary = summary(vec![abandoned]);
    assert_eq!((summary.changes, summary.completed.abandoned, summary.success_rate), (0, 1, Some(0.0)));
    assert_eq!(summary.causes[0].cause, "its runner died");
}

#[test]
fn a_release_in_flight_is_active_and_said_to_be_dead_when_it_is() {
    let mut flying = Record { ended: None, phase: "verify".into(), ..promoted("3", 50, 60) };
    flying.expires_at = at(53);
    let seen = |now| Summary::of("production", Vec::new(), Some(&flying), (at(0), at(99)), at(now)).active;
    assert!(seen(52)[0].alive && !seen(54)[0].alive);
    let ended = Summary::of("production", Vec::new(), Some(&promoted("3", 1, 2)), (at(0), at(99)), at(9));
    assert!(ended.active.is_empty());
}

#[test]
fn people_read_it_as_text_and_as_markdown() {
    let mut flying = Record { ended: None, phase: "verify".into(), ..promoted("1.6.0", 950, 951) };
    flying.expires_at = at(0);
    let nasty = record(
        "deploy",
        "1.5.1",
        910,
        912,
        "not-started",
        "1.5.1 was not released: smoke: <img src=x onerror=alert(1)> | [x](javascript:1) @everyone",
    );
    let records = month().into_iter().chain([nasty]).collect();
    let full = Summary::of("production", records, Some(&flying), (at(0), at(1440)), at(1440));
    insta::assert_snapshot!("full_text", full.to_text());
    insta::assert_snapshot!("full_markdown", full.to_markdown());
    insta::assert_json_snapshot!("full_json", full);
    insta::assert_snapshot!("empty_text", summary(Vec::new()).to_text());
}

proptest! {
    #[test]
    fn shares_are_shares_and_parts_make_the_whole(
        which in prop::collection::vec((0_usize..6, 0_u64..500, 0_u64..60, any::<bool>()), 0..40)
    ) {
        let records: Vec<Record> = which.iter().map(|(outcome, from, took, by_hand)| {
            let outcome = ["promoted", "rolled-back", "not-started", "superseded", "stuck", "abandoned"][*outcome];
            let command = if *by_hand { "rollback" } else { "deploy" };
            record(command, &from.to_string(), *from, from + took, outcome, "why")
        }).collect();
        let releases = records.iter().filter(|record| record.command == "deploy").count();
        let summary = summary(records);
        prop_assert_eq!(summary.completed.total(), releases);
        prop_assert!(summary.failed_changes <= summary.changes && summary.changes <= releases);
        for share in [summary.success_rate, summary.change_failure_rate].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }
}
