//! Analysis: what was counted in, a verdict out.
//!
//! | module | question |
//! |---|---|
//! | [`LatencyHistogram`] | how long did answers take? |
//! | [`sequential`] | is the canary worse than stable, or than allowed? (the default) |
//! | [`threshold`] | is a number beyond a limit? (on request) |
//! | [`dispersion`] | how much do errors cluster? |
//! | [`planning`] | how many requests will it take? |
//! | [`kernel`], [`evidence`], [`bounds`] | the mathematics below |
//!
//! ```
//! # use std::time::Duration;
//! # use crossfade_core::{Span, analysis::*, table::Weight};
//! let minute = Duration::from_secs(60);
//! let start = Start { planned: 10 * minute, ..Start::default() };
//! let mut judge = Judge::sequential(Settings::default(), &start)?;
//! judge.observe(&Interval {
//!     length: Span(minute),
//!     weight: Weight::new(500).unwrap(),
//!     canary: Counts { requests: 60, errors: 12, ..Counts::default() },
//!     stable: Counts { requests: 1140, errors: 3, ..Counts::default() },
//!     readings: Default::default(),
//! });
//! assert_eq!(judge.verdict(10 * minute).to_string(), "the canary fails more than stable: \
//!     12 of 60 requests (20 %) against 3 of 1140 requests (0.26 %); this happens to at most one healthy release in \
//!     72000 (the limit is 1000), and is final for this release");
//! # Ok::<(), SettingsError>(())
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod bounds;
mod counts;
pub mod dispersion;
pub mod evidence;
mod guard;
pub(crate) mod histogram;
pub mod kernel;
mod latency;
pub mod planning;
pub mod sequential;
mod settings;
pub mod threshold;
mod verdict;

pub use bounds::Rate;
pub use counts::{Counts, Interval};
pub use guard::Sides;
pub use histogram::{Edge, LatencyHistogram};
pub use latency::FrozenEdges;
pub use sequential::{Part, Sequential, Start};
pub use settings::{Budget, Counting, Settings, SettingsError};
pub use threshold::{Metric, Reading, Thresholds};
pub use verdict::{Failure, Gate, Hold, Inconclusive, Missing, Need, Passed, Proof, Trouble, Verdict};

/// Who judges one release. The state is data: written to KV and read back it goes on with the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "judge", rename_all = "kebab-case")]
pub enum Judge {
    /// Evidence that holds however often one looks.
    Sequential(Box<Sequential>),
    /// Plain thresholds.
    Thresholds(Thresholds),
}

impl Judge {
    /// The default judge.
    pub fn sequential(settings: Settings, start: &Start) -> Result<Self, SettingsError> {
        Ok(Self::Sequential(Box::new(Sequential::new(settings, start)?)))
    }

    /// Takes an interval in. Each is given once, in order.
    pub fn observe(&mut self, interval: &Interval) {
        match self {
            Self::Sequential(judge) => judge.observe(interval),
            Self::Thresholds(judge) => judge.observe(interval),
        }
    }

    /// Takes in what routers counted that still followed an earlier table: it is held against absolute limits, and compared
    /// with nothing.
    pub fn late(&mut self, canary: &Counts, stable: &Counts) {
        match self {
            Self::Sequential(judge) => judge.late(canary, stable),
            // A measurement is of one step.
            Self::Thresholds(_) => {}
        }
    }

    /// What is known now; `hold` is how long the current step lasts. Asking changes nothing and costs no budget.
    pub fn verdict(&self, hold: Duration) -> Verdict {
        match self {
            Self::Sequential(judge) => judge.verdict(hold),
            Self::Thresholds(judge) => judge.verdict(hold),
        }
    }

    /// What was measured beside that and decides nothing, in words.
    ///
    /// ```
    /// use crossfade_core::analysis::{Judge, Thresholds};
    ///
    /// let mut metrics = Thresholds::canary();
    /// metrics[1].limits.dry_run = true;
    /// let judge = Judge::Thresholds(Thresholds::new(metrics));
    /// assert!(judge.aside().unwrap().starts_with("dry run: response time"));
    /// ```
    pub fn aside(&self) -> Option<String> {
        match self {
            Self::Sequential(_) => None,
            Self::Thresholds(judge) => judge.aside(),
        }
    }
}
