//! `/pages/projects…`: projects and deployments.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::assets::BAD_REQUEST;
use super::{ApiError, Result, answer, assets, json_body, page};
use crate::Error;
use crate::pages::{CannotRemove, Deployment, Parts, Project};
use crate::state::State;

type Ids = Path<HashMap<String, String>>;
type Fields = Query<HashMap<String, String>>;

pub(super) fn router() -> Router<Arc<State>> {
    let project = "/pages/projects/{project}";
    Router::new()
        .route("/pages/projects", get(list_projects).post(create_project))
        .route(project, get(read_project).delete(delete_project))
        .route(&format!("{project}/upload-token"), get(upload_token))
        .route(&format!("{project}/deployments"), get(list_deployments).post(create_deployment))
        .route(
            &format!("{project}/deployments/{{deployment}}"),
            get(read_deployment).delete(delete_deployment),
        )
        .route(&format!("{project}/deployments/{{deployment}}/history/logs"), get(logs))
        .route(&format!("{project}/deployments/{{deployment}}/rollback"), post(roll_back))
        .route(&format!("{project}/deployments/{{deployment}}/retry"), post(retry_deployment))
}

fn id<'a>(ids: &'a HashMap<String, String>, name: &str) -> &'a str {
    ids.get(name).map_or("", String::as_str)
}

fn with_project<T>(
    state: &State,
    ids: &HashMap<String, String>,
    look: impl FnOnce(&mut Project) -> std::result::Result<T, ApiError>,
) -> std::result::Result<T, ApiError> {
    let missing =
        "Project not found. The specified project name does not match any of your existing projects.";
    match state.projects().get_mut(id(ids, "project")) {
        Some(project) => look(project),
        None => Err(ApiError::not_found(8_000_007, missing)),
    }
}

fn paged(all: Vec<Value>, query: &HashMap<String, String>) -> Result {
    let number =
        |name: &str, default: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (number, size) = (number("page", 1).max(1), number("per_page", 25).clamp(1, 100));
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip((number - 1) * size).take(size).collect();
    let info = json!({
        "page": number, "per_page": size, "count": shown.len(), "total_count": total,
        "total_pages": total.div_ceil(size),
    });
    page(shown, info)
}

async fn list_projects(Shared(state): Shared<Arc<State>>, Query(query): Fields) -> Result {
    let all = state.projects().values().map(Project::describe).collect();
    paged(all, &query)
}

async fn create_project(Shared(state): Shared<Arc<State>>, body: Bytes) -> Result {
    let body: Value = json_body(&body, BAD_REQUEST)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let Some(name) = text("name").filter(|name| !name.is_empty()) else {
        return Err(ApiError::bad_request(BAD_REQUEST, "`name` is required"));
    };
    let mut projects = state.projects();
    if projects.contains_key(name) {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            8_000_002,
            "A project with this name already exists.",
        ));
    }
    let project = Project::new(name, text("production_branch").unwrap_or("main"));
    let description = project.describe();
    projects.insert(name.to_owned(), project);
    answer(description)
}

async fn read_project(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    answer(with_project(&state, &ids, |project| Ok(project.describe()))?)
}

async fn delete_project(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    with_project(&state, &ids, |_| Ok(()))?;
    let removed = state.projects().remove(id(&ids, "project"));
    // Its children take a moment to end; nobody has to wait for them.
    tokio::task::spawn_blocking(move || drop(removed));
    answer(Value::Null)
}

async fn upload_token(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    with_project(&state, &ids, |_| Ok(()))?;
    answer(json!({ "jwt": assets::token(state.limits().tokens) }))
}

async fn list_deployments(Shared(state): Shared<Arc<State>>, Path(ids): Ids, Query(query): Fields) -> Result {
    let env = query.get("env").cloned();
    let all = with_project(&state, &ids, |project| {
        let wanted =
            |deployment: &&Deployment| env.as_deref().is_none_or(|env| env == deployment.environment);
        let mut shown: Vec<Value> = project
            .deployments()
            .filter(wanted)
            .map(|deployment| project.describe_deployment(deployment))
            .collect();
        shown.reverse();
        Ok(shown)
    })?;
    paged(all, &query)
}

