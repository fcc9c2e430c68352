//! One runner watched: what it heard and did, against the rules that hold whatever the world answers.

use std::time::Duration;

use crossfade_core::rollout::{
    Answer, Confirmation, Effect, Event, Evidence, Found, Gate, Measurement, OnFailure, OnInconclusive,
    OnTimeout, Order, Outcome, Plan, Reason, Shift, Verdict, Word, WriteFailure,
};
use crossfade_core::table::{ReleaseId, Revision, VariantName, Weight};
use crossfade_core::{RoutingTable, Timestamp};

use crate::rules::{Broken, Rule};
use crate::tables::NEW;

/// What is known of one runner.
#[derive(Debug)]
pub(crate) struct Ledger {
    plan: Plan,
    release: ReleaseId,
    base: Option<Revision>,
    stable_before: Option<VariantName>,
    pub(crate) home_begun: bool,
    pub(crate) last: Option<RoutingTable>,
    last_event: Option<Event>,
    stopped: bool,
    /// Measurements in a row that could not be taken, by probes and by counting.
    errors: [u32; 2],
    /// What the judge says now, if there is one.
    ruled: Option<Word>,
    /// Whoever it took over from had brought it home.
    found_home: bool,
    /// Instances could not get the version before back.
    lost: bool,
    step: AtStep,
    /// Somebody wants it in full.
    full: bool,
    paused: bool,
    /// Since when it is, by its own clock.
    paused_since: Option<Timestamp>,
    /// How long the step had been seen, pauses not counted, when it went home.
    seen_for: Option<Duration>,
    /// It goes on with what another one began.
    heir: bool,
    /// The step that was saved: an index into the plan's.
    taken_up: Option<usize>,
    orders: usize,
    answered: usize,
}

/// What happened since a step began.
#[derive(Debug, Default)]
struct AtStep {
    seen_at: Option<Timestamp>,
    passed: bool,
    /// The judge lets it go on.
    ruled: bool,
    overruled: bool,
    hurried: bool,
    undone: bool,
    approved: usize,
    agreed: usize,
    paused_for: Duration,
}

impl Ledger {
    /// `saved` is what it goes on from.
    pub(crate) fn new(
        plan: Plan,
        release: ReleaseId,
        base: Option<&RoutingTable>,
        found: Option<&RoutingTable>,
        saved: &str,
    ) -> Self {
        let was_home = |found: &RoutingTable| {
            *found.release() == release && found.lease().is_none() && serving(found) == 0
        };
        Self {
            found_home: base.is_some() && found.is_some_and(was_home),
            plan,
            release,
            base: base.map(RoutingTable::revision),
            stable_before: base.map(|base| base.stable().name.clone()),
            home_begun: false,
            last: None,
            last_event: None,
            stopped: false,
            errors: [0, 0],
            ruled: None,
            lost: saved.contains("\"lost\":"),
            step: AtStep { undone: saved.contains("\"undoing\":"), ..AtStep::default() },
            full: saved.contains("\"full\":true"),
            paused: false,
            paused_since: None,
            seen_for: None,
            heir: !saved.is_empty(),
            taken_up: step_saved(saved),
            orders: 0,
            answered: 0,
        }
    }

