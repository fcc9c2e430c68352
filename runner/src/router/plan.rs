//! What is there and what should be in, the steps between them out. Pure: nothing is asked, nothing is changed.

use std::time::Duration;

use crossfade_core::Span;

use super::found::{Answers, Deployed, Found, Site, Worker};
use super::{Step, Wanted};
use crate::config::Entry;

mod refuse;
mod remove;
#[cfg(test)]
mod tests;

use refuse::{refuse_another_site, refuse_damaged, refuse_strangers, refuse_their_routes};
pub(crate) use remove::remove;

/// The shares of a new version of the Worker, in percent, one after the other.
const SHARES: [u8; 4] = [0, 10, 50, 100];

/// Until a version can be asked for everywhere: "a couple of seconds", and more.
const HEEDED_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no plan. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Installs the router, goes on where an installation stopped, or changes what is not as wanted.
pub(crate) fn deploy(
    wanted: &Wanted,
    found: &Found,
    fingerprint: &str,
    hold: Span,
) -> Result<Vec<Step>, Refused> {
    let entry = entry(wanted, found)?;
    refuse_strangers(wanted, found)?;
    refuse_their_routes(wanted, found)?;
    refuse_damaged(wanted, found)?;
    if entry == Entry::Route && !found.is_live(wanted) {
        refuse_another_site(wanted, found)?;
    }
    if let (true, Some(id)) = (found.astray, &wanted.namespace) {
        return Err(Refused(format!(
            "the configuration's `kv_namespace`, {id}, is not on this account: without that line the namespace is found or made"
        )));
    }
    let mut steps = Vec::new();
    if found.namespace.is_none() {
        steps.push(Step::CreateNamespace { title: wanted.worker.clone() });
    }
    // Before anybody is led to the router, it knows where to send them.
    // What an earlier one knew is not what visitors have now.
    let mut deployed = found.worker.iter().flat_map(|worker| &worker.deployed);
    let is_alone = deployed.all(|it| it.host() == Some(&wanted.host));
    let comes = entry == Entry::Route && !found.is_live(wanted) && is_alone;
    let knows = |site: &Site| {
        found.table.as_ref().is_some_and(|table| !comes || table.stable().origin == site.origin)
    };
    if let Some(site) = found.site.as_ref().filter(|site| !knows(site)) {
        steps.push(Step::WriteTable { origin: site.origin.clone(), version: site.version.clone() });
    }
    match &found.worker {
        Some(worker) if found.is_live(wanted) => {
            steps.extend(rollout(wanted, found, worker, fingerprint, hold));
        }
        Some(worker) => match worker.deployed.as_slice() {
            [only] if is_wanted(only, wanted, found, fingerprint) => {}
            deployed => steps.push(Step::Upload {
                worker: wanted.worker.clone(),
                migrates: !worker.migrated,
                before: deployed.first().map(|it| it.version.clone()),
            }),
        },
        None => steps.push(Step::Upload { worker: wanted.worker.clone(), migrates: true, before: None }),
    }
    steps.extend(led(wanted, found, entry));
    if wanted.namespace.is_none() {
        steps.push(Step::Note);
    }
    // A rollout ends with the check that all begin with.
    steps.dedup();
    Ok(steps)
}

/// Rolls a new router out, version by version; nothing else is changed.
pub(crate) fn upgrade(
    wanted: &Wanted,
    found: &Found,
    fingerprint: &str,
    hold: Span,
) -> Result<Vec<Step>, Refused> {
    refuse_strangers(wanted, found)?;
    refuse_damaged(wanted, found)?;
    match &found.worker {
        Some(worker) if found.is_live(wanted) => Ok(rollout(wanted, found, worker, fingerprint, hold)),
        Some(_) => Err(Refused(format!(
            "the Worker {} is there, but nothing leads visitors to it: `crossfade router deploy` goes on with that",
            wanted.worker
        ))),
        None => Err(Refused(format!(
            "there is no Worker {}: `crossfade router deploy` installs it",
            wanted.worker
        ))),
    }
}

