//! What the machine asks of a fleet: several instances at once, each judged by its own health checks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{
    Answer, Broken, Crew, Deployed, HookGate, Measurement, NotUndone, Plan, Shift, Verdict as Measured,
};
use crossfade_core::table::{Origin, Variant, VariantName, Version, Weight};

use super::instance::{Means, Member};
use crate::cancel::Cancel;
use crate::drive::{Asked, Work};
use crate::edge::Edge;
use crate::error::Error;
use crate::health::{self, CheckResult, HealthCheck, Verdict};
use crate::probe::Target;
use crate::record::FleetSource;
use crate::release::charge::Charge;
use crate::release::gates::{context, fails_too, target, worst};
use crate::release::hooks::InFlight;
use crate::smoke::{self, SmokeTest};

/// A fleet. An instance is checked at its own origin while nobody visits it, and through the public URL by the override once it has
/// visitors again; the smoke tests are made once, at the first one that has the new version. What an instance with the version
/// before fails at as well is not blamed on the new one.
pub(in crate::release) struct FleetWork {
    members: Vec<Member>,
    /// Instances of the table before that leave the fleet.
    leaving: Vec<Variant>,
    means: Means,
    shifts: Vec<Shift>,
    version: Version,
    checks: Vec<HealthCheck>,
    tests: Vec<SmokeTest>,
    smoke_made: AtomicBool,
    error_rate_max: Weight,
    edge: Edge,
    hooks: InFlight,
}

impl FleetWork {
    /// For the instances of a crew, whose places are in the configuration.
    pub(in crate::release) fn new(
        charge: &Charge<'_>,
        plan: &Plan,
        crew: &Crew,
        base: Option<&RoutingTable>,
        source: FleetSource,
    ) -> Result<Self, Error> {
        let session = charge.session;
        let config = &session.config;
        let mut members = Vec::new();
        for instance in &crew.instances {
            let name = instance.name.clone();
            let before = base.and_then(|base| base.variant(&name).cloned());
            members.push(Member::new(
                name.clone(),
                super::way(session, &name, source.back.as_ref())?,
                before,
            ));
        }
        let stays = |variant: &&Variant| members.iter().any(|member| member.name == variant.name);
        let leaving = base.iter().flat_map(|base| base.variants()).filter(|it| !stays(it)).cloned().collect();
        let text = source.message.as_deref().unwrap_or_else(|| charge.version.as_str());
        let context = context(config, charge.version.as_str(), charge.release.as_str());
        let notes = charge.heartbeat.notes();
        let means = Means {
            client: session.client.clone(),
            branch: session.settings.branch.clone(),
            message: format!("{text} ({})", charge.release),
            directory: source.directory,
            output: OnceLock::new(),
            root: session.root.clone(),
            environment: session.environment.to_string(),
            release: charge.release.to_string(),
            version: charge.version.to_string(),
            named: config.version.clone(),
            context: Arc::new(context),
            cancel: session.cancel.clone(),
            reporter: Arc::clone(&session.reporter),
            record: Box::new(move |entry| {
                notes.note(|record| {
                    record.instances.retain(|it| it.name != entry.name);
                    record.instances.push(entry);
                });
            }),
        };
        Ok(Self {
            members,
            leaving,
            means,
            shifts: plan.steps().iter().map(|step| step.shift).collect(),
            version: charge.version.clone(),
            checks: config.health.clone(),
            smoke_made: AtomicBool::new(config.smoke.is_empty()),
            tests: config.smoke.clone(),
            error_rate_max: config.rollout.rolling.error_rate_max.0,
            edge: charge.edge.clone(),
            hooks: InFlight::new(session, &charge.asker, &charge.moment, plan),
        })
    }

    /// A release that is taken over goes on: these have the new version already, as the table says.
    pub(in crate::release) fn resumed(self, found: Option<&RoutingTable>) -> Self {
        for member in &self.members {
            let now = found.and_then(|table| table.variant(&member.name));
            member.has(now.filter(|it| it.version == self.version).map(|it| it.origin.clone()));
        }
        self
    }

    fn member(&self, name: &VariantName) -> Option<&Member> {
        self.members.iter().find(|member| member.name == *name)
    }

    /// Does the same to several instances at once; what came of each, in their order.
    fn each<T: Send>(
        &self,
        names: &[VariantName],
        what: impl Fn(&Member) -> T + Sync,
    ) -> Vec<(VariantName, Option<T>)> {
        std::thread::scope(|scope| {
            let what = &what;
            let running: Vec<_> = names
                .iter()
                .map(|name| {
                    let member = self.member(name);
                    (name.clone(), member.map(|member| scope.spawn(move || what(member))))
                })
                .collect();
            running
                .into_iter()
                .map(|(name, thread)| (name, thread.and_then(|thread| thread.join().ok())))
                .collect()
        })
    }

