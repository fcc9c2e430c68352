use super::*;

const BLUE: &str = "b00e0000b00e0000b00e0000b00e0000";
const GREEN: &str = "94ee000094ee000094ee000094ee0000";

fn pools() -> Pools {
    [("blue", BLUE), ("green", GREEN)]
        .map(|(name, id)| (VariantName::new("slot", name).unwrap(), id.to_owned()))
        .into()
}

/// Blue is stable and green has so much.
fn table(green: u16) -> RoutingTable {
    let variant = |name: &str, origin: &str, weight: u16| json!({ "name": name, "origin": origin, "version": "1", "weight": weight });
    let document = json!({
        "schema": 1, "environment": "production", "revision": 7, "release": "rel-7", "updated_at": "2026-01-01T00:00:00Z",
        "stable": "blue", "affinity": { "by": "cookie", "salt": "rel-7" },
        "variants": [variant("blue", "https://b.site.pages.dev", 10_000 - green),
                     variant("green", "https://g.example:8443", green)],
    });
    RoutingTable::parse(document.to_string().as_bytes()).unwrap()
}

fn pool(enabled: bool, address: &str) -> Pool {
    let origin = json!({ "name": "first", "address": address, "enabled": true, "header": { "Host": [address] }, "weight": 1 });
    Pool { enabled, origins: vec![origin.as_object().unwrap().clone()] }
}

/// Blue leads to its version, green to an older one; as the API shows it, with these changes.
fn seen(green_enabled: bool, change: Value) -> Seen {
    let mut balancer = json!({
        "enabled": true, "proxied": true, "steering_policy": "random", "default_pools": [GREEN, BLUE], "fallback_pool": BLUE,
        "random_steering": { "default_weight": 1, "pool_weights": { BLUE: 0.5, GREEN: 0 } },
    });
    for (name, value) in change.as_object().unwrap() {
        balancer[name] = value.clone();
    }
    let pools = [(BLUE, pool(true, "b.site.pages.dev")), (GREEN, pool(green_enabled, "old.site.pages.dev"))];
    Seen {
        balancer: serde_json::from_value(balancer).unwrap(),
        pools: pools.map(|(id, pool)| (id.to_owned(), pool)).into(),
    }
}

fn wanted(green: u16) -> Wanted {
    Wanted::of(&table(green), &pools()).unwrap()
}

#[test]
fn a_variants_weight_is_its_pools_and_only_our_fields_are_sent() {
    assert_eq!(
        wanted(500).steering(),
        json!({ "steering_policy": "random", "fallback_pool": BLUE,
                "random_steering": { "default_weight": 0, "pool_weights": { BLUE: 0.95, GREEN: 0.05 } } })
    );
}

#[test]
fn a_pool_leads_to_the_new_version_before_it_gets_weight_and_keeps_what_is_not_ours() {
    let endpoint = json!({ "name": "first", "address": "g.example", "port": 8443, "enabled": true, "weight": 1,
                           "header": { "Host": ["g.example:8443"] } });
    let raised = wanted(500).raised(&seen(false, json!({})));
    assert_eq!(raised, [(GREEN.to_owned(), json!({ "enabled": true, "origins": [endpoint] }))]);
    assert!(!wanted(500).diverts(&seen(false, json!({}))), "nobody is there");
    let somebody = json!({ "random_steering": { "pool_weights": { BLUE: 1, GREEN: 1 } } });
    assert!(wanted(500).diverts(&seen(true, somebody)), "visitors of another version are there");
}

#[test]
fn a_variant_without_visitors_that_is_not_stable_has_its_pool_disabled() {
    let (home, shifted) = (wanted(0), wanted(10_000));
    assert_eq!(home.idle().collect::<Vec<_>>(), [GREEN]);
    assert_eq!(shifted.idle().count(), 0, "stable's pool stays, for the way home");
    assert!(home.raised(&seen(true, json!({}))).is_empty());
}

#[test]
fn what_differs_is_told_by_the_slots_names() {
    let off = json!({ "steering_policy": "off" });
    let split = json!({ "random_steering": { "pool_weights": { BLUE: 3, GREEN: 1 } } });
    let by_default = json!({ "random_steering": { "pool_weights": { BLUE: 1 } } });
    for (seen, told) in [
        (seen(false, json!({})), None),
        (seen(true, json!({})), Some("the pool of green, which nobody is to be on, is enabled")),
        (seen(false, off), Some("its steering policy is \"off\", not \"random\"")),
        (seen(false, split), Some("it gives blue 75 %, green 25 %")),
        (seen(false, by_default), Some("it gives blue 50 %, green 50 %")),
        (
            seen(false, json!({ "fallback_pool": GREEN })),
            Some("its fallback pool is not that of the stable version"),
        ),
    ] {
        assert_eq!(wanted(0).differs(&seen).as_deref(), told, "{:?}", seen.balancer);
    }
    let misled = seen(true, json!({ "random_steering": { "pool_weights": { BLUE: 1, GREEN: 1 } } }));
    assert_eq!(
        wanted(5_000).differs(&misled).unwrap(),
        "the pool of green does not lead to https://g.example:8443"
    );
}

#[test]
fn what_would_not_bring_visitors_home_is_unfit() {
    let sticky =
        json!({ "session_affinity": "cookie", "session_affinity_attributes": { "drain_duration": 60 } });
    let kept =
        json!({ "session_affinity": "cookie", "session_affinity_attributes": { "drain_duration": 0 } });
    for (change, told) in [
        (json!({}), None),
        (kept, None),
        (json!({ "enabled": false }), Some("it is disabled")),
        (json!({ "proxied": false }), Some("not proxied")),
        (json!({ "default_pools": [BLUE] }), Some("the two of `load_balancer.pools` and no others")),
        (json!({ "default_pools": [BLUE, GREEN, "another"] }), Some("and no others")),
        (sticky, Some("drains for 60 s")),
    ] {
        let unfit = seen(true, change.clone()).unfit();
        assert_eq!(unfit.is_some(), told.is_some(), "{change}");
        assert!(unfit.unwrap_or_default().contains(told.unwrap_or_default()), "{change}");
    }
    let mut crowded = seen(true, json!({}));
    let endpoint = crowded.pools[GREEN].origins[0].clone();
    crowded.pools.get_mut(GREEN).unwrap().origins.push(endpoint);
    assert!(crowded.unfit().unwrap().contains("has 2 endpoints"));
}
