//! Golden files: tables as they were once written. Each parses for ever, to the same meaning; a form that was released
//! is never taken out of this directory.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use crossfade_core::RoutingTable;
use crossfade_core::table::Revision;
use serde_json::Value;

const FIRST: &str = include_str!("golden/1-first.json");
const SHIFTED: &str = include_str!("golden/1-shifted.json");
const FULLEST: &str = include_str!("golden/1-fullest.json");
const NULLS: &str = include_str!("golden/1-nulls.json");
const NEWER_WRITER: &str = include_str!("golden/1-newer-writer.json");
const BY_HAND: &str = include_str!("golden/1-by-hand.json");
const BROKEN: &str = include_str!("golden/broken.json");

#[track_caller]
fn parse(json: &str) -> RoutingTable {
    RoutingTable::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_released_form_parses_and_is_written_as_it_was() {
    for json in [FIRST, SHIFTED, FULLEST] {
        let written: Value = serde_json::from_str(&parse(json).to_json()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
    }
}

#[test]
fn fields_of_a_newer_writer_and_other_spellings_change_nothing() {
    assert_eq!(parse(NEWER_WRITER), parse(SHIFTED));
    assert_eq!(parse(BY_HAND), parse(SHIFTED));
    assert_eq!(parse(NULLS), parse(FIRST));
}

#[test]
fn the_fields_mean_what_they_say() {
    let table = parse(SHIFTED);
    assert_eq!(table.environment().as_str(), "production");
    assert_eq!(Some(table.revision()), Revision::new(42));
    assert_eq!(table.release().as_str(), "rel-20260131T120000Z-3f9a");
    assert_eq!(table.updated_at().as_millis(), 1_769_860_800_123);
    assert_eq!(table.lease().unwrap().expires_at.as_millis(), 1_769_861_100_123);
    assert_eq!((table.stable().name.as_str(), table.stable().version.as_str()), ("blue", "1.4.2"));
    let green = &table.variants()[1];
    assert_eq!((green.name.as_str(), green.weight.basis_points()), ("green", 500));
    assert_eq!(green.origin.as_str(), "https://4e5f6a7b.booking.pages.dev");
    let previous: Vec<_> = table.previous().iter().map(|older| older.version.as_str()).collect();
    assert_eq!(previous, ["1.4.1", "1.4.0"]);
    assert_eq!(table.affinity().salt, "rel-20260131T120000Z-3f9a");
}

/// Each case of `broken.json` changes one place of the shifted table (`at`, a JSON Pointer; without `put` the place is
/// taken out), or is a whole `text` of its own.
#[test]
fn a_broken_table_is_refused_by_field_value_and_reason() {
    let cases: Vec<Value> = serde_json::from_str(BROKEN).unwrap();
    assert!(cases.len() > 50);
    for case in &cases {
        let text = match case.get("text") {
            Some(text) => text.as_str().unwrap().to_owned(),
            None => changed(case["at"].as_str().unwrap(), case.get("put")).to_string(),
        };
        let error = RoutingTable::parse(text.as_bytes()).expect_err(&text).to_string();
        assert_eq!(Some(error.as_str()), case["error"].as_str(), "{case}");
    }
}

fn changed(at: &str, put: Option<&Value>) -> Value {
    let mut table: Value = serde_json::from_str(SHIFTED).unwrap();
    let (parent, name) = at.rsplit_once('/').unwrap_or_else(|| panic!("`{at}` is no place in the table"));
    match (table.pointer_mut(parent).unwrap(), put) {
        (Value::Object(fields), Some(value)) => {
            fields.insert(name.to_owned(), value.clone());
        }
        (Value::Object(fields), None) => {
            fields.remove(name).unwrap();
        }
        (Value::Array(items), Some(value)) => items.insert(name.parse().unwrap(), value.clone()),
        (_, _) => panic!("`{at}` is no place in the table"),
    }
    table
}
