//! From requests in isolates to what a reader sees: exactly once, whatever happens on the way.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod memory;

use std::fmt::Debug;

use crossfade_core::assign::VisitorId;
use crossfade_core::counters::book::{ENTRIES_MAX, FAILED_MAX, visitor_hash};
use crossfade_core::counters::rollup::{Accepted, KEEP, accept, look};
use crossfade_core::counters::{
    Batch, Book, Delivery, Entry, Metrics, Outcome, Query, Series, Subject, Tally, prometheus,
};
use crossfade_core::{RoutingTable, Timestamp};
use memory::Memory;
use proptest::prelude::*;
use serde_json::json;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(1_769_860_800_000 + millis).unwrap())
}

/// A table with a release in flight.
fn table(revision: u64) -> RoutingTable {
    let table = json!({
        "schema": 1, "environment": "production", "revision": revision, "release": "rel-1",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "blue",
        "variants": [
            { "name": "blue", "origin": "https://blue.example", "version": "1.4.2", "weight": 9500 },
            { "name": "green", "origin": "https://green.example", "version": "1.5.0", "weight": 500 },
        ],
        "lease": { "expires_at": "2999-01-01T00:00:00Z" },
        "affinity": { "by": "cookie", "salt": "rel-1" },
    });
    RoutingTable::parse(table.to_string().as_bytes()).unwrap()
}

fn answer(status: u16) -> Outcome {
    Outcome::Answer { status, micros: 12_000 }
}

/// The one batch of a book that counted this of `green`.
fn batch(isolate: &str, outcomes: &[(Outcome, u64)]) -> Batch {
    let mut book = Book::new();
    for (outcome, visitor) in outcomes {
        book.entry(&table(2), 1).unwrap().note(*outcome, || *visitor);
    }
    let due = book.due(&table(2), at(0)).unwrap();
    book.take(due, at(0), || isolate.to_owned()).unwrap().clone()
}

fn ask(rows: &Memory, pairs: &[(&str, &str)], now: Timestamp) -> Metrics {
    ok(look(rows, &Query::parse(pairs.iter().copied()).unwrap(), now))
}

fn ok<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap()
}

fn requests(metrics: &Metrics) -> u64 {
    metrics.series.iter().map(|series| series.tally.requests).sum()
}

#[test]
fn each_end_of_a_request_is_counted_as_what_it_was() {
    let outcomes = [answer(200), answer(404), answer(500), answer(503), Outcome::Exception, Outcome::Timeout];
    let batch = batch("a", &outcomes.map(|outcome| (outcome, 7)));
    let [Entry { subject, tally, failed }] = batch.entries.as_slice() else { panic!("{batch:?}") };
    assert_eq!((subject.revision, subject.variant.as_str(), subject.version.as_str()), (2, "green", "1.5.0"));
    let Tally { requests, errors, exceptions, timeouts, .. } = *tally;
    assert_eq!((requests, errors, exceptions, timeouts), (6, 4, 1, 1));
    assert_eq!((tally.latency.count(), tally.latency.sum()), (4, 48_000), "what was answered");
    assert_eq!(failed, &[7]);
    let counts = tally.counts();
    assert_eq!((counts.requests, counts.errors, counts.unanswered), (6, 4, 2));
}

#[test]
fn a_batch_says_what_its_readers_rely_on() {
    let batch = batch("a", &[(answer(200), 0), (answer(500), 9)]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&batch.to_string()).unwrap(),
        json!({ "schema": 1, "isolate": "a", "sequence": 1, "entries": [{
            "revision": 2, "release": "rel-1", "variant": "green", "version": "1.5.0",
            "requests": 2, "errors": 1, "exceptions": 0, "timeouts": 0, "rescued": 0, "fallbacks": 0, "ejections": 0,
            "latency": [24000, 54, 2], "failed": [9],
        }] })
    );
    assert_eq!(serde_json::from_str::<Batch>(&batch.to_string()).unwrap(), batch);
}

