//! `/zones…` and the custom domains of Workers: which names there are, and where they lead.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use serde_json::{Value, json};

use super::workers::routes_of;
use super::{ApiError, Result, answer, json_body, page};
use crate::pages::uuid;
use crate::state::State;
use crate::zone::{Domain, Record, Route};
use crate::{ACCOUNT_ID, ZONE_ID, ZONE_NAME};

type Ids = Path<HashMap<String, String>>;
type Fields = Query<HashMap<String, String>>;

/// When everything here was made.
const MADE: &str = "2026-01-01T00:00:00Z";

/// Below `/zones`.
pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(zones))
        .route("/{zone}/dns_records", get(records))
        .route("/{zone}/workers/routes", get(routes).post(add_route))
        .route("/{zone}/workers/routes/{route}", delete(remove_route))
}

/// Below the account.
pub(super) fn domains() -> Router<Arc<State>> {
    Router::new()
        .route("/workers/domains", get(list_domains).put(put_domain))
        .route("/workers/domains/{domain}", delete(remove_domain))
}

async fn zones(Query(query): Fields) -> Result {
    let wanted = query.get("name").is_none_or(|name| name == ZONE_NAME);
    let zone = json!({
        "id": ZONE_ID, "name": ZONE_NAME, "status": "active", "paused": false, "type": "full", "development_mode": 0,
        "name_servers": ["a.ns.cloudflare.com", "b.ns.cloudflare.com"], "original_name_servers": null,
        "original_registrar": null, "original_dnshost": null, "created_on": MADE, "modified_on": MADE, "activated_on": MADE,
        "account": { "id": ACCOUNT_ID, "name": "Sandbox" }, "owner": { "id": ACCOUNT_ID, "type": "organization", "name": "Sandbox" },
        "meta": { "step": 2 }, "plan": { "id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website" },
    });
    let shown: Vec<Value> = Some(zone).filter(|_| wanted).into_iter().collect();
    let info = json!({ "page": 1, "per_page": 20, "count": shown.len(), "total_count": shown.len(), "total_pages": 1 });
    page(shown, info)
}

/// The zone is ours, or there is none.
fn known(ids: &HashMap<String, String>) -> std::result::Result<(), ApiError> {
    match ids.get("zone").is_some_and(|zone| zone == ZONE_ID) {
        true => Ok(()),
        false => Err(ApiError::not_found(7003, "Could not route to the requested resource.")),
    }
}

fn id<'a>(ids: &'a HashMap<String, String>, name: &str) -> &'a str {
    ids.get(name).map_or("", String::as_str)
}

async fn records(Shared(state): Shared<Arc<State>>, Path(ids): Ids, Query(query): Fields) -> Result {
    known(&ids)?;
    let wanted = |record: &&Record| query.get("name").is_none_or(|name| *name == record.name);
    let shown: Vec<Value> = state.zone().records.iter().filter(wanted).map(record).collect();
    let info = json!({ "page": 1, "per_page": 100, "count": shown.len(), "total_count": shown.len(), "total_pages": 1 });
    page(shown, info)
}

fn record(record: &Record) -> Value {
    json!({
        "id": record.id, "name": record.name, "type": "CNAME", "content": record.content, "proxied": record.proxied,
        "proxiable": true, "ttl": 1, "settings": {}, "meta": {}, "comment": "", "tags": [], "created_on": MADE,
        "modified_on": MADE,
    })
}

fn route(route: &Route) -> Value {
    match &route.script {
        Some(script) => json!({ "id": route.id, "pattern": route.pattern, "script": script }),
        None => json!({ "id": route.id, "pattern": route.pattern }),
    }
}

/// Those of other zones lead nowhere here.
async fn routes(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    if known(&ids).is_err() {
        return answer(routes_of(&state, id(&ids, "zone")));
    }
    answer(state.zone().routes.iter().map(route).collect::<Vec<_>>())
}

async fn add_route(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    known(&ids)?;
    let wanted: Value = json_body(&body, 10_026)?;
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(pattern) = text("pattern").filter(|pattern| pattern.split('/').next().is_some_and(in_zone))
    else {
        return Err(ApiError::bad_request(10_022, "invalid route pattern"));
    };
    let script = text("script");
    if script.as_ref().is_some_and(|script| !state.workers().contains_key(script)) {
        return Err(ApiError::bad_request(10_019, "the Worker does not exist"));
    }
    let mut zone = state.zone();
    if zone.routes.iter().any(|route| route.pattern == pattern) {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            10_020,
            "a route with the same pattern already exists",
        ));
    }
    let added = Route { id: uuid().replace('-', ""), pattern, script };
    zone.routes.push(added.clone());
    answer(route(&added))
}

async fn remove_route(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    known(&ids)?;
    let (mut zone, wanted) = (state.zone(), id(&ids, "route"));
    let before = zone.routes.len();
    zone.routes.retain(|route| route.id != wanted);
    match zone.routes.len() < before {
        true => answer(json!({ "id": wanted })),
        false => Err(ApiError::not_found(10_009, "route not found")),
    }
}

fn domain(domain: &Domain) -> Value {
    json!({
        "id": domain.id, "hostname": domain.hostname, "service": domain.service, "environment": "production",
        "zone_id": ZONE_ID, "zone_name": ZONE_NAME, "cert_id": "9fdf92c8-64c2-4a3d-b1af-e15304961145",
    })
}

async fn list_domains(Shared(state): Shared<Arc<State>>, Query(query): Fields) -> Result {
    let wanted = |domain: &&Domain| query.get("hostname").is_none_or(|name| *name == domain.hostname);
    let shown: Vec<Value> = state.zone().domains.iter().filter(wanted).map(domain).collect();
    let info = json!({ "page": 1, "per_page": 100, "count": shown.len(), "total_count": shown.len(), "total_pages": 1 });
    page(shown, info)
}

/// A host whose record somebody else made cannot become a Worker's own.
async fn put_domain(Shared(state): Shared<Arc<State>>, body: Bytes) -> Result {
    let wanted: Value = json_body(&body, 10_026)?;
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (hostname, service) = (text("hostname"), text("service"));
    if !in_zone(&hostname) || text("zone_id") != ZONE_ID {
        return Err(ApiError::bad_request(100_112, "the hostname is not in the zone"));
    }
    if !state.workers().contains_key(&service) {
        return Err(ApiError::not_found(10_007, "This Worker does not exist on your account."));
    }
    let mut zone = state.zone();
    if zone.records.iter().any(|record| record.name == hostname) {
        let message = "Hostname already has externally managed DNS records.";
        return Err(ApiError::new(StatusCode::CONFLICT, 100_117, message));
    }
    zone.domains.retain(|domain| domain.hostname != hostname);
    let put = Domain { id: uuid().replace('-', ""), hostname, service };
    zone.domains.push(put.clone());
    answer(domain(&put))
}

async fn remove_domain(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let (mut zone, wanted) = (state.zone(), id(&ids, "domain"));
    let before = zone.domains.len();
    zone.domains.retain(|domain| domain.id != wanted);
    match zone.domains.len() < before {
        true => answer(Value::Null),
        false => Err(ApiError::not_found(100_114, "domain not found")),
    }
}

/// Whether a host, or a pattern of hosts, is in the zone.
fn in_zone(host: &str) -> bool {
    let host = host.trim_start_matches('*').trim_start_matches('.');
    host == ZONE_NAME || host.ends_with(&format!(".{ZONE_NAME}"))
}