    fn deploy_one(&self, member: &Member, first: &VariantName) -> Result<(Origin, Version), Broken> {
        let origin = member.bring(&self.means).map_err(Broken::Failed)?;
        let at = target(origin.as_str());
        let results = self.checks_at(&at, &self.means.cancel);
        if let Some(failed) = worst(&results) {
            return Err(Broken::Unhealthy(failed.to_string()));
        }
        if member.name == *first && !self.smoke_made.load(Ordering::Relaxed) {
            let (context, cancel) = (&self.means.context, &self.means.cancel);
            let results = smoke::run_all(&self.tests, &at, context, cancel, &|_| {});
            if let Some(failed) = results.iter().find(|result| result.verdict != Verdict::Pass) {
                return Err(Broken::Unhealthy(format!("smoke test {failed}")));
            }
            self.smoke_made.store(true, Ordering::Relaxed);
        }
        member.has(Some(origin.clone()));
        Ok((origin, self.version.clone()))
    }

    fn undo_one(&self, member: &Member) -> Result<(), String> {
        member.bring_back(&self.means)?;
        let Some(before) = &member.before else { return Ok(()) };
        let never = Cancel::default();
        let results = self.checks_at(&target(before.origin.as_str()), &never);
        let blamed = results.iter().find(|result| {
            result.verdict != Verdict::Pass
                && self.blameless(result, std::slice::from_ref(&member.name), &never).is_none()
        });
        blamed.map_or(Ok(()), |failed| Err(failed.to_string()))
    }

    fn checks_at(&self, at: &Target, cancel: &Cancel) -> Vec<CheckResult> {
        health::run_all(&self.checks, at, &self.means.context, cancel)
    }

    /// That an instance which is none of `judged` fails the same check; one with the version before knows best.
    fn blameless(&self, failed: &CheckResult, judged: &[VariantName], cancel: &Cancel) -> Option<String> {
        let others = || self.members.iter().filter(|member| !judged.contains(&member.name));
        let old = others().find_map(|it| it.before.as_ref().filter(|_| it.after().is_none()));
        let witness = old.map(|old| (old.name.clone(), old.origin.clone()));
        let witness = witness.or_else(|| self.leaving.first().map(|it| (it.name.clone(), it.origin.clone())));
        let witness = witness.or_else(|| others().find_map(|it| Some((it.name.clone(), it.after()?))));
        let (name, origin) = witness?;
        let at = target(origin.as_str());
        fails_too(&self.checks, &failed.name, name.as_str(), &at, &self.means.context, cancel)
    }

    /// The health checks of a batch that has its visitors again.
    fn health(&self, batch: &[VariantName]) -> Measured {
        let cancel = &self.means.cancel;
        let measured = self.each(batch, |member| {
            // Who did not take the new version has the one before, which nobody has to be sure of.
            let at = member.after().map(|_| self.edge.target(&member.name, &self.version));
            at.map(|at| self.checks_at(&at, cancel)).unwrap_or_default()
        });
        let results: Vec<(VariantName, CheckResult)> = measured
            .into_iter()
            .flat_map(|(name, results)| {
                results.unwrap_or_default().into_iter().map(move |it| (name.clone(), it))
            })
            .collect();
        let failed: Vec<&(VariantName, CheckResult)> =
            results.iter().filter(|(_, it)| matches!(it.verdict, Verdict::Fail { .. })).collect();
        let rate_max = usize::from(self.error_rate_max.basis_points());
        if failed.len() * 10_000 > rate_max * results.len()
            && let Some((name, first)) = failed.first()
        {
            let (count, all) = (failed.len(), results.len());
            let why = format!("{count} of {all} health checks failed; {name}: {first}");
            return self.blameless(first, batch, cancel).map_or(Measured::Fail(why), Measured::Error);
        }
        let error = results.iter().find(|(_, it)| matches!(it.verdict, Verdict::Error { .. }));
        error.map_or(Measured::Pass, |(name, error)| Measured::Error(format!("{name}: {error}")))
    }
}

impl Work for FleetWork {
    fn measure(&self, Asked { step, weight, .. }: Asked) -> Measurement {
        match self.hooks.measure(step, weight) {
            Measured::Pass => {}
            measured => return measured.into(),
        }
        let range = match self.shifts.get(step) {
            Some(Shift::Replace(batch) | Shift::Restore(batch)) => batch.range(),
            Some(Shift::Canary(_)) | None => 0..0,
        };
        let batch: Vec<VariantName> =
            self.members.get(range).unwrap_or_default().iter().map(|member| member.name.clone()).collect();
        self.health(&batch).into()
    }

    fn ask(&self, gate: HookGate, step: usize) -> Answer {
        self.hooks.ask(gate, step)
    }

    fn deploy(&self, instances: &[VariantName]) -> Vec<Deployed> {
        let Some(first) = instances.first() else { return Vec::new() };
        self.each(instances, |member| self.deploy_one(member, first))
            .into_iter()
            .map(|(instance, result)| Deployed {
                instance,
                result: result.unwrap_or_else(|| Err(Broken::Failed("internal error: it panicked".into()))),
            })
            .collect()
    }

    fn undo(&self, instances: &[VariantName]) -> Result<(), NotUndone> {
        let panicked = || Err("internal error: it panicked".to_owned());
        let failed = self.each(instances, |member| self.undo_one(member)).into_iter();
        let (instances, why): (Vec<VariantName>, Vec<String>) = failed
            .filter_map(|(name, result)| {
                let why = result.unwrap_or_else(panicked).err()?;
                let why = format!("`{name}`: {why}");
                Some((name, why))
            })
            .unzip();
        if instances.is_empty() { Ok(()) } else { Err(NotUndone { instances, why: why.join("; ") }) }
    }
}
