//! Writing a table: sent, repeated, looked up when nobody knows, given up.

use crate::Timestamp;
use crate::rollout::standing::foreign;
use crate::rollout::tables::Stamp;
use crate::rollout::{Effect, Found, Outcome, Reason, Rollout, Traffic, WriteFailure};
use crate::table::Revision;

use super::{Goal, State, Then, Trouble, Write};

impl Rollout {
    /// Begins a write for `goal`.
    pub(super) fn write(&mut self, now: Timestamp, goal: Goal) -> Effect {
        let revision = self.revision.max(self.served).map_or(Revision::FIRST, Revision::next);
        let stamp = Stamp { revision, release: self.release.clone(), owner: self.owner.clone(), now };
        let lease_ends = now.plus(self.plan.limits().lease);
        let table = match &goal {
            Goal::Step(step) => self.tables.shifted(self.plan.steps()[*step].shift, &stamp, lease_ends),
            Goal::Renew(interrupted) => self.same_again(interrupted, &stamp, lease_ends),
            Goal::Shelter(then) => self.sheltered(then, &stamp, lease_ends),
            Goal::Settle => self.tables.settled(&stamp),
            Goal::Home(reason) => match self.tables.home(&stamp) {
                Some(table) => table,
                None => {
                    let reason = reason.clone();
                    return self.finish(Outcome::Stuck { reason, traffic: Traffic::NothingToReturnTo });
                }
            },
        };
        if table.lease().is_some() {
            self.renewed_at = Some(now);
        }
        self.repeat(Write { goal, table, attempt: 0, trouble: None })
    }

    pub(super) fn repeat(&mut self, write: Write) -> Effect {
        let effect = Effect::Publish {
            table: Box::new(write.table.clone()),
            base: self.base_revision(),
            urgent: write.goal.is_way_home(),
        };
        self.state = State::Writing(Write { attempt: write.attempt + 1, ..write });
        effect
    }

    pub(super) fn published(
        &mut self,
        now: Timestamp,
        write: Write,
        answer: Result<(), WriteFailure>,
    ) -> Effect {
        let applied_before = write.trouble.as_ref().is_some_and(|trouble| trouble.maybe_applied);
        match answer {
            Ok(()) => self.written(now, write),
            Err(WriteFailure::Superseded(by)) => self.finish(Outcome::Superseded(by)),
            Err(WriteFailure::Behind(revision)) => {
                self.served = self.served.max(Some(revision));
                self.write(now, write.goal)
            }
            Err(WriteFailure::Unknown(why)) => {
                self.look_up(Write { trouble: Some(Trouble { why, maybe_applied: true }), ..write })
            }
            Err(WriteFailure::NotWritten(why)) => {
                let trouble = Some(Trouble { why, maybe_applied: applied_before });
                self.pause_or_give_up(now, Write { trouble, ..write })
            }
            Err(WriteFailure::Refused(why)) => {
                let trouble = Some(Trouble { why, maybe_applied: applied_before });
                self.give_up(now, Write { trouble, ..write })
            }
        }
    }

    fn written(&mut self, now: Timestamp, write: Write) -> Effect {
        let revision = write.table.revision();
        self.revision = Some(revision);
        self.held_until = write.table.lease().map(|lease| lease.expires_at);
        if matches!(write.goal, Goal::Step(_)) {
            self.first_of_step = Some(revision);
        }
        match write.goal {
            Goal::Renew(interrupted) => self.go_on(now, *interrupted),
            goal @ (Goal::Step(_) | Goal::Shelter(_) | Goal::Settle | Goal::Home(_)) => {
                self.confirm(now, goal, revision, now, "nothing yet".into())
            }
        }
    }

    /// Goes on with what a renewal of the lease interrupted.
    fn go_on(&mut self, now: Timestamp, interrupted: State) -> Effect {
        match interrupted {
            State::Confirming { goal, revision, since, seen } => {
                self.confirm(now, goal, revision, since, seen)
            }
            State::Pausing(watch) => self.watch(now, watch),
            State::Measuring(watch) => self.measure(now, watch),
            State::Asking(watch) => self.ask(now, watch),
            State::Draining { step, until } => self.drain(now, step, until),
            State::Deploying { step } => self.deploy(now, step),
            State::Undoing { then, from } => self.undo(now, then, from),
            state @ (State::Ready(_)
            | State::Writing(_)
            | State::WritePause(_)
            | State::ReadingBack(_)
            | State::Finished) => {
                debug_assert!(false, "{state:?} is never interrupted by a renewal");
                self.go_home(now, Reason::Cancelled("internal error: nothing to go on with".into()))
            }
        }
    }

