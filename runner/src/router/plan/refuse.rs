//! What keeps a plan from being made. In: what is there, what is wanted. Out: why not, in a sentence that says what to do.

use super::super::pattern::{Leads, leads};
use super::super::{Deployed, Found, Wanted};
use super::Refused;
use crate::cloudflare::zones::Route;

/// What somebody else has made is left alone.
pub(super) fn refuse_strangers(wanted: &Wanted, found: &Found) -> Result<(), Refused> {
    let name = &wanted.worker;
    if found.worker.as_ref().is_some_and(|worker| !worker.is_ours()) {
        return Err(Refused(format!(
            "there is a Worker {name} that is no router of Crossfade (it has no binding ROUTING); give ours another name with \
             `environments.{}.worker.name`",
            wanted.environment
        )));
    }
    let deployed = || found.worker.iter().flat_map(|worker| &worker.deployed);
    if let Some(host) = deployed().find_map(Deployed::host).filter(|host| *host != wanted.host) {
        return Err(Refused(format!(
            "the Worker {name} is the router of {host}; give this one another name with `environments.{}.worker.name`",
            wanted.environment
        )));
    }
    let bound = deployed().find_map(Deployed::namespace);
    match (bound, &found.namespace) {
        (Some(bound), Some(namespace)) if found.is_live(wanted) && bound != namespace => {
            Err(Refused(format!(
                "the router reads the KV namespace {bound}, and the configuration says {namespace}: visitors would meet \
                 another table at once; put {bound} into `kv_namespace`"
            )))
        }
        _ => Ok(()),
    }
}

/// A router that is new knows no table from before.
pub(super) fn refuse_damaged(wanted: &Wanted, found: &Found) -> Result<(), Refused> {
    found.damaged.as_ref().map_or(Ok(()), |why| {
        let environment = &wanted.environment;
        Err(Refused(format!(
            "`routing:{environment}` in KV is no routing table ({why}), so what visitors have is not known: mend or delete it"
        )))
    })
}

/// Requests that a route of somebody else's leads would be ours from now on, or not come to us. Paths of the host by its name stay his.
pub(super) fn refuse_their_routes(wanted: &Wanted, found: &Found) -> Result<(), Refused> {
    let in_the_way = |route: &&Route| {
        let takes = leads(&route.pattern, &wanted.host);
        route.script.as_ref() != Some(&wanted.worker)
            && (route.pattern == wanted.door()
                || matches!(takes, Leads::All | Leads::Some { by_name: false }))
    };
    let Some(route) = found.routes.iter().find(in_the_way).filter(|_| !found.is_live(wanted)) else {
        return Ok(());
    };
    let whose = route.script.as_deref().map_or("no Worker".into(), |script| format!("the Worker {script}"));
    Err(Refused(format!("{} leads to {whose}: remove that route first, or keep it", route.pattern)))
}

/// Where the site is said to be the Pages project, the host must lead there: visitors would be sent to another one, or left with it.
pub(super) fn refuse_another_site(wanted: &Wanted, found: &Found) -> Result<(), Refused> {
    // Addresses of nobody's, as records have them that are there for a route alone.
    let is_nowhere = |content: &str| content == "100::" || content.starts_with("192.0.2.");
    let is_its =
        |name: &str| found.hosts.iter().any(|host| host.eq_ignore_ascii_case(name.trim_end_matches('.')));
    let of_pages = found.site.as_ref().is_some_and(|site| site.deployment.is_some());
    let record = found.records.iter().find(|it| !is_its(&it.content) && !is_nowhere(&it.content));
    let Some(record) = record.filter(|_| of_pages && !is_its(&wanted.host)) else { return Ok(()) };
    Err(Refused(format!(
        "the DNS record of {} leads to {}, which is not the Pages project ({}): if that is the site as it is, name it with \
         `environments.{}.worker.origin`",
        wanted.host,
        record.content,
        found.hosts.join(", "),
        wanted.environment
    )))
}
