//! Watching a step: measurements, holds, pauses, and when it may be left.

use crate::Timestamp;
use crate::rollout::{Effect, OnDeadline, OnFailure, OnInconclusive, Reason, Rollout, Shift};

use super::gate::{Passage, Waiting};
use super::voice::Voice;
use super::{Goal, State};

/// A step that is being watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rollout) struct Watch {
    pub(in crate::rollout) step: usize,
    /// When the step's revision was first seen served.
    confirmed_at: Timestamp,
    pub(super) probes: Voice,
    pub(super) judge: Voice,
    pub(super) next: Timestamp,
    /// When probes are to be asked again.
    pub(super) probes_at: Timestamp,
    /// Somebody does not want to wait for the rest of the hold.
    pub(super) hurried: bool,
    pub(super) pause: Option<Pause>,
    /// The gates of the step after this one.
    pub(super) waiting: Waiting,
}

/// Going no further for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rollout) struct Pause {
    pub(super) since: Timestamp,
    pub(super) why: String,
    /// A verdict caused it, which a person may overrule; it is not measured on.
    pub(super) by_verdict: bool,
}

impl Rollout {
    /// A step's table has just been seen served.
    pub(super) fn watch_from(&mut self, now: Timestamp, step: usize) -> Effect {
        self.watch(now, Watch { hurried: self.full, ..Watch::new(step, now) })
    }

    /// A batch has the version before again. When the release is paused it goes no further; what serves is measured on.
    pub(super) fn stand_by(&mut self, now: Timestamp, step: usize) -> Effect {
        let next = now.plus(self.plan.limits().measure_every);
        let (probes, pause) = (Voice::content(), self.paused.take());
        let watch = Watch { probes, next, probes_at: next, hurried: true, pause, ..Watch::new(step, now) };
        self.watch(now, watch)
    }

