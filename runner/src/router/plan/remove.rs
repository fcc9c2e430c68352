//! The router goes, and the site stays.

use super::super::{Found, Step, Wanted};
use super::{Refused, refuse_strangers};

/// Takes the router away: what lies beneath it is made to serve what visitors have, then visitors are led there, and only then the
/// Worker goes. `force` also removes what leaves something else, or nothing, behind.
pub(crate) fn remove(wanted: &Wanted, found: &Found, purge: bool, force: bool) -> Result<Vec<Step>, Refused> {
    refuse_strangers(wanted, found)?;
    let worker = wanted.worker.clone();
    let mut steps = Vec::new();
    let (route, door) = (wanted.route(), wanted.door());
    if found.route(&route).is_some() {
        if !force {
            steps.extend(beneath(found)?);
        }
        steps.push(Step::DeleteRoute { pattern: route, worker: worker.clone() });
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
    if found.route(&door).is_some() {
        steps.push(Step::DeleteRoute { pattern: door, worker: worker.clone() });
    }
    if found.worker.is_some() {
        steps.push(Step::DeleteWorker { worker });
    }
    if purge && found.namespace.is_some() {
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
