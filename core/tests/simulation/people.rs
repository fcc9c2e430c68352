//! Who begins, takes over, kills, cancels, orders, and writes by hand.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::analysis::{Judge, Settings, Start};
use crossfade_core::rollout::{Event, Judging, Outcome, Rollout};
use crossfade_core::table::{Generation, Owner, RunnerId, Weight};

use crate::counts::ending;
use crate::faults::Faults;
use crate::kv::Record;
use crate::ledger::Ledger;
use crate::rules::{Broken, Rule};
use crate::runner::{Phase, Runner};
use crate::tables::release;
use crate::world::{Happening, World};

/// Runners of one release, the first included.
const RUNNERS_MAX: usize = 4;
/// How often somebody tries to take over.
const TRIES_MAX: u32 = 10;

impl World {
    /// Plans what people are going to do.
    pub(crate) fn invite_people(&mut self) {
        for (index, (at, _)) in self.faults.orders.clone().into_iter().enumerate() {
            self.after(at, Happening::Orders(index));
        }
        if let Some(at) = self.faults.foreign {
            self.after(at, Happening::WritesByHand);
        }
        if let Some(at) = self.faults.usurp {
            self.will_take_over(at);
        }
    }

    /// The first runner.
    pub(crate) fn begins(&mut self) -> Result<(), Broken> {
        let story = self.story.clone();
        let owner = Owner { runner: runner_id(0), generation: Generation::FIRST };
        let rollout = Rollout::new(story.plan, story.base, story.subject, self.release.clone(), owner);
        let mut rollout = rollout.unwrap();
        if self.story.traffic.is_some() {
            let start = Start { planned: rollout.plan().deadline(), ..Start::default() };
            let judge = Judge::sequential(Settings::default(), &start).unwrap();
            rollout = rollout.judged_by(Judging::new(judge, self.now));
        }
        // The record is there before the machine begins.
        self.kv.save(self.now, Record { saved: rollout.saved(), ended: false });
        self.takes_charge(rollout, None, "")
    }

    fn takes_charge(
        &mut self,
        rollout: Rollout,
        found: Option<&RoutingTable>,
        saved: &str,
    ) -> Result<(), Broken> {
        let index = self.runners.len();
        let most = i64::try_from(self.faults.skew_max.as_millis()).unwrap() / 2;
        let skew = i64::try_from(self.dice.number(0..=2 * most.unsigned_abs())).unwrap() - most;
        let ledger =
            Ledger::new(rollout.plan().clone(), self.release.clone(), self.story.base.as_ref(), found, saved);
        self.runners.push(Runner {
            name: runner_id(index).to_string(),
            rollout,
            ledger,
            phase: Phase::Over,
            turn: 0,
            phases: 0,
            phases_of: std::collections::BTreeMap::new(),
            dead: false,
            asleep_until: None,
            slept: false,
            cancelled_at: None,
            cancel_told: false,
            goes_home: false,
            inbox: std::collections::VecDeque::new(),
            errand: None,
            outcome: None,
            ended_at: None,
            started_at: self.now,
            writes: 0,
            skew,
        });
        self.counts.add("runners");
        self.answer(index, Event::Started)
    }

    /// A phase begins and ends so much later, unless something happens to the runner first.
    pub(crate) fn begin(&mut self, index: usize, phase: Phase, millis: u64) -> Result<(), Broken> {
        let runner = &mut self.runners[index];
        runner.enters(phase);
        let turn = runner.turn;
        self.after(Duration::from_millis(millis), Happening::Turn(index, turn));
        let Faults { kill, sleep, cancel, kill_successors, .. } = self.faults;
        let is_at = |moment| self.runners[index].is_at(moment);
        let dies = is_at(kill.map(|(moment, _)| moment)) && (index == 0 || kill_successors);
        let cancelled = is_at(cancel) && index == 0;
        let sleeps = sleep.filter(|(moment, _)| is_at(Some(*moment)) && index == 0);
        if dies {
            let when = self.dice.millis(0..=millis);
            self.after(when, Happening::Dies(index));
        }
        if cancelled {
            let when = self.dice.millis(0..=millis);
            self.after(when, Happening::Cancelled(index));
        }
        if let Some((_, so_long)) = sleeps {
            self.sleeps(index, so_long);
        }
        Ok(())
    }

    fn sleeps(&mut self, index: usize, so_long: Duration) {
        let runner = &mut self.runners[index];
        self.counts.add("runners asleep");
        self.counts.add_of("asleep", runner.phase.name());
        runner.asleep_until = Some(self.now.plus(so_long));
        runner.slept = true;
        if self.faults.clock_stops {
            runner.skew -= i64::try_from(so_long.as_millis()).unwrap();
        }
        if self.dice.chance(0.7) {
            let soon = self.dice.seconds(5..=120);
            self.will_take_over(soon);
        }
    }

    pub(crate) fn dies(&mut self, index: usize) {
        if !self.runners[index].is_driving() {
            return;
        }
        let during = self.runners[index].phase.name();
        self.trace.note(self.now, &self.runners[index].name, format_args!("dies {during}"));
        self.counts.add("kills");
        self.counts.add_of("killed", during);
        self.stop_working(index);
        self.runners[index].dead = true;
        if let Some((_, Some(later))) = self.faults.kill {
            self.will_take_over(later);
        }
    }