    fn look_up(&mut self, write: Write) -> Effect {
        self.state = State::ReadingBack(write);
        Effect::LookUp
    }

    pub(super) fn looked_up(&mut self, now: Timestamp, write: Write, found: Found) -> Effect {
        match found {
            Found::Table(found) if found.release == self.release => {
                let ours = found.owner.as_ref() == Some(&self.owner);
                if ours && found.revision == write.table.revision() {
                    return self.written(now, write);
                }
                // Another runner's is told apart by the next try, which looks before it writes.
                self.pause_or_give_up(now, write)
            }
            Found::Table(found) if Some(found.revision) == self.base_revision() => {
                self.pause_or_give_up(now, write)
            }
            Found::NotFollowed => self.pause_or_give_up(now, write),
            Found::Nothing if self.base_revision().is_none() => self.pause_or_give_up(now, write),
            Found::Table(found) => self.finish(Outcome::Superseded(foreign(&found))),
            Found::Nothing => self.finish(Outcome::Superseded("somebody deleted the routing table".into())),
            Found::Unreadable(why) => {
                let trouble = Some(Trouble { why, maybe_applied: true });
                self.pause_or_give_up(now, Write { trouble, ..write })
            }
        }
    }

    pub(super) fn pause_or_give_up(&mut self, now: Timestamp, write: Write) -> Effect {
        let limits = self.plan.limits();
        let attempts_max =
            if write.goal.is_way_home() { limits.home_attempts_max } else { limits.write_attempts_max };
        // Home could not be written either now. As long as the lease holds there is time for KV to come back.
        let next = now.plus(limits.write_every + limits.propagation);
        let held = !write.goal.is_way_home() && self.held_until.is_some_and(|until| next < until);
        if write.attempt >= attempts_max && !held {
            return self.give_up(now, write);
        }
        let until = now.plus(limits.write_every);
        self.state = State::WritePause(write);
        Effect::WaitUntil(until)
    }

    fn give_up(&mut self, now: Timestamp, write: Write) -> Effect {
        let trouble =
            write.trouble.clone().unwrap_or(Trouble { why: "no answer".into(), maybe_applied: true });
        let nothing_written = self.nothing_written(&write);
        self.leave_behind(&write);
        if let Some(reason) = write.goal.way_home().cloned() {
            let traffic = Traffic::HomeNotWritten { why: trouble.why, lease_ends: self.lease_ends() };
            return self.finish(Outcome::Stuck { reason, traffic });
        }
        let reason = Reason::WriteFailed(trouble.why);
        if matches!(write.goal, Goal::Step(_)) && nothing_written {
            return self.finish(Outcome::NotStarted(reason));
        }
        self.go_home(now, reason)
    }

    /// Whether KV surely holds what it held before this rollout.
    pub(super) fn nothing_written(&self, write: &Write) -> bool {
        self.untouched() && write.trouble.as_ref().is_some_and(|trouble| !trouble.maybe_applied)
    }

    /// Counts a write as applied, whatever its answer was: the next table must be of a revision that no router can have
    /// seen with other content.
    pub(super) fn leave_behind(&mut self, write: &Write) {
        self.revision = Some(write.table.revision());
    }
}

impl Goal {
    /// Whether traffic goes home by it: before anything else, and as often as it takes.
    pub(super) fn is_way_home(&self) -> bool {
        self.way_home().is_some()
    }

    /// Why traffic goes home by it, if it does. The lease of instances that are given the version before back is a part of that.
    fn way_home(&self) -> Option<&Reason> {
        match self {
            Self::Home(reason) | Self::Shelter(Then::Home(reason)) => Some(reason),
            Self::Renew(interrupted) => match interrupted.as_ref() {
                State::Confirming { goal, .. } => goal.way_home(),
                State::Undoing { then: Then::Home(reason), .. } => Some(reason),
                State::Undoing { then: Then::Step(_), .. }
                | State::Ready(_)
                | State::Writing(_)
                | State::WritePause(_)
                | State::ReadingBack(_)
                | State::Measuring(_)
                | State::Asking(_)
                | State::Pausing(_)
                | State::Draining { .. }
                | State::Deploying { .. }
                | State::Finished => None,
            },
            Self::Step(_) | Self::Shelter(Then::Step(_)) | Self::Settle => None,
        }
    }
}
