//! The router goes, and the site stays.

use super::super::pattern::{Leads, leads};
use super::super::{Found, Step, Wanted};
use super::{Refused, refuse_another_site, refuse_damaged, refuse_strangers};

/// Takes the router away: what lies beneath it is made to serve what visitors have, then visitors are led there, and only then the
/// Worker goes. `force` also removes what leaves something else, or nothing, behind.
pub(crate) fn remove(wanted: &Wanted, found: &Found, purge: bool, force: bool) -> Result<Vec<Step>, Refused> {
    refuse_strangers(wanted, found)?;
    let worker = wanted.worker.clone();
    let mut steps = Vec::new();
    let all = |pattern: &&str| leads(pattern, &wanted.host) == Leads::All;
    let deleted = |pattern: &str| Step::DeleteRoute { pattern: pattern.to_owned(), worker: worker.clone() };
    let theirs = found.leading(wanted).find(|pattern| leads(pattern, &wanted.host) == Leads::None);
    if let Some(pattern) = theirs.filter(|_| !force) {
        return Err(Refused(format!(
            "{pattern} leads to this Worker too: remove that route first, or --force"
        )));
    }
    if found.leading(wanted).any(|pattern| all(&pattern)) {
        if !force {
            refuse_damaged(wanted, found)?;
            refuse_another_site(wanted, found)?;
            steps.extend(beneath(found)?);
        }
        steps.extend(found.leading(wanted).filter(all).map(deleted));
        if !force {
            steps.push(Step::CheckGone);
        }
    }
    if found.domain.as_ref().is_some_and(|domain| domain.service == worker) {
        if !force {
            return Err(Refused(format!(
                "{} is this Worker's own domain: without it nothing answers there; docs/migration.md tells how to leave it \
                 without a gap, and --force takes it away all the same",
                wanted.host
            )));
        }
        steps.push(Step::DeleteDomain { host: wanted.host.clone(), worker: worker.clone() });
    }
    steps.extend(found.leading(wanted).filter(|pattern| !all(pattern)).map(deleted));
    if found.worker.is_some() {
        steps.push(Step::DeleteWorker { worker: worker.clone() });
    }
    if let (true, Some(id)) = (purge, &found.namespace) {
        if let Some(other) = wanted.shared(id) {
            return Err(Refused(format!(
                "environment {other} has the same `kv_namespace`: it would lose its table"
            )));
        }
        if found.titled.as_ref() != Some(id) {
            return Err(Refused(format!(
                "the KV namespace {id} is not called {worker}, so it was not made for this router: without --purge it stays; \
                 `wrangler kv namespace delete` deletes it"
            )));
        }
        steps.push(Step::DeleteNamespace { title: wanted.worker.clone() });
        steps.extend(wanted.namespace.iter().map(|_| Step::Forget));
    }
    Ok(steps)
}

/// What visitors will get is what they have.
fn beneath(found: &Found) -> Result<Vec<Step>, Refused> {
    let Some(site) = &found.site else {
        return Err(Refused(
            "it is not known what lies beneath the router: say so with `worker.origin`, or --force".into(),
        ));
    };
    let Some(stable) = found.table.as_ref().map(|table| table.stable()) else {
        return Ok(vec![Step::CheckSite { origin: site.origin.clone() }]);
    };
    if site.origin == stable.origin {
        return Ok(vec![Step::CheckSite { origin: site.origin.clone() }]);
    }
    match (&site.deployment, &found.stable_deployment) {
        (Some(from), Some(to)) => Ok(vec![
            Step::CheckSite { origin: stable.origin.clone() },
            Step::RollBackPages { from: from.clone(), to: to.clone() },
        ]),
        (_, _) => Err(Refused(format!(
            "visitors have {} ({}), and beneath the router is {}: put that version there first, or --force",
            stable.version, stable.origin, site.origin
        ))),
    }
}
