//! Visitors, and what they may meet.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::table::Weight;
use crossfade_core::{RoutingTable, Timestamp};

use crate::edge::{REFRESH, VISITS_WITHIN, Visit};
use crate::faults::Faults;
use crate::kv::CACHE;
use crate::ledger::share;
use crate::rules::{Broken, Rule};
use crate::tables::NEW;
use crate::world::World;

/// What visitors met so far, and what they may meet.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    pub(crate) all: u64,
    pub(crate) met_new: u64,
    pub(crate) met_bad: u64,
    /// How many would have met a bad new version if all routers were as slow as they may be.
    allowed_bad: f64,
    /// The tables that a router may still have, with the time at which KV got another one.
    possible: VecDeque<(Rc<RoutingTable>, Option<Timestamp>)>,
    last_applied_at: Option<Timestamp>,
    /// The end of the last lease that was ever given.
    leases_end: Option<Timestamp>,
    highest: Option<Rc<RoutingTable>>,
    /// A table came to KV whose number was not above all others: routers may go on with those.
    pub(crate) crossed: bool,
}

impl Visitors {
    /// KV has a new table.
    pub(crate) fn applied(&mut self, now: Timestamp, table: &Rc<RoutingTable>) {
        if let Some((_, replaced_at)) = self.possible.back_mut() {
            replaced_at.get_or_insert(now);
        }
        let highest = self.highest.as_ref().map(|highest| highest.revision());
        self.crossed |= highest > Some(table.revision());
        self.crossed |= highest == Some(table.revision()) && self.highest.as_ref() != Some(table);
        if highest < Some(table.revision()) {
            self.highest = Some(Rc::clone(table));
        }
        self.leases_end = self.leases_end.max(table.lease().map(|lease| lease.expires_at));
        self.last_applied_at = Some(now);
        self.possible.push_back((Rc::clone(table), None));
    }

    /// The most that the new version may have now, counting every table that a router may still follow.
    fn most(&mut self, now: Timestamp, faults: &Faults) -> Weight {
        let bound = follows_within(faults);
        while let Some((_, Some(replaced_at))) = self.possible.front()
            && now.since(*replaced_at) > bound
        {
            self.possible.pop_front();
        }
        // Near the end of a rolling release nobody has the version before, and a lapsed lease brings everybody to the new one.
        let may_have = |table: &RoutingTable| {
            let lapsed = table.lease().is_some_and(|lease| now.plus(faults.skew_max) >= lease.expires_at);
            let holds = table.lease().is_none_or(|lease| now < lease.expires_at.plus(faults.skew_max));
            let home = if table.stable().version.as_str() == NEW { Weight::TOTAL } else { Weight::ZERO };
            let by_weight = if holds { share(table) } else { Weight::ZERO };
            if lapsed { by_weight.max(home) } else { by_weight }
        };
        self.possible.iter().map(|(table, _)| may_have(table)).max().unwrap_or(Weight::ZERO)
    }

    pub(crate) fn leases_end(&self) -> Option<Timestamp> {
        self.leases_end
    }

    pub(crate) fn last_applied_at(&self) -> Option<Timestamp> {
        self.last_applied_at
    }
}

/// How long a busy router may take to follow KV.
pub(crate) fn follows_within(faults: &Faults) -> Duration {
    let failed = if faults.edge_read_fails > 0.0 { REFRESH + VISITS_WITHIN } else { Duration::ZERO };
    faults.lag_max + CACHE + REFRESH + VISITS_WITHIN + failed
}

impl World {
    /// What one visitor meets.
    pub(crate) fn met(&mut self, visit: &Visit) -> Result<(), Broken> {
        let now = self.now;
        self.visitors.all += 1;
        let truth = self.kv.truth();
        let weight = truth.as_ref().map_or(Weight::ZERO, |truth| share(truth));
        let is_new = visit.variant().version.as_str() == NEW;
        let bad_now = self.origins.new_is_bad(now, weight);
        self.visitors.met_new += u64::from(is_new);
        if let Some(traffic) = &self.story.traffic {
            let bad = [bad_now, self.origins.old_is_bad(now)];
            self.counters.count(now, visit, traffic, bad, &mut self.dice);
        }
        if !visit.quiet && bad_now {
            self.visitors.met_bad += u64::from(is_new);
            let most = self.visitors.most(now, &self.faults);
            self.visitors.allowed_bad += f64::from(most.basis_points()) / 10_000.0;
        }
        self.is_home_after_the_lease(visit)?;
        if visit.quiet || self.visitors.crossed {
            return Ok(());
        }
        self.meets_no_replacement(visit)?;
        self.lapsed_for_a_reason(visit)?;
        self.follows(visit)
    }

    fn meets_no_replacement(&self, visit: &Visit) -> Result<(), Broken> {
        let prompt = self.faults.is_prompt() && self.faults.write_late == 0.0 && !self.is_contested();
        Rule::NobodyMeetsAReplacement.check(!prompt || !self.origins.is_between(visit.variant()), || {
            format!("{} by revision {}", visit.variant().name, visit.table.table().revision())
        })
    }

    fn lapsed_for_a_reason(&self, visit: &Visit) -> Result<(), Broken> {
        let undisturbed = self.faults.is_prompt()
            && self.faults.lets_renew()
            && !self.is_contested()
            && self.faults.kill.is_none();
        let holds = self.runners.iter().any(|runner| runner.is_driving() && !runner.ledger.home_begun);
        Rule::LeasesAreRenewed.check(!(visit.lapsed && undisturbed && holds), || {
            format!("revision {} has lapsed", visit.table.table().revision())
        })
    }

    fn follows(&self, visit: &Visit) -> Result<(), Broken> {
        let bound = follows_within(&self.faults);
        let (Some(truth), Some(at)) = (self.kv.truth(), self.visitors.last_applied_at()) else {
            return Ok(());
        };
        let (serves, holds) = (visit.table.table().revision(), truth.revision());
        let late = self.now.since(at) > bound;
        Rule::EverybodyFollows
            .check(!late || serves == holds, || format!("{serves} is served and KV holds {holds}"))
    }

    /// Once the last lease has ended everywhere, only a table without one decides.
    fn is_home_after_the_lease(&self, visit: &Visit) -> Result<(), Broken> {
        let Some(end) = self.visitors.leases_end() else { return Ok(()) };
        let over = self.now > end.plus(self.faults.skew_max);
        let table = visit.table.table();
        let home = table.lease().is_none() || visit.variant().name == table.stable().name;
        Rule::LeasesBringHome
            .check(!over || home, || format!("{} by revision {}", visit.variant().name, table.revision()))
    }

    /// At the end: visitors who met a bad version, against what was allowed.
    pub(crate) fn exposure(&self) -> Result<(), Broken> {
        // Each visitor draws anew, so the number is at most a sum of independent draws: six deviations are never chance.
        let (met, allowed) = (self.visitors.met_bad as f64, self.visitors.allowed_bad);
        Rule::ExposureIsBounded
            .check(self.visitors.crossed || met <= allowed + 6.0 * allowed.sqrt() + 6.0, || {
                format!("{met} visitors met a bad version; {allowed:.1} may")
            })
    }
}
