//! How fast the API is called: never faster than Cloudflare allows, because what is above blocks every call for five minutes,
//! the way home among them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Cloudflare counts calls in this time (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
pub(super) const WINDOW: Duration = Duration::from_secs(300);
/// It allows 1,200. The rest is for other programs of the same account, and for calls that do not wait.
pub(super) const CALLS_MAX: usize = 1_100;

/// KV takes one write of a key a second (<https://developers.cloudflare.com/kv/platform/limits/>); two may be on their way for
/// different times.
pub(super) const WRITES_APART: Duration = Duration::from_millis(1_100);

/// When the calls of the last five minutes were, and the last writes of KV.
#[derive(Debug)]
pub(super) struct Pace {
    writes_apart: Duration,
    calls: Mutex<VecDeque<Instant>>,
    writes: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    pub(super) fn new(writes_apart: Duration) -> Self {
        Self { writes_apart, calls: Mutex::default(), writes: Mutex::default() }
    }

    /// How long a write of a key has to wait that wants to be made now. It counts as made then.
    pub(super) fn wait_to_write(&self, key: &str, now: Instant) -> Duration {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.retain(|_, at| *at + self.writes_apart > now);
        let turn = writes.get(key).map_or(now, |at| *at + self.writes_apart);
        writes.insert(key.to_owned(), turn);
        turn.duration_since(now)
    }

    /// Counts a call that does not wait.
    pub(super) fn count(&self, now: Instant) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push_back(now);
    }

    /// How long a call has to wait that wants to be made now. It is not counted yet.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        while calls.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            calls.pop_front();
        }
        let too_many = calls.len().checked_sub(CALLS_MAX);
        let leaves = too_many.and_then(|index| calls.get(index));
        leaves.map_or(Duration::ZERO, |at| WINDOW.saturating_sub(now.duration_since(*at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_are_made_in_five_minutes_than_are_allowed() {
        let pace = Pace::new(WRITES_APART);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..100 {
            for _ in 0..11 {
                assert_eq!(pace.wait(at(second)), Duration::ZERO);
                pace.count(at(second));
            }
        }
        // The first eleven were made at 0 and leave at 300.
        assert_eq!(pace.wait(at(100)), Duration::from_secs(200));
        assert_eq!(pace.wait(at(299)), Duration::from_secs(1));
        assert_eq!(pace.wait(at(300)), Duration::ZERO);
        for _ in 0..11 {
            pace.count(at(300));
        }
        assert_eq!(pace.wait(at(300)), Duration::from_secs(1));
        // One that does not wait makes the others wait longer.
        for _ in 0..11 {
            pace.count(at(300));
        }
        assert_eq!(pace.wait(at(300)), Duration::from_secs(2));
    }

    #[test]
    fn a_key_is_written_once_in_a_while_and_each_key_for_itself() {
        let pace = Pace::new(Duration::from_secs(1));
        let start = Instant::now();
        for (millis, key, wait) in
            [(0, "a", 0), (200, "a", 800), (300, "b", 0), (400, "a", 1_600), (1_300, "b", 0), (3_000, "a", 0)]
        {
            let now = start + Duration::from_millis(millis);
            assert_eq!(pace.wait_to_write(key, now), Duration::from_millis(wait), "{key} at {millis}");
        }
        let stand_in = Pace::new(Duration::ZERO);
        assert_eq!([0; 2].map(|_| stand_in.wait_to_write("a", start)), [Duration::ZERO; 2]);
    }
}
