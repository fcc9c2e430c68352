//! Vectors of the assignment: tables, visitors, and who answers them. Committed, because they hold for ever: a visitor's
//! variant may not change with a version of Crossfade. The router in wasm is held to the same file
//! (`tests/tests/router/vectors.rs`).

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crossfade_core::assign::{Assignment, VisitorId};
use crossfade_core::{RoutingTable, Timestamp};
use serde_json::{Value, json};

const COMMITTED: &str = include_str!("vectors/assignment.json");

/// Weights, in the order of the variants, and the salt.
const TABLES: [(&[u16], &str); 14] = [
    (&[10_000], "rel-1"),
    (&[10_000, 0], "rel-1"),
    (&[0, 10_000], "rel-1"),
    (&[9999, 1], "rel-1"),
    (&[9900, 100], "rel-1"),
    (&[7500, 2500], "rel-1"),
    (&[5000, 5000], "rel-1"),
    (&[5000, 5000], "rel-2"),
    (&[1, 9999], " !#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
    (&[3333, 3333, 3334], "rel-1"),
    (&[9899, 100, 1], "rel-1"),
    (&[5000, 0, 5000], "rel-1"),
    (&[625; 16], "rel-1"),
    (&[1, 1, 2, 5, 10, 25, 50, 100, 206, 300, 400, 500, 900, 1000, 2500, 4000], "rel-1"),
];

#[test]
fn every_visitor_of_the_committed_vectors_has_their_variant() {
    let cases: Vec<Value> = serde_json::from_str(COMMITTED).unwrap();
    for case in &cases {
        let table = RoutingTable::parse(case["table"].to_string().as_bytes()).unwrap();
        let assignment = Assignment::new(table);
        for (variant, ids) in case["visitors"].as_object().unwrap() {
            for id in ids.as_str().unwrap().split(' ') {
                assert_eq!(
                    choose(&assignment, VisitorId::parse(id).unwrap()),
                    *variant,
                    "{id} in {}",
                    case["table"]
                );
            }
        }
    }
}

/// When a table is added above, what this test prints is the new file.
#[test]
fn the_committed_vectors_are_those_of_the_tables_above() {
    let mut document = String::new();
    for (weights, salt) in TABLES {
        let separator = if document.is_empty() { "[" } else { "," };
        let table = table(weights, salt);
        write!(document, "{separator}\n{{\"table\": {table},\n \"visitors\": {{").unwrap();
        for (index, (variant, ids)) in visitors(&table).into_iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(document, "{separator}\n  \"{variant}\": \"{}\"", ids.join(" ")).unwrap();
        }
        document.push_str("}}");
    }
    document.push_str("\n]\n");
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(value(&document) == value(COMMITTED), "core/tests/vectors/assignment.json must be:\n{document}");
}

fn table(weights: &[u16], salt: &str) -> Value {
    let variants: Vec<Value> = (weights.iter().enumerate())
        .map(|(index, weight)| {
            let name = format!("v{index}");
            json!({ "name": name, "origin": format!("https://{name}.example"), "version": name, "weight": weight })
        })
        .collect();
    json!({
        "schema": 1, "environment": "production", "revision": 1, "release": "rel-1",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "v0", "variants": variants,
        "affinity": { "by": "cookie", "salt": salt },
    })
}

/// Some visitors by their variant: the ends of the range, a few dozen at random, and two for each variant however rare.
fn visitors(table: &Value) -> BTreeMap<String, Vec<String>> {
    const DOZENS: usize = 36;
    /// 2¹²⁸ divided by the golden ratio: its multiples are spread evenly.
    const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let assignment = Assignment::new(RoutingTable::parse(table.to_string().as_bytes()).unwrap());
    let with_weight =
        assignment.table().variants().iter().filter(|variant| variant.weight.basis_points() > 0);
    let wanted = with_weight.count();
    let mut visitors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let random = (1..).map(|number: u128| number.wrapping_mul(STEP));
    let ends = [0, 1, u128::MAX, 1 << 127, u128::from(u64::MAX), !u128::from(u64::MAX)];
    for (number, bits) in ends.into_iter().chain(random).enumerate() {
        let id = VisitorId::from_bits(bits);
        let of_variant = visitors.entry(choose(&assignment, id)).or_default();
        if number < DOZENS || of_variant.len() < 2 {
            of_variant.push(id.to_string());
        }
        if number >= DOZENS && visitors.len() == wanted && visitors.values().all(|ids| ids.len() >= 2) {
            break;
        }
    }
    visitors
}

fn choose(assignment: &Assignment, id: VisitorId) -> String {
    let choice = assignment.choose(id, Timestamp::from_millis(0));
    assignment.table().variants()[choice.variant].name.to_string()
}
