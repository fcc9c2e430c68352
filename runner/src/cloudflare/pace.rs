//! How fast the API is called: never faster than Cloudflare allows, because what is above blocks every call for five minutes,
//! the way home among them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Cloudflare counts calls in this time (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
const WINDOW: Duration = Duration::from_secs(300);
/// It allows 1,200. The rest is for other programs of the same account, and for calls that do not wait.
const CALLS_MAX: usize = 1_100;

/// When the calls of the last five minutes were.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<VecDeque<Instant>>);

impl Pace {
    /// Counts a call that does not wait.
    pub(super) fn count(&self, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(now);
    }

    /// How long a call has to wait that wants to be made now. It is not counted yet.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let pace = Pace::default();
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
}
