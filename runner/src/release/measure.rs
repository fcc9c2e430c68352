//! What the rollout asks while visitors meet the new version.

use std::sync::atomic::{AtomicBool, Ordering};

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{
    Answer, Canary, Deployed, HookGate, Measurement, NotUndone, Plan, Verdict as Measured,
};
use crossfade_core::table::{VariantName, Weight};

use super::charge::Charge;
use super::gates::{context, fails_too, target, worst};
use super::hooks::InFlight;
use crate::cancel::Cancel;
use crate::context::Context;
use crate::drive::{Asked, Work};
use crate::health::{self, HealthCheck, Verdict};
use crate::probe::Target;
use crate::smoke::{self, SmokeTest};
use crate::source::Sources;

/// A canary: asked through the public URL, where everything is as visitors meet it, but by the override, so that it is the
/// canary that answers: what visitors' requests to it come to may have been rescued. At 100 %, once, the smoke tests too. When
/// stable fails the same health check, the canary is not blamed.
pub(super) struct CanaryWork {
    checks: Vec<HealthCheck>,
    tests: Vec<SmokeTest>,
    context: Context,
    at_canary: Target,
    at_everybody: Target,
    at_stable: Option<Target>,
    cancel: Cancel,
    smoke_passed: AtomicBool,
    hooks: InFlight,
    /// What is judged beside the probes.
    sources: Option<Sources>,
}

impl CanaryWork {
    pub(super) fn new(
        charge: &Charge<'_>,
        plan: &Plan,
        canary: &Canary,
        base: Option<&RoutingTable>,
        sources: Option<Sources>,
    ) -> Self {
        let session = charge.session;
        let config = &session.config;
        let tests = if config.rollout.verify_smoke { config.smoke.clone() } else { Vec::new() };
        Self {
            checks: config.health.clone(),
            context: context(config, canary.version.as_str(), charge.release.as_str()),
            at_canary: charge.edge.target(&canary.name, &canary.version, &canary.origin),
            at_everybody: charge.edge.target_of_everybody(&canary.name, &canary.version, &canary.origin),
            at_stable: base.map(|table| target(table.stable().origin.as_str())),
            cancel: session.cancel.clone(),
            smoke_passed: AtomicBool::new(tests.is_empty()),
            tests,
            hooks: InFlight::new(session, &charge.asker, &charge.moment, plan),
            sources,
        }
    }

    fn health(&self, at: &Target) -> Measured {
        let results = health::run_all(&self.checks, at, &self.context, &self.cancel);
        let Some(failed) = worst(&results) else { return Measured::Pass };
        match &failed.verdict {
            Verdict::Fail { .. } => self
                .blameless(&failed.name)
                .map_or_else(|| Measured::Fail(failed.to_string()), Measured::Error),
            Verdict::Error { .. } | Verdict::Pass => Measured::Error(failed.to_string()),
        }
    }

    /// That stable fails the same check, when it does.
    fn blameless(&self, check: &str) -> Option<String> {
        fails_too(&self.checks, check, "stable", self.at_stable.as_ref()?, &self.context, &self.cancel)
    }

    fn smoke(&self, at: &Target) -> Measured {
        let results = smoke::run_all(&self.tests, at, &self.context, &self.cancel, &|_| {});
        for result in &results {
            match &result.verdict {
                Verdict::Pass => {}
                Verdict::Fail { .. } => return Measured::Fail(result.to_string()),
                Verdict::Error { .. } => return Measured::Error(result.to_string()),
            }
        }
        self.smoke_passed.store(true, Ordering::Relaxed);
        Measured::Pass
    }

    fn probes(&self, step: usize, weight: Weight) -> Measured {
        match self.hooks.measure(step, weight) {
            Measured::Pass => {}
            measured => return measured,
        }
        let everybody = weight == Weight::TOTAL;
        let at = if everybody { &self.at_everybody } else { &self.at_canary };
        match self.health(at) {
            Measured::Pass if everybody && !self.smoke_passed.load(Ordering::Relaxed) => self.smoke(at),
            measured => measured,
        }
    }
}

impl Work for CanaryWork {
    fn measure(&self, Asked { step, weight, probes, counts }: Asked) -> Measurement {
        std::thread::scope(|scope| {
            let counting = counts
                .zip(self.sources.as_ref())
                .map(|(from, sources)| scope.spawn(move || sources.look(from)));
            let probes = probes.then(|| self.probes(step, weight));
            let panicked = |_| Err("internal error: the question panicked".into());
            let counted = counting.map(|thread| thread.join().unwrap_or_else(panicked));
            Measurement { probes, counted }
        })
    }

    fn ask(&self, gate: HookGate, step: usize) -> Answer {
        self.hooks.ask(gate, step)
    }

    fn deploy(&self, _instances: &[VariantName]) -> Vec<Deployed> {
        Vec::new()
    }

    fn undo(&self, _instances: &[VariantName]) -> Result<(), NotUndone> {
        Ok(())
    }
}
