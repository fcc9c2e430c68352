//! Where routing tables are put so that visitors follow them: into KV, where the router reads them, and, where there is a load
//! balancer instead of it, into that too.
//!
//! A process may die between the two writes. So what moves visitors away from home stands in KV first, with its lease: whoever
//! comes next knows that something may be in flight. What brings them home, or leaves them where they are for good, is done at
//! the load balancer first: until that is done, KV says that something is in flight.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::rollout::WriteFailure;
use crossfade_core::table::Environment;

use crate::balancer::{self, Balancer, GoOn};
use crate::cloudflare::kv::Namespace;
use crate::cloudflare::{self, Fate};
use crate::error::Error;
use crate::signing::Signer;

/// The most that one call which moves visitors may take.
const WRITE_WITHIN: Duration = Duration::from_millis(2_200);
/// The most that one look at the load balancer may take.
const LOOK_WITHIN: Duration = Duration::from_millis(1_500);

/// Where an environment's tables are put.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The namespace that the router reads, and everybody else.
    pub namespace: Namespace,
    /// Signs what is written there.
    pub signer: Signer,
    /// Whose tables.
    pub environment: Environment,
    /// What visitors meet instead of the router.
    pub balancer: Option<Balancer>,
}

impl Routing {
    /// How one knows that visitors meet a table: a router is seen to serve it; a load balancer's locations tell nobody.
    pub const fn seen(&self) -> &'static str {
        match self.balancer {
            None => "served at the edge",
            Some(_) => "read back from the load balancer",
        }
    }

    /// Puts a table, whatever was there; tried again until `within` is over.
    ///
    /// # Errors
    /// When KV or the load balancer cannot be written.
    pub fn put(&self, table: &RoutingTable, within: Duration) -> Result<(), Error> {
        let key = RoutingTable::key(&self.environment);
        let write = || {
            let document = self.signer.document(table);
            let written = self.namespace.write(&key, document.as_bytes(), within);
            written.map_err(Error::cloudflare("write the routing table to KV"))
        };
        let follow = || match &self.balancer {
            Some(balancer) => balancer.follow(table, within).map_err(Error::from),
            None => Ok(()),
        };
        match table.lease() {
            Some(_) => write().and_then(|()| follow()),
            None => follow().and_then(|()| write()),
        }
    }

    /// Puts a table as the rollout machine says, each call in one attempt, and none is begun when `go_on` says no.
    ///
    /// # Errors
    /// What can be said of the write.
    pub(crate) fn put_once(
        &self,
        table: &RoutingTable,
        urgent: bool,
        go_on: GoOn<'_>,
    ) -> Result<(), WriteFailure> {
        let Some(balancer) = &self.balancer else { return self.write_once(table) };
        let mended = |error| not_followed(error, false);
        match table.lease() {
            None if urgent => balancer.home(table, WRITE_WITHIN).map_err(mended)?,
            None => {
                let seen = balancer.before(table, LOOK_WITHIN).map_err(mended)?;
                balancer.shift(table, &seen, WRITE_WITHIN, go_on).map_err(mended)?;
            }
            Some(_) => {
                let seen = balancer.before(table, LOOK_WITHIN).map_err(mended)?;
                go_on().map_err(WriteFailure::NotWritten)?;
                self.write_once(table)?;
                let shifted = balancer.shift(table, &seen, WRITE_WITHIN, go_on);
                return shifted.map_err(|error| not_followed(error, true));
            }
        }
        self.write_once(table)
    }

    fn write_once(&self, table: &RoutingTable) -> Result<(), WriteFailure> {
        let (key, document) = (RoutingTable::key(&self.environment), self.signer.document(table));
        let written = self.namespace.write_once(&key, document.as_bytes(), WRITE_WITHIN);
        written.map_err(|error| by_fate(&error))
    }
}

/// What a load balancer's failure means for the table. One that KV has already is never surely not written.
fn not_followed(error: balancer::Error, in_kv: bool) -> WriteFailure {
    match error {
        balancer::Error::Foreign(_) => WriteFailure::Superseded(error.to_string()),
        error if in_kv => WriteFailure::Unknown(error.to_string()),
        balancer::Error::Cloudflare(error) => by_fate(&error),
        balancer::Error::Unfit(_) => WriteFailure::Refused(error.to_string()),
        balancer::Error::Left(why) => WriteFailure::NotWritten(why),
    }
}

fn by_fate(error: &cloudflare::Error) -> WriteFailure {
    let text = error.to_string();
    match error.fate() {
        Fate::Refused => WriteFailure::Refused(text),
        Fate::NotApplied => WriteFailure::NotWritten(text),
        Fate::Unknown => WriteFailure::Unknown(text),
    }
}
