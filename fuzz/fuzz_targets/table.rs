//! Any bytes as a routing table: refused with an error that names a field, or a table that is written and read back the
//! same, whose signature covers it, and that answers any visitor.
#![no_main]

use crossfade_core::assign::{Assignment, VisitorId};
use crossfade_core::{RoutingTable, Timestamp, signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let table = match RoutingTable::parse(bytes) {
        Ok(table) => table,
        Err(error) => return assert!(!error.field.is_empty() && error.to_string().len() < 1000),
    };
    let json = table.to_json();
    assert_eq!(RoutingTable::parse(json.as_bytes()).as_ref(), Ok(&table));
    let signed = signature::put(json.as_bytes(), b"signature").expect("a table is an object");
    let signed = signature::take_apart(signed.as_bytes()).expect("so is a signed one");
    assert_eq!(signed.signature.as_deref(), Some(b"signature".as_slice()));
    assert_eq!(signed.message, signature::take_apart(json.as_bytes()).expect("a table is an object").message);
    let variants = table.variants().len();
    let assignment = Assignment::new(table);
    for id in [0, 1, u128::MAX] {
        assert!(assignment.choose(VisitorId::from_bits(id), Timestamp::from_millis(0)).variant < variants);
    }
});
