//! `/workers/…`: scripts, their versions and deployments, secrets, subdomain, routes.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, patch, post, put};
use serde_json::{Value, json};

use super::{ApiError, Result, answer, json_body};
use crate::state::State;
use crate::workers::Script;

type Ids = Path<HashMap<String, String>>;
type Form = std::result::Result<Multipart, MultipartRejection>;

/// Workers' code for a body that makes no sense.
const BAD_REQUEST: i64 = 10_026;

pub(super) fn router() -> Router<Arc<State>> {
    let script = "/workers/scripts/{script}";
    Router::new()
        .route("/workers/services/{script}", get(service))
        .route("/workers/workers/{script}", get(worker))
        .route("/workers/subdomain", get(account_subdomain))
        .route(script, put(upload).delete(remove))
        .route(&format!("{script}/settings"), get(settings))
        .route(&format!("{script}/script-settings"), patch(script_settings))
        .route(&format!("{script}/subdomain"), get(subdomain).post(set_subdomain))
        .route(&format!("{script}/secrets"), get(secrets).put(put_secret))
        .route(&format!("{script}/secrets-bulk"), patch(put_secrets))
        .route(&format!("{script}/secrets/{{name}}"), axum::routing::delete(delete_secret))
        .route(&format!("{script}/versions"), get(versions).post(upload_version))
        .route(&format!("{script}/versions/{{version}}"), get(version))
        .route(&format!("{script}/deployments"), get(deployments).post(deploy))
        .route(&format!("{script}/routes"), put(set_routes))
        .route(&format!("{script}/domains/changeset"), post(domains))
        .route(&format!("{script}/domains/records"), put(domain_records))
}

/// Below a zone: which script answers where.
pub(super) fn zone_router() -> Router<Arc<State>> {
    Router::new().route("/workers/routes", get(routes))
}

fn id<'a>(ids: &'a HashMap<String, String>, name: &str) -> &'a str {
    ids.get(name).map_or("", String::as_str)
}

fn with<T>(
    state: &State,
    ids: &HashMap<String, String>,
    missing: i64,
    look: impl FnOnce(&mut Script) -> std::result::Result<T, ApiError>,
) -> std::result::Result<T, ApiError> {
    match state.workers().get_mut(id(ids, "script")) {
        Some(script) => look(script),
        None => Err(ApiError::not_found(missing, "This Worker does not exist on your account.")),
    }
}

const NOT_FOUND: i64 = 10_007;
const SERVICE_NOT_FOUND: i64 = 10_090;

async fn service(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(with(&state, &ids, SERVICE_NOT_FOUND, |script| Ok(script.service()))?)
}

async fn worker(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(with(&state, &ids, NOT_FOUND, |script| Ok(script.worker()))?)
}

async fn account_subdomain() -> Result {
    answer(json!({ "subdomain": "sandbox" }))
}

async fn settings(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(with(&state, &ids, NOT_FOUND, |script| Ok(script.settings()))?)
}

async fn script_settings(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let wanted: Value = json_body(&body, BAD_REQUEST)?;
    with(&state, &ids, NOT_FOUND, |_| Ok(()))?;
    let observability = wanted.get("observability").cloned().unwrap_or_else(|| json!({ "enabled": false }));
    answer(json!({ "observability": observability, "logpush": false, "tail_consumers": null }))
}

async fn subdomain(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(with(&state, &ids, NOT_FOUND, |script| Ok(script.subdomain.clone()))?)
}

async fn set_subdomain(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let wanted: Value = json_body(&body, BAD_REQUEST)?;
    let is = |name: &str| wanted.get(name).and_then(Value::as_bool).unwrap_or_default();
    let subdomain = json!({ "enabled": is("enabled"), "previews_enabled": is("previews_enabled") });
    answer(with(&state, &ids, NOT_FOUND, |script| {
        script.subdomain = subdomain.clone();
        Ok(subdomain)
    })?)
}

async fn upload(Shared(state): Shared<Arc<State>>, Path(ids): Ids, form: Form) -> Result {
    let metadata = read(&state, form).await?;
    let name = id(&ids, "script");
    let mut workers = state.workers();
    let script = workers.entry(name.to_owned()).or_insert_with(|| Script::new(name));
    script.upload(metadata, true);
    answer(script.describe())
}

async fn upload_version(Shared(state): Shared<Arc<State>>, Path(ids): Ids, form: Form) -> Result {
    let metadata = read(&state, form).await?;
    if metadata.get("migrations").is_some() {
        return Err(ApiError::bad_request(10_211, "A version upload cannot have migrations."));
    }
    answer(with(&state, &ids, NOT_FOUND, |script| {
        let version = script.upload(metadata, false);
        Ok(script.version(&version.id).unwrap_or_default())
    })?)
}

