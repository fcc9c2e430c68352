//! Confirming a table: only what the edge is seen to serve has happened.

use crate::Timestamp;
use crate::rollout::{Confirmation, Effect, Outcome, Reason, Rollout, Shift, Traffic};
use crate::table::Revision;

use super::{Goal, State, Then};

impl Rollout {
    /// Asks the edge for a revision; renews the lease first when it is time.
    pub(super) fn confirm(
        &mut self,
        now: Timestamp,
        goal: Goal,
        revision: Revision,
        since: Timestamp,
        seen: String,
    ) -> Effect {
        let leased = matches!(goal, Goal::Step(_) | Goal::Shelter(_));
        let state = State::Confirming { goal, revision, since, seen };
        if leased && self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(state)));
        }
        self.state = state;
        Effect::Confirm(revision)
    }

    pub(super) fn confirmed(
        &mut self,
        now: Timestamp,
        goal: Goal,
        revision: Revision,
        since: Timestamp,
        confirmation: Confirmation,
    ) -> Effect {
        let limits = self.plan.limits();
        match confirmation {
            Confirmation::Superseded(by) => self.finish(Outcome::Superseded(by)),
            Confirmation::Served => self.served(now, goal, since),
            Confirmation::NotYet(seen) if now.since(since) < limits.confirm_within => {
                let until = now.plus(limits.confirm_every);
                self.state = State::Confirming { goal, revision, since, seen };
                Effect::WaitUntil(until)
            }
            Confirmation::NotYet(seen) => self.not_confirmed(now, goal, revision, seen),
        }
    }

    /// The edge serves the table, which was written at `since`. What was seen is one location, so whoever is not to be met by
    /// visitors any more is left alone until all locations have it, and until requests that were on their way have ended.
    fn served(&mut self, now: Timestamp, goal: Goal, since: Timestamp) -> Effect {
        let empty = now.max(since.plus(self.plan.limits().propagation)).plus(self.plan.drain());
        match goal {
            Goal::Step(step) => match self.plan.steps()[step].shift {
                Shift::Canary(_) | Shift::Restore(_) => self.watch_from(now, step),
                Shift::Replace(_) => self.drain(now, step, empty),
            },
            Goal::Shelter(then) => self.undo(now, then, empty),
            Goal::Settle => self.finish(Outcome::Promoted),
            Goal::Home(reason) => self.finish(match self.tables.lost() {
                None => Outcome::RolledBack(reason),
                Some(why) => {
                    Outcome::Stuck { reason, traffic: Traffic::InstancesNotUndone { why: why.to_owned() } }
                }
            }),
            Goal::Renew(_) => {
                debug_assert!(false, "a renewal is not confirmed");
                self.go_home(now, Reason::Cancelled("internal error: a renewal was confirmed".into()))
            }
        }
    }

    fn not_confirmed(&mut self, now: Timestamp, goal: Goal, revision: Revision, seen: String) -> Effect {
        let within = self.plan.limits().confirm_within;
        match goal {
            Goal::Home(reason) | Goal::Shelter(Then::Home(reason)) => {
                let traffic = Traffic::HomeNotConfirmed { revision, seen };
                self.finish(Outcome::Stuck { reason, traffic })
            }
            Goal::Step(_) | Goal::Settle | Goal::Renew(_) | Goal::Shelter(Then::Step(_)) => {
                self.go_home(now, Reason::NotConfirmed { revision, within, seen })
            }
        }
    }
}
