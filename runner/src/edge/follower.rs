//! A load balancer as an edge: what it serves is what the table in KV says, as long as it follows.

use std::time::Duration;

use crossfade_core::RoutingTable;

use super::{EdgeError, EdgeStatus};
use crate::balancer::{self, Balancer};
use crate::routing::Routing;

/// A load balancer, and where the tables are that it follows.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    pub(super) routing: Routing,
    pub(super) balancer: Balancer,
}

impl Follower {
    /// The revision in force: that of the table, and none while the load balancer does something else. What its locations do
    /// nobody can see; the API tells what they were told.
    pub(super) fn status(&self, within: Duration) -> Result<EdgeStatus, EdgeError> {
        let environment = &self.routing.environment;
        let nothing = EdgeStatus {
            environment: environment.to_string(),
            revision: None,
            release: None,
            colo: None,
            lapsed: false,
            lease_expires_at: None,
            now: None,
            refresh_seconds: None,
            trouble: None,
            table: None,
            astray: None,
        };
        let key = RoutingTable::key(environment);
        let read = self.routing.namespace.read_once(&key, within).map_err(balancer::Error::from)?;
        let Some(bytes) = read else { return Ok(nothing) };
        let table = match RoutingTable::parse(&bytes) {
            Ok(table) => table,
            Err(error) => return Ok(EdgeStatus { trouble: Some(error.to_string()), ..nothing }),
        };
        if let Some(astray) = self.balancer.differs(&table, within)? {
            return Ok(EdgeStatus { astray: Some(astray), ..nothing });
        }
        Ok(EdgeStatus {
            revision: Some(table.revision().number()),
            release: Some(table.release().to_string()),
            lease_expires_at: table.lease().map(|lease| lease.expires_at),
            table: Some(table),
            ..nothing
        })
    }
}
