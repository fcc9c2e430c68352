//! The plan of a rolling release: batch after batch is drained, replaced, restored and watched.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Draft, Plan, PlanError, Shift, Step};

/// Instances that are replaced at the same time: a range of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Batch {
    /// Their places in the fleet.
    pub const fn range(self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

/// How a fleet is replaced.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::{Batch, Draft, PlanError, Rolling, Shift};
///
/// let seconds = Duration::from_secs;
/// let five = Rolling { instances: 5, batch: 2, drain: seconds(30), watch: seconds(300), between: seconds(60) };
/// let plan = five.plan(Draft::default(), false)?;
/// // Three batches, each replaced and restored; the last one is a single instance.
/// assert_eq!(plan.steps().len(), 6);
/// assert_eq!(plan.steps()[4].shift, Shift::Replace(Batch { first: 4, count: 1 }));
/// assert_eq!(Batch { first: 4, count: 1 }.range(), 4..5);
/// # Ok::<(), PlanError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// How many instances there are.
    pub instances: usize,
    /// How many are replaced at the same time.
    pub batch: usize,
    /// How long requests in flight may take to end on a drained instance.
    pub drain: Duration,
    /// How long a restored batch is watched.
    pub watch: Duration,
    /// How long to wait then until the next batch; it is watched as well.
    pub between: Duration,
}

impl Rolling {
    /// The plan; `draft` brings everything but the steps. `first_release`: nobody visits yet, so all instances are one batch.
    ///
    /// # Errors
    /// When a batch leaves nobody for the visitors, or limits make no plan.
    pub fn plan(self, draft: Draft, first_release: bool) -> Result<Plan, PlanError> {
        let Self { instances, batch, .. } = self;
        if instances == 0 || batch == 0 {
            return Err(PlanError::NoSteps);
        }
        if batch >= instances && !first_release {
            return Err(PlanError::BatchTooLarge { batch, instances });
        }
        let size = if first_release { instances } else { batch };
        let steps = (0..instances).step_by(size).flat_map(|first| {
            let batch = Batch { first, count: size.min(instances - first) };
            let last = first + size >= instances;
            let hold = if last { self.watch } else { self.watch + self.between };
            [(Shift::Replace(batch), self.drain), (Shift::Restore(batch), hold)]
        });
        let steps = steps.map(|(shift, hold)| Step { shift, hold, gates: Vec::new() }).collect();
        Plan::new(Draft { steps, ..draft })
    }
}

/// Each batch is replaced, then restored; they begin with the first instance and leave none out.
pub(super) fn check(steps: &[Step]) -> Result<(), PlanError> {
    let mut next = 0;
    for (index, pair) in steps.chunks(2).enumerate() {
        match pair {
            [Step { shift: Shift::Replace(one), .. }, Step { shift: Shift::Restore(other), .. }]
                if one == other && one.first == next && one.count > 0 =>
            {
                next += one.count;
            }
            _ => return Err(PlanError::BatchOrder { index: 2 * index }),
        }
    }
    Ok(())
}
