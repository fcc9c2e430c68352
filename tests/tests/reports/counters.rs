//! The router's counters as far as a monitor sees them: seconds that are over, and one that is not.

use std::sync::{Arc, Mutex, PoisonError};

use crossfade_tests::origin::{Received, Wire};
use serde_json::{Value, json};

/// What visitors get, in each second, from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traffic {
    /// Everything is well.
    Well,
    /// One in five requests fails.
    Failing,
    /// Nobody comes.
    Nobody,
    /// The router does not tell.
    Dead,
}

/// Counters whose second is over whenever somebody asks: tests need not wait for the time.
#[derive(Clone)]
pub(crate) struct Counters(Arc<Mutex<State>>);

struct State {
    traffic: Traffic,
    /// The second that is not over yet, milliseconds.
    until: u64,
    seconds: Vec<(u64, u64, u64)>,
    asked: usize,
}

/// Where its clock begins: far from that of whoever asks.
const BEGIN: u64 = 1_000_000_000_000;
/// The requests of a second.
const REQUESTS: u64 = 100;

impl Counters {
    pub(crate) fn new(traffic: Traffic) -> Self {
        Self(Arc::new(Mutex::new(State { traffic, until: BEGIN, seconds: Vec::new(), asked: 0 })))
    }

    pub(crate) fn become_(&self, traffic: Traffic) {
        self.lock().traffic = traffic;
    }

    /// All requests of the seconds that are over but for the first.
    pub(crate) fn requests(&self) -> u64 {
        self.lock().seconds.iter().skip(1).map(|(_, requests, _)| requests).sum()
    }

    /// How often somebody has asked.
    pub(crate) fn asked(&self) -> usize {
        self.lock().asked
    }

    /// Answers a question for the metrics; the secret must be right.
    pub(crate) fn answer(&self, request: &Received, token: &str, wire: &mut Wire<'_>) {
        let mut state = self.lock();
        state.asked += 1;
        if request.header("authorization") != Some(&*format!("Bearer {token}")) {
            return wire.answer("401 Unauthorized", &[], "no");
        }
        let (_, query) = request.target.split_once('?').unwrap_or_default();
        let parameter = |name: &str| query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        assert_eq!(parameter("by"), Some("second"), "{query}");
        let from: u64 = parameter("from").unwrap().parse().unwrap();
        let (requests, errors) = match state.traffic {
            Traffic::Well => (REQUESTS, 0),
            Traffic::Failing => (REQUESTS, REQUESTS / 5),
            Traffic::Nobody => (0, 0),
            Traffic::Dead => return wire.answer("500 Internal Server Error", &[], "out of order"),
        };
        let second = state.until;
        state.seconds.push((second, requests, errors));
        state.until += 1_000;
        // The first question is by the clock of whoever asks, and finds nothing.
        let over = state.seconds.iter().filter(|(at, _, _)| *at >= from);
        let series: Vec<Value> = over.map(|(at, requests, errors)| series(*at, *requests, *errors)).collect();
        // What has come so far of the second that goes on: whoever counts it counts it twice.
        let all = series.into_iter().chain([series_of_now(state.until)]).collect::<Vec<_>>();
        let until = state.until;
        let body = json!({ "schema": 1, "environment": "production", "from": from, "to": until + 500, "until": until, "series": all });
        wire.answer("200 OK", &[("content-type", "application/json")], body.to_string());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn series(at: u64, requests: u64, errors: u64) -> Value {
    // All of them took what falls into the bucket up to 40 ms.
    let latency = if requests == 0 { json!([0]) } else { json!([requests * 40_000, 80, requests]) };
    json!({
        "at": at, "revision": 42, "release": "rel-1", "variant": "green", "version": "1.5.0", "requests": requests, "errors": errors,
        "exceptions": 0, "timeouts": 0, "rescued": 0, "fallbacks": 0, "ejections": 0, "newly_failing": errors, "latency": latency,
    })
}

fn series_of_now(at: u64) -> Value {
    series(at, 7, 7)
}
