//! Where things go. In: values and a room. Out: places and ticks.

use std::time::Duration;

use crossfade_core::Timestamp;

/// From a value to a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    /// The values at both ends.
    from: (f64, f64),
    /// Their places.
    to: (f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// Equal differences are equally long.
    pub(super) const fn linear(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { scale: Scale::Linear, from, to }
    }

    /// Equal ratios are. Values must be above 0.
    pub(super) const fn logarithmic(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { scale: Scale::Logarithmic, from, to }
    }

    /// A value's place; what lies outside is at the end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let scaled = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).ln(),
        };
        let (low, high) = (scaled(self.from.0), scaled(self.from.1));
        let share = if high > low { (scaled(value) - low) / (high - low) } else { 0.0 };
        self.to.0 + share.clamp(0.0, 1.0) * (self.to.1 - self.to.0)
    }
}

/// Round values from 0 to at least `most`, four or five of them.
pub(super) fn linear_ticks(most: f64) -> Vec<f64> {
    let step = nice(most / 4.0);
    let last = (most / step).ceil().max(1.0) as u32;
    (0..=last).map(|nth| f64::from(nth) * step).collect()
}

/// Powers of ten, and twice and five times them, from below `least` to above `most`, both above 0.
pub(super) fn logarithmic_ticks(least: f64, most: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut decade = 10_f64.powf(least.log10().floor());
    while decade <= most * 10.0 && ticks.len() < 60 {
        ticks.extend([1.0, 2.0, 5.0].map(|factor| factor * decade));
        decade *= 10.0;
    }
    let first = ticks.iter().rposition(|tick| *tick <= least).unwrap_or(0);
    let last = ticks.iter().position(|tick| *tick >= most).unwrap_or(ticks.len() - 1).max(first + 1);
    let ticks = ticks.get(first..=last).unwrap_or_default().to_vec();
    // Many decades: only the powers of ten, and the ends.
    if ticks.len() <= 7 {
        return ticks;
    }
    let end = ticks.len() - 1;
    let power = |tick: f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
    ticks
        .iter()
        .enumerate()
        .filter(|(at, tick)| *at == 0 || *at == end || power(**tick))
        .map(|(_, tick)| *tick)
        .collect()
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn nice(least: f64) -> f64 {
    let least = least.max(1e-9);
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * decade)
        .find(|it| *it >= least * 0.999_999)
        .unwrap_or(decade * 10.0)
}

/// From a time to a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    from: Timestamp,
    to: Timestamp,
    axis: Axis,
}

/// Seconds between ticks.
const STEPS: [u64; 16] =
    [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600];

impl TimeAxis {
    pub(super) fn new((from, to): (Timestamp, Timestamp), places: (f64, f64)) -> Self {
        let length = to.since(from).as_secs_f64();
        Self { from, to, axis: Axis::linear((0.0, length), places) }
    }

    pub(super) fn at(&self, time: Timestamp) -> f64 {
        self.axis.at(time.since(self.from).as_secs_f64())
    }

    pub(super) const fn left(&self) -> f64 {
        self.axis.to.0
    }

    pub(super) const fn right(&self) -> f64 {
        self.axis.to.1
    }

    pub(super) const fn end(&self) -> Timestamp {
        self.to
    }

    /// At most so many times that a clock would strike at, and whether they need seconds.
    pub(super) fn ticks(&self, most: usize) -> (Vec<Timestamp>, bool) {
        let length = self.to.since(self.from);
        let fits = |step: &&u64| length.as_secs() / **step < most as u64;
        let step = STEPS.iter().find(fits).copied().unwrap_or(length.as_secs() / most.max(1) as u64 + 1);
        let first = self.from.as_millis().div_ceil(step * 1000) * step * 1000;
        let mut tick = Timestamp::from_millis(i64::try_from(first).unwrap_or(i64::MAX));
        let mut ticks = Vec::new();
        while tick <= self.to && ticks.len() <= most {
            ticks.push(tick);
            tick = tick.plus(Duration::from_secs(step));
        }
        (ticks, step < 60)
    }
}

/// What a clock shows: `12:05`, or `12:05:30`.
pub(super) fn clock(time: Timestamp, precise: bool) -> String {
    time.to_string().get(11..if precise { 19 } else { 16 }).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_769_860_800_000 + seconds * 1000)
    }

    #[test]
    fn values_have_places_and_none_outside_of_the_room() {
        let percent = Axis::linear((0.0, 0.1), (100.0, 20.0));
        assert_eq!([0.0, 0.05, 0.1, 0.2, -1.0].map(|it| percent.at(it)), [100.0, 60.0, 20.0, 20.0, 100.0]);
        let millis = Axis::logarithmic((10.0, 1000.0), (0.0, 200.0));
        assert_eq!(
            [10.0, 100.0, 1000.0, 0.0, 1e9].map(|it| millis.at(it).round()),
            [0.0, 100.0, 200.0, 0.0, 200.0]
        );
        assert_eq!(Axis::linear((3.0, 3.0), (5.0, 9.0)).at(3.0), 5.0, "a room without values");
    }

    #[test]
    fn ticks_are_round_and_hold_what_is_shown() {
        assert_eq!(linear_ticks(0.01), [0.0, 0.005, 0.01]);
        assert_eq!(linear_ticks(1.0), [0.0, 0.5, 1.0]);
        assert_eq!(linear_ticks(0.0).len(), 2);
        assert_eq!(logarithmic_ticks(12.0, 180.0), [10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!(logarithmic_ticks(50.0, 50.0), [50.0, 100.0]);
        assert_eq!(logarithmic_ticks(1.0, 60_000.0), [1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0]);
    }

    #[test]
    fn times_are_those_of_a_clock() {
        let ticks = |from, to, most| {
            let (ticks, precise) = TimeAxis::new((at(from), at(to)), (0.0, 1.0)).ticks(most);
            ticks.into_iter().map(|tick| clock(tick, precise)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            ticks(0, 8, 9),
            "12:00:00 12:00:01 12:00:02 12:00:03 12:00:04 12:00:05 12:00:06 12:00:07 12:00:08"
        );
        assert_eq!(ticks(7, 100, 4), "12:00:30 12:01:00 12:01:30");
        assert_eq!(ticks(61, 3 * 3600, 4), "13:00 14:00 15:00");
    }

    proptest! {
        #[test]
        fn no_axis_has_too_many_ticks_or_a_place_outside(length in 1_i64..100_000_000, most in 2_usize..12, seconds in 0_i64..100_000_000) {
            let axis = TimeAxis::new((at(0), at(length)), (10.0, 300.0));
            prop_assert!(axis.ticks(most).0.len() <= most + 1);
            prop_assert!((10.0..=300.0).contains(&axis.at(at(seconds))));
        }

        #[test]
        fn ticks_of_any_values_are_few_and_rise(least in 1e-3_f64..1e5, times in 1.0_f64..1e6) {
            for ticks in [linear_ticks(least), logarithmic_ticks(least, least * times)] {
                prop_assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
                prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
            }
            let ticks = logarithmic_ticks(least, least * times);
            prop_assert!(ticks[0] <= least && *ticks.last().unwrap() >= least * times);
        }
    }
}
