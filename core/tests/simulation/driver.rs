//! What a runner does next, in the simulated world.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{
    Confirmation, Effect, Event, Found, Measurement, Verdict, Word, WriteFailure, Writer, standing,
};
use crossfade_core::table::Revision;

use crate::counts::looked;
use crate::kv::{Fate, Record};
use crate::ledger::share;
use crate::rules::Broken;
use crate::runner::{Errand, Phase};
use crate::story::Health;
use crate::world::{Happening, World, shifted};

/// The most that a look at the table, the record, or a write may take.
pub(crate) const FENCE_MILLIS: u64 = 1_500;
pub(crate) const WRITE_MILLIS: u64 = 2_200;
/// What a cancellation may take until home is written.
pub(crate) const HOME_WITHIN: Duration = Duration::from_secs(6);
/// Answers in a row that make a revision count as served.
const CONFIRMATIONS: usize = 3;

impl World {
    /// A runner's time has come.
    pub(crate) fn turn(&mut self, index: usize, turn: u64) -> Result<(), Broken> {
        let runner = &self.runners[index];
        if runner.dead || runner.turn != turn {
            return Ok(());
        }
        if let Some(until) = runner.asleep_until
            && until > self.now
        {
            self.at(until, Happening::Turn(index, turn));
            return Ok(());
        }
        let down = self.is_down();
        match runner.phase.clone() {
            Phase::Saving(table, base) => {
                if down || self.dice.chance(self.faults.api_fails) {
                    return self.answer(index, not_written("the record"));
                }
                let saved = self.runners[index].rollout.saved();
                self.kv.save(self.now, Record { saved, ended: false });
                if self.runners[index].cancelled_at.is_some() {
                    return self.answer(index, not_written("cancelled"));
                }
                let millis = self.quick(FENCE_MILLIS);
                self.begin(index, Phase::Looking(table, base, false), millis)
            }
            Phase::Looking(table, base, urgent) => self.look(index, table, base, urgent),
            Phase::Writing(answer, _) => self.answer(index, Event::Published(answer)),
            Phase::LookingUp => {
                let read = self.kv.api_read(self.now, &mut self.dice, &self.faults, down);
                let found = match read {
                    None => Found::Unreadable("503".into()),
                    Some(None) => Found::Nothing,
                    Some(Some(table)) => Found::Table(Writer::of(&table)),
                };
                self.answer(index, Event::LookedUp(found))
            }
            Phase::Confirming(revision) => {
                let confirmation = self.confirm(index, revision);
                self.answer(index, Event::Confirmed(confirmation))
            }
            Phase::Working(effect) => self.worked(index, &effect),
            Phase::Waiting => self.answer(index, Event::Woke),
            Phase::Over => Ok(()),
        }
    }

    fn look(
        &mut self,
        index: usize,
        table: Rc<RoutingTable>,
        base: Option<Revision>,
        urgent: bool,
    ) -> Result<(), Broken> {
        let down = self.is_down();
        match self.kv.api_read(self.now, &mut self.dice, &self.faults, down) {
            Some(found) => {
                let found = found.map(|table| Writer::of(&table));
                if let Err(failure) = standing(found.as_ref(), &table, base) {
                    return self.answer(index, Event::Published(Err(failure)));
                }
            }
            None if urgent => {}
            None => return self.answer(index, not_written("the table could not be read")),
        }
        let runner = &mut self.runners[index];
        if runner.cancelled_at.is_some() && !runner.cancel_told && !urgent {
            return self.answer(index, not_written("cancelled"));
        }
        runner.writes += 1;
        let forbidden = self.faults.forbidden_from.is_some_and(|from| runner.phases >= from);
        let fate = Fate::draw(&mut self.dice, &self.faults, forbidden, down);
        let millis = self.quick(WRITE_MILLIS);
        let arrives = match fate {
            Fate::Done | Fate::Lost => Some(self.dice.number(0..=millis)),
            Fate::Late => Some(millis + self.dice.number(0..=20_000)),
            Fate::Vanished | Fate::NotNow | Fate::Never => None,
        };
        if let Some(millis) = arrives {
            self.after(Duration::from_millis(millis), Happening::Arrives(Rc::clone(&table)));
        }
        self.counts.add(fate.name());
        let answer = match fate {
            Fate::Done => Ok(()),
            Fate::Lost | Fate::Vanished | Fate::Late => Err(WriteFailure::Unknown("no answer".into())),
            Fate::NotNow => Err(WriteFailure::NotWritten("429".into())),
            Fate::Never => Err(WriteFailure::Refused("403".into())),
        };
        self.begin(index, Phase::Writing(answer, urgent), millis)
    }

