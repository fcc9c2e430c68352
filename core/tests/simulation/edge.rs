//! Routers at many locations: each with its own copy of the table, its own clock, its own visitors; who is sent where is the
//! production code's decision.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::assign::{Assignment, VisitorId};
use crossfade_core::table::{Revision, Variant};
use crossfade_core::{RoutingTable, Timestamp};

use crate::dice::Dice;
use crate::faults::Faults;
use crate::kv::{Cache, Held, Kv};
use crate::world::shifted;

/// How old a router's table may be when it looks at KV again; it answers from the old one meanwhile.
pub(crate) const REFRESH: Duration = Duration::from_secs(30);
/// The longest time between two visitors of a router that is busy.
pub(crate) const VISITS_WITHIN: Duration = Duration::from_secs(10);
/// Routers per location.
const ROUTERS: usize = 2;

/// All routers.
#[derive(Debug)]
pub(crate) struct Edge {
    locations: Vec<Location>,
    routers: Vec<Router>,
}

#[derive(Debug)]
struct Location {
    cache: Cache,
    /// How far its clock is off, in milliseconds.
    skew: i64,
}

#[derive(Debug)]
struct Router {
    table: Option<Rc<Assignment>>,
    checked_at: Option<Timestamp>,
    failed: bool,
    visits_every: (u64, u64),
    quiet: bool,
}

/// One visitor's way.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) table: Rc<Assignment>,
    pub(crate) variant: usize,
    pub(crate) lapsed: bool,
    /// The router has few visitors.
    pub(crate) quiet: bool,
}

impl Visit {
    pub(crate) fn variant(&self) -> &Variant {
        &self.table.table().variants()[self.variant]
    }
}

impl Edge {
    pub(crate) fn new(dice: &mut Dice, faults: &Faults) -> Self {
        let count = dice.number(2..=5) as usize;
        let most = i64::try_from(faults.skew_max.as_millis()).unwrap();
        let location = |dice: &mut Dice| Location {
            cache: Cache::default(),
            skew: i64::try_from(dice.number(0..=2 * most.unsigned_abs())).unwrap() - most,
        };
        let locations: Vec<Location> = (0..count).map(|_| location(dice)).collect();
        let router = |index: usize| {
            // The first location is the runner's own, where somebody asks anyway.
            let quiet = faults.quiet && index >= ROUTERS && index % 3 == 2;
            let visits_every = if quiet { (60_000, 400_000) } else { (2_000, 10_000) };
            Router { table: None, checked_at: None, failed: false, visits_every, quiet }
        };
        let routers = (0..count * ROUTERS).map(router).collect();
        Self { locations, routers }
    }

    pub(crate) fn len(&self) -> usize {
        self.routers.len()
    }

    /// What a busy router serves that is not this.
    pub(crate) fn others(&self, revision: Revision) -> Option<Revision> {
        let busy = self.routers.iter().filter(|router| !router.quiet);
        busy.filter_map(|router| router.table.as_ref())
            .map(|ready| ready.table().revision())
            .find(|it| *it != revision)
    }

    /// How long until a router's next visitor.
    pub(crate) fn next_visit(&self, router: usize, dice: &mut Dice) -> Duration {
        let (least, most) = self.routers[router].visits_every;
        dice.millis(least..=most)
    }

    /// A visitor comes. `None`: the router has never seen a table and sends everybody to its default origin.
    pub(crate) fn visit(
        &mut self,
        router: usize,
        now: Timestamp,
        kv: &Kv,
        dice: &mut Dice,
        faults: &Faults,
    ) -> Option<Visit> {
        let table = self.table(router, now, kv, dice, faults)?;
        let here = self.clock(router, now);
        let choice = table.choose(VisitorId::from_bits(dice.bits()), here);
        Some(Visit {
            variant: choice.variant,
            lapsed: choice.lapsed,
            quiet: self.routers[router].quiet,
            table,
        })
    }

    /// What a router of the runner's own location says that it serves.
    pub(crate) fn status(&mut self, now: Timestamp, kv: &Kv, dice: &mut Dice, faults: &Faults) -> Held {
        let router = dice.index(ROUTERS);
        self.table(router, now, kv, dice, faults).map(|ready| Rc::new(ready.table().clone()))
    }

    /// The table in force there; when it is old it is looked up for the next one who asks.
    fn table(
        &mut self,
        router: usize,
        now: Timestamp,
        kv: &Kv,
        dice: &mut Dice,
        faults: &Faults,
    ) -> Option<Rc<Assignment>> {
        let known = self.routers[router].table.clone();
        let due = self.routers[router].checked_at.is_none_or(|at| now.since(at) >= REFRESH);
        if due || known.is_none() {
            self.refresh(router, now, kv, dice, faults);
        }
        known.or_else(|| self.routers[router].table.clone())
    }

    fn refresh(&mut self, index: usize, now: Timestamp, kv: &Kv, dice: &mut Dice, faults: &Faults) {
        let router = &mut self.routers[index];
        router.checked_at = Some(now);
        router.failed = !router.failed && dice.chance(faults.edge_read_fails);
        if router.failed {
            return;
        }
        let cache = &mut self.locations[index / ROUTERS].cache;
        let Some(read) = kv.edge_read(now, cache, dice, faults) else { return };
        let known = router.table.as_ref().map(|ready| ready.table().revision());
        // Never back to an older one.
        if known.is_none_or(|known| known < read.revision()) {
            router.table = Some(Rc::new(Assignment::new(RoutingTable::clone(&read))));
        }
    }

    fn clock(&self, router: usize, now: Timestamp) -> Timestamp {
        shifted(now, self.locations[router / ROUTERS].skew)
    }
}
