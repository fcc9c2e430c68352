//! The rescue budget: how many of a canary's failed answers may be retried on stable. In: requests and wishes. Out: yes or no.
//!
//! Without a budget a canary that fails under load would double stable's load and take it down too
//! (<https://sre.google/sre-book/addressing-cascading-failures/>). With a share alone the first failures of a small canary
//! could never be rescued, so a few always may: as many as it takes until the breaker knows. And once it does, whatever was on its
//! way to the canary may: nothing more follows, and stable bears no more than the visitors it has now anyway.

use crate::Timestamp;
use crate::table::Rescue as Settings;

/// How long requests count, in milliseconds.
const WINDOW_MILLIS: u64 = 10_000;
/// The rescues in a window that are always allowed: twice what opens a breaker by default.
const ALWAYS: u32 = 10;

/// One isolate's budget.
///
/// ```
/// use crossfade_core::{Timestamp, rescue::Budget, table::Rescue};
///
/// let now = Timestamp::from_millis(0);
/// let mut budget = Budget::new();
/// for _ in 0..100 {
///     budget.request(now);
/// }
/// // 20 % of a hundred requests, and not one more.
/// let rescued = (0..100).filter(|_| budget.rescue(&Rescue::default(), false, now)).count();
/// assert_eq!(rescued, 20);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    window: u64,
    requests: u32,
    rescues: u32,
}

impl Budget {
    /// An unused one.
    pub const fn new() -> Self {
        Self { window: 0, requests: 0, rescues: 0 }
    }

    /// Counts a request to the canary.
    pub fn request(&mut self, now: Timestamp) {
        self.turn(now);
        self.requests = self.requests.saturating_add(1);
    }

    /// Whether one more of its answers may be rescued; counts it when it may. `ejected`: the breaker sends the canary nothing more.
    pub fn rescue(&mut self, settings: &Settings, ejected: bool, now: Timestamp) -> bool {
        self.turn(now);
        // An answer may come in the window after its request's; it was a request all the same.
        self.requests = self.requests.max(self.rescues.saturating_add(1));
        let share = u64::from(settings.budget.basis_points());
        let allowed = u64::from(self.requests) * share / 10_000;
        let within = share > 0 && (ejected || u64::from(self.rescues) < allowed.max(ALWAYS.into()));
        self.rescues = self.rescues.saturating_add(within.into());
        within
    }

    /// Begins a new window when the last one is over.
    fn turn(&mut self, now: Timestamp) {
        let window = now.as_millis() / WINDOW_MILLIS;
        if window != self.window {
            *self = Self { window, requests: 0, rescues: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::Weight;

    fn settings(basis_points: u16) -> Settings {
        Settings { budget: Weight::new(basis_points).unwrap(), ..Settings::default() }
    }

    #[test]
    fn with_a_budget_for_all_every_failure_is_rescued_whenever_it_comes() {
        let (mut budget, settings) = (Budget::default(), settings(10_000));
        let window = i64::try_from(WINDOW_MILLIS).unwrap();
        for number in 1..1_000 {
            // One in a hundred answers comes in the window after its request's.
            let now = Timestamp::from_millis(number * window / 100 - 1);
            budget.request(now);
            assert!(
                budget.rescue(&settings, false, Timestamp::from_millis(number * window / 100)),
                "{number}"
            );
        }
    }

    #[test]
    fn a_few_are_always_rescued_and_then_the_share_counts() {
        let (mut budget, settings) = (Budget::default(), settings(2_000));
        let now = Timestamp::from_millis(5);
        let mut rescued = 0;
        for _ in 0..1_000 {
            budget.request(now);
            rescued += u32::from(budget.rescue(&settings, false, now));
        }
        assert_eq!(rescued, 200);
        assert!(!budget.rescue(&settings, false, now));
        assert!(budget.rescue(&settings, false, Timestamp::from_millis(10_000)), "a new window");
    }

    #[test]
    fn a_budget_of_zero_turns_it_off() {
        for ejected in [false, true] {
            assert!(!Budget::default().rescue(&settings(0), ejected, Timestamp::from_millis(0)));
        }
    }

    #[test]
    fn what_was_under_way_when_the_breaker_opened_is_rescued_beyond_the_share() {
        let (mut budget, settings, now) = (Budget::default(), settings(1), Timestamp::from_millis(0));
        assert_eq!((0..30).filter(|_| budget.rescue(&settings, false, now)).count(), 10);
        assert!((0..30).all(|_| budget.rescue(&settings, true, now)));
        assert!(!budget.rescue(&settings, false, now), "and it has counted");
    }

    proptest! {
        #[test]
        fn no_window_rescues_more_than_its_share_or_the_few(share in 0_u16..=10_000, failing in prop::collection::vec(any::<bool>(), 0..500)) {
            let (mut budget, settings) = (Budget::default(), settings(share));
            let now = Timestamp::from_millis(1);
            let (mut requests, mut rescued) = (0_u32, 0_u32);
            for fails in failing {
                budget.request(now);
                requests += 1;
                rescued += u32::from(fails && budget.rescue(&settings, false, now));
                prop_assert!(rescued <= (requests * u32::from(share) / 10_000).max(ALWAYS));
            }
        }
    }
}
