//! Load from many connections, and what their visitors saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossfade_tests::origin::Origin;

use crate::client::Client;
use crate::edge::{Edge, cookie};

/// Requests, errors, rescued.
type Seen = (u64, u64, u64);

/// What must have been counted.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// By variant.
    pub(crate) variants: BTreeMap<&'static str, Seen>,
    /// Visitors with an error, and the variant of their first.
    failing: BTreeSet<u128>,
}

impl Expected {
    /// All requests.
    pub(crate) fn requests(&self) -> u64 {
        self.variants.values().map(|(requests, _, _)| requests).sum()
    }

    /// Visitors with an error: only the canary's have any.
    pub(crate) fn failing(&self, variant: &str) -> u64 {
        if variant == "green" { self.failing.len() as u64 } else { 0 }
    }
}

/// An origin that always answers.
pub(crate) fn steady() -> Origin {
    Origin::saying("fine")
}

/// An origin that fails for paths that end in 7.
pub(crate) fn failing() -> Origin {
    Origin::new(|received, wire| {
        let fails = received.target.ends_with('7');
        wire.answer(if fails { "500 Internal Server Error" } else { "200 OK" }, &[], "hello");
    })
}

/// Sends requests over several connections at a time, of 16 visitors each, and reads every answer.
pub(crate) fn load(edge: &Edge, connections: u64, requests_each: u64) -> Expected {
    let url: Arc<str> = edge.url().into();
    let threads: Vec<_> = (0..connections)
        .map(|connection| {
            let url = Arc::clone(&url);
            std::thread::spawn(move || visit(&url, connection, requests_each))
        })
        .collect();
    let mut all = Expected::default();
    for thread in threads {
        let seen = thread.join().unwrap();
        for (variant, (requests, errors, rescued)) in seen.variants {
            let sum = all.variants.entry(variant).or_default();
            *sum = (sum.0 + requests, sum.1 + errors, sum.2 + rescued);
        }
        all.failing.extend(seen.failing);
    }
    all
}

fn visit(url: &str, connection: u64, requests: u64) -> Expected {
    let (mut client, mut seen) = (Client::connect(url), Expected::default());
    for number in 0..requests {
        let visitor = u128::from(connection) << 64 | u128::from(number % 16);
        let answer = client.get(&format!("/{number}"), &[("cookie", &cookie(visitor))]);
        let rescued = answer.crossfade().ends_with(", rescued");
        let failed = rescued || answer.status >= 500;
        // Whoever is rescued was the canary's.
        let variant = if rescued || answer.variant() == "green" { "green" } else { "blue" };
        let (requests, errors, rescues) = seen.variants.entry(variant).or_default();
        *requests += 1;
        *errors += u64::from(failed);
        *rescues += u64::from(rescued);
        if failed {
            seen.failing.insert(visitor);
        }
    }
    seen
}
