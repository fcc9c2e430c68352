//! What a runner may write, and how runs may end, where that depends on the whole world.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Gate, Outcome, Traffic};
use crossfade_core::table::Weight;

use crate::driver::{FENCE_MILLIS, HOME_WITHIN, WRITE_MILLIS};
use crate::ledger::share;
use crate::rules::{Broken, Rule};
use crate::runner::Runner;
use crate::world::World;

impl World {
    /// Visitors only go where there is what the table says; known to a runner that nobody interferes with.
    pub(crate) fn tells_the_truth(&self, index: usize, table: &RoutingTable) -> Result<(), Broken> {
        let first = self.runners.len() == 1 && !self.is_contested();
        let lies =
            table.variants().iter().find(|it| it.weight > Weight::ZERO && !self.origins.is_as_listed(it));
        Rule::TablesTellTheTruth.check(!first || lies.is_none(), || {
            format!("{}: revision {}, {lies:?}", self.runners[index].name, table.revision())
        })
    }

    /// Home is on its way in time.
    pub(crate) fn hurries(&mut self, index: usize) -> Result<(), Broken> {
        let runner = &mut self.runners[index];
        let first = !std::mem::replace(&mut runner.goes_home, true);
        let Some(at) = runner.cancelled_at.filter(|_| first && !runner.slept) else { return Ok(()) };
        // What is left after this: a look and a write.
        let rest = Duration::from_millis(FENCE_MILLIS + WRITE_MILLIS);
        let took = self.now.since(at) + rest;
        Rule::CancelledInTime.check(took <= HOME_WITHIN, || format!("{took:?}"))
    }

    /// No runner goes on for longer than its plan grants.
    pub(crate) fn ends_in_time(&self) -> Result<(), Broken> {
        for runner in self.runners.iter().filter(|runner| runner.is_driving()) {
            let within = self.grants(runner);
            let took = self.now.since(runner.started_at);
            Rule::EverythingEnds.check(took <= within, || {
                format!("{} is {} after {took:?} of {within:?}", runner.name, runner.phase.name())
            })?;
        }
        Ok(())
    }

    /// The plan's deadline, what pauses and closed gates add to it, and the way home.
    fn grants(&self, runner: &Runner) -> Duration {
        let plan = runner.rollout.plan();
        let limits = plan.limits();
        let steps = u32::try_from(plan.steps().len()).unwrap();
        let orders = u32::try_from(self.faults.orders.len()).unwrap();
        let gates = (0..=plan.steps().len()).flat_map(|step| plan.gates(step)).map(|gate| match gate {
            Gate::Approval { within, .. } => *within,
            Gate::Hook(_) => limits.hook_waits_max + Duration::from_secs(90),
        });
        let gates: Duration = gates.sum();
        // Each order may end a pause, and a pause for being late grants the whole once more.
        let paused = (orders + 1) * (limits.paused_max + plan.deadline());
        let write = limits.write_every + Duration::from_secs(6);
        let home = (limits.home_attempts_max + 2 * limits.write_attempts_max) * write + 4 * limits.confirm_within
                // A write is repeated for as long as the lease holds.
                + (steps + 1) * limits.lease;
        let work = (steps + 2) * (self.origins.deploying() + self.origins.measuring() + limits.propagation);
        let slept = self.faults.sleep.map_or(Duration::ZERO, |(_, so_long)| so_long);
        plan.deadline() + paused + gates + home + work + slept
    }

