//! KV: one truth, shown late; the runner's API, which fails in every way that it can; each location's cache.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::rollout::Saved;
use crossfade_core::{RoutingTable, Timestamp};

use crate::dice::Dice;
use crate::faults::Faults;

/// How long a location keeps what it read, also that there is nothing: the least that a Worker may ask for.
pub(crate) const CACHE: Duration = Duration::from_secs(30);

/// A table as KV holds it: as text, which is read again by whoever needs it.
pub(crate) type Held = Option<Rc<RoutingTable>>;

/// One key, and the release's record beside it.
#[derive(Debug)]
pub(crate) struct Kv {
    history: Vec<(Timestamp, Held)>,
    records: Vec<(Timestamp, Record)>,
}

/// What is known of the release.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) saved: Saved,
    pub(crate) ended: bool,
}

/// One location's copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache(Option<(Timestamp, Held)>);

/// What becomes of a write: whether and when it is applied, and what the runner hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Applied, and nobody says so.
    Lost,
    /// Not applied, and nobody says so.
    Vanished,
    /// Applied after the runner has given up waiting.
    Late,
    NotNow,
    Never,
}

impl Kv {
    pub(crate) fn new(now: Timestamp, base: Held) -> Self {
        Self { history: vec![(now, base)], records: Vec::new() }
    }

    pub(crate) fn apply(&mut self, now: Timestamp, table: Rc<RoutingTable>) {
        self.history.push((now, Some(table)));
    }

    pub(crate) fn truth(&self) -> Held {
        self.history.last().and_then(|(_, table)| table.clone())
    }

    /// What was the truth so long ago.
    fn seen(&self, now: Timestamp, ago: Duration) -> Held {
        back_then(&self.history, now, ago).and_then(Clone::clone)
    }

    /// The table as the API answers. `None`: it does not.
    pub(crate) fn api_read(
        &self,
        now: Timestamp,
        dice: &mut Dice,
        faults: &Faults,
        down: bool,
    ) -> Option<Held> {
        if down || dice.chance(faults.api_fails) {
            return None;
        }
        Some(self.seen(now, stale(dice, faults)))
    }

    pub(crate) fn save(&mut self, now: Timestamp, record: Record) {
        self.records.push((now, record));
    }

    /// The record as the API answers. `None`: it does not, or there is none.
    pub(crate) fn api_record(
        &self,
        now: Timestamp,
        dice: &mut Dice,
        faults: &Faults,
        down: bool,
    ) -> Option<Record> {
        if down || dice.chance(faults.api_fails) {
            return None;
        }
        back_then(&self.records, now, stale(dice, faults)).cloned()
    }

    /// A location's read for its routers.
    pub(crate) fn edge_read(
        &self,
        now: Timestamp,
        cache: &mut Cache,
        dice: &mut Dice,
        faults: &Faults,
    ) -> Held {
        if let Some((at, held)) = &cache.0
            && now.since(*at) < CACHE
        {
            return held.clone();
        }
        let lag = dice.millis(0..=u64::try_from(faults.lag_max.as_millis()).unwrap());
        let held = self.seen(now, lag);
        cache.0 = Some((now, held.clone()));
        held
    }
}

impl Fate {
    pub(crate) fn draw(dice: &mut Dice, faults: &Faults, forbidden: bool, down: bool) -> Self {
        if forbidden {
            Self::Never
        } else if down {
            dice.pick(&[Self::NotNow, Self::Vanished])
        } else if dice.chance(faults.write_refused_for_now) {
            Self::NotNow
        } else if dice.chance(faults.write_unknown) {
            if dice.chance(faults.write_late) { Self::Late } else { dice.pick(&[Self::Lost, Self::Vanished]) }
        } else {
            Self::Done
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Done => "writes done",
            Self::Lost => "writes done, answer lost",
            Self::Vanished => "writes lost",
            Self::Late => "writes applied late",
            Self::NotNow => "writes not now",
            Self::Never => "writes refused",
        }
    }
}

/// What was the newest so long ago; the oldest when nothing is that old.
fn back_then<T>(entries: &[(Timestamp, T)], now: Timestamp, ago: Duration) -> Option<&T> {
    let then = entries.iter().rev().find(|(at, _)| now.since(*at) >= ago);
    then.or(entries.first()).map(|(_, entry)| entry)
}

fn stale(dice: &mut Dice, faults: &Faults) -> Duration {
    // Most reads are fresh even where some are not.
    let most = u64::try_from(faults.api_stale_max.as_millis()).unwrap();
    if dice.chance(0.5) { Duration::ZERO } else { dice.millis(0..=most) }
}
