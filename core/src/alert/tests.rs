use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(look: u64) -> Timestamp {
    Timestamp::from_millis(1_769_860_800_000).plus(Duration::from_secs(30 * look))
}

fn green() -> Subject {
    Subject { variant: "green".into(), version: "1.5.0".into() }
}

/// So many requests, of which so many failed, and so many of those had no answer.
fn counts(requests: u64, errors: u64, unanswered: u64) -> Counts {
    let mut counts = Counts { requests, errors, unanswered, ..Counts::default() };
    (0..requests).for_each(|_| counts.latency.record(40_000));
    counts
}

fn error_rate() -> Rule {
    Rule::defaults().remove(0)
}

/// What is told at each look: `+` raised, `-` resolved, `~` for want of requests, `.` nothing.
fn told(rule: Rule, looks: impl IntoIterator<Item = Option<Counts>>) -> String {
    let mut alerts = Alerts::new(vec![rule]);
    let marks = looks.into_iter().enumerate().map(|(look, counts)| {
        let seen = counts.map(|counts| (green(), counts)).into_iter().collect();
        match alerts.look(at(look as u64), &seen).as_slice() {
            [] => '.',
            [Change { state: State::Raised, .. }] => '+',
            [Change { state: State::Resolved(Because::Well), .. }] => '-',
            [Change { state: State::Resolved(Because::Silent), .. }] => '~',
            other => panic!("{other:?}"),
        }
    });
    marks.collect()
}

/// `x` is alarming, `o` is well, `s` is too little, a blank is nothing at all.
fn looks(text: &str) -> Vec<Option<Counts>> {
    let of = |mark| match mark {
        'x' => Some(counts(100, 20, 0)),
        'o' => Some(counts(100, 10, 0)),
        's' => Some(counts(19, 19, 19)),
        _ => None,
    };
    text.chars().map(of).collect()
}

#[test]
fn an_alert_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let patient = || Rule { raise_after: 3, resolve_after: 1, ..error_rate() };
    for (rule, seen, said) in [
        (error_rate(), "oxxxxoo", ".+....-"),
        (error_rate(), "xoxoxoxoo", "+.......-"),
        (error_rate(), "xoosxoo", "+.-.+.-"),
        (error_rate(), "sssssssss", "........."),
        (error_rate(), "xssssss   xoo", "+...........-"),
        (error_rate(), "xs         xoo", "+.........~+.-"),
        (patient(), "xxoxxxxo", ".....+.-"),
        (patient(), "xxsx", "...+"),
    ] {
        assert_eq!(told(rule, looks(seen)), said, "{seen}");
    }
}

#[test]
fn each_measure_has_its_alert_by_the_limits_of_the_design() {
    let slow = {
        let mut slow = counts(20, 0, 0);
        (0..20).for_each(|_| slow.latency.record(10_000_000));
        slow
    };
    for (seen, said) in [
        (counts(100, 10, 0), ""),
        (counts(100, 11, 0), "error rate"),
        (counts(100, 5, 5), ""),
        (counts(100, 6, 6), "availability"),
        (counts(100, 50, 50), "error rate, availability"),
        (slow, "response time"),
    ] {
        let mut alerts = Alerts::new(Rule::defaults());
        let changes = alerts.look(at(0), &BTreeMap::from([(green(), seen)]));
        let names: Vec<&str> = changes.iter().map(Change::name).collect();
        assert_eq!(names.join(", "), said);
        let severity =
            |change: &Change| (change.name() == "response time") == (change.severity == Severity::Warning);
        assert!(changes.iter().all(severity), "{changes:?}");
    }
}

#[test]
fn variants_have_alerts_of_their_own() {
    let blue = Subject { variant: "blue".into(), version: "1.4.2".into() };
    let mut alerts = Alerts::new(vec![error_rate()]);
    let seen = |one: u64, other: u64| {
        BTreeMap::from([(green(), counts(100, one, 0)), (blue.clone(), counts(100, other, 0))])
    };
    let of =
        |changes: Vec<Change>| changes.into_iter().map(|it| it.subject.unwrap().variant).collect::<Vec<_>>();
    assert_eq!(of(alerts.look(at(0), &seen(20, 0))), ["green"]);
    assert_eq!(of(alerts.look(at(1), &seen(20, 20))), ["blue"]);
    assert_eq!(of(alerts.look(at(2), &seen(20, 20))), [] as [&str; 0]);
    assert_eq!(of(alerts.end(at(3))), ["blue", "green"]);
}

#[test]
fn that_nothing_can_be_measured_is_an_alert_too_and_says_nothing_of_the_variants() {
    let mut alerts = Alerts::new(vec![error_rate()]);
    let bad = || BTreeMap::from([(green(), counts(100, 20, 0))]);
    assert_eq!(alerts.look(at(0), &bad()).len(), 1);
    let blind: Vec<bool> = (1..8).map(|look| alerts.blind(at(look)).is_some()).collect();
    assert_eq!(blind, [false, false, false, true, false, false, false]);
    let seen = alerts.look(at(9), &bad());
    assert_eq!(seen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["measured again after 2 min 30 s"]);
    assert!((10..13).all(|look| alerts.blind(at(look)).is_none()), "counted anew");
}

#[test]
fn an_alert_says_what_it_is_in_one_sentence() {
    let mut alerts = Alerts::new(Rule::defaults());
    let mut said = |look, requests, errors, unanswered| {
        let seen = BTreeMap::from([(green(), counts(requests, errors, unanswered))]);
        alerts.look(at(look), &seen).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        said(0, 60, 12, 6),
        [
            "green 1.5.0: error rate is 20 % in 60 requests, above 10 %",
            "green 1.5.0: availability is 90 % in 60 requests, below 95 %"
        ]
    );
    assert!(said(1, 60, 0, 0).is_empty());
    assert_eq!(
        said(2, 60, 0, 0),
        [
            "green 1.5.0: error rate is 0 % again after 1 min",
            "green 1.5.0: availability is 100 % again after 1 min"
        ]
    );
}

proptest! {
    #[test]
    fn what_is_told_alternates_and_is_never_without_a_cause(
        seen in prop::collection::vec("[xos ]", 0..60), raise_after in 0_u32..4, resolve_after in 0_u32..4
    ) {
        let seen: String = seen.concat();
        let rule = Rule { raise_after, resolve_after, ..error_rate() };
        let told = told(rule, looks(&seen));
        let mut raised = false;
        for (mark, look) in told.chars().zip(seen.chars()) {
            match mark {
                '+' => { prop_assert!(!raised && look == 'x'); raised = true; }
                '-' => { prop_assert!(raised && look == 'o'); raised = false; }
                '~' => { prop_assert!(raised && look != 'o' && look != 'x'); raised = false; }
                _ => {}
            }
        }
    }

    #[test]
    fn whatever_was_raised_is_over_once_all_is_well(seen in prop::collection::vec("[xos ]", 0..40), raise in 1_u32..4, resolve in 1_u32..4) {
        let seen = format!("{}oooo", seen.concat());
        let rule = Rule { raise_after: raise, resolve_after: resolve, ..error_rate() };
        let told = told(rule, looks(&seen));
        let count = |mark: char| told.matches(mark).count();
        prop_assert_eq!(count('+'), count('-') + count('~'), "{}", told);
    }
}