    /// When a runner says how it ended.
    pub(crate) fn ends_legally(&mut self, index: usize) -> Result<(), Broken> {
        let runner = &self.runners[index];
        let Some(outcome) = &runner.outcome else { return Ok(()) };
        self.trace.note(self.now, &runner.name, format_args!("ends: {outcome:?}"));
        let alone = !self.is_contested() && self.faults.write_late == 0.0;
        let truth = self.kv.truth();
        match outcome {
            Outcome::Promoted | Outcome::RolledBack(_) => {
                let says = runner.ledger.last.as_ref();
                let holds = truth.as_deref() == says;
                Rule::EndsAreLegal
                    .check(!alone || holds, || format!("{outcome:?}, and KV holds {truth:?}"))?;
                let new = says.map_or(Weight::ZERO, share);
                let right =
                    if *outcome == Outcome::Promoted { new > Weight::ZERO } else { new == Weight::ZERO };
                Rule::EndsAreLegal.check(right, || format!("{outcome:?} with {new} of the new version"))
            }
            Outcome::NotStarted(_) => {
                let base = self.story.base.as_ref();
                let kept = self.runners.len() > 1 || truth.as_deref() == base || truth.is_none();
                Rule::EndsAreLegal.check(!alone || kept, || format!("{outcome:?}, and KV holds {truth:?}"))
            }
            Outcome::Stuck { traffic, .. } => {
                let faults = &self.faults;
                let reason = match traffic {
                    Traffic::NothingToReturnTo => self.story.base.is_none(),
                    Traffic::HomeNotWritten { .. } => {
                        faults.forbidden_from.is_some()
                            || faults.outage.is_some()
                            || faults.write_unknown > 0.0
                            || faults.write_refused_for_now > 0.0
                            || faults.api_fails > 0.0
                    }
                    Traffic::HomeNotConfirmed { .. } => {
                        !faults.is_prompt() || !alone || faults.kill.is_some()
                    }
                    Traffic::InstancesNotUndone { .. } => self.story.nature.undo_fails > 0.0,
                };
                Rule::StuckForAReason.check(reason, || format!("{traffic:?}"))
            }
            Outcome::Superseded(by) => {
                let other = |(at, it): (usize, &Runner)| at > index || (at != index && !it.dead);
                let others = self.foreign || self.runners.iter().enumerate().any(other);
                // With stale reads two that take over in short order may draw the same generation; the next one does not.
                let stale = self.faults.api_stale_max > Duration::ZERO;
                if !others && stale {
                    self.will_take_over(Duration::from_secs(90));
                    return Ok(());
                }
                Rule::CanBeResumed.check(others, || format!("superseded by {by}, and nobody else lives"))
            }
        }
    }

    /// When all is over.
    pub(crate) fn judge(&mut self) -> Result<(), Broken> {
        self.counts.add("runs");
        self.counts.add_many("visitors", self.visitors.all);
        self.counts.add_many("visitors on the new version", self.visitors.met_new);
        self.counts.add_many("visitors on a bad one", self.visitors.met_bad);
        self.counts.add_many("runs with crossed revisions", self.visitors.crossed.into());
        self.exposure()?;
        self.one_is_promoted()?;
        let unfinished = self.runners.iter().any(|runner| {
            let left = matches!(runner.outcome, None | Some(Outcome::Superseded(_) | Outcome::Stuck { .. }));
            runner.dead || left
        });
        let late = self.faults.write_late > 0.0;
        let truth = self.kv.truth();
        self.all_follow_who_said_so()?;
        let leased = truth.as_ref().is_some_and(|truth| truth.lease().is_some());
        Rule::NothingIsLeftOver.check(!leased || unfinished || late, || format!("{truth:?}"))
    }

    fn one_is_promoted(&self) -> Result<(), Broken> {
        let promoted: Vec<_> =
            self.runners.iter().filter(|it| it.outcome == Some(Outcome::Promoted)).collect();
        for pair in promoted.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            // One who goes on with a release that has ended, because its record does not say so, was no rival.
            let rivals = one.ended_at.is_none_or(|ended| other.started_at < ended);
            let tables = [one, other].map(|it| it.ledger.last.as_ref().map(RoutingTable::variants));
            Rule::OneIsPromoted.check(!rivals || tables[0] == tables[1], || format!("{tables:?}"))?;
        }
        Ok(())
    }

    /// Whoever says that traffic is home, or on the new version, is right everywhere in the end, whatever others did before.
    fn all_follow_who_said_so(&self) -> Result<(), Broken> {
        let Some(truth) = self.kv.truth() else { return Ok(()) };
        let said = |it: &Runner| {
            let ended = matches!(it.outcome, Some(Outcome::Promoted | Outcome::RolledBack(_)));
            ended && it.ledger.last.as_ref() == Some(&*truth)
        };
        let said = self.runners.iter().any(said);
        let other = self.edge.others(truth.revision());
        Rule::EverybodyFollows.check(!said || other.is_none(), || {
            format!("KV holds {}, and a router serves {other:?} for ever", truth.revision())
        })
    }
}
