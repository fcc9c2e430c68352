//! How long a release waited for somebody.

use std::time::Instant;

use crossfade_core::rollout::Stage;

use crate::report::Reporter;

/// A stage in which a release waits.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    name: String,
    step: usize,
    why: String,
    since: Instant,
}

impl Gate {
    /// The one that a stage is, when it is one.
    pub(super) fn of(stage: &Stage) -> Option<Self> {
        let (name, step) = waits_for(stage)?;
        Some(Self { name, step, why: stage.to_string(), since: Instant::now() })
    }

    /// Whether it is still waited for.
    pub(super) fn goes_on(&self, stage: &Stage) -> bool {
        waits_for(stage).is_some_and(|(name, step)| (name, step) == (self.name.clone(), self.step))
    }

    /// Tells how long it was waited for; what comes next says how it ended.
    pub(super) fn end(self, reporter: &Reporter, next: &Stage) {
        let ok = !matches!(next, Stage::GoingHome { .. });
        let text = if ok { self.why } else { next.to_string() };
        reporter.gate(self.name, self.step, ok, text, self.since.elapsed());
    }
}

fn waits_for(stage: &Stage) -> Option<(String, usize)> {
    match stage {
        Stage::Waiting { step, gate, .. } => Some((gate.clone(), step + 1)),
        Stage::Paused { step, .. } => Some(("pause".into(), step + 1)),
        Stage::Shifting { .. }
        | Stage::Watching { .. }
        | Stage::Replacing { .. }
        | Stage::Undoing
        | Stage::Settling
        | Stage::GoingHome { .. }
        | Stage::Resting => None,
    }
}
