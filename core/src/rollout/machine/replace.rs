//! Replacing instances: drained, deployed, and undone when they are not well.

use crate::Timestamp;
use crate::rollout::tables::Tables;
use crate::rollout::{Batch, Broken, Deployed, Effect, NotUndone, Reason, Rollout, Shift};
use crate::table::VariantName;

use super::{Goal, State, Then};

impl Rollout {
    /// Begins a step, or settles after the last one.
    pub(super) fn go_to(&mut self, now: Timestamp, step: usize) -> Effect {
        let Some(shift) = self.plan.steps().get(step).map(|step| step.shift) else {
            return self.write(now, Goal::Settle);
        };
        if let (Tables::Fleet(fleet), Shift::Replace(batch)) = (&mut self.tables, shift) {
            if fleet.base.is_some() && !fleet.serves_without(batch) {
                let (failed, instances) = (fleet.failed(), fleet.members.len());
                let why = format!(
                    "none is left to serve while `{}` is replaced",
                    self.names(batch).iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `")
                );
                return self.go_home(now, Reason::TooManyFailed { failed, instances, why });
            }
            fleet.take_out(batch);
            // Before the first release ever nobody has to be led around what is replaced.
            if fleet.base.is_none() {
                return self.deploy(now, step);
            }
        }
        self.write(now, Goal::Step(step))
    }

    /// Waits until requests in flight on drained instances have ended.
    pub(super) fn drain(&mut self, now: Timestamp, step: usize, until: Timestamp) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Draining { step, until })));
        }
        if now >= until {
            return self.deploy(now, step);
        }
        self.state = State::Draining { step, until };
        self.wait_until(until)
    }

    /// Waits, but no longer than until the lease is to be renewed.
    fn wait_until(&self, time: Timestamp) -> Effect {
        Effect::WaitUntil(self.renewal().map_or(time, |renewal| renewal.min(time)))
    }

    /// Brings the new version to the step's batch, and renews the lease meanwhile when it is time.
    pub(super) fn deploy(&mut self, now: Timestamp, step: usize) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Deploying { step })));
        }
        let instances = self.batch(step).map(|batch| self.names(batch)).unwrap_or_default();
        self.state = State::Deploying { step };
        Effect::Deploy { instances, until: self.renewal() }
    }

    pub(super) fn deployed(&mut self, now: Timestamp, step: usize, results: Vec<Deployed>) -> Effect {
        let Some(batch) = self.batch(step) else { return self.go_to(now, step + 1) };
        let mut unhealthy: Option<String> = None;
        let mut well = 0_usize;
        for (index, name) in batch.range().zip(self.names(batch)) {
            let result = results.iter().find(|deployed| deployed.instance == name);
            match result.map(|deployed| &deployed.result) {
                Some(Ok((origin, version))) => {
                    self.replaced(index, Some((origin.clone(), version.clone())));
                    well += 1;
                }
                Some(Err(Broken::Unhealthy(why))) => {
                    unhealthy = Some(format!("{name}: {why}"));
                    self.replaced(index, None);
                }
                Some(Err(Broken::Failed(why))) => {
                    let (instance, why) = (name.to_string(), why.clone());
                    return self.go_home(now, Reason::DeployFailed { instance, why });
                }
                None => {
                    let why = "nothing was heard of it".to_owned();
                    return self.go_home(now, Reason::DeployFailed { instance: name.to_string(), why });
                }
            }
        }
        let Some(why) = unhealthy else { return self.go_to(now, step + 1) };
        let (reason, healthy_min) =
            (self.unhealthy(step, why), usize::from(self.plan.limits().healthy_min.basis_points()));
        if well * 10_000 < healthy_min * batch.count {
            return self.batch_failed(now, batch, step + 2, reason);
        }
        match self.too_many_failed(&reason) {
            Some(too_many) => self.go_home(now, too_many),
            None => self.undo(now, Then::Step(step + 1), now),
        }
    }

    /// A whole batch gets the version before back; the release goes on with the next one, unless too many have failed.
    pub(super) fn batch_failed(
        &mut self,
        now: Timestamp,
        batch: Batch,
        next: usize,
        reason: Reason,
    ) -> Effect {
        if self.tables.base().is_none() {
            return self.go_home(now, reason);
        }
        batch.range().for_each(|index| self.replaced(index, None));
        match self.too_many_failed(&reason) {
            Some(too_many) => self.go_home(now, too_many),
            None => self.write(now, Goal::Shelter(Then::Step(next))),
        }
    }

    /// Brings the version before back to whoever nobody visits from `from` on, and renews the lease meanwhile when it is time.
    pub(super) fn undo(&mut self, now: Timestamp, then: Then, from: Timestamp) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Undoing { then, from })));
        }
        let instances = self.to_undo(&then);
        if instances.is_empty() {
            return self.undone(now, then, Ok(()));
        }
        self.state = State::Undoing { then, from };
        if now < from {
            return self.wait_until(from);
        }
        Effect::Undo { instances, until: self.renewal() }
    }

    /// On the way home whoever could not get the version before back is left out, and the others are brought back all the same.
    pub(super) fn undone(&mut self, now: Timestamp, then: Then, result: Result<(), NotUndone>) -> Effect {
        match (result, then) {
            (Ok(()), then) => {
                if let Tables::Fleet(fleet) = &mut self.tables {
                    fleet.put_back(matches!(then, Then::Home(_)));
                }
                match then {
                    Then::Step(step) => self.stand_by(now, step.saturating_sub(1)),
                    Then::Home(reason) => self.go_home(now, reason),
                }
            }
            (Err(not_undone), Then::Home(reason)) => {
                if let Tables::Fleet(fleet) = &mut self.tables {
                    fleet.lose(&not_undone);
                    fleet.put_back(true);
                }
                self.go_home(now, reason)
            }
            (Err(NotUndone { why, .. }), then @ Then::Step(_)) => {
                let names: Vec<String> = self.to_undo(&then).iter().map(ToString::to_string).collect();
                self.go_home(now, Reason::DeployFailed { instance: names.join("`, `"), why })
            }
        }
    }

    /// Somebody has watched these: they count as well from now on.
    pub(super) fn vouch_for(&mut self, batch: Batch) {
        if let Tables::Fleet(fleet) = &mut self.tables {
            fleet.vouch_for(batch);
        }
    }

    /// Whether any of these has the new version.
    pub(super) fn is_new(&self, batch: Batch) -> bool {
        let Tables::Fleet(fleet) = &self.tables else { return false };
        fleet.members[batch.range()].iter().any(|member| member.after.is_some())
    }

    fn too_many_failed(&self, reason: &Reason) -> Option<Reason> {
        let Tables::Fleet(fleet) = &self.tables else { return None };
        let (failed, instances) = (fleet.failed(), fleet.members.len());
        let failed_max = usize::from(self.plan.limits().failed_max.basis_points());
        let too_many = failed * 10_000 > failed_max * instances;
        too_many.then(|| Reason::TooManyFailed { failed, instances, why: reason.to_string() })
    }

    fn unhealthy(&self, step: usize, why: String) -> Reason {
        Reason::MeasurementFailed { step, weight: self.share(step), why }
    }

    fn batch(&self, step: usize) -> Option<Batch> {
        match self.plan.steps().get(step)?.shift {
            Shift::Replace(batch) | Shift::Restore(batch) => Some(batch),
            Shift::Canary(_) => None,
        }
    }

    fn names(&self, batch: Batch) -> Vec<VariantName> {
        let Tables::Fleet(fleet) = &self.tables else { return Vec::new() };
        batch.range().map(|index| fleet.crew.instances[index].name.clone()).collect()
    }

    fn replaced(&mut self, index: usize, after: Option<(crate::table::Origin, crate::table::Version)>) {
        if let Tables::Fleet(fleet) = &mut self.tables {
            fleet.members[index].after = after;
        }
    }

    fn to_undo(&self, then: &Then) -> Vec<VariantName> {
        let Tables::Fleet(fleet) = &self.tables else { return Vec::new() };
        fleet.to_undo(matches!(then, Then::Home(_)))
    }
}