#[test]
fn an_answer_has_the_form_that_is_documented() {
    let rows = Memory::default();
    ok(accept(&rows, &batch("a", &[(answer(200), 0), (answer(500), 9)]), at(1500)));
    let metrics = ask(&rows, &[("environment", "production"), ("from", "2026-01-31T12:00:00Z")], at(4200));
    let series = json!({
        "revision": 2, "release": "rel-1", "variant": "green", "version": "1.5.0",
        "requests": 2, "errors": 1, "exceptions": 0, "timeouts": 0, "rescued": 0, "fallbacks": 0, "ejections": 0,
        "newly_failing": 1, "latency": [24000, 54, 2],
    });
    let mut expected = json!({
        "schema": 1, "environment": "production", "from": 1_769_860_800_000_u64, "to": 1_769_860_804_000_u64,
        "until": 1_769_860_804_000_u64, "series": [series],
    });
    assert_eq!(serde_json::to_value(&metrics).unwrap(), expected);
    let split =
        ask(&rows, &[("environment", "production"), ("from", "1769860800000"), ("by", "second")], at(4200));
    expected["series"][0]["at"] = json!(1_769_860_801_000_u64);
    assert_eq!(serde_json::to_value(&split).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Metrics>(expected).unwrap(), split);
}

#[test]
fn prometheus_reads_counters_and_a_histogram() {
    let rows = Memory::default();
    ok(accept(&rows, &batch("a", &[(answer(200), 0), (answer(500), 9)]), at(1500)));
    let mut metrics = ask(&rows, &[("environment", "production"), ("format", "prometheus")], at(4200));
    let text = prometheus::text(&metrics);
    metrics.environment = "a\"b\\c\nd".into();
    assert!(
        prometheus::text(&metrics).contains(r#"{environment="a\"b\\c\nd",release"#),
        "labels are escaped"
    );
    let labels = r#"environment="production",release="rel-1",revision="2",variant="green",version="1.5.0""#;
    for line in [
        "# TYPE crossfade_requests_total counter".to_owned(),
        format!("crossfade_requests_total{{{labels}}} 2"),
        format!("crossfade_errors_total{{{labels}}} 1"),
        format!("crossfade_newly_failing_total{{{labels}}} 1"),
        "# TYPE crossfade_first_byte_seconds histogram".to_owned(),
        format!(r#"crossfade_first_byte_seconds_bucket{{{labels},le="0.01"}} 0"#),
        format!(r#"crossfade_first_byte_seconds_bucket{{{labels},le="0.02"}} 2"#),
        format!(r#"crossfade_first_byte_seconds_bucket{{{labels},le="60"}} 2"#),
        format!(r#"crossfade_first_byte_seconds_bucket{{{labels},le="+Inf"}} 2"#),
        format!("crossfade_first_byte_seconds_sum{{{labels}}} 0.024"),
        format!("crossfade_first_byte_seconds_count{{{labels}}} 2"),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
}

#[test]
fn a_visitor_is_newly_failing_once_a_release_whichever_isolate_says_so() {
    let rows = Memory::default();
    ok(accept(&rows, &batch("a", &[(answer(500), 1), (answer(500), 2), (answer(500), 1)]), at(0)));
    ok(accept(&rows, &batch("b", &[(answer(500), 2), (answer(500), 3)]), at(0)));
    let metrics = ask(&rows, &[], at(2000));
    assert_eq!(metrics.series[0].tally.newly_failing, 3);
    let (one, two) = (VisitorId::from_bits(1), VisitorId::from_bits(2));
    assert_ne!(visitor_hash(&table(2), one), visitor_hash(&table(2), two));
    assert_eq!(visitor_hash(&table(2), one), visitor_hash(&table(3), one), "one release, two revisions");
    assert!(visitor_hash(&table(2), one) < 1 << 53);
    let many: Vec<_> = (0..1000).map(|visitor| (answer(500), visitor)).collect();
    assert_eq!(batch("c", &many).entries[0].failed.len(), FAILED_MAX);
}

#[test]
fn an_object_that_is_away_costs_counters_and_no_memory() {
    let mut book = Book::new();
    let due = book.due(&table(1), at(0));
    assert_eq!(due, None, "nothing was counted");
    for revision in 1..=200 {
        book.entry(&table(revision), 0).unwrap().note(answer(200), || 0);
        if let Some(due) = book.due(&table(revision), at(revision * 1000))
            && let Some(batch) = book.take(due, due, || "a".into())
        {
            let sequence = batch.sequence;
            assert_eq!(sequence, 1, "the same one again");
            book.delivered(sequence, Delivery::Unknown);
        }
    }
    let due = (200..400).find_map(|second| book.due(&table(200), at(second * 1000))).unwrap();
    let sequence = book.take(due, due, String::new).unwrap().sequence;
    book.delivered(sequence, Delivery::Done);
    let due = (400..600).find_map(|second| book.due(&table(200), at(second * 1000))).unwrap();
    let batch = book.take(due, due, String::new).unwrap();
    assert_eq!((batch.sequence, batch.entries.len()), (2, ENTRIES_MAX));
    assert_eq!(batch.entries.last().unwrap().subject.revision, 200, "the newest are kept");
}

#[test]
fn a_batch_that_the_object_does_not_want_is_not_offered_again() {
    let mut book = Book::new();
    for sequence in 1..=2 {
        book.entry(&table(1), 0).unwrap().note(answer(200), || 0);
        let due = book.due(&table(1), at(sequence * 5000)).unwrap();
        assert_eq!(book.take(due, due, || "a".into()).unwrap().sequence, sequence);
        book.delivered(sequence, Delivery::Refused);
    }
    assert_eq!(book.due(&table(1), at(60_000)), None);
    assert!(book.entry(&table(1), 2).is_none(), "there is no third variant");
}

#[test]
fn buckets_are_kept_for_two_days() {
    let rows = Memory::default();
    ok(accept(&rows, &batch("a", &[(answer(200), 0)]), at(0)));
    let two_days = KEEP.as_millis() as u64;
    ok(accept(&rows, &batch("b", &[(answer(200), 0)]), at(two_days)));
    assert_eq!(rows.len(), 2);
    ok(accept(&rows, &batch("c", &[(answer(200), 0)]), at(two_days + 61_000)));
    assert_eq!(rows.len(), 2, "the first one went");
    assert_eq!(requests(&ask(&rows, &[("by", "ever")], at(two_days + 90_000))), 3);
}

#[test]
fn questions_that_make_no_sense_are_told_so() {
    for (pairs, words) in [
        (vec![("from", "yesterday")], "`from` is a time"),
        (vec![("to", "")], "`to` is a time"),
        (vec![("by", "minute")], "not `minute`"),
        (vec![("format", "xml")], "not `xml`"),
        (vec![("from", "2000"), ("to", "1000")], "`from` is before `to`"),
        (vec![("from", "0"), ("to", "3600001"), ("by", "second")], "at most an hour"),
    ] {
        let error = Query::parse(pairs.iter().copied()).unwrap_err();
        assert!(error.contains(words), "{pairs:?}: {error}");
    }
    assert!(Query::parse([("from", "0"), ("to", "3600000"), ("by", "second"), ("cache", "no")]).is_ok());
}

/// What happens to a flush.
#[derive(Clone, Copy, Debug)]
enum Way {
    Arrives,
    AnswerIsLost,
    NeverArrives,
    ArrivesTwice,
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Arrives), Just(Way::AnswerIsLost), Just(Way::NeverArrives), Just(Way::ArrivesTwice)]
}

proptest! {
    /// The whole way: isolates that count and flush over a bad network, a clock that jumps, readers that ask one period after
    /// the other. Each request is seen once, by every reader.
    #[test]
    fn every_request_is_seen_exactly_once(
        steps in prop::collection::vec((0_usize..3, 0_u64..5, ways(), -500_i64..4000, any::<bool>()), 1..120)
    ) {
        let rows = Memory::default();
        let mut books: Vec<Book> = (0..3).map(|_| Book::new()).collect();
        let (mut sent, mut seen, mut by_second, mut now, mut next) = (0, 0, 0, 1_000_000_i64, None::<Timestamp>);
        let mut read = |now: Timestamp, next: &mut Option<Timestamp>| {
            let from = next.unwrap_or(at(0)).as_millis().to_string();
            let total = ask(&rows, &[("from", &from)], now);
            let to = total.to.as_millis().to_string();
            let split = ask(&rows, &[("from", &from), ("to", &to), ("by", "second")], now);
            seen += requests(&total);
            by_second += requests(&split);
            *next = Some(total.to);
        };
        for (isolate, count, way, later, is_read) in steps {
            now += later;
            let time = at(u64::try_from(now).unwrap());
            for _ in 0..count {
                books[isolate].entry(&table(1 + count % 2), usize::from(count > 2)).unwrap().note(answer(200), || 0);
                sent += 1;
            }
            flush(&mut books[isolate], isolate, &rows, time, way);
            if is_read {
                read(time, &mut next);
            }
        }
        // In the end the network is good.
        for minute in 1..4 {
            let time = at(u64::try_from(now).unwrap() + minute * 70_000);
            books.iter_mut().enumerate().for_each(|(isolate, book)| flush(book, isolate, &rows, time, Way::Arrives));
        }
        read(at(u64::try_from(now).unwrap() + 300_000), &mut next);
        prop_assert_eq!((seen, by_second), (sent, sent));
        prop_assert_eq!(requests(&ask(&rows, &[("by", "ever")], at(u64::try_from(now).unwrap() + 300_000))), sent);
    }

    #[test]
    fn answers_of_several_objects_are_one(counts in prop::collection::vec((0_u64..9, 1_u64..3, 0_i64..3, 0_i64..9), 1..20)) {
        let answers: Vec<Metrics> = counts.iter().map(|(requests, revision, second, until)| {
            let subject = Subject {
                revision: *revision, release: "rel-1".into(), variant: "green".into(), version: "1".into(),
            };
            let tally = Tally { requests: *requests, ..Tally::default() };
            let time = |seconds: i64| Timestamp::from_millis(seconds * 1000);
            let series = vec![Series { at: Some(time(*second)), subject, tally }];
            let environment = "production".into();
            Metrics { schema: 1, environment, from: time(0), to: time(*until), until: time(*until), series }
        }).collect();
        let merged = Metrics::merged(answers.clone()).unwrap();
        prop_assert_eq!(requests(&merged), answers.iter().map(requests).sum::<u64>());
        prop_assert_eq!(Some(merged.until), answers.iter().map(|answer| answer.until).min());
        let keys: Vec<_> = merged.series.iter().map(|series| (series.at, series.subject.clone())).collect();
        prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order: {keys:?}");
        let again = Metrics::merged(answers.into_iter().rev()).unwrap();
        prop_assert_eq!(again.series, merged.series);
    }
}

/// Flushes a book when it is time.
fn flush(book: &mut Book, isolate: usize, rows: &Memory, now: Timestamp, way: Way) {
    let Some(due) = book.due(&table(1), now) else { return };
    let Some(batch) = book.take(due, now, || format!("isolate {isolate}")).cloned() else { return };
    let arrive = || ok(accept(rows, &batch, now));
    let delivery = match way {
        Way::Arrives => {
            arrive();
            Delivery::Done
        }
        Way::AnswerIsLost => {
            arrive();
            Delivery::Unknown
        }
        Way::NeverArrives => Delivery::Unknown,
        Way::ArrivesTwice => {
            arrive();
            assert_eq!(arrive(), Accepted::Known);
            Delivery::Done
        }
    };
    book.delivered(batch.sequence, delivery);
}
