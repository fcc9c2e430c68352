//! Cloudflare Load Balancing instead of the router. In: routing tables. Out: a load balancer that sends visitors where they say.
//!
//! The table in KV stays the record. The load balancer is made to follow it: first the pools that are to get visitors, then the
//! weights, then those that are to get none ([`projection`]). Home is the weights and the idle pool at once, without a look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossfade_core::RoutingTable;
use serde_json::json;

use crate::cloudflare::{self, Cloudflare};
use crate::retry::{Policy, retry};

mod projection;

pub use projection::Pools;
use projection::{Seen, Shares, Wanted};

/// A load balancer whose pools are the slots.
#[derive(Clone, Debug)]
pub struct Balancer {
    client: Cloudflare,
    zone: String,
    id: String,
    pools: Pools,
    /// What the weights may be, by what was seen and written here. Empty before the first look.
    known: Arc<Mutex<Vec<Shares>>>,
}

/// Why it does not follow.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API did not do it.
    #[error(transparent)]
    Cloudflare(#[from] cloudflare::Error),
    /// It cannot be used as it is set up.
    #[error("the load balancer cannot be used: {0}")]
    Unfit(String),
    /// Somebody else has changed it.
    #[error("somebody else has changed the load balancer: {0}")]
    Foreign(String),
    /// Nothing further was to be begun.
    #[error("{0}")]
    Left(String),
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cloudflare(error) => error.hint(),
            Self::Unfit(_) => {
                Some("change it at Cloudflare's dashboard, or `load_balancer` in crossfade.toml".into())
            }
            Self::Foreign(_) | Self::Left(_) => Some("`crossfade status` shows what it does".into()),
        }
    }
}

/// Whether a further call is to be begun; why not.
pub(crate) type GoOn<'a> = &'a dyn Fn() -> Result<(), String>;

impl Balancer {
    /// A load balancer by its ids.
    pub fn new(client: Cloudflare, zone: &str, id: &str, pools: Pools) -> Self {
        Self { client, zone: zone.to_owned(), id: id.to_owned(), pools, known: Arc::default() }
    }

    /// Makes sure that it can be used, before anything depends on it.
    ///
    /// # Errors
    /// [`Error::Unfit`]; or when the API does not tell.
    pub fn check(&self, within: Duration) -> Result<(), Error> {
        self.look(Policy::within(within))?.unfit().map_or(Ok(()), |why| Err(Error::Unfit(why)))
    }

    /// In what it does not follow a table; `None` when it does.
    ///
    /// # Errors
    /// When the API does not tell.
    pub fn differs(&self, table: &RoutingTable, within: Duration) -> Result<Option<String>, Error> {
        let wanted = self.wanted(table)?;
        Ok(wanted.differs(&self.look(once(within))?))
    }

    /// Sends everything that a table says, also what is as it says already: whoever may not do that finds out by it.
    ///
    /// # Errors
    /// When the API refuses.
    pub fn affirm(&self, table: &RoutingTable, within: Duration) -> Result<(), Error> {
        let wanted = self.wanted(table)?;
        self.steer(&wanted, Policy::within(within))?;
        self.empty(&wanted, Policy::within(within))
    }

    /// Makes it follow a table, whatever it did.
    ///
    /// # Errors
    /// When the API does not do it.
    pub fn follow(&self, table: &RoutingTable, within: Duration) -> Result<(), Error> {
        let policy = Policy::within(within);
        let seen = self.look(policy)?;
        self.carry_out(&self.wanted(table)?, &seen, policy, &|| Ok(()))
    }

    /// Looks before a table is written that it will have to follow.
    ///
    /// # Errors
    /// [`Error::Foreign`] when its weights are not those that were seen or written before, or when a step would bring its version
    /// to where visitors are.
    pub(crate) fn before(&self, table: &RoutingTable, within: Duration) -> Result<Seen, Error> {
        let (wanted, seen) = (self.wanted(table)?, self.look(once(within))?);
        let shares = seen.shares();
        let mut known = self.known();
        if known.is_empty() {
            known.push(shares.clone());
        }
        if !known.contains(&shares) || (table.lease().is_some() && wanted.diverts(&seen)) {
            return Err(Error::Foreign(wanted.differs(&seen).unwrap_or_default()));
        }
        Ok(seen)
    }

