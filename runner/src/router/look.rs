//! Cloudflare's answers in, what is there out. Only reads; what the token may not read, it may not change either.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Origin, Version};

use super::found::{Answers, Deployed, Found, Site, Worker};
use super::wanted::Wanted;
use crate::cloudflare::{self, Cloudflare};
use crate::edge::{Edge, EdgeError};
use crate::error::Error;
use crate::retry::{Policy, retry};

/// The most one question may take, retries included.
const WITHIN: Duration = Duration::from_secs(20);
/// The most the public URL may take; nobody has to be there yet.
const EDGE_WITHIN: Duration = Duration::from_secs(5);

/// A permission that the token lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    /// As Cloudflare's dashboard calls it.
    pub(crate) permission: &'static str,
    /// What Cloudflare said.
    pub(crate) said: String,
}

/// Asks, again when that may help, and notes what the token may not.
struct Asking<'a> {
    cancelled: &'a dyn Fn() -> bool,
    lacks: Vec<Lack>,
}

impl Asking<'_> {
    fn ask<T: Default>(
        &mut self,
        permission: &'static str,
        what: &str,
        call: impl FnMut(Duration) -> Result<T, cloudflare::Error>,
    ) -> Result<T, Error> {
        match retry(Policy::within(WITHIN), self.cancelled, call) {
            Err(error @ cloudflare::Error::Unauthorised { .. }) => {
                if self.lacks.iter().all(|lack| lack.permission != permission) {
                    self.lacks.push(Lack { permission, said: error.to_string() });
                }
                Ok(T::default())
            }
            result => result.map_err(Error::cloudflare(format!("look at {what}"))),
        }
    }
}

/// Looks at everything that a plan depends on. With something lacking, what was found is not all.
pub(crate) fn look(
    client: &Cloudflare,
    wanted: &Wanted,
    edge: Option<&Edge>,
    cancelled: &dyn Fn() -> bool,
) -> Result<(Found, Vec<Lack>), Error> {
    let mut asking = Asking { cancelled, lacks: Vec::new() };
    let mut found = Found { worker: worker(client, wanted, &mut asking)?, ..Found::default() };
    namespace(client, wanted, &mut asking, &mut found)?;
    zone(client, wanted, &mut asking, &mut found)?;
    site(client, wanted, &mut asking, &mut found)?;
    if let Some(edge) = edge {
        found.answers = match edge.status(EDGE_WITHIN) {
            Ok(status) => Answers::Router(status.revision),
            Err(EdgeError::Unauthorised { .. }) => Answers::OtherSecret,
            Err(EdgeError::NoRouter { status, .. }) => Answers::Other(status),
            Err(_) => Answers::Nothing,
        };
    }
    Ok((found, asking.lacks))
}

fn worker(client: &Cloudflare, wanted: &Wanted, asking: &mut Asking<'_>) -> Result<Option<Worker>, Error> {
    const PERMISSION: &str = "Workers Scripts: Edit (account)";
    let name = &wanted.worker;
    let script = asking.ask(PERMISSION, "the account's Workers", |left| client.script(name, left))?;
    let Some(script) = script else { return Ok(None) };
    let what = format!("the Worker {name}");
    let mut deployed = Vec::new();
    for share in asking.ask(PERMISSION, &what, |left| client.version_shares(name, left))? {
        let bindings =
            asking.ask(PERMISSION, &what, |left| client.version_bindings(name, &share.version, left))?;
        deployed.push(Deployed { version: share.version, percentage: share.percentage, bindings });
    }
    Ok(Some(Worker { migrated: script.migration_tag.is_some(), deployed }))
}

