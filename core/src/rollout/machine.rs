//! The machine itself: one `match` over (state, event), leaves below it.

use crate::Timestamp;
use crate::table::{Revision, RoutingTable};

use super::{Confirmation, Effect, Event, Found, Outcome, Reason, Rollout, Traffic, Verdict, WriteFailure};

/// What is in flight, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing has happened yet.
    Ready,
    /// A [`Effect::Publish`] is in flight.
    Writing(Write),
    /// The time before a write is repeated.
    WritePause(Write),
    /// A [`Effect::LookUp`] is in flight, because nobody knows whether the write happened.
    ReadingBack(Write),
    /// A [`Effect::Confirm`] is in flight, or the time before the next one.
    Confirming { goal: Goal, revision: Revision, since: Timestamp, seen: String },
    /// A [`Effect::Measure`] is in flight.
    Measuring(Watch),
    /// The time before the next measurement.
    Pausing(Watch),
    /// It is over.
    Finished,
}

/// What a write is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The weights of a step.
    Step(usize),
    /// The same weights with a longer lease; afterwards the machine goes on as it was.
    Renew(Box<State>),
    /// The new version becomes stable.
    Settle,
    /// Traffic goes home.
    Home(Reason),
}

/// A write and its tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    goal: Goal,
    table: RoutingTable,
    attempt: u32,
    /// Why the last try was not acknowledged, and whether it may have been applied all the same.
    trouble: Option<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    why: String,
    maybe_applied: bool,
}

/// A step that is being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    step: usize,
    /// When the step's revision was first seen served.
    confirmed_at: Timestamp,
    /// Measurements in a row that could not be taken.
    errors: u32,
    passed: bool,
    next: Timestamp,
}