    /// What the runner tells its machine.
    pub(crate) fn heard(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::Published(Err(WriteFailure::Superseded(_)))
            | Event::Confirmed(Confirmation::Superseded(_)) => self.stopped = true,
            Event::LookedUp(Found::Table(found)) => {
                self.stopped = found.release != self.release && Some(found.revision) != self.base;
            }
            Event::LookedUp(Found::Nothing) => self.stopped = self.base.is_some(),
            Event::Confirmed(Confirmation::Served) => {
                self.step.seen_at.get_or_insert(now);
            }
            Event::Measured(measurement) => self.measured(measurement),
            Event::Answered(Answer::Pass) => self.step.agreed += 1,
            Event::Undone(Ok(())) => self.step.undone = true,
            Event::Undone(Err(_)) => self.lost |= self.home_begun,
            Event::Deployed(results) => self.step.undone |= results.iter().any(|it| it.result.is_err()),
            Event::Ordered(_) => self.orders += 1,
            Event::Started
            | Event::Published(_)
            | Event::LookedUp(Found::NotFollowed | Found::Unreadable(_))
            | Event::Confirmed(Confirmation::NotYet(_))
            | Event::Answered(_)
            | Event::Busy
            | Event::Woke
            | Event::Cancelled(_) => {}
        }
        self.last_event = Some(event.clone());
    }

    fn measured(&mut self, Measurement { probes, counted }: &Measurement) {
        let again = |row: u32, error: bool| if error { row + 1 } else { 0 };
        if let Some(counted) = counted {
            self.errors[1] = again(self.errors[1], counted.is_err());
        }
        let Some(verdict) = probes else { return };
        self.errors[0] = again(self.errors[0], matches!(verdict, Verdict::Error(_)));
        self.step.undone |=
            matches!(verdict, Verdict::Fail(_)) && self.plan.trouble().failure == OnFailure::Rollback;
        match verdict {
            Verdict::Pass => self.step.passed = true,
            Verdict::Fail(_) | Verdict::Inconclusive(_) => {
                (self.step.passed, self.step.overruled) = (false, false)
            }
            Verdict::Error(_) => {}
        }
    }

    /// What the judge makes of it, probes considered.
    pub(crate) fn ruled(&mut self, evidence: &Evidence) {
        self.ruled = Some(evidence.verdict);
        match evidence.verdict {
            Word::Pass => self.step.ruled = true,
            // What too few requests leave open may count as passed; what is held does not.
            Word::Inconclusive => {
                self.step.ruled = self.plan.trouble().inconclusive == OnInconclusive::Promote;
            }
            Word::Fail | Word::Hold => (self.step.ruled, self.step.overruled) = (false, false),
            Word::Error => {}
        }
    }

    pub(crate) fn replied(&mut self, now: Timestamp, order: Order, reply: &Result<(), String>) {
        self.answered += 1;
        if reply.is_err() {
            return;
        }
        match order {
            Order::Promote | Order::PromoteFull => {
                self.step.hurried = true;
                self.step.overruled = true;
                self.step.approved += 1;
                self.unpaused(now);
                self.full |= order == Order::PromoteFull;
            }
            Order::Pause => {
                self.paused = true;
                self.paused_since = Some(now);
            }
            Order::Resume => self.unpaused(now),
            Order::Approve => self.step.approved += 1,
        }
    }

    fn unpaused(&mut self, now: Timestamp) {
        self.paused = false;
        self.step.paused_for += self.paused_since.take().map_or(Duration::ZERO, |since| now.since(since));
    }

    /// What the machine wants done.
    pub(crate) fn does(&mut self, now: Timestamp, effect: &Effect) -> Result<(), Broken> {
        let superseded = matches!(effect, Effect::Finish(Outcome::Superseded(_)));
        Rule::ForeignStopsUs.check(!self.stopped || superseded, || format!("{effect:?}"))?;
        if let Some(Event::Published(Err(WriteFailure::Unknown(_)))) = self.last_event {
            Rule::UnknownIsLookedUp.check(matches!(effect, Effect::LookUp), || format!("{effect:?}"))?;
        }
        self.failure_acts(effect)?;
        match effect {
            Effect::Publish { table, urgent, .. } => self.publishes(now, table, *urgent),
            Effect::Finish(outcome) => self.ends(outcome),
            Effect::LookUp
            | Effect::Confirm(_)
            | Effect::Measure { .. }
            | Effect::Ask { .. }
            | Effect::Deploy { .. }
            | Effect::Undo { .. }
            | Effect::WaitUntil(_) => Ok(()),
        }
    }

    fn failure_acts(&self, effect: &Effect) -> Result<(), Broken> {
        let stuck = matches!(effect, Effect::Finish(Outcome::Stuck { .. } | Outcome::NotStarted(_)));
        let Some(Event::Measured(measurement)) = &self.last_event else { return Ok(()) };
        let retreats = match effect {
            Effect::Publish { table, urgent, .. } => {
                *urgent || self.last.as_ref().is_some_and(|last| serving(table) < serving(last))
            }
            _ => false,
        };
        let acts = || format!("{measurement:?}, {:?}, then {effect:?}", self.ruled);
        let failed = matches!(measurement.probes, Some(Verdict::Fail(_))) || self.ruled == Some(Word::Fail);
        let blind = self.errors.iter().any(|row| *row > self.plan.limits().errors_max);
        let rolls_back = self.plan.trouble().failure == OnFailure::Rollback;
        Rule::FailuresAct.check(!(failed && rolls_back) || retreats || stuck, acts)?;
        Rule::ErrorsAreLimited.check(failed || !blind || retreats || stuck, acts)
    }

    fn publishes(&mut self, now: Timestamp, table: &RoutingTable, urgent: bool) -> Result<(), Broken> {
        let last = self.last.take();
        if let Some(last) = &last {
            let grows = table.revision() > last.revision() || table == last;
            Rule::RevisionsGrow.check(grows, || format!("{} after {}", table.revision(), last.revision()))?;
            let rises = share(table) > share(last);
            Rule::WeightsNeverRiseOnTheWayHome.check(!self.home_begun || (urgent && !rises), || {
                format!(
                    "revision {}: {} after {}, urgent: {urgent}",
                    table.revision(),
                    share(table),
                    share(last)
                )
            })?;
        }
        Rule::HomeIsFinal.check(!self.found_home || share(table) == Weight::ZERO, || {
            format!("revision {}: {}", table.revision(), share(table))
        })?;
        let settled = self.settles(table);
        if let (None, false, Some(step)) = (&last, urgent || settled || self.is_fleet(), self.taken_up) {
            let there = Shift::Canary(share(table)) == self.plan.steps()[step].shift;
            Rule::TakeoversGoOn.check(there, || format!("{} where step {step} was saved", share(table)))?;
        }
        if !self.home_begun && !urgent && self.goes_on(last.as_ref(), table, settled) {
            self.leaves_step(now, last.as_ref(), table, settled)?;
            self.step = AtStep::default();
        }
        if urgent && !self.home_begun {
            let paused = self.paused_since.map_or(Duration::ZERO, |since| now.since(since));
            let seen_for = self.step.seen_at.map(|seen| now.since(seen));
            self.seen_for = seen_for.map(|time| time.saturating_sub(self.step.paused_for + paused));
        }
        self.home_begun |= urgent;
        let is_fleet = self.is_fleet();
        // When nobody with the version before is left, the last one with the new version is all that home can be.
        let all_there_is = self.lost && serving(table) == 1 && share(table) == Weight::TOTAL;
        let home = urgent
            && (share(table) == Weight::ZERO || all_there_is)
            && (!is_fleet || table.lease().is_none());
        let leased = table.lease().is_some();
        Rule::ShiftsAreLeased.check(leased != (settled || home || self.base.is_none()), || {
            format!("revision {}, settled: {settled}, home: {home}, leased: {leased}", table.revision())
        })?;
        self.last = Some(table.clone());
        Ok(())
    }

    /// Whether a table gives visitors to the new version who had none, or takes the next batch out.
    fn goes_on(&self, last: Option<&RoutingTable>, table: &RoutingTable, settled: bool) -> bool {
        let again = matches!(self.last_event, Some(Event::Published(Err(WriteFailure::Behind(_)))));
        let Some(last) = last.filter(|last| *last != table && !again) else { return false };
        if self.is_fleet() {
            settled || takes_out(last, table)
        } else {
            settled && !self.settles(last) || share(table) > share(last)
        }
    }

    fn leaves_step(
        &self,
        now: Timestamp,
        last: Option<&RoutingTable>,
        table: &RoutingTable,
        settled: bool,
    ) -> Result<(), Broken> {
        let at = &self.step;
        let revision = table.revision();
        Rule::PausesHold.check(!self.paused, || format!("revision {revision} although paused"))?;
        // A batch that was undone needs no pass: nobody is on its new version.
        let excused = self.is_fleet() && at.undone;
        let passed = at.passed && (at.ruled || self.ruled.is_none());
        Rule::NoStepWithoutAPass
            .check(passed || at.overruled || excused, || format!("revision {revision}"))?;
        if self.is_fleet() {
            return Ok(());
        }
        let steps = self.plan.steps();
        let of =
            |table: &RoutingTable| steps.iter().position(|step| step.shift == Shift::Canary(share(table)));
        let from = last.and_then(of).unwrap_or(0);
        let held = at.seen_at.map(|seen| now.since(seen));
        let hold = if at.hurried || self.full { Duration::ZERO } else { steps[from].hold };
        Rule::HoldsBeginWhenSeen
            .check(held.is_some_and(|held| held >= hold), || format!("revision {revision} after {held:?}"))?;
        let to = if settled { steps.len() } else { of(table).unwrap_or(from) };
        let gates = self.plan.gates(to);
        let approvals = gates.iter().filter(|gate| {
            matches!(gate, Gate::Approval { within, on_timeout } if *on_timeout == OnTimeout::Abort || held < Some(*within))
        });
        let hooks = gates.iter().filter(|gate| matches!(gate, Gate::Hook(_)));
        let open = self.full || (approvals.count() <= at.approved && hooks.count() <= at.agreed);
        Rule::GatesAreKept.check(open, || format!("revision {revision}: {at:?}"))
    }

    fn ends(&self, outcome: &Outcome) -> Result<(), Broken> {
        let seen = matches!(self.last_event, Some(Event::Confirmed(Confirmation::Served)));
        let says_so = matches!(outcome, Outcome::Promoted | Outcome::RolledBack(_));
        if let (Outcome::RolledBack(Reason::NotApproved { within, .. }), false) = (outcome, self.heir) {
            let in_time = self.seen_for >= Some(*within);
            Rule::GatesHaveTheirTime.check(in_time, || format!("{:?} of {within:?}", self.seen_for))?;
        }
        Rule::EndsAreSeen.check(seen || !says_so, || format!("{outcome:?} after {:?}", self.last_event))
    }

    /// After the end, when the replies are in.
    pub(crate) fn ended(&self) -> Result<(), Broken> {
        Rule::OrdersAreAnswered
            .check(self.orders == self.answered, || format!("{} of {}", self.answered, self.orders))
    }

    fn is_fleet(&self) -> bool {
        !matches!(self.plan.steps()[0].shift, Shift::Canary(_))
    }

    /// Whether this table is the release's last word.
    fn settles(&self, table: &RoutingTable) -> bool {
        let stable = Some(&table.stable().name);
        if self.is_fleet() {
            return table.lease().is_none() && share(table) > Weight::ZERO;
        }
        stable != self.stable_before.as_ref()
    }
}

/// The step of a record, unless its runner was on the way home.
fn step_saved(saved: &str) -> Option<usize> {
    let saved: serde_json::Value = serde_json::from_str(saved).ok()?;
    usize::try_from(saved["at"]["step"].as_u64()?).ok()
}

/// What the new version has of the visitors.
pub(crate) fn share(table: &RoutingTable) -> Weight {
    let new = table.variants().iter().filter(|variant| variant.version.as_str() == NEW);
    Weight::new(new.map(|variant| variant.weight.basis_points()).sum()).unwrap()
}

/// How many places have visitors on the new version.
fn serving(table: &RoutingTable) -> usize {
    table.variants().iter().filter(|it| it.version.as_str() == NEW && it.weight > Weight::ZERO).count()
}

/// Whether instances with the version before have no visitors any more.
fn takes_out(last: &RoutingTable, table: &RoutingTable) -> bool {
    let had = last.variants().iter().filter(|it| it.version.as_str() != NEW && it.weight > Weight::ZERO);
    let gone = |name| table.variant(name).is_none_or(|it| it.weight == Weight::ZERO);
    had.map(|variant| &variant.name).any(gone)
}
