//! The machine itself: one `match` over (state, event); what each state does is in the files below.

use crate::Timestamp;
use crate::table::{Revision, RoutingTable};

use super::{Effect, Event, Outcome, Reason, Rollout};

mod confirm;
mod gate;
mod home;
mod measure;
mod obey;
mod replace;
mod stage;
mod voice;
mod watch;
mod write;

pub use stage::Stage;

pub(super) use watch::{Pause, Watch};

/// What is in flight, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing has happened yet, or nothing since it was resumed.
    Ready(Begin),
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
    /// A [`Effect::Ask`] is in flight.
    Asking(Watch),
    /// The time before the next measurement, or until somebody says something.
    Pausing(Watch),
    /// The time that requests in flight have to end on drained instances.
    Draining { step: usize, until: Timestamp },
    /// A [`Effect::Deploy`] is in flight.
    Deploying { step: usize },
    /// A [`Effect::Undo`] is in flight; until `from` nothing is, because routers may still send visitors there.
    Undoing { then: Then, from: Timestamp },
    /// It is over.
    Finished,
}

/// Where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// With a step: the first, or the one that it was at when its runner died.
    Step(usize),
    /// With giving a batch the version before back, as its runner was when it died; afterwards this step.
    Undoing(usize),
    /// With settling once more: it had settled when its runner died, and nobody was told.
    Settle,
    /// With going home, as its runner was when it died.
    Home(Reason),
}

/// What a write is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The table of a step.
    Step(usize),
    /// The same with a longer lease; afterwards the machine goes on as it was.
    Renew(Box<State>),
    /// Only what is well serves; the rest gets the version before back.
    Shelter(Then),
    /// The new version becomes stable.
    Settle,
    /// Traffic goes home.
    Home(Reason),
}

/// What comes after instances were undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next step.
    Step(usize),
    /// Home.
    Home(Reason),
}

/// A write and its tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) goal: Goal,
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

impl Rollout {
    /// Takes what came of the effect in flight and says what to do next. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Effect {
        let mut state = std::mem::replace(&mut self.state, State::Finished);
        let event = self.note_order(now, &mut state, event);
        match (state, event) {
            (State::Ready(begin), Event::Started) => self.begin(now, begin),
            (State::Ready(Begin::Step(_)), Event::Cancelled(why)) if self.untouched() => {
                self.finish(Outcome::NotStarted(Reason::Cancelled(why)))
            }

            (State::Writing(write), Event::Published(answer)) => self.published(now, write, answer),
            (State::WritePause(write), Event::Woke) => self.repeat(write),
            (State::ReadingBack(write), Event::LookedUp(found)) => self.looked_up(now, write, found),

            (State::Confirming { goal, revision, since, .. }, Event::Confirmed(confirmation)) => {
                self.confirmed(now, goal, revision, since, confirmation)
            }
            (State::Confirming { goal, revision, since, seen }, Event::Woke) => {
                self.confirm(now, goal, revision, since, seen)
            }

            (State::Measuring(watch), Event::Measured(measurement)) => self.measured(now, watch, measurement),
            (State::Measuring(watch), Event::Busy) => self.measure(now, watch),
            (State::Asking(watch), Event::Answered(answer)) => self.answered(now, watch, answer),
            (State::Asking(watch), Event::Busy) => self.ask(now, watch),
            (State::Pausing(watch), Event::Woke) => self.watch(now, watch),

            (State::Draining { step, until }, Event::Woke) => self.drain(now, step, until),
            (State::Deploying { step }, Event::Deployed(results)) => self.deployed(now, step, results),
            (State::Deploying { step }, Event::Busy) => self.deploy(now, step),
            (State::Undoing { then, .. }, Event::Undone(result)) => self.undone(now, then, result),
            (State::Undoing { then, from }, Event::Busy | Event::Woke) => self.undo(now, then, from),

            (state, Event::Cancelled(why)) => self.cancelled(now, state, why),

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

    fn begin(&mut self, now: Timestamp, begin: Begin) -> Effect {
        self.deadline.get_or_insert_with(|| now.plus(self.plan.deadline()));
        match begin {
            Begin::Step(step) => self.go_to(now, step),
            Begin::Undoing(step) => self.write(now, Goal::Shelter(Then::Step(step))),
            Begin::Settle => self.write(now, Goal::Settle),
            Begin::Home(reason) => self.go_home(now, reason),
        }
    }

    /// Obeys an order, or keeps it until the machine comes to it; what it interrupted goes on.
    fn note_order(&mut self, now: Timestamp, state: &mut State, event: Event) -> Event {
        let Event::Ordered(order) = event else { return event };
        self.orders.push_back(order);
        match state {
            State::Measuring(watch) | State::Asking(watch) => {
                self.obey(now, watch);
                Event::Busy
            }
            State::Deploying { .. } | State::Undoing { .. } => Event::Busy,
            State::Ready(_)
            | State::Writing(_)
            | State::WritePause(_)
            | State::ReadingBack(_)
            | State::Confirming { .. }
            | State::Pausing(_)
            | State::Draining { .. }
            | State::Finished => Event::Woke,
        }
    }

    /// The first write of this release has not been sent yet.
    fn untouched(&self) -> bool {
        self.revision == self.base_revision()
    }

    fn finish(&mut self, outcome: Outcome) -> Effect {
        for order in std::mem::take(&mut self.orders) {
            self.replies.push((order, Err("the release has ended".into())));
        }
        self.state = State::Finished;
        Effect::Finish(outcome)
    }
}
