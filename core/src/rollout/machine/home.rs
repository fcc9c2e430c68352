//! Going home: one write for a canary; for a fleet whatever was replaced in place gets the version before back first.

use crate::Timestamp;
use crate::rollout::tables::Stamp;
use crate::rollout::tables::Tables;
use crate::rollout::{Confirmation, Effect, Outcome, Reason, Rollout};
use crate::table::RoutingTable;

use super::{Begin, Goal, State, Then};

impl Rollout {
    pub(super) fn go_home(&mut self, now: Timestamp, reason: Reason) -> Effect {
        match &mut self.tables {
            // Nothing was ever written, and nobody is sent to what was deployed.
            Tables::Fleet(fleet) if fleet.base.is_none() && self.revision.is_none() => {
                self.finish(Outcome::NotStarted(reason))
            }
            Tables::Fleet(fleet) if fleet.base.is_some() && fleet.needs_undoing() => {
                fleet.fall_back();
                // When those that had visitors before are all lost, what has the new version is all that can serve.
                if fleet.lost().is_some() && fleet.to_undo(true).is_empty() {
                    return self.write(now, Goal::Home(reason));
                }
                self.write(now, Goal::Shelter(Then::Home(reason)))
            }
            Tables::Fleet(_) | Tables::Pair(_) => self.write(now, Goal::Home(reason)),
        }
    }

    /// Somebody wants it undone, whatever it is doing. A release that goes home already goes on, within the same bounds.
    pub(super) fn cancelled(&mut self, now: Timestamp, state: State, why: String) -> Effect {
        match state {
            State::Ready(begin @ Begin::Home(_)) => self.begin(now, begin),
            State::Writing(write) | State::ReadingBack(write) if write.goal.is_way_home() => {
                self.pause_or_give_up(now, write)
            }
            State::WritePause(write) if write.goal.is_way_home() => self.repeat(write),
            State::Confirming { goal, revision, since, seen } if goal.is_way_home() => {
                self.confirmed(now, goal, revision, since, Confirmation::NotYet(seen))
            }
            State::Undoing { then: then @ Then::Home(_), from } => self.undo(now, then, from),
            // The first write was refused or never sent, so there is nothing to undo.
            State::WritePause(write) if self.nothing_written(&write) => {
                self.finish(Outcome::NotStarted(Reason::Cancelled(why)))
            }
            State::Writing(write) | State::WritePause(write) | State::ReadingBack(write) => {
                self.leave_behind(&write);
                self.go_home(now, Reason::Cancelled(why))
            }
            State::Ready(_)
            | State::Confirming { .. }
            | State::Measuring(_)
            | State::Asking(_)
            | State::Pausing(_)
            | State::Draining { .. }
            | State::Deploying { .. }
            | State::Undoing { .. } => self.go_home(now, Reason::Cancelled(why)),
            State::Finished => {
                debug_assert!(false, "cancelled after the end");
                self.finish(Outcome::Superseded("the rollout had ended".into()))
            }
        }
    }

    /// The table in which only what is well serves.
    pub(super) fn sheltered(&self, then: &Then, stamp: &Stamp, lease_ends: Timestamp) -> RoutingTable {
        match (&self.tables, then) {
            (Tables::Fleet(fleet), Then::Home(_)) => fleet.sheltered(stamp, lease_ends),
            (Tables::Fleet(fleet), Then::Step(_)) => fleet.without(0..0, stamp, lease_ends),
            (Tables::Pair(pair), _) => {
                debug_assert!(false, "a canary's plan has no instances to shelter from");
                pair.shifted(crate::table::Weight::ZERO, stamp, lease_ends)
            }
        }
    }

    /// The table that is in force while this goes on, for a longer lease.
    pub(super) fn same_again(
        &self,
        interrupted: &State,
        stamp: &Stamp,
        lease_ends: Timestamp,
    ) -> RoutingTable {
        let step = match interrupted {
            State::Confirming { goal: Goal::Shelter(then), .. } | State::Undoing { then, .. } => {
                return self.sheltered(then, stamp, lease_ends);
            }
            State::Confirming { goal: Goal::Step(step), .. }
            | State::Draining { step, .. }
            | State::Deploying { step } => *step,
            State::Measuring(watch) | State::Asking(watch) | State::Pausing(watch) => watch.step,
            State::Ready(_)
            | State::Writing(_)
            | State::WritePause(_)
            | State::ReadingBack(_)
            | State::Confirming { goal: Goal::Renew(_) | Goal::Settle | Goal::Home(_), .. }
            | State::Finished => {
                debug_assert!(false, "{interrupted:?} has no lease to renew");
                0
            }
        };
        self.tables.shifted(self.plan.steps()[step].shift, stamp, lease_ends)
    }
}
