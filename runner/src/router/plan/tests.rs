//! What is there in, the printed plan out.

use crossfade_core::table::{Environment, Origin, Version};
use serde_json::json;

use super::*;
use crate::cloudflare::zones::{Domain, Record, Route, Zone};
use crate::config::Config;
use crate::edge::CONTROL_TOKEN;
use crate::router::Secret;
use crate::router::found::Site;

const FINGERPRINT: &str = "1+new";
const NAMESPACE: &str = "0f2ac74b498b48028cb68387c421e279";

fn wanted(namespace: &str, worker: &str) -> Wanted {
    let config = Config::parse(&format!(
        "project = \"p\"\n[environments.production]\nurl = \"https://www.example.com\"\nkv_namespace = \"{namespace}\"\n\
         [environments.production.worker]\nname = \"w\"\n{worker}"
    ))
    .unwrap();
    let settings = &config.environments["production"];
    let environment = Environment::new("environment", "production").unwrap();
    let secret = Secret { name: CONTROL_TOKEN, value: "secret".into() };
    Wanted::new(&config, settings, environment, vec![secret]).unwrap()
}

fn deployed(wanted: &Wanted, bundle: &str, version: &str, percentage: f64) -> Deployed {
    let text = |name: &str, value: &str| json!({ "name": name, "type": "plain_text", "text": value });
    let mut bindings = vec![
        text("CROSSFADE_BUNDLE", bundle),
        text("CROSSFADE_HOST", &wanted.host),
        json!({ "name": "ROUTING", "type": "kv_namespace", "namespace_id": NAMESPACE }),
        json!({ "name": "COUNTERS", "type": "durable_object_namespace", "class_name": "Counters" }),
        json!({ "name": CONTROL_TOKEN, "type": "secret_text" }),
    ];
    bindings.extend(pages().variables(wanted).map(|(name, value)| text(name, &value)));
    let bindings = bindings.into_iter().map(|binding| binding.as_object().unwrap().clone()).collect();
    Deployed { version: version.into(), percentage, bindings }
}

fn route(pattern: &str, script: &str) -> Route {
    Route { id: "id".into(), pattern: pattern.into(), script: Some(script.into()) }
}

/// A Pages project at a custom domain.
fn pages() -> Found {
    Found {
        zone: Some(Zone { id: "z".into(), name: "example.com".into() }),
        records: vec![Record { kind: "CNAME".into(), content: "p-1ab.pages.dev".into(), proxied: true }],
        hosts: vec!["p-1ab.pages.dev".into()],
        site: Some(Site {
            origin: Origin::new("origin", "https://0a.p.pages.dev").unwrap(),
            version: Version::new("version", "pages-0a").unwrap(),
            deployment: Some("0a".into()),
        }),
        ..Found::default()
    }
}

/// The same with the router in front of it.
fn live(wanted: &Wanted, versions: &[(&str, &str, f64)]) -> Found {
    let versions = versions.iter().map(|(bundle, version, share)| deployed(wanted, bundle, version, *share));
    let table = json!({
        "schema": 1, "environment": "production", "revision": 1, "release": "r", "updated_at": "2026-01-01T00:00:00Z",
        "stable": "blue", "affinity": { "by": "cookie", "salt": "r" },
        "variants": [{ "name": "blue", "origin": "https://0a.p.pages.dev", "version": "pages-0a", "weight": 10000 }],
    });
    Found {
        namespace: Some(NAMESPACE.into()),
        table: Some(crossfade_core::RoutingTable::parse(table.to_string().as_bytes()).unwrap()),
        worker: Some(Worker { migrated: true, deployed: versions.collect() }),
        routes: vec![route("www.example.com/*", "w")],
        answers: Answers::Router(Some(1)),
        ..pages()
    }
}

fn texts(plan: Result<Vec<Step>, Refused>) -> Vec<String> {
    plan.unwrap().iter().map(Step::to_string).collect()
}

fn planned(wanted: &Wanted, found: &Found) -> Vec<String> {
    texts(deploy(wanted, found, FINGERPRINT, Span(Duration::from_secs(60))))
}

#[test]
fn visitors_are_led_to_the_router_last_and_only_once_it_has_answered_at_its_own_endpoints() {
    assert_eq!(
        planned(&wanted("", ""), &pages()),
        [
            "make the KV namespace w",
            "write the first routing table: everybody on https://0a.p.pages.dev, called pages-0a",
            "upload the Worker w, with the objects of its counters",
            "lead www.example.com/__crossfade/* to the Worker w",
            "check that the router answers, with its secret and table",
            "check that https://0a.p.pages.dev answers without the router",
            "lead www.example.com/* to the Worker w",
            "check that visitors get the site through the router",
            "lead www.example.com/__crossfade/* no longer to the Worker w",
            "write the namespace's id into the configuration",
        ]
    );
    // A host without a record gets one, and there is no site to check when nothing was ever deployed.
    let nothing = Found { records: Vec::new(), site: None, ..pages() };
    assert_eq!(
        planned(&wanted("", ""), &nothing)[1..],
        [
            "upload the Worker w, with the objects of its counters",
            "make www.example.com the custom domain of the Worker w",
            "check that the router answers, with its secret and table",
            "write the namespace's id into the configuration",
        ]
    );
}