    /// What a watched step needs next: a longer lease, to be left, a measurement, patience.
    pub(super) fn watch(&mut self, now: Timestamp, mut watch: Watch) -> Effect {
        self.obey(now, &mut watch);
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Pausing(watch))));
        }
        let within = self.plan.limits().paused_max;
        match &watch.pause {
            Some(pause) if now.since(pause.since) >= within => {
                let why = pause.why.clone();
                return self.go_home(now, Reason::PausedTooLong { why, within });
            }
            Some(_) => {}
            None => {
                if let Some(effect) = self.leave(now, &mut watch) {
                    return effect;
                }
            }
        }
        if now >= watch.next && watch.is_measured() {
            return self.measure(now, watch);
        }
        let until = self.wake(now, &watch);
        self.state = State::Pausing(watch);
        Effect::WaitUntil(until)
    }

    /// The next step, when it may begin; or the end, when this one has taken too long.
    fn leave(&mut self, now: Timestamp, watch: &mut Watch) -> Option<Effect> {
        let held = watch.hurried || now >= self.hold_ends(watch);
        let ready = self.passes(watch) && held;
        // A gate that is waited for times out whatever is measured meanwhile: the deadline does not count while it is closed.
        if ready || watch.waiting.is_closed() {
            match self.passage(now, watch) {
                Passage::Open if ready => return Some(self.go_past(now, watch)),
                Passage::Ask if ready => return Some(self.ask(now, watch.clone())),
                Passage::Refused(reason) => return Some(self.go_home(now, reason)),
                Passage::Open | Passage::Ask | Passage::Closed => {}
            }
        }
        let unclear = watch.probes.unclear().or(watch.judge.unclear());
        if let Some(why) = unclear.cloned().filter(|_| held) {
            let (step, weight) = (watch.step, self.share(watch.step));
            let reason = Reason::Inconclusive { step, weight, why };
            match self.plan.trouble().inconclusive {
                OnInconclusive::Extend | OnInconclusive::Promote => {}
                OnInconclusive::Pause => watch.pause(now, reason.to_string()),
                OnInconclusive::Abort => return Some(self.go_home(now, reason)),
            }
        }
        let late = self.deadline.is_some_and(|at| now >= at);
        if late && watch.pause.is_none() && !watch.waiting.is_closed() {
            let reason = Reason::TooSlow { within: self.plan.deadline() };
            match self.plan.trouble().deadline {
                OnDeadline::Abort => return Some(self.go_home(now, reason)),
                OnDeadline::Pause => watch.pause(now, reason.to_string()),
            }
        }
        None
    }

    /// Leaves a step behind that has passed.
    fn go_past(&mut self, now: Timestamp, watch: &Watch) -> Effect {
        if let Shift::Restore(batch) = self.plan.steps()[watch.step].shift {
            self.vouch_for(batch);
        }
        self.approved = false;
        self.go_to(now, self.after(watch.step))
    }

    /// The step after this one, or the number of steps for settling. Who wants it in full leaves out what is between.
    pub(super) fn after(&self, step: usize) -> usize {
        let last = self.plan.steps().len() - 1;
        let may_skip = matches!(self.plan.steps()[last].shift, Shift::Canary(_));
        if self.full && may_skip && step < last { last } else { step + 1 }
    }

    /// A measurement or a hook said no.
    pub(super) fn failed(&mut self, now: Timestamp, mut watch: Watch, reason: Reason) -> Effect {
        match (self.plan.trouble().failure, self.plan.steps()[watch.step].shift) {
            // Not the batch, which has the version before, but what was vouched for.
            (OnFailure::Rollback, Shift::Restore(batch)) if !self.is_new(batch) => self.go_home(now, reason),
            (OnFailure::Rollback, Shift::Restore(batch)) => {
                self.paused = watch.pause;
                self.batch_failed(now, batch, watch.step + 1, reason)
            }
            (OnFailure::Rollback, Shift::Canary(_) | Shift::Replace(_)) => self.go_home(now, reason),
            (OnFailure::Pause, _) => {
                (watch.probes, watch.judge) = Default::default();
                watch.pause(now, reason.to_string());
                self.watch(now, watch)
            }
        }
    }

    pub(super) fn hold_ends(&self, watch: &Watch) -> Timestamp {
        watch.confirmed_at.plus(self.plan.steps()[watch.step].hold)
    }

    /// When there is something to do again.
    fn wake(&self, now: Timestamp, watch: &Watch) -> Timestamp {
        let deadline = self.deadline.filter(|_| watch.pause.is_none() && !watch.waiting.is_closed());
        let times = [
            watch.is_measured().then_some(watch.next),
            watch.pause.as_ref().map(|pause| pause.since.plus(self.plan.limits().paused_max)),
            (watch.pause.is_none() && self.passes(watch)).then(|| self.hold_ends(watch)),
            self.gate_changes(watch),
            self.renewal(),
            deadline,
        ];
        times.into_iter().flatten().filter(|at| *at > now).min().unwrap_or(now)
    }
}

impl Watch {
    /// Of a step that nothing is known of yet; it is measured at once.
    fn new(step: usize, now: Timestamp) -> Self {
        Self {
            step,
            confirmed_at: now,
            probes: Voice::default(),
            judge: Voice::default(),
            next: now,
            probes_at: now,
            hurried: false,
            pause: None,
            waiting: Waiting::default(),
        }
    }

    /// Whether it goes on being measured.
    fn is_measured(&self) -> bool {
        self.pause.as_ref().is_none_or(|pause| !pause.by_verdict)
    }

    /// Goes no further, because a verdict says so.
    fn pause(&mut self, now: Timestamp, why: String) {
        let since = self.pause.as_ref().map_or(now, |pause| pause.since);
        self.pause = Some(Pause { since, why, by_verdict: true });
    }

    /// What a verdict has held up may go on as if it had passed.
    pub(super) fn overrule(&mut self) {
        (self.probes, self.judge) = (Voice::content(), Voice::content());
    }

    /// Measures anew, at once.
    pub(super) fn measure_anew(&mut self, now: Timestamp) {
        (self.probes, self.judge) = Default::default();
        (self.next, self.probes_at) = (now, now);
    }
}
