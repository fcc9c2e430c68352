//! The same assignment natively and in wasm: the vectors that `core` is held to (`core/tests/vectors.rs`), asked of the
//! real router.

use crossfade_tests::origin::Origin;
use serde_json::Value;

use crate::edge::Edge;

const VECTORS: &str = include_str!("../../../core/tests/vectors/assignment.json");

#[test]
fn the_router_gives_every_visitor_of_the_vectors_their_variant() {
    let origin = Origin::saying("hello");
    let cases: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(cases.len() > 10);
    for mut case in cases {
        let table = &mut case["table"];
        for variant in table["variants"].as_array_mut().unwrap() {
            variant["origin"] = origin.url().into();
        }
        let edge = Edge::settled(table);
        let mut client = edge.connect();
        for (variant, ids) in case["visitors"].as_object().unwrap() {
            for id in ids.as_str().unwrap().split(' ') {
                let answer = client.get("/", &[("cookie", &format!("crossfade={id}"))]);
                assert_eq!(answer.variant(), variant, "{id} in {}", case["table"]);
            }
        }
    }
}
