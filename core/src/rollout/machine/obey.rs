//! What people say to a release in flight. Each order is answered: obeyed, or why not.

use crate::Timestamp;
use crate::rollout::{Gate, Order, Rollout};

use super::Watch;
use super::watch::Pause;

impl Rollout {
    /// Does what was said since the last time.
    pub(super) fn obey(&mut self, now: Timestamp, watch: &mut Watch) {
        while let Some(order) = self.orders.pop_front() {
            let reply = match order {
                Order::Pause => pause(now, watch),
                Order::Resume => self.resume_watch(now, watch),
                Order::Approve => self.approve(now, watch),
                Order::Promote => {
                    self.promote(now, watch);
                    Ok(())
                }
                Order::PromoteFull => {
                    self.full = true;
                    self.promote(now, watch);
                    Ok(())
                }
            };
            self.replies.push((order, reply.map_err(str::to_owned)));
        }
    }

    fn resume_watch(&mut self, now: Timestamp, watch: &mut Watch) -> Result<(), &'static str> {
        let pause = watch.pause.take().ok_or("it is not paused")?;
        if pause.by_verdict {
            watch.measure_anew(now);
        }
        self.unpaused(now, watch, &pause);
        Ok(())
    }

    fn approve(&mut self, now: Timestamp, watch: &mut Watch) -> Result<(), &'static str> {
        match self.gate(watch) {
            Some(Gate::Approval { .. }) if watch.waiting.is_closed() => {
                self.open(now, watch);
                Ok(())
            }
            Some(Gate::Approval { .. } | Gate::Hook(_)) | None => Err("no step waits for an approval now"),
        }
    }

    /// What holds the release up now does so no longer: a verdict, an approval, else the rest of the hold.
    fn promote(&mut self, now: Timestamp, watch: &mut Watch) {
        if let Some(pause) = watch.pause.take() {
            if pause.by_verdict {
                watch.overrule();
            }
            self.unpaused(now, watch, &pause);
        }
        watch.hurried = true;
        // An approval that is not waited for yet is not given by the way.
        let _ = self.approve(now, watch);
    }

    /// Time in which it was paused does not count, not for a gate that is waited for either; after a pause for being late, all of
    /// it is granted once more.
    fn unpaused(&mut self, now: Timestamp, watch: &mut Watch, pause: &Pause) {
        let paused = now.since(pause.since);
        watch.waiting.since = watch.waiting.since.map(|since| since.plus(paused));
        self.extend_deadline(paused);
        if self.deadline.is_some_and(|at| now >= at) {
            self.deadline = Some(now.plus(self.plan.deadline()));
        }
    }
}

fn pause(now: Timestamp, watch: &mut Watch) -> Result<(), &'static str> {
    match watch.pause {
        Some(_) => Err("it is paused already"),
        None => {
            watch.pause = Some(Pause { since: now, why: "by order".into(), by_verdict: false });
            Ok(())
        }
    }
}
