//! Pages projects, and each deployment in the real Pages runtime: one `wrangler pages dev` on an origin of its own.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::child::Child;
use crate::state::State;
use crate::{Error, serve as ports};

const COMPATIBILITY_DATE: &str = "2026-01-01";
const UP_WITHIN: Duration = Duration::from_secs(60);

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    name: String,
    production_branch: String,
    created_on: String,
    /// Oldest first.
    deployments: Vec<Deployment>,
}

/// A deployment.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) environment: &'static str,
    project: String,
    port: u16,
    directory: PathBuf,
    created_on: String,
    metadata: [(&'static str, Option<String>); 4],
    uses_functions: bool,
    stage: Stage,
    child: Option<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Queued,
    Deploying,
    Live,
    Failed(Vec<String>),
}

/// What a deployment is made of.
pub(crate) struct Parts {
    /// Assets by their manifest paths.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// `_headers` and so on.
    pub(crate) special: Vec<(&'static str, Vec<u8>)>,
    /// The Worker's modules, as files.
    pub(crate) modules: Vec<(String, Vec<u8>)>,
    /// Branch and commit.
    pub(crate) metadata: [(&'static str, Option<String>); 4],
}

impl Project {
    pub(crate) fn new(name: &str, production_branch: &str) -> Self {
        Self {
            name: name.to_owned(),
            production_branch: production_branch.to_owned(),
            created_on: jiff::Timestamp::now().to_string(),
            deployments: Vec::new(),
        }
    }

    pub(crate) fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter()
    }

    pub(crate) fn deployment(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    pub(crate) fn add(&mut self, deployment: Deployment) {
        self.deployments.push(deployment);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Deployment> {
        let index = self.deployments.iter().position(|deployment| deployment.id == id)?;
        Some(self.deployments.remove(index))
    }

    /// The production deployment that the project's own host name serves.
    pub(crate) fn live_production(&self) -> Option<&str> {
        let live = |deployment: &&Deployment| {
            deployment.environment == "production" && deployment.stage == Stage::Live
        };
        self.deployments.iter().rev().find(live).map(|deployment| deployment.id.as_str())
    }

    pub(crate) fn describe(&self) -> Value {
        let latest = self.deployments.last().map(Deployment::describe);
        let config = json!({
            "compatibility_date": COMPATIBILITY_DATE, "compatibility_flags": [], "env_vars": {}, "fail_open": false,
            "always_use_latest_compatibility_date": false, "build_image_major_version": 3, "usage_model": "standard",
        });
        json!({
            "id": format!("project-{}", self.name),
            "name": self.name,
            "subdomain": format!("{}.pages.dev", self.name),
            "domains": [format!("{}.pages.dev", self.name)],
            "production_branch": self.production_branch,
            "production_script_name": format!("pages-worker--{}-production", self.name),
            "preview_script_name": format!("pages-worker--{}-preview", self.name),
            "framework": "",
            "framework_version": "",
            "uses_functions": self.deployments.last().map(|deployment| deployment.uses_functions),
            "build_config": { "build_command": null, "destination_dir": null, "root_dir": null, "build_caching": null,
                              "web_analytics_tag": null, "web_analytics_token": null },
            "deployment_configs": { "production": config, "preview": config },
            "canonical_deployment": latest,
            "latest_deployment": latest,
            "created_on": self.created_on,
        })
    }
}

impl Deployment {
    /// Writes the files; nothing is served yet.
    pub(crate) fn create(project: &Project, parts: Parts, root: &Path) -> Result<Self, Error> {
        let id = uuid();
        let port = ports::free_port()?;
        let directory = root.join("deployments").join(&id);
        let uses_functions = !parts.modules.is_empty();
        let special = parts.special.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
        for (path, bytes) in parts.files.into_iter().chain(special).chain(parts.modules) {
            let file = inside(&directory, &path)?;
            let parent = file.parent().unwrap_or(&directory);
            std::fs::create_dir_all(parent).map_err(Error::io("make a deployment's directory"))?;
            std::fs::write(&file, bytes).map_err(Error::io(format!("write {}", file.display())))?;
        }
        std::fs::create_dir_all(&directory).map_err(Error::io("make a deployment's directory"))?;
        let branch =
            parts.metadata.iter().find(|(name, _)| *name == "branch").and_then(|(_, value)| value.as_deref());
        let production = branch.is_none_or(|branch| branch == project.production_branch);
        Ok(Self {
            id,
            url: format!("http://127.0.0.1:{port}"),
            environment: if production { "production" } else { "preview" },
            project: project.name.clone(),
            port,
            directory,
            created_on: jiff::Timestamp::now().to_string(),
            metadata: parts.metadata,
            uses_functions,
            stage: Stage::Queued,
            child: None,
        })
    }

    pub(crate) const fn is_served(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn output(&self) -> Vec<String> {
        match (&self.stage, &self.child) {
            (Stage::Failed(lines), _) => lines.clone(),
            (_, Some(child)) => child.output(),
            (_, None) => Vec::new(),
        }
    }

    pub(crate) fn describe(&self) -> Value {
        let (name, status) = match &self.stage {
            Stage::Queued => ("queued", "active"),
            Stage::Deploying => ("deploy", "active"),
            Stage::Live => ("deploy", "success"),
            Stage::Failed(_) => ("deploy", "failure"),
        };
        let ended = |done: bool| done.then(|| self.created_on.clone());
        let stage = |name: &str, status: &str| {
            let done = status == "success" || status == "failure";
            json!({ "name": name, "status": status, "started_on": self.created_on, "ended_on": ended(done) })
        };
        let earlier = if name == "queued" { "idle" } else { "success" };
        let stages: Vec<Value> = ["queued", "initialize", "clone_repo", "build"]
            .into_iter()
            .map(|earlier_name| stage(earlier_name, if earlier_name == name { status } else { earlier }))
            .chain([stage("deploy", if name == "deploy" { status } else { "idle" })])
            .collect();
        let metadata: HashMap<&str, Value> = self
            .metadata
            .iter()
            .map(|(name, value)| match (*name, value) {
                ("commit_dirty", value) => ("commit_dirty", json!(value.as_deref() == Some("true"))),
                (name, value) => (name, json!(value.clone().unwrap_or_default())),
            })
            .collect();
        json!({
            "id": self.id,
            "short_id": self.id.get(..8),
            "project_id": format!("project-{}", self.project),
            "project_name": self.project,
            "environment": self.environment,
            "url": self.url,
            "created_on": self.created_on,
            "modified_on": self.created_on,
            "latest_stage": stage(name, status),
            "stages": stages,
            "deployment_trigger": { "type": "ad_hoc", "metadata": metadata },
            "aliases": null,
            "env_vars": {},
            "build_config": { "build_command": null, "destination_dir": null, "root_dir": null,
                              "web_analytics_tag": null, "web_analytics_token": null },
            "is_skipped": false,
            "uses_functions": self.uses_functions,
        })
    }
}

/// Starts the runtime of a new deployment and waits until it answers.
pub(crate) fn serve(state: &State, ids: &HashMap<String, String>, id: &str) {
    let name = ids.get("project").map_or("", String::as_str);
    let with = |change: &mut dyn FnMut(&mut Deployment)| {
        if let Some(deployment) = state.projects().get_mut(name).and_then(|project| project.deployment(id)) {
            change(deployment);
        }
    };
    let mut place = None;
    with(&mut |deployment| {
        deployment.stage = Stage::Deploying;
        place = Some((deployment.directory.clone(), deployment.port));
    });
    let Some((directory, port)) = place else { return };
    match start(state, &directory, port) {
        Ok(child) => {
            let mut child = Some(child);
            with(&mut |deployment| {
                deployment.child = child.take();
                deployment.stage = Stage::Live;
            });
        }
        Err(error) => {
            let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
            with(&mut |deployment| deployment.stage = Stage::Failed(lines.clone()));
        }
    }
}

fn start(state: &State, directory: &Path, port: u16) -> Result<Child, Error> {
    let inspector = ports::free_port()?.to_string();
    let port_text = port.to_string();
    let home = directory.with_extension("home");
    std::fs::create_dir_all(&home).map_err(Error::io("make a directory"))?;
    let tools = &state.tools;
    let arguments: Vec<&std::ffi::OsStr> = vec![
        tools.wrangler.as_os_str(),
        "pages".as_ref(),
        "dev".as_ref(),
        directory.as_os_str(),
        "--ip".as_ref(),
        "127.0.0.1".as_ref(),
        "--port".as_ref(),
        port_text.as_ref(),
        "--inspector-port".as_ref(),
        inspector.as_ref(),
        "--compatibility-date".as_ref(),
        COMPATIBILITY_DATE.as_ref(),
        "--log-level".as_ref(),
        "error".as_ref(),
    ];
    let mut child = Child::start(&tools.node, arguments, &home)?;
    let deadline = Instant::now() + UP_WITHIN;
    while !answers(port) {
        if child.has_ended() || Instant::now() >= deadline {
            return Err(Error::NotUp { what: "wrangler pages dev".into(), why: child.output().join("\n") });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(child)
}

/// Whether HTTP is spoken there: an open port alone may still be a proxy without a runtime behind it.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let request = b"HEAD / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    let mut answer = [0; 9];
    stream.write_all(request).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.")
}

/// A manifest path below a directory, and nowhere else.
fn inside(directory: &Path, path: &str) -> Result<PathBuf, Error> {
    let relative = Path::new(path.trim_start_matches('/'));
    if relative.components().all(|component| matches!(component, Component::Normal(_))) {
        Ok(directory.join(relative))
    } else {
        Err(Error::Tools(format!("`{path}` leads out of the deployment")))
    }
}

fn uuid() -> String {
    let (high, low) = (getrandom::u64().unwrap_or(1), getrandom::u64().unwrap_or(2));
    let hex = format!("{high:016x}{low:016x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
