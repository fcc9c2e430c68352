//! Whether and when a failed call is made again. Pure, but for the loop at the end.

use std::time::{Duration, Instant};

use crate::cloudflare;

/// How persistent a call is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Tries in all.
    pub attempts_max: u32,
    /// The wait after the first failure; it doubles each time.
    pub first_wait: Duration,
    /// The longest wait, a server's `Retry-After` included.
    pub wait_max: Duration,
    /// When there is no more point.
    pub within: Duration,
}

impl Policy {
    /// For reads and for writes that may be repeated.
    pub const fn within(within: Duration) -> Self {
        Self {
            attempts_max: 6,
            first_wait: Duration::from_millis(500),
            wait_max: Duration::from_secs(30),
            within,
        }
    }

    /// The wait before the next try; `None` gives up. `attempt` counts the failures so far, from 1; `jitter` is 0 to 1
    /// and spreads callers that failed together.
    pub fn wait(&self, attempt: u32, retry_after: Option<Duration>, jitter: f64) -> Option<Duration> {
        if attempt >= self.attempts_max {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let spread = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        Some(spread.max(retry_after.unwrap_or_default()).min(self.wait_max))
    }
}

/// Makes a call until it succeeds, fails for good, or `policy` gives up. Waits end within 100 ms of `cancelled`.
/// `call` is given the time that is left.
///
/// # Errors
/// The last failure.
pub fn retry<T>(
    policy: Policy,
    cancelled: &dyn Fn() -> bool,
    mut call: impl FnMut(Duration) -> Result<T, cloudflare::Error>,
) -> Result<T, cloudflare::Error> {
    const SLICE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + policy.within;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut attempt = 0;
    loop {
        let error = match call(left().max(Duration::from_millis(1))) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        attempt += 1;
        let wait = policy.wait(attempt, error.retry_after(), jitter()).filter(|wait| *wait < left());
        let Some(wait) = wait.filter(|_| error.is_transient()) else { return Err(error) };
        let until = Instant::now() + wait;
        while Instant::now() < until {
            if cancelled() {
                return Err(error);
            }
            std::thread::sleep(SLICE.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// 0 to 1, for [`Policy::wait`].
pub(crate) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_are_spread_and_end() {
        let policy = Policy::within(Duration::from_secs(60));
        let millis = |attempt, jitter| policy.wait(attempt, None, jitter).map(|wait| wait.as_millis());
        assert_eq!([millis(1, 1.0), millis(2, 1.0), millis(3, 1.0)], [Some(500), Some(1000), Some(2000)]);
        assert_eq!(millis(1, 0.0), Some(250));
        assert_eq!(millis(6, 0.5), None);
    }

    #[test]
    fn a_servers_wish_counts_up_to_a_limit() {
        let policy = Policy::within(Duration::from_secs(60));
        let wait = |seconds| policy.wait(1, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(wait(7), Some(Duration::from_secs(7)));
        assert_eq!(wait(3600), Some(Duration::from_secs(30)));
    }
}