    pub(crate) fn cancelled(&mut self, index: usize) -> Result<(), Broken> {
        let runner = &mut self.runners[index];
        if !runner.is_driving() || runner.asleep_until.is_some_and(|until| until > self.now) {
            return Ok(());
        }
        self.trace.note(self.now, &runner.name, format_args!("cancelled {}", runner.phase.name()));
        self.counts.add("cancels");
        self.counts.add_of("cancelled", runner.phase.name());
        runner.cancelled_at = Some(self.now);
        if runner.can_be_interrupted() {
            return self.answer(index, Event::Woke);
        }
        Ok(())
    }

    pub(crate) fn orders(&mut self, which: usize) -> Result<(), Broken> {
        let (_, order) = self.faults.orders[which];
        let asleep = |runner: &Runner| runner.asleep_until.is_some_and(|until| until > self.now);
        let Some(index) = self.runners.iter().rposition(|runner| runner.is_driving() && !asleep(runner))
        else {
            return Ok(());
        };
        let runner = &mut self.runners[index];
        if runner.listens() {
            return self.answer(index, Event::Ordered(order));
        }
        runner.inbox.push_back(order);
        Ok(())
    }

    pub(crate) fn will_take_over(&mut self, later: Duration) {
        self.takeovers_due += 1;
        self.after(later, Happening::TakesOver { tries: 0 });
    }

    /// Somebody believes the runner dead, rightly or not.
    pub(crate) fn takes_over(&mut self, tries: u32) -> Result<(), Broken> {
        self.takeovers_due -= 1;
        if self.runners.len() >= RUNNERS_MAX {
            return Ok(());
        }
        let down = self.is_down();
        let record = self.kv.api_record(self.now, &mut self.dice, &self.faults, down);
        let found = self.kv.api_read(self.now, &mut self.dice, &self.faults, down);
        let (Some(record), Some(found)) = (record, found) else {
            if tries < TRIES_MAX {
                self.takeovers_due += 1;
                self.after(Duration::from_secs(30), Happening::TakesOver { tries: tries + 1 });
            }
            return Ok(());
        };
        if record.ended {
            return Ok(());
        }
        // As it is stored.
        let text = serde_json::to_string(&record.saved).unwrap();
        let saved = serde_json::from_str(&text).unwrap();
        let runner = runner_id(self.runners.len());
        self.trace.note(self.now, "world", format_args!("{runner} takes over: {:?}", record.saved));
        match Rollout::resume(saved, runner, found.as_deref()) {
            Ok(rollout) => {
                self.counts.add("takeovers");
                self.takes_charge(rollout, found.as_deref(), &text)
            }
            Err(why) => {
                self.counts.add("takeovers refused");
                Rule::CanBeResumed.check(self.foreign, || why.to_string())
            }
        }
    }

    /// Somebody moves traffic by hand, from what KV holds then.
    pub(crate) fn writes_by_hand(&mut self) -> Result<(), Broken> {
        let Some(table) = self.kv.truth() else { return Ok(()) };
        self.counts.add("foreign writes");
        self.foreign = true;
        let table = table.at_rest(release("rel-by-hand"), self.now);
        self.arrives(Rc::new(table))
    }

    /// A write reaches KV.
    pub(crate) fn arrives(&mut self, table: Rc<RoutingTable>) -> Result<(), Broken> {
        self.trace.note(
            self.now,
            "kv",
            format_args!("holds revision {} of {}", table.revision(), table.release()),
        );
        let read = RoutingTable::parse(table.to_json().as_bytes());
        Rule::NothingIsLeftOver.check(read.as_ref() == Ok(&*table), || format!("{read:?}"))?;
        let sum: u32 = table.variants().iter().map(|variant| u32::from(variant.weight.basis_points())).sum();
        debug_assert_eq!(sum, u32::from(Weight::TOTAL.basis_points()));
        self.kv.apply(self.now, Rc::clone(&table));
        self.visitors.applied(self.now, &table);
        Ok(())
    }

    /// The record of a runner on its way home, which it does not wait for; tried until it is saved.
    pub(crate) fn saves(&mut self, index: usize) {
        if !self.runners[index].is_driving() {
            return;
        }
        if self.is_down() || self.dice.chance(self.faults.api_fails) {
            self.after(Duration::from_secs(2), Happening::Saves(index));
            return;
        }
        let saved = self.runners[index].rollout.saved();
        self.kv.save(self.now, Record { saved, ended: false });
    }

    pub(crate) fn finish(&mut self, index: usize, outcome: Outcome) -> Result<(), Broken> {
        let runner = &mut self.runners[index];
        runner.phase = Phase::Over;
        runner.turn += 1;
        let (writes, saved) = (runner.writes, runner.rollout.saved());
        self.counts.add_many("writes", writes);
        let (how, why) = ending(&outcome);
        self.counts.add(how);
        self.counts.add_of(how, why);
        runner.outcome = Some(outcome);
        runner.ended_at = Some(self.now);
        runner.ledger.ended()?;
        if !self.is_down() && !self.dice.chance(self.faults.api_fails) {
            let ended = !matches!(self.runners[index].outcome, Some(Outcome::Superseded(_)));
            if ended {
                self.kv.save(self.now, Record { saved, ended });
            }
        }
        self.stop_working(index);
        self.ends_legally(index)
    }
}

fn runner_id(index: usize) -> RunnerId {
    RunnerId::new("runner", format!("runner-{}", index + 1)).unwrap()
}
