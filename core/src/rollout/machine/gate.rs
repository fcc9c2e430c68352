//! Gates: what must be open before the next step. While one is closed the step before goes on being watched, and a gate that
//! has opened stays open.

use crate::rollout::{Answer, Effect, Gate, OnTimeout, Reason, Rollout};
use crate::{Span, Timestamp};

use super::{Goal, State, Watch};

/// How far the gates of the next step are passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// How many are open.
    index: usize,
    /// Since when the next one is closed.
    pub(super) since: Option<Timestamp>,
    /// When to ask a hook again.
    ask_at: Option<Timestamp>,
}

/// Whether the next step may begin.
pub(super) enum Passage {
    Open,
    /// Not now.
    Closed,
    /// A hook has to be asked.
    Ask,
    /// Not at all.
    Refused(Reason),
}

impl Waiting {
    /// Whether a gate keeps the release from going on.
    pub(super) const fn is_closed(self) -> bool {
        self.since.is_some()
    }
}

impl Rollout {
    /// Whether the step after this one may begin.
    pub(super) fn passage(&mut self, now: Timestamp, watch: &mut Watch) -> Passage {
        let step = self.after(watch.step);
        while let Some(gate) = self.gate(watch) {
            let waited = now.since(*watch.waiting.since.get_or_insert(now));
            match gate {
                Gate::Approval { .. } if self.approved => {
                    self.approved = false;
                    self.open(now, watch);
                }
                Gate::Approval { within, on_timeout: OnTimeout::Abort } if waited >= within => {
                    return Passage::Refused(Reason::NotApproved { step, within });
                }
                Gate::Approval { within, on_timeout: OnTimeout::Promote } if waited >= within => {
                    self.open(now, watch);
                }
                Gate::Approval { .. } => return Passage::Closed,
                Gate::Hook(_) if watch.waiting.ask_at.is_some_and(|at| now < at) => return Passage::Closed,
                Gate::Hook(hook) if waited >= self.plan.limits().hook_waits_max => {
                    let why = format!("it said \"not yet\" for {}", Span(waited));
                    return Passage::Refused(Reason::Refused { gate: hook.to_string(), why });
                }
                Gate::Hook(_) => return Passage::Ask,
            }
        }
        // Whoever wants it in full waits for no gate any more, and the deadline counts again.
        if let Some(since) = watch.waiting.since.take() {
            self.extend_deadline(now.since(since));
        }
        Passage::Open
    }

    /// The gate that comes next; none for who does not want to wait for any.
    pub(super) fn gate(&self, watch: &Watch) -> Option<Gate> {
        let gates = self.plan.gates(self.after(watch.step));
        gates.get(watch.waiting.index).copied().filter(|_| !self.full)
    }

    /// Passes the gate that comes next.
    pub(super) fn open(&mut self, now: Timestamp, watch: &mut Watch) {
        if let Some(since) = watch.waiting.since {
            self.extend_deadline(now.since(since));
        }
        watch.waiting = Waiting { index: watch.waiting.index + 1, since: None, ask_at: None };
    }

    /// Asks the hook that comes next, and renews the lease meanwhile when it is time.
    pub(super) fn ask(&mut self, now: Timestamp, watch: Watch) -> Effect {
        if self.renewal_due(now) {
            return self.write(now, Goal::Renew(Box::new(State::Asking(watch))));
        }
        let Some(Gate::Hook(gate)) = self.gate(&watch) else { return self.watch(now, watch) };
        let step = self.after(watch.step);
        self.state = State::Asking(watch);
        Effect::Ask { gate, step, until: self.renewal() }
    }

    pub(super) fn answered(&mut self, now: Timestamp, mut watch: Watch, answer: Answer) -> Effect {
        let gate = self.gate(&watch);
        match answer {
            Answer::Pass => {
                self.open(now, &mut watch);
                self.watch(now, watch)
            }
            Answer::Wait(patience) => {
                let patience = patience.max(self.plan.limits().confirm_every);
                watch.waiting.ask_at = Some(now.plus(patience));
                self.watch(now, watch)
            }
            Answer::Fail(why) => {
                let gate = match gate {
                    Some(Gate::Hook(hook)) => hook.to_string(),
                    Some(Gate::Approval { .. }) | None => "hook".to_owned(),
                };
                self.failed(now, watch, Reason::Refused { gate, why })
            }
        }
    }

    /// When a closed gate may open, or will never.
    pub(super) fn gate_changes(&self, watch: &Watch) -> Option<Timestamp> {
        let since = watch.waiting.since?;
        match self.gate(watch)? {
            Gate::Approval { within, .. } => Some(since.plus(within)),
            Gate::Hook(_) => watch.waiting.ask_at,
        }
    }
}
