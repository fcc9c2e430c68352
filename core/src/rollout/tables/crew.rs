//! How far each instance of a fleet is, and what has to be undone.

use crate::rollout::Batch;
use crate::table::VariantName;

use super::fleet::{Fleet, Stage};

impl Fleet {
    /// These are being replaced from now on.
    pub(in crate::rollout) fn take_out(&mut self, batch: Batch) {
        for member in &mut self.members[batch.range()] {
            member.stage = Stage::Busy;
            member.after = None;
        }
    }

    /// These were watched with the new version, as far as they have it.
    pub(in crate::rollout) fn vouch_for(&mut self, batch: Batch) {
        for member in &mut self.members[batch.range()] {
            if member.stage == Stage::Busy {
                member.stage = Stage::After;
            }
        }
    }

    /// How many did not take the new version.
    pub(in crate::rollout) fn failed(&self) -> usize {
        let failed = |at: &super::fleet::Member| at.failed || (at.stage == Stage::Busy && at.after.is_none());
        self.members.iter().filter(|member| failed(member)).count()
    }

    /// Whether anything was replaced in place, so that the table before alone does not bring it back.
    pub(in crate::rollout) fn needs_undoing(&self) -> bool {
        self.members
            .iter()
            .zip(&self.crew.instances)
            .any(|(member, instance)| instance.in_place && member.stage != Stage::Before)
    }

    /// When every instance has the new version, one of them has to be undone while the others serve.
    pub(in crate::rollout) fn spare_one(&mut self) {
        if self.members.iter().all(|member| member.stage == Stage::After)
            && self.shelter() == Stage::After
            && let Some(last) = self.members.last_mut()
        {
            last.stage = Stage::Busy;
        }
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
            member.stage = Stage::Before;
            member.after = None;
            member.failed = true;
        }
    }

    fn is_out(&self, member: &super::fleet::Member, home: bool) -> bool {
        match (member.stage, home) {
            (Stage::Before, _) => false,
            (Stage::Busy, true) => true,
            (Stage::Busy, false) => member.after.is_none(),
            (Stage::After, true) => self.shelter() == Stage::Before,
            (Stage::After, false) => false,
        }
    }
}