impl Rollout {
    /// Takes what came of the effect in flight and says what to do next. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Effect {
        let state = std::mem::replace(&mut self.state, State::Finished);
        match (state, event) {
            (State::Ready, Event::Started) => self.write(now, Goal::Step(0)),
            (State::Ready, Event::Cancelled(why)) => self.finish(Outcome::NotStarted(Reason::Cancelled(why))),

            (State::Writing(write), Event::Published(Ok(()))) => self.written(now, write),
            (State::Writing(write), Event::Published(Err(failure))) => {
                self.not_acknowledged(now, write, failure)
            }
            (State::WritePause(write), Event::Woke) => self.repeat(write),
            (State::ReadingBack(write), Event::LookedUp(found)) => self.looked_up(now, write, found),

            (State::Confirming { goal, revision, since, .. }, Event::Confirmed(confirmation)) => {
                self.confirmed(now, goal, revision, since, confirmation)
            }
            (State::Confirming { goal, revision, since, seen }, Event::Woke) => {
                self.confirm(now, goal, revision, since, seen)
            }

            (State::Measuring(watch), Event::Measured(verdict)) => self.measured(now, watch, verdict),
            (State::Measuring(watch), Event::StillMeasuring) => self.measure(now, watch),
            (State::Pausing(watch), Event::Woke) => self.watch(now, watch),

            // Going home is what a cancellation asks for: it goes on, within the same bounds.
            (State::Writing(write) | State::ReadingBack(write), Event::Cancelled(_))
                if matches!(write.goal, Goal::Home(_)) =>
            {
                self.pause_or_give_up(now, write)
            }
            (State::WritePause(write), Event::Cancelled(_)) if matches!(write.goal, Goal::Home(_)) => {
                self.repeat(write)
            }
            (
                State::Confirming { goal: goal @ Goal::Home(_), revision, since, seen },
                Event::Cancelled(_),
            ) => self.confirmed(now, goal, revision, since, Confirmation::NotYet(seen)),
            // The first write was refused or never sent, so there is nothing to undo.
            (State::WritePause(write), Event::Cancelled(why)) if self.nothing_written(&write) => {
                self.finish(Outcome::NotStarted(Reason::Cancelled(why)))
            }
            (
                State::Writing(write) | State::WritePause(write) | State::ReadingBack(write),
                Event::Cancelled(why),
            ) => {
                self.leave_behind(&write);
                self.go_home(now, Reason::Cancelled(why))
            }
            (State::Confirming { .. } | State::Measuring(_) | State::Pausing(_), Event::Cancelled(why)) => {
                self.go_home(now, Reason::Cancelled(why))
            }

            (State::Finished, _) => {
                debug_assert!(false, "an event after the end");
                self.finish(Outcome::Superseded("the rollout had ended".into()))
            }
            // A driver that answers what was not asked is a bug. With visitors on a split there is one safe way: home.
            (state, event) => {
                debug_assert!(false, "{event:?} does not answer {state:?}");
                self.go_home(now, Reason::Cancelled("internal error: unexpected event".into()))
            }
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Effect {
        self.state = State::Finished;
        Effect::Finish(outcome)
    }

    fn go_home(&mut self, now: Timestamp, reason: Reason) -> Effect {
        self.write(now, Goal::Home(reason))
    }

    /// Begins a write for `goal`.
    fn write(&mut self, now: Timestamp, goal: Goal) -> Effect {
        let revision = self.revision.max(self.served).map_or(Revision::FIRST, Revision::next);
        let lease_ends = now.plus(self.plan.limits().lease);
        let table = match &goal {
            Goal::Step(step) => {
                self.tables.shifted(self.plan.steps()[*step].weight, revision, now, lease_ends)
            }
            Goal::Renew(interrupted) => {
                let weight = self.plan.steps()[step_of(interrupted)].weight;
                self.tables.shifted(weight, revision, now, lease_ends)
            }
            Goal::Settle => self.tables.settled(revision, now),
            Goal::Home(reason) => match self.tables.home(revision, now) {
                Some(table) => table,
                None => {
                    let reason = reason.clone();
                    return self.finish(Outcome::Stuck { reason, traffic: Traffic::NothingToReturnTo });
                }
            },
        };
        if table.lease().is_some() {
            self.renewed_at = now;
        }
        self.repeat(Write { goal, table, attempt: 0, trouble: None })
    }

    fn repeat(&mut self, write: Write) -> Effect {
        let effect = Effect::Publish {
            table: Box::new(write.table.clone()),
            base: self.tables.base_revision(),
            urgent: matches!(write.goal, Goal::Home(_)),
        };
        self.state = State::Writing(Write { attempt: write.attempt + 1, ..write });
        effect
    }

    fn written(&mut self, now: Timestamp, write: Write) -> Effect {
        let revision = write.table.revision();
        self.revision = Some(revision);
        match write.goal {
            Goal::Renew(interrupted) => self.resume(now, *interrupted),
            goal @ (Goal::Step(_) | Goal::Settle | Goal::Home(_)) => {
                self.confirm(now, goal, revision, now, "nothing yet".into())
            }
        }
    }

    /// Goes on with what a renewal of the lease interrupted.
    fn resume(&mut self, now: Timestamp, interrupted: State) -> Effect {
        match interrupted {
            State::Confirming { goal, revision, since, seen } => {
                self.confirm(now, goal, revision, since, seen)
            }
            State::Pausing(watch) => self.watch(now, watch),
            State::Measuring(watch) => self.measure(now, watch),
            state => {
                debug_assert!(false, "{state:?} is never interrupted by a renewal");
                self.go_home(now, Reason::Cancelled("internal error: nothing to go on with".into()))
            }
        }
    }

    fn not_acknowledged(&mut self, now: Timestamp, write: Write, failure: WriteFailure) -> Effect {
        let applied_before = write.trouble.as_ref().is_some_and(|trouble| trouble.maybe_applied);
        match failure {
            WriteFailure::Superseded(by) => self.finish(Outcome::Superseded(by)),
            WriteFailure::Unknown(why) => {
                self.look_up(Write { trouble: Some(Trouble { why, maybe_applied: true }), ..write })
            }
            WriteFailure::NotWritten(why) => {
                let trouble = Some(Trouble { why, maybe_applied: applied_before });
                self.pause_or_give_up(now, Write { trouble, ..write })
            }
            WriteFailure::Refused(why) => self.give_up(
                now,
                Write { trouble: Some(Trouble { why, maybe_applied: applied_before }), ..write },
            ),
        }
    }

    fn look_up(&mut self, write: Write) -> Effect {
        self.state = State::ReadingBack(write);
        Effect::LookUp
    }

    fn looked_up(&mut self, now: Timestamp, write: Write, found: Found) -> Effect {
        match found {
            Found::Table { revision, release }
                if revision == write.table.revision() && release == *self.tables.release() =>
            {
                self.written(now, write)
            }
            Found::Table { revision, release }
                if release == *self.tables.release() || Some(revision) == self.tables.base_revision() =>
            {
                self.pause_or_give_up(now, write)
            }
            Found::Nothing if self.tables.base_revision().is_none() => self.pause_or_give_up(now, write),
            Found::Table { revision, release } => {
                self.finish(Outcome::Superseded(format!("revision {revision} of {release}")))
            }
            Found::Nothing => self.finish(Outcome::Superseded("somebody deleted the routing table".into())),
            Found::Unreadable(why) => {
                let trouble = Some(Trouble { why, maybe_applied: true });
                self.pause_or_give_up(now, Write { trouble, ..write })
            }
        }
    }

    fn pause_or_give_up(&mut self, now: Timestamp, write: Write) -> Effect {
        let limits = self.plan.limits();
        let attempts_max = match write.goal {
            Goal::Home(_) => limits.home_attempts_max,
            Goal::Step(_) | Goal::Renew(_) | Goal::Settle => limits.write_attempts_max,
        };
        if write.attempt >= attempts_max {
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
        match write.goal {
            Goal::Home(reason) => {
                let lease_ends =
                    (self.renewed_at.as_millis() > 0).then(|| self.renewed_at.plus(self.plan.limits().lease));
                let traffic = Traffic::HomeNotWritten { why: trouble.why, lease_ends };
                self.finish(Outcome::Stuck { reason, traffic })
            }
            Goal::Step(_) if nothing_written => {
                self.finish(Outcome::NotStarted(Reason::WriteFailed(trouble.why)))
            }
            Goal::Step(_) | Goal::Renew(_) | Goal::Settle => {
                self.go_home(now, Reason::WriteFailed(trouble.why))
            }
        }
    }

    /// Whether KV surely holds what it held before this rollout.
    fn nothing_written(&self, write: &Write) -> bool {
        self.revision == self.tables.base_revision()
            && write.trouble.as_ref().is_some_and(|trouble| !trouble.maybe_applied)
    }

    /// Counts a write as applied, whatever its answer was: the next table must be of a revision that no router can have
    /// seen with other content.
    fn leave_behind(&mut self, write: &Write) {
        self.revision = Some(write.table.revision());
    }

    /// Asks the edge for a revision; renews the lease first when it is time.
    fn confirm(
        &mut self,
        now: Timestamp,
        goal: Goal,
        revision: Revision,
        since: Timestamp,
        seen: String,
    ) -> Effect {
        let renew = matches!(goal, Goal::Step(_)) && self.renewal_due(now);
        let state = State::Confirming { goal, revision, since, seen };
        if renew {
            return self.write(now, Goal::Renew(Box::new(state)));
        }
        self.state = state;
        Effect::Confirm(revision)
    }

    fn confirmed(
        &mut self,
        now: Timestamp,
        goal: Goal,
        revision: Revision,
        since: Timestamp,
        confirmation: Confirmation,
    ) -> Effect {
        let limits = *self.plan.limits();
        match confirmation {
            Confirmation::Superseded(by) => self.finish(Outcome::Superseded(by)),
            Confirmation::Served => match goal {
                Goal::Step(step) => {
                    let watch = Watch { step, confirmed_at: now, errors: 0, passed: false, next: now };
                    self.watch(now, watch)
                }
                Goal::Settle => self.finish(Outcome::Promoted),
                Goal::Home(reason) => self.finish(Outcome::RolledBack(reason)),
                Goal::Renew(interrupted) => self.resume(now, *interrupted),
            },
            Confirmation::NotYet(seen) if now.since(since) < limits.confirm_within => {
                self.state = State::Confirming { goal, revision, since, seen };
                Effect::WaitUntil(now.plus(limits.confirm_every))
            }
            Confirmation::NotYet(seen) => match goal {
                Goal::Home(reason) => self
                    .finish(Outcome::Stuck { reason, traffic: Traffic::HomeNotConfirmed { revision, seen } }),
                Goal::Step(_) | Goal::Settle | Goal::Renew(_) => {
                    self.go_home(now, Reason::NotConfirmed { revision, within: limits.confirm_within, seen })
                }
            },
        }
    }

    /// What a watched step needs next: a longer lease, a measurement, patience, or to be left.
    fn watch(&mut self, now: Timestamp, watch: Watch) -> Effect {
        let step = self.plan.steps()[watch.step];
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Pausing(watch))));
        }
        let held = now.since(watch.confirmed_at) >= step.hold;
        if watch.passed && watch.errors == 0 && held {
            let next = watch.step + 1;
            let goal = if next < self.plan.steps().len() { Goal::Step(next) } else { Goal::Settle };
            return self.write(now, goal);
        }
        if now < watch.next {
            let hold_ends = watch.confirmed_at.plus(step.hold);
            let wake = if watch.passed && watch.errors == 0 { watch.next.min(hold_ends) } else { watch.next };
            let renewal = self.renewed_at.plus(self.plan.limits().renew_every);
            self.state = State::Pausing(watch);
            return Effect::WaitUntil(if self.leased() { wake.min(renewal) } else { wake });
        }
        self.measure(now, watch)
    }

    /// Measures, and renews the lease meanwhile when it is time: a measurement may take longer than the lease.
    fn measure(&mut self, now: Timestamp, watch: Watch) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Measuring(watch))));
        }
        self.state = State::Measuring(watch);
        let until = self.leased().then(|| self.renewed_at.plus(self.plan.limits().renew_every));
        Effect::Measure { step: watch.step, weight: self.plan.steps()[watch.step].weight, until }
    }

    fn measured(&mut self, now: Timestamp, watch: Watch, verdict: Verdict) -> Effect {
        let limits = self.plan.limits();
        let next = now.plus(limits.measure_every);
        let step = watch.step;
        match verdict {
            Verdict::Pass => self.watch(now, Watch { passed: true, errors: 0, next, ..watch }),
            Verdict::Fail(why) => {
                let weight = self.plan.steps()[step].weight;
                self.go_home(now, Reason::MeasurementFailed { step, weight, why })
            }
            Verdict::Error(why) if watch.errors >= limits.errors_max => {
                self.go_home(now, Reason::CouldNotMeasure { step, times: watch.errors + 1, why })
            }
            Verdict::Error(_) => self.watch(now, Watch { errors: watch.errors + 1, next, ..watch }),
        }
    }

    fn renewal_due(&self, now: Timestamp) -> bool {
        self.leased() && now.since(self.renewed_at) >= self.plan.limits().renew_every
    }

    /// Whether tables in flight carry a lease: all but a first release's.
    const fn leased(&self) -> bool {
        self.renewed_at.as_millis() > 0
    }
}

/// The step that a state belongs to; only confirming, measuring and pausing states of a step are ever asked.
fn step_of(state: &State) -> usize {
    match state {
        State::Confirming { goal: Goal::Step(step), .. } => *step,
        State::Pausing(watch) | State::Measuring(watch) => watch.step,
        State::Ready
        | State::Writing(_)
        | State::WritePause(_)
        | State::ReadingBack(_)
        | State::Confirming { .. }
        | State::Finished => {
            debug_assert!(false, "{state:?} belongs to no step");
            0
        }
    }
}