/// A router that serves visitors becomes another one: at 0 % first, then at growing shares. Begun before, it goes on from there.
fn rollout(wanted: &Wanted, found: &Found, worker: &Worker, fingerprint: &str, hold: Span) -> Vec<Step> {
    let mut steps = Vec::new();
    let is_new = |deployed: &&Deployed| is_wanted(deployed, wanted, found, fingerprint);
    // Of two that look as wanted, one has a secret's old value, and which one nobody tells.
    let new =
        worker.deployed.iter().find(is_new).filter(|_| worker.deployed.iter().filter(is_new).count() == 1);
    let is_new = |deployed: &&Deployed| new.is_some_and(|new| new.version == deployed.version);
    let largest = |a: &&Deployed, b: &&Deployed| a.percentage.total_cmp(&b.percentage);
    let old = worker.deployed.iter().filter(|deployed| !is_new(deployed)).max_by(largest);
    let upload = Step::UploadVersion { worker: wanted.worker.clone() };
    let (old, begun) = match (new, old) {
        (_, None) => return steps,
        // Cloudflare takes no migration with a version: it is all or nothing once.
        (None, Some(old)) if !worker.migrated => {
            let (worker, before) = (wanted.worker.clone(), Some(old.version.clone()));
            return vec![Step::Upload { worker, migrates: true, before }, Step::CheckDoor { fresh: false }];
        }
        (Some(new), Some(old)) => (old, new.percentage),
        (None, Some(old)) => {
            // Somebody's rollout stopped between two others: there can only be two at a time.
            if worker.deployed.len() > 1 {
                steps.push(Step::ShareBack { version: old.version.clone() });
            }
            steps.push(upload);
            (old, 0.0)
        }
    };
    for percent in SHARES.into_iter().filter(|percent| f64::from(*percent) >= begun) {
        steps.push(Step::Share { percent, old: old.version.clone() });
        match percent {
            100 => steps.push(Step::CheckVisitors),
            _ => steps.push(Step::CheckVersion { after: Span(hold.0.min(HEEDED_WITHIN)) }),
        }
        if (1..100).contains(&percent) {
            steps.push(Step::Watch { hold });
        }
    }
    steps
}

/// A secret cannot be read; whether it is the wanted one, the router itself has said.
fn is_wanted(deployed: &Deployed, wanted: &Wanted, found: &Found, fingerprint: &str) -> bool {
    deployed.is_as_wanted(wanted, fingerprint, found) && found.answers != Answers::OtherSecret
}

/// How visitors are led to the router, last of all: the control endpoints first, where a route can do that.
fn led(wanted: &Wanted, found: &Found, entry: Entry) -> Vec<Step> {
    let (route, door, worker) = (wanted.route(), wanted.door(), wanted.worker.clone());
    let mut steps = Vec::new();
    // Where nothing was ever deployed, visitors get nothing yet.
    let visitors = (found.site.is_some() || found.table.is_some()).then_some(Step::CheckVisitors);
    match entry {
        Entry::Domain => {
            if found.domain.is_none() {
                steps.push(Step::PutDomain { host: wanted.host.clone(), worker });
                steps.push(Step::CheckDoor { fresh: true });
            }
            steps.extend(visitors);
        }
        Entry::Route | Entry::Auto => {
            let has_door = found.route(&door).is_some();
            if !found.is_live(wanted) {
                if !has_door {
                    steps.push(Step::AddRoute { pattern: door.clone(), worker: worker.clone() });
                }
                steps.push(Step::CheckDoor { fresh: false });
                // A deployment's own address may ask for a login where the site does not: no visitor finds that out.
                steps.extend(found.site.iter().map(|site| Step::CheckSite { origin: site.origin.clone() }));
                steps.push(Step::AddRoute { pattern: route, worker: worker.clone() });
                steps.extend(visitors);
                steps.push(Step::DeleteRoute { pattern: door, worker });
            } else {
                steps.extend(visitors);
                if has_door {
                    steps.push(Step::DeleteRoute { pattern: door, worker });
                }
            }
        }
    }
    steps
}

/// Route or domain.
fn entry(wanted: &Wanted, found: &Found) -> Result<Entry, Refused> {
    let host = &wanted.host;
    let Some(zone) = &found.zone else {
        return Err(Refused(format!(
            "no zone of {host} can be seen: either it is not on this Cloudflare account, or the token lacks \"Zone: Read\""
        )));
    };
    let is_ours = found.domain.as_ref().is_some_and(|domain| domain.service == wanted.worker);
    let entry = match wanted.entry {
        Entry::Auto if is_ours => Entry::Domain,
        Entry::Auto if found.records.is_empty() => Entry::Domain,
        Entry::Auto => Entry::Route,
        said => said,
    };
    match entry {
        Entry::Domain if is_ours => Ok(entry),
        Entry::Domain => match (&found.domain, found.records.first()) {
            (Some(domain), _) => {
                Err(Refused(format!("{host} is the custom domain of another Worker, {}", domain.service)))
            }
            (None, Some(record)) => Err(Refused(format!(
                "{host} cannot become a custom domain: it has a DNS record in {} ({} {}); `entry = \"route\"` puts the router \
                 in front of that",
                zone.name, record.kind, record.content
            ))),
            (None, None) => Ok(entry),
        },
        Entry::Route | Entry::Auto => match found.records.iter().find(|record| !record.proxied) {
            _ if found.records.is_empty() => Err(Refused(format!(
                "{host} has no DNS record in {}, so no request would come to a route of it; `entry = \"domain\"` makes one",
                zone.name
            ))),
            Some(record) => Err(Refused(format!(
                "the DNS record of {host} ({} {}) is not proxied, so its requests do not come to Cloudflare's Workers: turn \
                 its proxy on first",
                record.kind, record.content
            ))),
            None => Ok(entry),
        },
    }
}
