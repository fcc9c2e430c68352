//! The table lives in the isolate: read once, refreshed in the background, never replaced by an older copy.

use std::time::Instant;

use crossfade_sandbox::KvFault;
use crossfade_tests::origin::Origin;

use crate::edge::{Edge, only};

/// Longer than any test waits for an answer.
const FOR_EVER_MS: u64 = 600_000;

#[test]
fn the_table_is_read_once_and_not_for_every_request() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&only(1, &origin));
    let mut client = edge.connect();
    for _ in 0..300 {
        assert_eq!(client.get("/", &[]).revision(), 1);
    }
    assert_eq!(edge.sandbox.kv_reads(), 1);
}

#[test]
fn a_new_revision_is_in_force_after_one_refresh() {
    let origin = Origin::saying("hello");
    let (edge, begun) = (Edge::routing(&only(1, &origin)), Instant::now());
    let mut client = edge.connect();
    assert_eq!(client.get("/", &[]).revision(), 1);
    edge.put(&only(2, &origin));
    let reads = edge.sandbox.kv_reads();
    let mut requests = 0_u64;
    while client.get("/", &[]).revision() != 2 {
        requests += 1;
    }
    // One that was under way before the write, and the first after it.
    assert!(edge.sandbox.kv_reads() <= reads + 2, "more than one refresh went by");
    let (seconds, reads) = (begun.elapsed().as_secs(), edge.sandbox.kv_reads());
    assert!(reads <= seconds + 2, "{reads} reads of KV in {seconds} s and {requests} requests");
}

#[test]
fn a_kv_that_is_slow_or_hangs_delays_nobody_once_a_table_is_known() {
    let origin = Origin::saying("hello");
    let edge = Edge::routing(&only(1, &origin));
    let mut client = edge.connect();
    assert_eq!(client.get("/", &[]).revision(), 1);
    let slow = KvFault { delay_ms: FOR_EVER_MS, ..KvFault::default() };
    let hangs = KvFault { hang: true, ..KvFault::default() };
    for (revision, fault) in [(1, slow), (2, hangs)] {
        edge.sandbox.set_kv_fault(fault);
        edge.put(&only(revision + 1, &origin));
        // Two reads begin and come to nothing. Every request on the way is answered, and none waits even a part of the
        // second from one to the other: there would be no time for the rest.
        let (first, mut between) = (edge.sandbox.kv_reads() + 1, 0);
        while edge.sandbox.kv_reads() <= first {
            let answer = client.get("/", &[]);
            assert_eq!((answer.status, answer.revision()), (200, revision), "{fault:?}");
            between += usize::from(edge.sandbox.kv_reads() == first);
        }
        assert!(between >= 5, "only {between} requests were answered while a read was under way: {fault:?}");
        edge.sandbox.clear_faults();
        edge.until_revision(revision + 1);
    }
}

#[test]
fn an_older_copy_from_kv_never_replaces_a_newer_table() {
    let (older, newer) = (Origin::saying("older"), Origin::saying("newer"));
    let edge = Edge::routing(&only(5, &newer));
    assert_eq!(edge.get("/", &[]).text(), "newer");
    edge.put(&only(4, &older));
    edge.until_more_reads(2);
    let answer = edge.get("/", &[]);
    assert_eq!((answer.text().as_str(), answer.revision()), ("newer", 5));
    edge.put(&only(6, &older));
    edge.until_revision(6);
    assert_eq!(edge.get("/", &[]).text(), "older");
}