    fn confirm(&mut self, index: usize, revision: Revision) -> Confirmation {
        let owner = self.runners[index].rollout.owner().clone();
        for _ in 0..CONFIRMATIONS {
            let status = self.edge.status(self.now, &self.kv, &mut self.dice, &self.faults);
            let Some(table) = status else { return Confirmation::NotYet("no table yet".into()) };
            let writer = Writer::of(&table);
            let ours = writer.release == self.release;
            let generation = writer.owner.as_ref().map(|owner| owner.generation);
            if ours && generation < Some(owner.generation) {
                return Confirmation::NotYet("the runner before".into());
            }
            let ours = ours && writer.owner.as_ref() == Some(&owner);
            match (writer.revision >= revision, ours) {
                (true, true) => {}
                (true, false) => return Confirmation::Superseded(format!("revision {}", writer.revision)),
                (false, _) => return Confirmation::NotYet(format!("revision {}", writer.revision)),
            }
        }
        Confirmation::Served
    }

    /// Work has ended, or the lease must be renewed first.
    fn worked(&mut self, index: usize, effect: &Effect) -> Result<(), Broken> {
        let runner = &mut self.runners[index];
        let Some((errand, _)) = runner.errand.take_if(|(_, ends)| *ends <= self.now) else {
            return self.answer(index, Event::Busy);
        };
        let dice = &mut self.dice;
        let event = match errand {
            Errand::Measure(_) => {
                let Effect::Measure { weight, probes, counts, .. } = *effect else {
                    return self.answer(index, Event::Busy);
                };
                let probes = probes.then(|| self.origins.measure(self.now, weight, dice));
                let counted = counts.map(|from| match dice.chance(self.story.nature.uncounted) {
                    true => Err("the counters do not answer".to_owned()),
                    false => Ok(self.counters.look(from, self.now)),
                });
                Event::Measured(Measurement { probes, counted })
            }
            Errand::Ask(..) => Event::Answered(self.origins.ask(dice)),
            Errand::Deploy(names) => Event::Deployed(self.origins.deploy(&names, dice)),
            Errand::Undo(names) => Event::Undone(self.origins.undo(&names, dice)),
        };
        self.answer(index, event)
    }

    /// Tells the machine, and does what it says.
    pub(crate) fn answer(&mut self, index: usize, event: Event) -> Result<(), Broken> {
        let event = self.runners[index].overruled(event);
        if matches!(event, Event::Cancelled(_)) {
            self.stop_working(index);
        }
        let runner = &mut self.runners[index];
        let clock = shifted(self.now, runner.skew);
        self.trace.note(self.now, &runner.name, format_args!("← {event:?}"));
        runner.ledger.heard(clock, &event);
        let probes_fail =
            matches!(&event, Event::Measured(Measurement { probes: Some(Verdict::Fail(_)), .. }));
        let effect = runner.rollout.handle(clock, event);
        // A verdict goes before what somebody says to it.
        for evidence in runner.rollout.evidence() {
            self.counts.add("looks");
            if evidence.verdict == Word::Fail && !probes_fail {
                let good = self.story.nature.new == Health::Good;
                self.counts.add_of("judge fails", if good { "a good version" } else { "a bad version" });
            }
            self.counts.add_of("looks", looked(evidence.verdict));
            let why = &evidence.why;
            self.trace.note(self.now, &runner.name, format_args!("{:?}: {why}", evidence.verdict));
            runner.ledger.ruled(&evidence);
        }
        for (order, reply) in runner.rollout.replies() {
            self.counts.add(if reply.is_ok() { "orders obeyed" } else { "orders declined" });
            self.trace.note(self.now, &runner.name, format_args!("{order:?}: {reply:?}"));
            runner.ledger.replied(clock, order, &reply);
        }
        match &effect {
            Effect::Publish { table, urgent, .. } => self.trace.note(
                self.now,
                &runner.name,
                format_args!(
                    "→ revision {} {} {} urgent: {urgent}",
                    table.revision(),
                    share(table),
                    table.stable().name
                ),
            ),
            effect => self.trace.note(self.now, &runner.name, format_args!("→ {effect:?}")),
        }
        runner.ledger.does(clock, &effect)?;
        self.perform(index, effect)
    }