async fn create_deployment(
    Shared(state): Shared<Arc<State>>,
    Path(ids): Ids,
    form: std::result::Result<Multipart, MultipartRejection>,
) -> Result {
    with_project(&state, &ids, |_| Ok(()))?;
    let unreadable = |why: String| ApiError::bad_request(BAD_REQUEST, why);
    let mut form = form.map_err(|error| unreadable(error.to_string()))?;
    let mut fields: HashMap<String, Bytes> = HashMap::new();
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(error.to_string()))? {
        let name = field.name().unwrap_or_default().to_owned();
        fields.insert(name, field.bytes().await.map_err(|error| unreadable(error.to_string()))?);
    }
    let text = |name: &str| fields.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let manifest: BTreeMap<String, String> =
        text("manifest").and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(|| {
            ApiError::bad_request(
                8_000_096,
                "A \"manifest\" field was expected in the request body but was not provided.",
            )
        })?;
    if manifest.len() > state.limits().tokens.files_max {
        return Err(unreadable(format!("{} files are too many", manifest.len())));
    }
    let files = {
        let assets = state.assets();
        let found = manifest.iter().map(|(path, key)| {
            let wrong = |why| unreadable(format!("the manifest names {key} for {path}, which {why}"));
            let bytes = assets.get(key).ok_or_else(|| wrong("was never uploaded"))?;
            if !state.was_verified(key, path) {
                if assets::key(bytes, path) != *key {
                    return Err(wrong("is not the hash of what was uploaded"));
                }
                state.verified(key, path);
            }
            let bytes = if state.serve_pages { bytes.clone() } else { Vec::new() };
            Ok((path.clone(), bytes))
        });
        found.collect::<std::result::Result<Vec<_>, _>>()?
    };
    let special =
        ["_headers", "_redirects", "_routes.json"].map(|name| Some((name, fields.get(name)?.to_vec())));
    let modules = match fields.get("_worker.bundle") {
        Some(bundle) => crate::bundle::modules(bundle.clone()).await.map_err(unreadable)?,
        None => Vec::new(),
    };
    let metadata = ["branch", "commit_hash", "commit_message", "commit_dirty"].map(|name| (name, text(name)));
    // What is not served need not be written.
    let parts = match state.serve_pages {
        true => Parts { files, special: special.into_iter().flatten().collect(), modules, metadata },
        false => Parts { files: Vec::new(), special: Vec::new(), modules: Vec::new(), metadata },
    };
    add(state, ids, |state, project| {
        Deployment::create(project, parts, state.directory(), state.script()).map(Some)
    })
}

/// Another deployment of what the first one was made of.
async fn retry_deployment(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let first = id(&ids, "deployment").to_owned();
    add(state, ids, |state, project| {
        let first = project.deployment(&first);
        first.map(|first| first.again(project, state.directory(), state.script())).transpose()
    })
}

/// Adds a deployment to the project and begins to serve it; `None` when it is unknown.
fn add(
    state: Arc<State>,
    ids: HashMap<String, String>,
    make: impl FnOnce(&State, &Project) -> std::result::Result<Option<Deployment>, Error>,
) -> Result {
    let description = with_project(&state, &ids, |project| {
        let failed =
            |error: Error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, 8_000_000, error.to_string());
        let mut deployment = make(&state, project).map_err(failed)?.ok_or_else(unknown_deployment)?;
        if !state.serve_pages {
            deployment.stored();
        }
        let description = project.describe_deployment(&deployment);
        project.add(deployment);
        Ok(description)
    })?;
    let deployment = description["id"].as_str().unwrap_or_default().to_owned();
    if state.serve_pages {
        tokio::task::spawn_blocking(move || crate::pages::serve(&state, id(&ids, "project"), &deployment));
    }
    answer(description)
}

fn with_deployment<T>(
    state: &State,
    ids: &HashMap<String, String>,
    look: impl FnOnce(&Project, &Deployment) -> T,
) -> std::result::Result<T, ApiError> {
    with_project(state, ids, |project| match project.deployment(id(ids, "deployment")) {
        Some(deployment) => Ok(look(project, deployment)),
        None => Err(unknown_deployment()),
    })
}

fn unknown_deployment() -> ApiError {
    ApiError::not_found(8_000_009, "The deployment ID you have specified does not exist.")
}

async fn read_deployment(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let description = with_deployment(&state, &ids, Project::describe_deployment)?;
    with_project(&state, &ids, |project| {
        if let Some(deployment) = project.deployment_mut(id(&ids, "deployment")) {
            deployment.looked_at();
        }
        Ok(())
    })?;
    answer(description)
}

async fn logs(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let lines = with_deployment(&state, &ids, |_, deployment| deployment.output())?;
    let ts = jiff::Timestamp::now().to_string();
    let data: Vec<Value> = lines.iter().map(|line| json!({ "ts": ts, "line": line })).collect();
    answer(json!({ "total": data.len(), "includes_container_logs": false, "data": data }))
}

/// The project's own host name serves an earlier production deployment.
async fn roll_back(Shared(state): Shared<Arc<State>>, Path(ids): Ids) -> Result {
    let description = with_project(&state, &ids, |project| {
        let back = project.put_back(id(&ids, "deployment")).is_some();
        let deployment = project.deployment(id(&ids, "deployment")).filter(|_| back);
        deployment.map(|deployment| project.describe_deployment(deployment)).ok_or_else(unknown_deployment)
    })?;
    answer(description)
}

async fn delete_deployment(
    Shared(state): Shared<Arc<State>>,
    Path(ids): Ids,
    Query(query): Fields,
) -> Result {
    let force = query.get("force").is_some_and(|force| force == "true");
    let removed = with_project(&state, &ids, |project| {
        project.remove(id(&ids, "deployment"), force).map_err(|why| match why {
            CannotRemove::Unknown => unknown_deployment(),
            CannotRemove::Live => {
                ApiError::bad_request(8_000_034, "You cannot delete the live production deployment.")
            }
            CannotRemove::Aliased => ApiError::bad_request(
                8_000_035,
                "You cannot delete an aliased deployment without a `?force=true` parameter in the API request URL.",
            ),
        })
    })?;
    tokio::task::spawn_blocking(move || drop(removed));
    answer(Value::Null)
}
