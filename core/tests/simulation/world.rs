//! The simulated world: a virtual clock that jumps to whatever happens next, KV, routers, runners, people.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::table::ReleaseId;
use crossfade_core::{RoutingTable, Timestamp};

use crate::counters::Counters;
use crate::counts::Counts;
use crate::dice::Dice;
use crate::edge::Edge;
use crate::faults::Faults;
use crate::kv::Kv;
use crate::origins::Origins;
use crate::rules::Broken;
use crate::runner::Runner;
use crate::story::Story;
use crate::tables::release;
use crate::trace::Trace;
use crate::visitors::Visitors;

/// When every run begins: 2026-01-31T12:00:00Z.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_769_860_800_000);
/// The release that is simulated.
const RELEASE: &str = "rel-new";

/// One run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    agenda: BinaryHeap<Reverse<(Timestamp, u64, Happening)>>,
    noted: u64,
    pub(crate) dice: Dice,
    pub(crate) story: Story,
    pub(crate) faults: Faults,
    pub(crate) release: ReleaseId,
    pub(crate) kv: Kv,
    pub(crate) edge: Edge,
    pub(crate) origins: Origins,
    pub(crate) counters: Counters,
    pub(crate) runners: Vec<Runner>,
    pub(crate) visitors: Visitors,
    /// Somebody else has written.
    pub(crate) foreign: bool,
    /// When the last runner stopped, and nobody is going to take over.
    quiet_since: Option<Timestamp>,
    pub(crate) takeovers_due: u32,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
}

/// What is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A visitor comes to this router.
    Visit(usize),
    /// A runner's phase ends, if it is still the same.
    Turn(usize, u64),
    /// A write reaches KV.
    Arrives(Rc<RoutingTable>),
    /// A record is saved without being waited for.
    Saves(usize),
    Dies(usize),
    Cancelled(usize),
    TakesOver {
        tries: u32,
    },
    /// The how manieth order.
    Orders(usize),
    WritesByHand,
}

/// A run's end.
pub(crate) struct Ended {
    pub(crate) broken: Option<Broken>,
    pub(crate) world: World,
}

impl World {
    pub(crate) fn of_seed(seed: u64, keep_trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let (story, faults) = (Story::draw(&mut dice), Faults::draw(&mut dice));
        Self::new(story, faults, dice, keep_trace)
    }

    pub(crate) fn new(story: Story, faults: Faults, mut dice: Dice, keep_trace: bool) -> Self {
        let edge = Edge::new(&mut dice, &faults);
        let base = story.base.clone().map(Rc::new);
        let mut visitors = Visitors::default();
        if let Some(base) = &base {
            visitors.applied(EPOCH, base);
        }
        let origins = Origins::new(story.nature.clone(), story.in_place());
        Self {
            now: EPOCH,
            agenda: BinaryHeap::new(),
            noted: 0,
            dice,
            release: release(RELEASE),
            kv: Kv::new(EPOCH, base),
            edge,
            origins,
            counters: Counters::default(),
            runners: Vec::new(),
            visitors,
            foreign: false,
            quiet_since: None,
            takeovers_due: 0,
            trace: Trace::new(keep_trace),
            counts: Counts::default(),
            story,
            faults,
        }
    }

    /// Runs to the end, or to the first broken rule.
    pub(crate) fn run(mut self) -> Ended {
        let broken = self.runs().err();
        Ended { broken, world: self }
    }

    fn runs(&mut self) -> Result<(), Broken> {
        self.trace.note(EPOCH, "world", format_args!("{:?} {:?}", self.story, self.faults));
        for router in 0..self.edge.len() {
            let first = self.edge.next_visit(router, &mut self.dice);
            self.after(first, Happening::Visit(router));
        }
        self.invite_people();
        self.begins()?;
        while let Some(Reverse((at, _, happening))) = self.agenda.pop() {
            debug_assert!(at >= self.now, "time never goes back");
            self.now = at;
            self.happens(happening)?;
            self.ends_in_time()?;
            if self.is_over() {
                break;
            }
        }
        self.judge()
    }

    fn happens(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Visit(router) => {
                let next = self.edge.next_visit(router, &mut self.dice);
                self.after(next, Happening::Visit(router));
                let visit = self.edge.visit(router, self.now, &self.kv, &mut self.dice, &self.faults);
                visit.map_or(Ok(()), |visit| self.met(&visit))
            }
            Happening::Turn(index, turn) => self.turn(index, turn),
            Happening::Arrives(table) => self.arrives(table),
            Happening::Saves(index) => {
                self.saves(index);
                Ok(())
            }
            Happening::Dies(index) => {
                self.dies(index);
                Ok(())
            }
            Happening::Cancelled(index) => self.cancelled(index),
            Happening::TakesOver { tries } => self.takes_over(tries),
            Happening::Orders(which) => self.orders(which),
            Happening::WritesByHand => self.writes_by_hand(),
        }
    }

    pub(crate) fn at(&mut self, time: Timestamp, happening: Happening) {
        self.noted += 1;
        self.agenda.push(Reverse((time, self.noted, happening)));
    }

    pub(crate) fn after(&mut self, by: Duration, happening: Happening) {
        self.at(self.now.plus(by), happening);
    }

    /// Whether KV's API is unreachable.
    pub(crate) fn is_down(&self) -> bool {
        let age = self.now.since(EPOCH);
        self.faults.outage.is_some_and(|(from, so_long)| age >= from && age < from + so_long)
    }

    /// Whether somebody may write who does not know of the runner, or two runners believe to be in charge.
    pub(crate) fn is_contested(&self) -> bool {
        self.faults.foreign.is_some() || self.faults.usurp.is_some() || self.faults.sleep.is_some()
    }

    /// Whether nobody acts any more, and visitors had the time to notice.
    fn is_over(&mut self) -> bool {
        if self.takeovers_due > 0 || self.runners.iter().any(crate::runner::Runner::is_driving) {
            self.quiet_since = None;
            return false;
        }
        let since = *self.quiet_since.get_or_insert(self.now);
        let lease = self.visitors.leases_end().map(|end| end.plus(self.faults.skew_max));
        let settled = since.plus(crate::visitors::follows_within(&self.faults)).max(lease.unwrap_or(since));
        self.now > settled.plus(Duration::from_secs(30))
    }
}

/// A time on a clock that is off by so many milliseconds.
pub(crate) fn shifted(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(time.as_millis()).unwrap() + millis)
}

// Only the time and the order in which things were planned decide what happens next.
impl PartialEq for Happening {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Happening {}

impl PartialOrd for Happening {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Happening {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