    fn perform(&mut self, index: usize, effect: Effect) -> Result<(), Broken> {
        let runner = &self.runners[index];
        let told = runner.cancelled_at.is_none() || runner.cancel_told;
        if !told && !matches!(effect, Effect::Publish { .. } | Effect::LookUp | Effect::Finish(_)) {
            return self.answer(index, Event::Woke);
        }
        if let Some((errand, until)) = Errand::of(&effect) {
            return self.work(index, errand, until, effect);
        }
        match effect {
            Effect::Publish { table, base, urgent } => {
                self.tells_the_truth(index, &table)?;
                if urgent {
                    self.hurries(index)?;
                    // The record follows without being waited for.
                    self.after(Duration::from_secs(1), Happening::Saves(index));
                    let millis = self.quick(FENCE_MILLIS);
                    return self.begin(index, Phase::Looking(table.into(), base, true), millis);
                }
                let millis = self.quick(FENCE_MILLIS);
                self.begin(index, Phase::Saving(table.into(), base), millis)
            }
            Effect::LookUp => {
                let millis = self.quick(FENCE_MILLIS);
                self.begin(index, Phase::LookingUp, millis)
            }
            Effect::Confirm(revision) => {
                let millis = self.dice.number(50..=800);
                self.begin(index, Phase::Confirming(revision), millis)
            }
            Effect::WaitUntil(time) => {
                if let Some(order) = self.runners[index].inbox.pop_front() {
                    return self.answer(index, Event::Ordered(order));
                }
                let clock = shifted(self.now, self.runners[index].skew);
                let millis = u64::try_from(time.since(clock).as_millis()).unwrap();
                self.begin(index, Phase::Waiting, millis)
            }
            Effect::Finish(outcome) => self.finish(index, outcome),
            Effect::Measure { .. } | Effect::Ask { .. } | Effect::Deploy { .. } | Effect::Undo { .. } => {
                Ok(())
            }
        }
    }

    /// Begins work, or goes on with the same that is under way.
    fn work(
        &mut self,
        index: usize,
        errand: Errand,
        until: Option<crossfade_core::Timestamp>,
        effect: Effect,
    ) -> Result<(), Broken> {
        if self.runners[index].errand.as_ref().is_none_or(|(running, _)| *running != errand) {
            self.stop_working(index);
            let takes = match &errand {
                Errand::Measure(_) => self.origins.measuring(),
                Errand::Ask(..) => self.dice.millis(50..=4_000),
                Errand::Deploy(_) | Errand::Undo(_) => self.origins.deploying(),
            };
            self.origins.touch(errand.instances());
            self.runners[index].errand = Some((errand, self.now.plus(takes)));
        }
        let runner = &mut self.runners[index];
        let Some((_, ends)) = runner.errand else { return Ok(()) };
        let clock = shifted(self.now, runner.skew);
        let renewal = until.map_or(Duration::MAX, |until| until.since(clock));
        let millis = ends.since(self.now).min(renewal).as_millis();
        if let Some(order) = runner.inbox.pop_front() {
            runner.phase = Phase::Working(effect);
            return self.answer(index, Event::Ordered(order));
        }
        self.begin(index, Phase::Working(effect), u64::try_from(millis).unwrap())
    }

    /// Work that nobody waits for any more ends half way.
    pub(crate) fn stop_working(&mut self, index: usize) {
        if let Some((errand, _)) = self.runners[index].errand.take() {
            self.origins.abandon(errand.instances(), &mut self.dice);
        }
    }

    /// Mostly quick, sometimes as slow as it may be.
    fn quick(&mut self, most: u64) -> u64 {
        let most = if self.dice.chance(0.9) { 300 } else { most };
        self.dice.number(20..=most)
    }
}

fn not_written(why: &str) -> Event {
    Event::Published(Err(WriteFailure::NotWritten(why.into())))
}
