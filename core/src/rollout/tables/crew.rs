//! How far each instance of a fleet is, and what has to be undone.

use crate::rollout::{Batch, NotUndone};
use crate::table::{RoutingTable, Variant, VariantName, Weight};

use super::fleet::{Fleet, Member, Progress};

impl Fleet {
    /// These are being replaced from now on.
    pub(in crate::rollout) fn take_out(&mut self, batch: Batch) {
        for member in &mut self.members[batch.range()] {
            member.stage = Progress::Busy;
            member.after = None;
        }
    }

    /// These were watched with the new version, as far as they have it.
    pub(in crate::rollout) fn vouch_for(&mut self, batch: Batch) {
        for member in &mut self.members[batch.range()] {
            if member.stage == Progress::Busy {
                member.stage = Progress::After;
            }
        }
    }

    /// How many did not take the new version.
    pub(in crate::rollout) fn failed(&self) -> usize {
        let failed = |at: &Member| at.failed || (at.stage == Progress::Busy && at.after.is_none());
        self.members.iter().filter(|member| failed(member)).count()
    }

    /// Whether anything was replaced in place, so that the table before alone does not bring it back.
    pub(in crate::rollout) fn needs_undoing(&self) -> bool {
        self.members.iter().zip(&self.crew.instances).any(|(member, instance)| {
            instance.in_place && member.lost.is_none() && member.stage != Progress::Before
        })
    }

    /// Begins to go back: what was not replaced in place has the version before at once. When nobody is left who has it, one
    /// of those with the new version has to be undone while the others serve.
    pub(in crate::rollout) fn fall_back(&mut self) {
        for (member, instance) in self.members.iter_mut().zip(&self.crew.instances) {
            if !instance.in_place && member.before.is_some() {
                member.stage = Progress::Before;
                member.after = None;
            }
        }
        let can_serve = |member: &&Member| match member.stage {
            Progress::Before => member.before.is_some(),
            Progress::Busy => false,
            Progress::After => true,
        };
        // The last one that can serve is left as it is.
        let others = self.members.iter().filter(can_serve).count() > 1;
        if others && self.shelter() == Progress::After && self.to_undo(true).is_empty() {
            let can_go = |member: &&mut Member| member.stage == Progress::After && member.serves_before();
            if let Some(spared) = self.members.iter_mut().rfind(can_go) {
                spared.stage = Progress::Busy;
            }
        }
    }

    /// Whether somebody serves the visitors of these while they are replaced.
    pub(in crate::rollout) fn serves_without(&self, batch: Batch) -> bool {
        let serves = |(index, member): (usize, &Member)| {
            let has_visitors = match (member.stage, &member.before) {
                (Progress::Busy, _) | (Progress::Before, None) => false,
                (Progress::After, None) => true,
                (Progress::Before | Progress::After, Some(_)) => member.serves_before(),
            };
            has_visitors && !batch.range().contains(&index)
        };
        self.keeps_leaving() || self.members.iter().enumerate().any(serves)
    }

    /// Who has to get the version before back: those that failed, or on the way home all that do not serve.
    pub(in crate::rollout) fn to_undo(&self, home: bool) -> Vec<VariantName> {
        let members = self.members.iter().zip(&self.crew.instances);
        let wanted = members.filter(|(member, instance)| {
            instance.in_place && member.before.is_some() && self.is_out(member, home)
        });
        wanted.map(|(_, instance)| instance.name.clone()).collect()
    }

    /// They have it back.
    pub(in crate::rollout) fn put_back(&mut self, home: bool) {
        let out: Vec<bool> = self.members.iter().map(|member| self.is_out(member, home)).collect();
        for (member, _) in self.members.iter_mut().zip(out).filter(|(_, out)| *out) {
            member.stage = Progress::Before;
            member.after = None;
            member.failed = true;
        }
    }

    /// They could not get it back.
    pub(in crate::rollout) fn lose(&mut self, not_undone: &NotUndone) {
        let mut lost = self.to_undo(true);
        if lost.iter().any(|name| not_undone.instances.contains(name)) {
            lost.retain(|name| not_undone.instances.contains(name));
        }
        for (member, instance) in self.members.iter_mut().zip(&self.crew.instances) {
            if lost.contains(&instance.name) {
                (member.stage, member.after) = (Progress::Busy, None);
                member.lost = Some(not_undone.why.clone());
            }
        }
    }

    /// What stood in the way of those that could not get the version before back; `None` when there are none.
    pub(in crate::rollout) fn lost(&self) -> Option<&str> {
        self.members.iter().find_map(|member| member.lost.as_deref())
    }

    /// The table says how far each of them is.
    pub(super) fn ended_as(&mut self, table: &RoutingTable) {
        for index in 0..self.members.len() {
            let now = table.variant(&self.crew.instances[index].name);
            let new = now.filter(|now| self.is_new(now)).map(|now| (now.origin.clone(), now.version.clone()));
            let member = &mut self.members[index];
            let left_out = now.is_some_and(|now| now.weight == Weight::ZERO);
            member.stage = if new.is_some() { Progress::After } else { Progress::Before };
            if new.is_none() && left_out && member.serves_before() {
                member.stage = Progress::Busy;
                member.lost = Some("it had been left out before the release was taken over".into());
            }
            member.after = new;
        }
    }

    /// Whether it was not there before the release.
    pub(super) fn is_new(&self, variant: &Variant) -> bool {
        let mut before = self.base.iter().flat_map(RoutingTable::variants);
        !before.any(|it| (&it.origin, &it.version) == (&variant.origin, &variant.version))
    }

    fn is_out(&self, member: &Member, home: bool) -> bool {
        match (member.stage, home) {
            (_, _) if member.lost.is_some() => false,
            (Progress::Before, _) => false,
            (Progress::Busy, true) => true,
            (Progress::Busy, false) => member.after.is_none(),
            (Progress::After, true) => self.shelter() == Progress::Before,
            (Progress::After, false) => false,
        }
    }
}