    /// Makes it follow a table, from what was seen before that was written; each call in one attempt.
    ///
    /// # Errors
    /// When the API does not do it, or `go_on` says no.
    pub(crate) fn shift(
        &self,
        table: &RoutingTable,
        seen: &Seen,
        within: Duration,
        go_on: GoOn<'_>,
    ) -> Result<(), Error> {
        self.carry_out(&self.wanted(table)?, seen, once(within), go_on)
    }

    /// Brings everybody home to a table's stable variant, whose pool is as it was: nothing is looked at, and everything is sent
    /// at once.
    ///
    /// # Errors
    /// When the API does not do it.
    pub(crate) fn home(&self, table: &RoutingTable, within: Duration) -> Result<(), Error> {
        let wanted = self.wanted(table)?;
        let sent = std::thread::scope(|scope| {
            let emptied = scope.spawn(|| self.empty(&wanted, once(within)));
            let steered = self.steer(&wanted, once(within));
            steered.and(
                emptied.join().unwrap_or_else(|_| Err(Error::Left("internal error: a call panicked".into()))),
            )
        });
        match sent {
            // Who may read and not write cannot have moved anybody either.
            Err(error) if self.differs(table, within).is_ok_and(|differs| differs.is_none()) => {
                drop(error);
                Ok(())
            }
            sent => sent,
        }
    }

    fn wanted(&self, table: &RoutingTable) -> Result<Wanted, Error> {
        Wanted::of(table, &self.pools).map_err(Error::Unfit)
    }

    /// Asks for all three at once: a signal waits for no more than the slowest.
    fn look(&self, policy: Policy) -> Result<Seen, Error> {
        std::thread::scope(|scope| {
            let asked = |id: &String| {
                let id = id.clone();
                scope.spawn(move || {
                    let pool = retry(policy, &never, |left| self.client.pool(&id, left));
                    pool.map(|pool| (id, pool))
                })
            };
            let asked: Vec<_> = self.pools.values().map(asked).collect();
            let balancer =
                retry(policy, &never, |left| self.client.load_balancer(&self.zone, &self.id, left));
            let mut pools = BTreeMap::new();
            for pool in asked {
                pools.extend([pool.join().map_err(panicked)??]);
            }
            Ok(Seen { balancer: balancer?, pools })
        })
    }

    fn carry_out(&self, wanted: &Wanted, seen: &Seen, policy: Policy, go_on: GoOn<'_>) -> Result<(), Error> {
        for (id, change) in wanted.raised(seen) {
            go_on().map_err(Error::Left)?;
            retry(policy, &never, |left| self.client.change_pool(&id, &change, left))?;
        }
        if wanted.steers(seen) {
            go_on().map_err(Error::Left)?;
            self.steer(wanted, policy)?;
        }
        if wanted.idle().any(|id| seen.pools.get(id).is_some_and(|pool| pool.enabled)) {
            go_on().map_err(Error::Left)?;
            self.empty(wanted, policy)?;
        }
        Ok(())
    }

    /// Writes the weights. One whose answer was lost may be carried out later: until then either is known.
    fn steer(&self, wanted: &Wanted, policy: Policy) -> Result<(), Error> {
        let (change, shares) = (wanted.steering(), wanted.shares());
        self.known().push(shares.clone());
        retry(policy, &never, |left| self.client.change_load_balancer(&self.zone, &self.id, &change, left))?;
        *self.known() = vec![shares];
        Ok(())
    }

    /// Disables the pools that nobody is to be on.
    fn empty(&self, wanted: &Wanted, policy: Policy) -> Result<(), Error> {
        let change = json!({ "enabled": false });
        for id in wanted.idle() {
            retry(policy, &never, |left| self.client.change_pool(id, &change, left))?;
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Vec<Shares>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Error {
    Error::Left("internal error: a call panicked".into())
}

/// A single attempt.
fn once(within: Duration) -> Policy {
    Policy { attempts_max: 1, ..Policy::within(within) }
}

const fn never() -> bool {
    false
}