/// The namespace that the configuration names, or that the router reads already, or that has its name.
fn namespace(
    client: &Cloudflare,
    wanted: &Wanted,
    asking: &mut Asking<'_>,
    found: &mut Found,
) -> Result<(), Error> {
    const PERMISSION: &str = "Workers KV Storage: Edit (account)";
    let titled = |left| client.namespace_titled(&wanted.worker, left);
    let by_title = asking.ask(PERMISSION, "the account's KV namespaces", titled)?;
    found.titled.clone_from(&by_title);
    let bound = found.worker.iter().flat_map(|worker| &worker.deployed).find_map(Deployed::namespace);
    let bound = bound.map(str::to_owned);
    let key = RoutingTable::key(&wanted.environment);
    for id in [wanted.namespace.clone(), bound, by_title].into_iter().flatten() {
        let namespace = client.namespace(&id);
        let read = |left| match namespace.read_once(&key, left) {
            // What was deleted may still be named somewhere.
            Err(error) if error.is_no_namespace() => Ok(None),
            result => result.map(Some),
        };
        let read = asking.ask(PERMISSION, "the routing table", read)?;
        let Some(bytes) = read else {
            found.astray |= wanted.namespace.as_ref() == Some(&id);
            continue;
        };
        match bytes.map(|bytes| RoutingTable::parse(&bytes)).transpose() {
            Ok(table) => found.table = table,
            Err(error) => found.damaged = Some(error.to_string()),
        }
        found.namespace = Some(id);
        break;
    }
    Ok(())
}

fn zone(
    client: &Cloudflare,
    wanted: &Wanted,
    asking: &mut Asking<'_>,
    found: &mut Found,
) -> Result<(), Error> {
    let host = &wanted.host;
    let what = format!("the zone of {host}");
    found.zone = asking.ask("Zone: Read (zone)", &what, |left| client.zone_of(host, left))?;
    let scripts = "Workers Scripts: Edit (account)";
    found.domain = asking.ask(scripts, "the Workers' custom domains", |left| client.domain(host, left))?;
    let Some(zone) = &found.zone else { return Ok(()) };
    found.routes = asking.ask("Workers Routes: Edit (zone)", &what, |left| client.routes(&zone.id, left))?;
    let records = asking.ask("DNS: Read (zone)", &what, |left| client.records(&zone.id, host, left))?;
    found.records =
        records.into_iter().filter(|it| ["A", "AAAA", "CNAME"].contains(&it.kind.as_str())).collect();
    Ok(())
}

/// What visitors would get without the router: what the configuration says, or what the Pages project serves.
fn site(
    client: &Cloudflare,
    wanted: &Wanted,
    asking: &mut Asking<'_>,
    found: &mut Found,
) -> Result<(), Error> {
    let damaged = |source| Error::Table { key: RoutingTable::key(&wanted.environment), source };
    if let Some(origin) = &wanted.origin {
        let version = Version::new("version", "before-crossfade").map_err(damaged)?;
        let origin = Origin::new("worker.origin", origin).map_err(damaged)?;
        found.site = Some(Site { origin, version, deployment: None });
        return Ok(());
    }
    let Some(project) = &wanted.project else { return Ok(()) };
    let what = format!("the Pages project {project}");
    let of_project = |left| match client.project(project, left) {
        // Its first deployment makes it.
        Err(error) if error.is_not_found() => Ok(None),
        result => result.map(Some),
    };
    let Some(its) = asking.ask("Cloudflare Pages: Edit (account)", &what, of_project)? else {
        return Ok(());
    };
    found.hosts = its.subdomain.into_iter().chain(its.domains).collect();
    found.hosts.dedup();
    let Some(live) = its.canonical_deployment else { return Ok(()) };
    let origin = Origin::new("url", &live.url).map_err(damaged)?;
    let short = live.id.get(..8).unwrap_or(&live.id);
    let version = Version::new("version", format!("pages-{short}")).map_err(damaged)?;
    let stable = found.table.as_ref().map(|table| &table.stable().origin).filter(|stable| **stable != origin);
    if let Some(stable) = stable {
        let made = asking.ask("Cloudflare Pages: Edit (account)", &what, |left| {
            client.deployment_at(project, stable, left)
        })?;
        found.stable_deployment = made.map(|made| made.id);
    }
    found.site = Some(Site { origin, version, deployment: Some(live.id) });
    Ok(())
}
