//! Whether and when a failed call is made again. Pure, but for the loop at the end.

use std::time::{Duration, Instant};

use crate::cloudflare;
use crate::cloudflare::Fate;

/// What it does to carry a call out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The same as to carry it out once: reads, and writes of a whole value.
    Idempotent,
    /// Something else: a second deployment, or a complaint that the thing exists.
    Once,
}

/// What follows a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is made again, after this time.
    Again(Duration),
    /// After this time it is looked whether it was carried out; if not, it is made again.
    Look(Duration),
    /// The failure stands.
    GiveUp,
}

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
            // So long Cloudflare blocks whoever has called too often.
            wait_max: Duration::from_secs(300),
            within,
        }
    }

    /// What follows the failure number `attempt`, from 1, of a call with this effect, and of which this is known.
    pub fn next(
        &self,
        effect: Effect,
        attempt: u32,
        fate: Fate,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Next {
        let wait = self.wait(attempt, retry_after, jitter);
        match (fate, effect, wait) {
            (Fate::Refused, _, _) | (_, _, None) => Next::GiveUp,
            (Fate::NotApplied, _, Some(wait)) | (Fate::Unknown, Effect::Idempotent, Some(wait)) => {
                Next::Again(wait)
            }
            (Fate::Unknown, Effect::Once, Some(wait)) => Next::Look(wait),
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

/// Makes an idempotent call until it succeeds, fails for good, or `policy` gives up. Waits end within 100 ms of
/// `cancelled`. `call` is given the time that is left.
///
/// # Errors
/// The last failure.
pub fn retry<T>(
    policy: Policy,
    cancelled: &dyn Fn() -> bool,
    mut call: impl FnMut(Duration) -> Result<T, cloudflare::Error>,
) -> Result<T, cloudflare::Error> {
    repeat(policy, Effect::Idempotent, cancelled, |_, left| call(left))
}

/// Nobody cancels it.
pub(crate) const fn never() -> bool {
    false
}

/// Makes a call that is to be carried out once. As soon as nobody knows whether it was, `find` looks for what it makes
/// before each further try.
///
/// # Errors
/// The last failure, of either.
pub fn make<T>(
    policy: Policy,
    cancelled: &dyn Fn() -> bool,
    find: impl Fn(Duration) -> Result<Option<T>, cloudflare::Error>,
    call: impl Fn(Duration) -> Result<T, cloudflare::Error>,
) -> Result<T, cloudflare::Error> {
    repeat(policy, Effect::Once, cancelled, |look, left| {
        match look.then(|| find(left)).transpose()?.flatten() {
            Some(found) => Ok(found),
            None => call(left),
        }
    })
}

/// `attempt` is told whether to look first.
fn repeat<T>(
    policy: Policy,
    effect: Effect,
    cancelled: &dyn Fn() -> bool,
    mut attempt: impl FnMut(bool, Duration) -> Result<T, cloudflare::Error>,
) -> Result<T, cloudflare::Error> {
    let deadline = Instant::now() + policy.within;
    let left = || deadline.saturating_duration_since(Instant::now());
    let (mut look, mut failures) = (false, 0);
    loop {
        let error = match attempt(look, left().max(Duration::from_millis(1))) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        failures += 1;
        let wait = match policy.next(effect, failures, error.fate(), error.retry_after(), jitter()) {
            Next::Again(wait) => wait,
            Next::Look(wait) => {
                look = true;
                wait
            }
            Next::GiveUp => return Err(error),
        };
        if wait >= left() || !wait_for(wait, cancelled) {
            return Err(error);
        }
    }
}

/// Whether the whole time passed before somebody cancelled.
fn wait_for(time: Duration, cancelled: &dyn Fn() -> bool) -> bool {
    const SLICE: Duration = Duration::from_millis(100);
    let until = Instant::now() + time;
    while Instant::now() < until {
        if cancelled() {
            return false;
        }
        std::thread::sleep(SLICE.min(until.saturating_duration_since(Instant::now())));
    }
    true
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
    fn what_follows_a_failure_is_one_table() {
        use {Effect::*, Fate::*};
        let policy = Policy::within(Duration::from_secs(60));
        let (soon, asked) = (Duration::from_millis(500), Duration::from_secs(7));
        let last = policy.attempts_max;
        for (fate, effect, attempt, retry_after, next) in [
            // Refused: the same call gets the same answer.
            (Refused, Idempotent, 1, None, Next::GiveUp),
            (Refused, Once, 1, Some(asked), Next::GiveUp),
            // Not carried out: nothing can be done twice.
            (NotApplied, Idempotent, 1, None, Next::Again(soon)),
            (NotApplied, Once, 1, None, Next::Again(soon)),
            (NotApplied, Once, 1, Some(asked), Next::Again(asked)),
            // Perhaps carried out: only what may be done twice is just done again.
            (Unknown, Idempotent, 1, None, Next::Again(soon)),
            (Unknown, Idempotent, 1, Some(asked), Next::Again(asked)),
            (Unknown, Once, 1, None, Next::Look(soon)),
            (Unknown, Once, 2, Some(asked), Next::Look(asked)),
            // The last attempt is the last, whatever it was.
            (NotApplied, Idempotent, last, None, Next::GiveUp),
            (NotApplied, Once, last, Some(asked), Next::GiveUp),
            (Unknown, Idempotent, last, None, Next::GiveUp),
            (Unknown, Once, last, None, Next::GiveUp),
        ] {
            let said = policy.next(effect, attempt, fate, retry_after, 1.0);
            assert_eq!(said, next, "{fate:?}, {effect:?}, attempt {attempt}, {retry_after:?}");
        }
    }

    #[test]
    fn a_servers_wish_counts_up_to_a_limit() {
        let policy = Policy::within(Duration::from_secs(60));
        let wait = |seconds| policy.wait(1, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(wait(7), Some(Duration::from_secs(7)));
        assert_eq!(wait(300), Some(Duration::from_secs(300)));
        assert_eq!(wait(3600), Some(Duration::from_secs(300)));
    }
}
