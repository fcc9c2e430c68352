//! When an isolate flushes. In: the time, whether a release is in flight. Out: the moment of the next flush.
//!
//! The first count after a pause is flushed at once, what follows when the interval is over, by a timer. A timer belongs to the
//! request that set it and may end with it unheard, so one that is long overdue is not waited for.

use std::time::Duration;

use crate::Timestamp;

/// The least time between two flushes while a release is in flight.
pub(super) const IN_FLIGHT: Duration = Duration::from_secs(1);
/// The least time between two flushes else; also the most that they are put off while the object fails.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// How long a flush is waited for.
pub const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// The most that a timer waits: what a Worker does after an answer may take 30 s
/// (<https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil>), the flush itself included.
const TIMER_MAX: Duration = Duration::from_secs(20);
/// How much later than its time a timer or a flush counts as lost.
const OVERDUE: Duration = Duration::from_secs(10);

/// An isolate's pace.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::{Timestamp, counters::pace::Pace};
///
/// let (now, second) = (Timestamp::from_millis(0), Duration::from_secs(1));
/// let mut pace = Pace::new();
/// // The first one at once, the next one when the interval is over.
/// let timer = pace.set(now, second).unwrap();
/// assert!(pace.begin(timer, now));
/// pace.end(true);
/// assert_eq!(pace.set(now, second), Some(now.plus(second)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the last flush began.
    begun_at: Option<Timestamp>,
    /// When the timer that is set goes off.
    timer: Option<Timestamp>,
    /// When the flush that is under way began.
    sending: Option<Timestamp>,
    /// Flushes in a row that failed.
    failures: u32,
}

impl Pace {
    /// One that has not begun.
    pub const fn new() -> Self {
        Self { begun_at: None, timer: None, sending: None, failures: 0 }
    }

    /// Sets a timer when there is something to flush, none is set for as early, and the time is near enough. Whoever asked
    /// waits until then and calls [`Self::begin`] with the same time.
    pub fn set(&mut self, now: Timestamp, interval: Duration) -> Option<Timestamp> {
        if self.sending.is_some_and(|sent| now < sent.plus(OVERDUE)) {
            return None;
        }
        let due = self.due(now, interval);
        let is_set = self.timer.is_some_and(|timer| timer <= due && now < timer.plus(OVERDUE));
        if is_set || due.since(now) > TIMER_MAX {
            return None;
        }
        self.timer = Some(due);
        Some(due)
    }

    /// A timer went off: whether to flush now. Not when another one was set instead of it, and not beside another flush.
    pub fn begin(&mut self, timer: Timestamp, now: Timestamp) -> bool {
        if self.timer != Some(timer) || self.sending.is_some_and(|sent| now < sent.plus(OVERDUE)) {
            return false;
        }
        self.timer = None;
        self.begun_at = Some(now);
        self.sending = Some(now);
        true
    }

    /// The flush is over.
    pub fn end(&mut self, ok: bool) {
        self.sending = None;
        self.failures = if ok { 0 } else { self.failures.saturating_add(1) };
    }

    fn due(&self, now: Timestamp, interval: Duration) -> Timestamp {
        let Some(begun_at) = self.begun_at else { return now };
        let longer = interval.saturating_mul(1 << self.failures.min(6)).min(IDLE.max(interval));
        // A clock that was set back does not put flushes off for longer than that.
        begun_at.plus(longer).max(now).min(now.plus(longer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn the_first_count_goes_at_once_and_the_rest_when_the_second_is_over() {
        let mut pace = Pace::new();
        assert_eq!(pace.set(at(0), IN_FLIGHT), Some(at(0)));
        assert!(pace.begin(at(0), at(0)));
        assert_eq!(pace.set(at(100), IN_FLIGHT), None, "one is under way");
        pace.end(true);
        assert_eq!(pace.set(at(200), IN_FLIGHT), Some(at(1000)));
        assert_eq!(pace.set(at(300), IN_FLIGHT), None, "the timer is set");
        assert!(pace.begin(at(1000), at(1001)));
    }

    #[test]
    fn while_no_release_is_in_flight_a_minute_passes_and_no_timer_waits_longer_than_it_may() {
        let mut pace = Pace::new();
        assert_eq!(pace.set(at(0), IDLE), Some(at(0)));
        assert!(pace.begin(at(0), at(0)));
        pace.end(true);
        assert_eq!(pace.set(at(30_000), IDLE), None);
        assert_eq!(pace.set(at(45_000), IDLE), Some(at(60_000)));
        assert_eq!(pace.set(at(50_000), IN_FLIGHT), Some(at(50_000)), "a release has begun");
        assert!(pace.begin(at(50_000), at(50_000)));
        pace.end(true);
        assert!(!pace.begin(at(60_000), at(60_000)), "the timer that was set before is nobody's any more");
    }

    #[test]
    fn what_never_came_back_is_not_waited_for() {
        let mut pace = Pace::new();
        assert_eq!(pace.set(at(0), IN_FLIGHT), Some(at(0)));
        assert_eq!(pace.set(at(9_999), IN_FLIGHT), None);
        assert_eq!(pace.set(at(10_000), IN_FLIGHT), Some(at(10_000)), "the timer was lost");
        assert!(pace.begin(at(10_000), at(10_000)));
        assert_eq!(pace.set(at(19_999), IN_FLIGHT), None);
        assert_eq!(pace.set(at(20_000), IN_FLIGHT), Some(at(20_000)), "the flush was lost");
        assert!(pace.begin(at(20_000), at(20_000)));
    }

    #[test]
    fn an_object_that_fails_is_asked_less_and_less_often_but_at_least_once_a_minute() {
        let (mut pace, mut now, mut waits) = (Pace::new(), 0, Vec::new());
        for _ in 0..8 {
            // Each request asks; the timer is set once it is near enough.
            let due = loop {
                match pace.set(at(now), IN_FLIGHT) {
                    Some(due) => break due,
                    None => now += 500,
                }
            };
            waits.push(due.since(at(0)).as_secs());
            now = i64::try_from(due.since(at(0)).as_millis()).unwrap();
            assert!(pace.begin(due, at(now)));
            pace.end(false);
        }
        assert_eq!(waits, [0, 2, 6, 14, 30, 62, 122, 182]);
    }

    proptest! {
        #[test]
        fn two_flushes_are_never_closer_than_the_interval(
            steps in prop::collection::vec((0_i64..3000, any::<bool>(), any::<bool>()), 1..200)
        ) {
            let (mut pace, mut now, mut last) = (Pace::new(), 0, None);
            for (later, ok, lost) in steps {
                now += later;
                let Some(due) = pace.set(at(now), IN_FLIGHT) else { continue };
                if lost { continue }
                now = i64::try_from(due.since(at(0)).as_millis()).unwrap();
                if pace.begin(due, at(now)) {
                    prop_assert!(last.is_none_or(|last| now - last >= 1000));
                    last = Some(now);
                    pace.end(ok);
                }
            }
        }
    }
}