#[test]
fn what_is_done_already_is_not_done_again() {
    let wanted = wanted(NAMESPACE, "");
    let done = live(&wanted, &[(FINGERPRINT, "new", 100.0)]);
    let check = "check that visitors get the site through the router";
    assert_eq!(planned(&wanted, &done), [check]);
    let door = route("www.example.com/__crossfade/*", "w");
    let lead = "lead www.example.com/__crossfade/* no longer to the Worker w";
    for (routes, expected) in [
        (vec![route("www.example.com/*", "w"), door.clone()], vec![check, lead]),
        (
            vec![door],
            vec![
                "check that the router answers, with its secret and table",
                "check that https://0a.p.pages.dev answers without the router",
                "lead www.example.com/* to the Worker w",
                check,
                lead,
            ],
        ),
    ] {
        assert_eq!(planned(&wanted, &Found { routes, ..done.clone() }), expected);
    }
    // The table of a router that was removed is not what visitors have by now; that of one that serves them is.
    let moved = |routes| {
        let origin = Origin::new("origin", "https://0b.p.pages.dev").unwrap();
        let site = Site { origin, ..done.site.clone().unwrap() };
        planned(&wanted, &Found { routes, site: Some(site), ..done.clone() })
    };
    assert!(moved(Vec::new())[0].contains("everybody on https://0b.p.pages.dev"));
    assert_eq!(moved(done.routes.clone()), [check]);
    // Nobody meets it yet: it is replaced at once.
    let quiet = Found { routes: Vec::new(), ..live(&wanted, &[("0+old", "old", 100.0)]) };
    assert_eq!(planned(&wanted, &quiet)[0], "replace the Worker w");
    let other_secret = Found { answers: Answers::OtherSecret, ..done };
    assert_eq!(planned(&wanted, &other_secret)[0], "upload a version of the Worker w that no request meets");
}

#[test]
fn a_router_that_serves_visitors_is_replaced_share_by_share_and_from_where_it_stopped() {
    let wanted = wanted(NAMESPACE, "");
    let upgraded = |found: &Found| texts(upgrade(&wanted, found, FINGERPRINT, Span(Duration::from_secs(60))));
    let whole = upgraded(&live(&wanted, &[("0+old", "old", 100.0)]));
    let (zero, check) =
        ("deploy it at 0 %: only what asks for it meets it", "check that version through the public URL");
    let share = |percent: u8| format!("send {percent} % of the requests to it");
    let watch = "watch what visitors get for 1 min";
    let (ten, half, all) = (share(10), share(50), share(100));
    let last = "check that visitors get the site through the router";
    let ramp = [&ten, check, watch, &half, check, watch, &all, last];
    assert_eq!(whole[0], "upload a version of the Worker w that no request meets");
    assert_eq!(whole[1..3], [zero, check]);
    assert_eq!(whole[3..], ramp);
    assert_eq!(upgraded(&live(&wanted, &[(FINGERPRINT, "new", 10.0), ("0+old", "old", 90.0)])), ramp);
    let two_others = upgraded(&live(&wanted, &[("2+other", "other", 10.0), ("0+old", "old", 90.0)]));
    assert_eq!(two_others[0], "send all requests to version old");
    assert_eq!(two_others[1..], whole);
    let two_alike = upgraded(&live(&wanted, &[(FINGERPRINT, "new", 10.0), (FINGERPRINT, "old", 90.0)]));
    assert_eq!(two_alike, two_others);
    assert_eq!(upgraded(&live(&wanted, &[(FINGERPRINT, "new", 100.0)])), Vec::<String>::new());
    // A router without counters takes its migration all at once.
    let mut before = live(&wanted, &[("0+old", "old", 100.0)]);
    before.worker.as_mut().unwrap().migrated = false;
    assert_eq!(upgraded(&before)[0], "replace the Worker w, with the objects of its counters");
}

