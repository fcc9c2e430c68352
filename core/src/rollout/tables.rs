//! The tables that a rollout writes, in both shapes: a canary beside stable, or a fleet of instances.

use crate::Timestamp;
use crate::table::{
    Draft, Owner, Policy, ReleaseId, Revision, RoutingTable, TableError, VariantName, Weight,
};

use super::Shift;

mod crew;
pub(super) mod fleet;
pub(super) mod pair;

pub(super) use fleet::Fleet;
pub(super) use pair::Pair;

/// Where a rollout starts from and what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// A canary beside stable: blue-green is the one whose first step is 100 %.
    Pair(Box<Pair>),
    /// Instances that are replaced batch by batch.
    Fleet(Box<Fleet>),
}

/// What every table of a rollout says of its writer.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) revision: Revision,
    pub(super) release: ReleaseId,
    pub(super) owner: Owner,
    pub(super) now: Timestamp,
}

impl Stamp {
    /// The same table, written by us now.
    fn on(&self, draft: Draft) -> Draft {
        Draft {
            revision: self.revision,
            release: self.release.clone(),
            owner: Some(self.owner.clone()),
            updated_at: self.now,
            ..draft
        }
    }
}

impl Tables {
    pub(super) const fn base(&self) -> Option<&RoutingTable> {
        match self {
            Self::Pair(pair) => pair.base.as_ref(),
            Self::Fleet(fleet) => fleet.base.as_ref(),
        }
    }

    /// The table of a step.
    pub(super) fn shifted(&self, shift: Shift, stamp: &Stamp, lease_ends: Timestamp) -> RoutingTable {
        match (self, shift) {
            (Self::Pair(pair), Shift::Canary(weight)) => pair.shifted(weight, stamp, lease_ends),
            (Self::Pair(pair), Shift::Replace(_) | Shift::Restore(_)) => {
                debug_assert!(false, "a canary's plan has no batches");
                pair.shifted(Weight::ZERO, stamp, lease_ends)
            }
            (Self::Fleet(fleet), Shift::Replace(batch)) => fleet.without(batch.range(), stamp, lease_ends),
            (Self::Fleet(fleet), Shift::Restore(batch)) => fleet.with(batch.range(), stamp, lease_ends),
            (Self::Fleet(fleet), Shift::Canary(_)) => {
                debug_assert!(false, "a fleet's plan has no canary");
                fleet.without(0..0, stamp, lease_ends)
            }
        }
    }

    /// The new version is stable.
    pub(super) fn settled(&self, stamp: &Stamp) -> RoutingTable {
        match self {
            Self::Pair(pair) => pair.settled(stamp),
            Self::Fleet(fleet) => fleet.settled(stamp),
        }
    }

    /// Whether a table of this release that has no lease is the one in which the new version is stable, not home.
    pub(super) fn is_settled(&self, table: &RoutingTable) -> bool {
        match self {
            Self::Pair(pair) => table.stable().name == pair.canary.name,
            Self::Fleet(fleet) => fleet.is_settled(table),
        }
    }

    /// The release has ended with this table, whatever else is known of it.
    pub(super) fn ended_as(&mut self, table: &RoutingTable) {
        match self {
            Self::Pair(_) => {}
            Self::Fleet(fleet) => fleet.ended_as(table),
        }
    }

    /// What was before; `None` when nothing was.
    pub(super) fn home(&self, stamp: &Stamp) -> Option<RoutingTable> {
        match self {
            Self::Pair(pair) => pair.home(stamp),
            Self::Fleet(fleet) => fleet.home(stamp),
        }
    }

    /// What stood in the way of instances that could not get the version before back.
    pub(super) fn lost(&self) -> Option<&str> {
        match self {
            Self::Pair(_) => None,
            Self::Fleet(fleet) => fleet.lost(),
        }
    }

    /// The new version's share at a step.
    pub(super) fn share(&self, shift: Shift) -> Weight {
        match (shift, self) {
            (Shift::Canary(weight), _) => weight,
            (Shift::Replace(batch) | Shift::Restore(batch), Self::Fleet(fleet)) => {
                fleet.share(batch.first + if matches!(shift, Shift::Restore(_)) { batch.count } else { 0 })
            }
            (Shift::Replace(_) | Shift::Restore(_), Self::Pair(_)) => Weight::ZERO,
        }
    }
}

/// The policy with `stable` and `canary` replaced by the variants' names. What names nobody in this table is left out.
fn resolved(
    policy: &Policy,
    stable: &VariantName,
    canary: Option<&VariantName>,
    known: &[&VariantName],
) -> Policy {
    policy.resolved(|name| match name.as_str() {
        "stable" => Some(stable.clone()),
        "canary" => canary.cloned(),
        _ => known.iter().find(|known| **known == name).copied().cloned(),
    })
}

/// A table built by the machine breaks an invariant: a bug, never the user's fault.
fn valid(table: Result<RoutingTable, TableError>) -> RoutingTable {
    table.expect("base and new version were checked, and the weights are shares of the whole")
}
