//! One deployment: its files, how far it is, and how the API shows it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::{Project, Script};
use crate::child::Child;
use crate::{Error, serve as ports};

/// A deployment.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) environment: &'static str,
    project: String,
    pub(super) port: u16,
    pub(super) directory: PathBuf,
    created_on: String,
    metadata: [(&'static str, Option<String>); 4],
    pub(super) uses_functions: bool,
    stage: Stage,
    /// What is shown instead, when somebody wrote it.
    script: Script,
    child: Option<Child>,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Until its runtime answers: wrangler takes any other name or status for the last one that it will see.
    Queued,
    Live,
    Failed(Vec<String>),
}

const STAGES: [&str; 5] = ["queued", "initialize", "clone_repo", "build", "deploy"];

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

impl Deployment {
    /// Writes the files; nothing is served yet.
    pub(crate) fn create(
        project: &Project,
        parts: Parts,
        root: &Path,
        script: Script,
    ) -> Result<Self, Error> {
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
            script,
            child: None,
        })
    }

    /// One of the same files, branch and commit.
    pub(crate) fn again(&self, project: &Project, root: &Path, script: Script) -> Result<Self, Error> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(&self.directory).into_iter().filter_map(Result::ok) {
            let Some(path) =
                entry.path().strip_prefix(&self.directory).ok().filter(|_| entry.file_type().is_file())
            else {
                continue;
            };
            let bytes = std::fs::read(entry.path()).map_err(Error::io("read a deployment's files"))?;
            files.push((path.to_string_lossy().into_owned(), bytes));
        }
        let parts =
            Parts { files, special: Vec::new(), modules: Vec::new(), metadata: self.metadata.clone() };
        Ok(Self { uses_functions: self.uses_functions, ..Self::create(project, parts, root, script)? })
    }

    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    pub(super) fn is_production(&self) -> bool {
        self.environment == "production"
    }

    /// The branch that it was labelled with.
    pub(super) fn branch(&self) -> Option<&str> {
        let branch = self.metadata.iter().find(|(name, _)| *name == "branch");
        branch.and_then(|(_, value)| value.as_deref())
    }

    /// It has a runtime.
    pub(super) fn started(&mut self, child: Child) {
        self.child = Some(child);
    }

    /// Takes note of whether its runtime answers, and must have by now; whether to go on asking.
    pub(super) fn came_up(&mut self, answers: bool, late: bool) -> bool {
        let ended = self.child.as_mut().is_none_or(Child::has_ended);
        if ended || (late && !answers) {
            let why = self.output().join("\n");
            self.failed(&Error::NotUp { what: "wrangler pages dev".into(), why });
        } else if answers {
            self.stage = Stage::Live;
        }
        self.stage == Stage::Queued
    }

    /// It counts as served; nothing is.
    pub(crate) fn stored(&mut self) {
        self.stage = Stage::Live;
    }

    /// Somebody has looked at it.
    pub(crate) fn looked_at(&mut self) {
        self.script.next();
    }

    /// It will never be served.
    pub(super) fn failed(&mut self, error: &Error) {
        self.child = None;
        self.stage = Stage::Failed(error.to_string().lines().map(str::to_owned).collect());
    }

    /// The last lines that its runtime printed.
    pub(crate) fn output(&self) -> Vec<String> {
        if !self.script.lines().is_empty() {
            return self.script.lines().to_vec();
        }
        match (&self.stage, &self.child) {
            (Stage::Failed(lines), _) => lines.clone(),
            (_, Some(child)) => child.output(),
            (_, None) => Vec::new(),
        }
    }

    /// As the API shows it, but for its aliases, which only the project knows.
    pub(super) fn describe(&self, production_branch: &str) -> Value {
        let (name, status) = self.script.stage().unwrap_or(match &self.stage {
            Stage::Queued => ("queued", "active"),
            Stage::Live => ("deploy", "success"),
            Stage::Failed(_) => ("deploy", "failure"),
        });
        let ended = |done: bool| done.then(|| self.created_on.clone());
        let stage = |name: &str, status: &str| {
            let done = status == "success" || status == "failure";
            json!({ "name": name, "status": status, "started_on": self.created_on, "ended_on": ended(done) })
        };
        let present = STAGES.iter().position(|known| *known == name);
        let stages: Vec<Value> = STAGES
            .iter()
            .enumerate()
            .map(|(index, known)| match Some(index).cmp(&present) {
                std::cmp::Ordering::Less => stage(known, "success"),
                std::cmp::Ordering::Equal => stage(known, status),
                std::cmp::Ordering::Greater => stage(known, "idle"),
            })
            .collect();
        let metadata: HashMap<&str, Value> = self
            .metadata
            .iter()
            .map(|(name, value)| match (*name, value) {
                ("commit_dirty", value) => ("commit_dirty", json!(value.as_deref() == Some("true"))),
                ("branch", value) => ("branch", json!(value.as_deref().unwrap_or(production_branch))),
                (name, value) => (name, json!(value.as_deref().unwrap_or_default())),
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
            "env_vars": {},
            "build_config": { "build_command": null, "destination_dir": null, "root_dir": null,
                              "web_analytics_tag": null, "web_analytics_token": null },
            "is_skipped": false,
            "uses_functions": self.uses_functions,
        })
    }
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

/// A random id.
pub(crate) fn uuid() -> String {
    let (high, low) = (getrandom::u64().unwrap_or(1), getrandom::u64().unwrap_or(2));
    let hex = format!("{high:016x}{low:016x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