/// An upload's metadata, once its modules and bindings are what they must be.
async fn read(state: &State, form: Form) -> std::result::Result<Value, ApiError> {
    let unreadable = |why: String| ApiError::bad_request(10_006, why);
    let mut form = form.map_err(|error| unreadable(error.to_string()))?;
    let (mut metadata, mut modules) = (None, Vec::new());
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(error.to_string()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| unreadable(error.to_string()))?;
        match name.as_str() {
            "metadata" => metadata = Some(json_body::<Value>(&bytes, BAD_REQUEST)?),
            _ => modules.push(name),
        }
    }
    let metadata = metadata.ok_or_else(|| ApiError::bad_request(10_003, "metadata is missing"))?;
    let main = metadata.get("main_module").and_then(Value::as_str).unwrap_or_default();
    if !modules.iter().any(|module| module == main) {
        return Err(ApiError::bad_request(10_021, format!("No such module \"{main}\".")));
    }
    let bindings = metadata.get("bindings").and_then(Value::as_array).into_iter().flatten();
    for namespace in bindings.filter_map(|binding| binding.get("namespace_id")?.as_str()) {
        if !state.kv().has(namespace) {
            let message = format!("KV namespace '{namespace}' not found.");
            return Err(ApiError::bad_request(10_041, message));
        }
    }
    Ok(metadata)
}

async fn remove(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    with(&state, &ids, NOT_FOUND, |_| Ok(()))?;
    state.workers().remove(id(&ids, "script"));
    answer(Value::Null)
}

async fn secrets(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    // A script that is not there has none: wrangler asks before it makes one.
    let names: Vec<Value> = state.workers().get(id(&ids, "script")).map_or_else(Vec::new, |script| {
        script.secrets.keys().map(|name| json!({ "name": name, "type": "secret_text" })).collect()
    });
    answer(names)
}

async fn put_secret(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let secret: Value = json_body(&body, BAD_REQUEST)?;
    let name = secret.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    with(&state, &ids, NOT_FOUND, |script| Ok(script.secrets.insert(name.clone(), ())))?;
    answer(json!({ "name": name, "type": "secret_text" }))
}

/// A merge patch: `null` takes a secret away.
async fn put_secrets(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let patch: Value = json_body(&body, BAD_REQUEST)?;
    let secrets = patch.get("secrets").and_then(Value::as_object).cloned().unwrap_or_default();
    answer(with(&state, &ids, NOT_FOUND, |script| {
        for (name, secret) in secrets {
            match secret {
                Value::Null => script.secrets.remove(&name),
                _ => script.secrets.insert(name, ()),
            };
        }
        let described = |name: &String| (name.clone(), json!({ "name": name, "type": "secret_text" }));
        Ok(script.secrets.keys().map(described).collect::<Value>())
    })?)
}

async fn delete_secret(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let missing = || ApiError::not_found(10_056, "Binding not found.");
    with(&state, &ids, NOT_FOUND, |script| script.secrets.remove(id(&ids, "name")).ok_or_else(missing))?;
    answer(Value::Null)
}

async fn versions(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(json!({ "items": with(&state, &ids, NOT_FOUND, |script| Ok(script.versions()))? }))
}

async fn version(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let missing = || ApiError::not_found(10_071, "This version does not exist.");
    answer(with(&state, &ids, NOT_FOUND, |script| script.version(id(&ids, "version")).ok_or_else(missing))?)
}

async fn deployments(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let made = with(&state, &ids, NOT_FOUND, |script| Ok(script.deployments().to_vec()))?;
    answer(json!({ "deployments": made }))
}

/// One or two versions that are there, whose shares make the whole.
async fn deploy(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let wanted: Value = json_body(&body, BAD_REQUEST)?;
    let versions = wanted.get("versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let share: f64 = versions.iter().filter_map(|version| version.get("percentage")?.as_f64()).sum();
    answer(with(&state, &ids, NOT_FOUND, |script| {
        let known =
            |version: &Value| version["version_id"].as_str().is_some_and(|id| script.version(id).is_some());
        if !(1..=2).contains(&versions.len()) || (share - 100.0).abs() > 0.001 || !versions.iter().all(known)
        {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 10_210, "Invalid deployment."));
        }
        Ok(script.deploy(versions.into(), wanted.get("annotations").cloned().unwrap_or_default()))
    })?)
}

async fn set_routes(Shared(state): Shared<Arc<State>>, Path(ids): Ids, body: Bytes) -> Result {
    let wanted: Vec<Value> = json_body(&body, BAD_REQUEST)?;
    with(&state, &ids, NOT_FOUND, |script| {
        script.routes.clone_from(&wanted);
        Ok(())
    })?;
    answer(wanted)
}

async fn routes(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let workers = state.workers();
    let all = workers.iter().flat_map(|(name, script)| script.routes.iter().map(move |route| (name, route)));
    let here = all.filter(|(_, route)| route["zone_id"] == id(&ids, "zone"));
    answer(
        here.enumerate()
            .map(|(number, (name, route))| {
                json!({ "id": format!("{number:032x}"), "pattern": route["pattern"], "script": name })
            })
            .collect::<Value>(),
    )
}

/// What is not kept: it is answered as it was said.
async fn domain_records(body: Bytes) -> Result {
    answer(json_body::<Value>(&body, BAD_REQUEST)?)
}

async fn domains(body: Bytes) -> Result {
    let wanted: Vec<Value> = json_body(&body, BAD_REQUEST)?;
    answer(json!({ "added": wanted, "removed": [], "updated": [], "conflicting": [] }))
}
