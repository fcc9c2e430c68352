//! `crossfade router status`: what there is, and what `router deploy` would change.

use crossfade_core::Span;
use serde_json::{Value, json};

use super::{Place, bundle, print};
use crate::cli::RouterBundle;
use crate::error::Error;
use crate::report::{Mode, now};
use crate::router::{self, Answers, Deployed, Found};

pub(super) fn run(place: &Place<'_>, arguments: &RouterBundle) -> Result<(), Error> {
    let found = place.look()?;
    // Without a router to compare with, what there is can be shown all the same.
    let bundle = bundle(arguments).ok();
    let would = bundle.as_ref().map(|bundle| {
        let steps =
            router::deploy(&place.wanted, &found, bundle.fingerprint(), Span(std::time::Duration::ZERO));
        let changes = |steps: Vec<router::Step>| {
            steps.into_iter().filter(router::Step::is_change).map(|step| step.to_string()).collect::<Vec<_>>()
        };
        steps.map(changes).unwrap_or_else(|why| vec![format!("nothing, because {why}")])
    });
    if place.global.mode() == Mode::Json {
        let carried = bundle.as_ref().map(router::Bundle::fingerprint);
        print(&document(place, &found, carried, would.as_deref()).to_string());
        return Ok(());
    }
    for (name, text) in rows(place, &found) {
        print(&format!("  {name:<10} {text}"));
    }
    match would {
        None => print("  this crossfade carries no router to compare with; --bundle DIR names one"),
        Some(would) if would.is_empty() => {
            print("  as wanted: `crossfade router deploy` would change nothing")
        }
        Some(would) => {
            print("`crossfade router deploy` would");
            would.iter().for_each(|text| print(&format!("  · {text}")));
        }
    }
    Ok(())
}

fn rows(place: &Place<'_>, found: &Found) -> Vec<(&'static str, String)> {
    let wanted = &place.wanted;
    let version = |it: &Deployed| {
        let bundle = it.bundle().unwrap_or("not uploaded by `crossfade router`");
        format!("{bundle} {} % ({})", it.percentage, it.version)
    };
    let worker = found.worker.as_ref().map(|worker| {
        let versions: Vec<String> = worker.deployed.iter().map(version).collect();
        format!("{}: {}", wanted.worker, versions.join(", "))
    });
    let secrets = found.worker.iter().flat_map(|worker| &worker.deployed).flat_map(Deployed::secrets);
    let mut secrets: Vec<&str> = secrets.collect();
    secrets.sort_unstable();
    secrets.dedup();
    let table = found.table.as_ref().map(|table| {
        let stable = table.stable();
        format!("revision {}: {} {} at {}", table.revision(), stable.name, stable.version, stable.origin)
    });
    let none = || "none".to_owned();
    vec![
        ("worker", worker.unwrap_or_else(|| format!("{}: none", wanted.worker))),
        ("secrets", if secrets.is_empty() { none() } else { secrets.join(", ") }),
        ("namespace", found.namespace.clone().unwrap_or_else(none)),
        (
            "table",
            table
                .or_else(|| Some(format!("none that can be used: {}", found.damaged.as_ref()?)))
                .unwrap_or_else(none),
        ),
        ("entry", entry(place, found)),
        ("edge", answers(place, found)),
        ("site", found.site.as_ref().map_or_else(none, |site| format!("{} without the router", site.origin))),
    ]
}

fn entry(place: &Place<'_>, found: &Found) -> String {
    let wanted = &place.wanted;
    let routes = found.routes.iter().filter(|route| route.script.as_ref() == Some(&wanted.worker));
    let mut ways: Vec<String> = routes.map(|route| format!("route {}", route.pattern)).collect();
    let domain = found.domain.iter().filter(|domain| domain.service == wanted.worker);
    ways.extend(domain.map(|domain| format!("custom domain {}", domain.hostname)));
    if ways.is_empty() { "nothing leads to it".into() } else { ways.join(", ") }
}

fn answers(place: &Place<'_>, found: &Found) -> String {
    let url = &place.settings.url;
    match (&found.answers, &place.edge) {
        (_, None) => "CROSSFADE_TOKEN is not set, so the router was not asked".into(),
        (Answers::Router(Some(revision)), _) => format!("{url} serves revision {revision}"),
        (Answers::Router(None), _) => format!("{url} answers; it has no table"),
        (Answers::OtherSecret, _) => format!("{url} refuses CROSSFADE_TOKEN"),
        (Answers::Other(status), _) => format!("{url} answers {status}, not like the router"),
        (Answers::Nothing, _) => format!("{url} does not answer"),
    }
}

fn document(place: &Place<'_>, found: &Found, carried: Option<&str>, would: Option<&[String]>) -> Value {
    let version =
        |it: &Deployed| json!({ "version": it.version, "percentage": it.percentage, "bundle": it.bundle() });
    let deployed = found.worker.iter().flat_map(|worker| &worker.deployed);
    json!({
        "version": 1, "type": "router", "at": now(), "worker": place.wanted.worker,
        "deployed": deployed.map(version).collect::<Vec<_>>(), "carried": carried, "namespace": found.namespace,
        "revision": found.table.as_ref().map(|table| table.revision()), "live": found.is_live(&place.wanted),
        "entry": entry(place, found), "edge": answers(place, found),
        "site": found.site.as_ref().map(|site| site.origin.to_string()), "would": would,
    })
}