#[test]
fn the_site_beneath_serves_what_visitors_have_before_the_router_goes() {
    let wanted = wanted(NAMESPACE, "");
    let found = live(&wanted, &[(FINGERPRINT, "new", 100.0)]);
    let removed = |found: &Found, force| remove(&wanted, found, false, force);
    let gone = [
        "lead www.example.com/* no longer to the Worker w",
        "check that visitors get the site without the router",
        "delete the Worker w and its counters",
    ];
    let check = "check that https://0a.p.pages.dev answers without the router";
    let plan = texts(removed(&found, false));
    assert_eq!((plan[0].as_str(), &plan[1..]), (check, &gone.map(str::to_owned)[..]));
    let damaged = Found { damaged: Some("it is text".into()), table: None, ..found.clone() };
    assert!(removed(&damaged, false).unwrap_err().to_string().contains("is no routing table"));
    assert_eq!(texts(removed(&damaged, true))[0], gone[0]);
    let mut newer = found.clone();
    newer.site = Some(Site {
        origin: Origin::new("origin", "https://0b.p.pages.dev").unwrap(),
        deployment: Some("0b".into()),
        ..newer.site.unwrap()
    });
    let refused = removed(&newer, false).unwrap_err().to_string();
    assert!(
        refused.contains("visitors have pages-0a") && refused.contains("https://0b.p.pages.dev"),
        "{refused}"
    );
    newer.stable_deployment = Some("0a".into());
    let plan = texts(removed(&newer, false));
    assert_eq!(plan[..2], [check, "make the Pages project serve deployment 0a instead of 0b"]);
    assert_eq!(plan[2..], gone);
    // However visitors are led to it, they are led back before it goes.
    let wide = Found {
        routes: vec![route("*.example.com/*", "w"), route("www.example.com/api/*", "w")],
        ..found.clone()
    };
    assert_eq!(
        texts(removed(&wide, false))[1..4],
        [
            "lead *.example.com/* no longer to the Worker w",
            gone[1],
            "lead www.example.com/api/* no longer to the Worker w",
        ]
    );
    let both = Found {
        routes: vec![route("www.example.com/*", "w"), route("b.example.com/*", "w")],
        ..found.clone()
    };
    assert!(
        removed(&both, false).unwrap_err().to_string().contains("b.example.com/* leads to this Worker too")
    );
    let domain = Domain { id: "d".into(), hostname: "www.example.com".into(), service: "w".into() };
    let own = Found { routes: Vec::new(), domain: Some(domain), ..found };
    assert!(removed(&own, false).unwrap_err().to_string().contains("--force"));
    assert_eq!(texts(removed(&own, true))[0], "take www.example.com away from the Worker w");
}

#[test]
fn a_namespace_that_others_may_use_is_not_deleted() {
    let alone = wanted(NAMESPACE, "");
    let shared = wanted(
        NAMESPACE,
        &format!("[environments.staging]\nurl = \"https://s.example.com\"\nkv_namespace = \"{NAMESPACE}\"\n"),
    );
    let found = live(&alone, &[(FINGERPRINT, "new", 100.0)]);
    let titled = Found { titled: Some(NAMESPACE.into()), ..found.clone() };
    let purged = |wanted: &Wanted, found: &Found| remove(wanted, found, true, true);
    assert_eq!(
        texts(purged(&alone, &titled)).last().unwrap(),
        "take the namespace's id out of the configuration"
    );
    assert!(purged(&alone, &found).unwrap_err().to_string().contains("is not called w"));
    assert!(purged(&shared, &titled).unwrap_err().to_string().contains("environment staging has the same"));
}

#[test]
fn what_others_have_made_is_left_alone() {
    let plain = wanted(NAMESPACE, "");
    let installed = live(&plain, &[(FINGERPRINT, "new", 100.0)]);
    let record = |proxied| Record { kind: "A".into(), content: "203.0.113.9".into(), proxied };
    let mut elsewhere = installed.worker.clone().unwrap();
    elsewhere.deployed[0].bindings[1].insert("text".into(), "b.example.com".into());
    let stranger = Worker { migrated: false, deployed: vec![Deployed::default()] };
    for (worker, found, says) in [
        ("", Found { zone: None, ..pages() }, "lacks \"Zone: Read\""),
        ("", Found { worker: Some(stranger), ..pages() }, "no router of Crossfade"),
        ("", Found { routes: vec![route("www.example.com/*", "theirs")], ..pages() }, "the Worker theirs"),
        (
            "",
            Found { routes: vec![route("*.example.com/*", "theirs")], ..pages() },
            "*.example.com/* leads to the Worker theirs",
        ),
        ("", Found { records: vec![record(false)], ..pages() }, "is not proxied"),
        (
            "",
            Found { records: vec![record(true)], ..pages() },
            "leads to 203.0.113.9, which is not the Pages project (p-1ab.pages.dev)",
        ),
        ("entry = \"route\"", Found { records: Vec::new(), ..pages() }, "has no DNS record"),
        (
            "entry = \"domain\"",
            Found { records: vec![record(true)], ..pages() },
            "cannot become a custom domain",
        ),
        (
            "",
            Found { damaged: Some("it is text".into()), table: None, ..installed.clone() },
            "is no routing table (it is text)",
        ),
        ("", Found { worker: Some(elsewhere), ..pages() }, "the Worker w is the router of b.example.com"),
        ("", Found { namespace: Some("another".into()), ..installed }, "another table at once"),
    ] {
        let refused = deploy(&wanted(NAMESPACE, worker), &found, FINGERPRINT, Span(Duration::ZERO));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn every_change_but_those_that_end_something_has_its_undoing() {
    let mut undone = Vec::new();
    for step in deploy(&wanted("", ""), &pages(), FINGERPRINT, Span(Duration::ZERO)).unwrap().iter().rev() {
        undone.extend(step.undo().map(|undo| undo.to_string()));
    }
    assert_eq!(
        undone,
        [
            "lead www.example.com/__crossfade/* to the Worker w",
            "lead www.example.com/* no longer to the Worker w",
            "lead www.example.com/__crossfade/* no longer to the Worker w",
            "delete the Worker w and its counters",
            "delete the routing table",
            "delete the KV namespace w",
        ]
    );
}
