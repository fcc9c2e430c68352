//! From evidence to a verdict.

use std::time::Duration;

use libm::log;

use super::{Part, Sequential, Step};
use crate::analysis::Edge;
use crate::analysis::bounds::{Rate, Sample, below, is_below, lower, smallest, upper};
use crate::analysis::guard::Sides;
use crate::analysis::latency::FrozenEdges;
use crate::analysis::verdict::{
    Failure, Gate, Hold, Inconclusive, Missing, Need, Passed, Proof, Trouble, Verdict,
};

/// Odds at which the canary certainly reports less than half its share: one in ten thousand, as this is asked at each
/// step beside the budget and only ever holds.
const TELEMETRY_ODDS: f64 = 1e4;

impl Sequential {
    /// What is known now. Asking changes nothing; `hold` is how long the current step lasts.
    pub fn verdict(&self, hold: Duration) -> Verdict {
        if let Some(proof) = self.proof {
            return Verdict::Fail(Failure::Proof(proof));
        }
        if let Some(held) = self.held() {
            return Verdict::Hold(held);
        }
        if let Some(missing) = self.missing(hold) {
            return Verdict::Inconclusive(Inconclusive::Requests(missing));
        }
        let lasted = self.step.as_ref().map_or(Duration::ZERO, Step::length);
        let passed = Passed::Bounds {
            errors: self.gate(self.errors_of_all()),
            slow: self.slow_of_all().map(|sides| self.gate(sides)),
            margin: self.settings.margin,
            sure: 1.0 - self.settings.false_passes,
        };
        passed.after(hold, lasted)
    }

    /// The bounds of both sides' error rates, since the release began.
    pub fn error_bounds(&self) -> Gate {
        self.gate(self.errors_of_all())
    }

    /// The proof against the canary, when the evidence exceeds the budget.
    pub(super) fn proven(&self) -> Option<Proof> {
        let (part, ln_odds) = self.strongest();
        let budget = self.settings.false_rollbacks;
        if ln_odds < -log(budget) {
            return None;
        }
        let edges = self.edges.edges();
        let (sides, edge, limit) = match part {
            Part::ErrorsRelative => (self.relative.since(), None, None),
            Part::ErrorsAbsolute => {
                (self.errors.trail.since(), None, Some(self.errors.limit(self.errors_limit())))
            }
            Part::Availability => {
                (self.unanswered.trail.since(), None, Some(self.unanswered.limit(self.unanswered_limit())))
            }
            Part::ErrorsHistory => {
                let sides = Sides { stable: self.errors.past, ..self.history.since() };
                (sides, None, Some(self.settings.history_tolerance))
            }
            Part::LatencyRelative => {
                let by_edge = self.slower.iter().zip(edges);
                let (slower, edge) = by_edge.max_by(|(one, _), (two, _)| one.ln().total_cmp(&two.ln()))?;
                (slower.since(), Some(edge), None)
            }
            Part::LatencyAbsolute => {
                let limit = self.slow.limit(self.slow_limit());
                (self.slow.trail.since(), Some(edges[FrozenEdges::SLO]), Some(limit))
            }
        };
        Some(Proof { part, sides, edge_micros: edge.map(Edge::micros), limit, ln_odds, budget })
    }

    fn held(&self) -> Option<Hold> {
        let guards = [
            (&self.errors, Trouble::Failed, self.errors_limit()),
            (&self.unanswered, Trouble::Unanswered, self.unanswered_limit()),
            (&self.slow, Trouble::Slow, self.slow_limit()),
        ];
        for (guard, trouble, limit) in guards {
            if let Some(stable) = guard.incident() {
                return Some(Hold::SharedIncident { stable, trouble, limit: guard.limit(limit) });
            }
        }
        let step = self.step.as_ref()?;
        let [canary, stable] = step.requests();
        let canary = Rate::new(canary, canary.saturating_add(stable));
        let silent = below(canary.sample(), step.share() / 2.0, 1.0) >= log(TELEMETRY_ODDS);
        silent.then_some(Hold::Telemetry { canary, weight: step.weight() })
    }

    fn gate(&self, sides: Sides) -> Gate {
        let (alpha, phi) = (self.settings.false_passes / 2.0, self.pace.phi);
        Gate {
            sides,
            canary_upper: upper(sides.canary.sample(), alpha, phi),
            stable_lower: lower(sides.stable.sample(), alpha, phi),
        }
    }

    /// What a pass needs most.
    fn missing(&self, hold: Duration) -> Option<Missing> {
        let errors = self.errors_of_all();
        let of_step = self.step.as_ref().map_or(0, |step| step.requests()[0]);
        let of_slow = self.slow_of_all().map(|sides| (Need::Latency, self.to_the_gate(sides), sides));
        let needs = [
            (Need::Errors, self.to_the_gate(errors), errors),
            (Need::Step, Some(self.settings.stratum.saturating_sub(of_step)), errors),
        ];
        let needed = needs.into_iter().chain(of_slow).filter(|(_, requests, _)| *requests != Some(0));
        let (need, requests, sides) = needed.max_by_key(|(_, requests, _)| requests.unwrap_or(u64::MAX))?;
        let (takes, weight) = match (requests, &self.step) {
            (Some(requests), Some(step)) => (step.takes(requests), step.enough(requests, hold)),
            _ => (None, None),
        };
        Some(Missing { need, requests, takes, weight, sides })
    }

    /// How many more events of the canary bring its upper bound under stable's lower one and the margin, if both fail
    /// as stable does.
    fn to_the_gate(&self, sides: Sides) -> Option<u64> {
        let (canary, stable, rate) = (sides.canary.sample(), sides.stable.sample(), sides.stable.share());
        let weight = self.step.as_ref().map_or(0.0, Step::share);
        let beside = if weight > 0.0 { (1.0 - weight) / weight } else { 0.0 };
        let (alpha, phi) = (self.settings.false_passes / 2.0, self.pace.phi);
        let after =
            |side: Sample, more: f64| Sample { events: side.events + rate * more, of: side.of + more };
        let passes = |more: u64| {
            let stable = lower(after(stable, more as f64 * beside), alpha, phi);
            is_below(after(canary, more as f64), stable + self.settings.margin, alpha, phi)
        };
        if passes(0) { Some(0) } else { smallest(passes) }
    }

    fn errors_of_all(&self) -> Sides {
        let [canary, stable] = self.total.map(|arm| arm.errors);
        Sides { canary, stable }
    }

    fn slow_of_all(&self) -> Option<Sides> {
        let [canary, stable] = self.total.map(|arm| arm.slow[FrozenEdges::SLO]);
        (canary.of > 0 || stable.of > 0).then_some(Sides { canary, stable })
    }
}
