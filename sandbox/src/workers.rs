//! Worker scripts as the API keeps them: versions, which of them are deployed, secrets. Where the sandbox serves hostnames, each
//! version has a runtime of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::workerd::Running;

/// A script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    name: String,
    created_on: String,
    /// Oldest first.
    versions: Vec<Version>,
    /// Newest first.
    deployments: Vec<Value>,
    /// By their names. What they are, only the runtime is told.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) subdomain: Value,
    /// The last migration of its Durable Objects.
    migration_tag: Option<String>,
    /// Patterns and their zones.
    pub(crate) routes: Vec<Value>,
}

/// What was uploaded at one time.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    created_on: String,
    metadata: Value,
    /// Where it answers, if scripts run at all.
    running: Option<Arc<Running>>,
}

/// What an upload comes to: all its bindings, those that are kept among them, and the secrets.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) metadata: Value,
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Script {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            created_on: now(),
            versions: Vec::new(),
            deployments: Vec::new(),
            secrets: BTreeMap::new(),
            subdomain: json!({ "enabled": false, "previews_enabled": false }),
            migration_tag: None,
            routes: Vec::new(),
        }
    }

    /// What an upload of this metadata comes to. Bindings are replaced, but for the types that it keeps.
    ///
    /// # Errors
    /// In words, when its migration does not begin where the last one ended.
    pub(crate) fn prepare(&self, mut metadata: Value) -> Result<Upload, String> {
        if let Some(migrations) = metadata.get("migrations") {
            let old = migrations.get("old_tag").and_then(Value::as_str);
            if old != self.migration_tag.as_deref() {
                let tag = self.migration_tag.as_deref().unwrap_or_default();
                return Err(format!("the migration tag is {tag:?}, not {:?}", old.unwrap_or_default()));
            }
        }
        let keeps = |kind: &Value| {
            metadata["keep_bindings"].as_array().is_some_and(|kept| kept.iter().any(|it| it == kind))
        };
        let given = metadata["bindings"].as_array().cloned().unwrap_or_default();
        let mut secrets = if keeps(&json!("secret_text")) { self.secrets.clone() } else { BTreeMap::new() };
        let mut bindings = Vec::new();
        for binding in &given {
            let name = binding["name"].as_str().unwrap_or_default();
            match (binding["type"].as_str(), binding["text"].as_str()) {
                (Some("secret_text"), Some(text)) => drop(secrets.insert(name.to_owned(), text.to_owned())),
                (_, _) => bindings.push(binding.clone()),
            }
        }
        let before = self.versions.last().and_then(|version| version.metadata["bindings"].as_array());
        let kept = before.into_iter().flatten().filter(|binding| {
            keeps(&binding["type"]) && !given.iter().any(|other| other["name"] == binding["name"])
        });
        bindings.extend(kept.cloned());
        metadata["bindings"] = bindings.into();
        Ok(Upload { metadata, secrets })
    }

    /// Takes an upload.
    pub(crate) fn upload(&mut self, upload: Upload, deploys: bool, running: Option<Running>) -> Version {
        let Upload { metadata, secrets } = upload;
        if let Some(tag) = metadata.pointer("/migrations/new_tag").and_then(Value::as_str) {
            self.migration_tag = Some(tag.to_owned());
        }
        let running = running.map(Arc::new);
        let version = Version { id: super::pages::uuid(), created_on: now(), metadata, running };
        self.secrets = secrets;
        self.versions.push(version.clone());
        if deploys {
            self.deploy(json!([{ "version_id": version.id, "percentage": 100 }]), Value::Null);
        }
        version
    }

    /// The port of the version that is to answer: the wanted one, if it is deployed, else one by the shares, where `dice` is
    /// 0 to 100.
    pub(crate) fn port(&self, wanted: Option<&str>, dice: f64) -> Option<u16> {
        let deployed = self.deployments.first()?["versions"].as_array()?;
        let share = |version: &Value| version["percentage"].as_f64().unwrap_or_default();
        let mut left = dice;
        let drawn = deployed.iter().find(|version| {
            left -= share(version);
            left < 0.0
        });
        let asked = deployed.iter().find(|version| version["version_id"].as_str() == wanted);
        let id = asked.or(drawn).or(deployed.last())?["version_id"].as_str()?;
        let version = self.versions.iter().find(|version| version.id == id)?;
        version.running.as_ref().map(|running| running.port())
    }

    /// Whether it has Durable Objects, which go with it.
    pub(crate) const fn has_objects(&self) -> bool {
        self.migration_tag.is_some()
    }

    /// Makes a deployment of versions with their shares.
    pub(crate) fn deploy(&mut self, versions: Value, annotations: Value) -> Value {
        let deployment = json!({
            "id": super::pages::uuid(), "source": "wrangler", "strategy": "percentage", "author_email": "sandbox@example.com",
            "created_on": now(), "versions": versions,
            "annotations": if annotations.is_object() { annotations } else { json!({}) },
        });
        self.deployments.insert(0, deployment.clone());
        deployment
    }

    pub(crate) fn deployments(&self) -> &[Value] {
        &self.deployments
    }

    pub(crate) fn version(&self, id: &str) -> Option<Value> {
        let index = self.versions.iter().position(|version| version.id == id)?;
        self.versions.get(index).map(|version| self.describe_version(version, index + 1))
    }

    /// The newest first.
    pub(crate) fn versions(&self) -> Vec<Value> {
        let numbered = self.versions.iter().enumerate();
        numbered.map(|(index, version)| self.describe_version(version, index + 1)).rev().collect()
    }

    fn describe_version(&self, version: &Version, number: usize) -> Value {
        let annotations = version.metadata.get("annotations").cloned().unwrap_or_else(|| json!({}));
        json!({
            "id": version.id, "number": number, "annotations": annotations, "startup_time_ms": 3,
            "metadata": { "author_email": "sandbox@example.com", "author_id": "sandbox", "created_on": version.created_on,
                          "modified_on": version.created_on, "source": "wrangler", "has_preview": self.subdomain["previews_enabled"] },
            "resources": {
                "script": { "etag": version.id, "handlers": ["fetch"], "last_deployed_from": "wrangler" },
                "bindings": self.bindings(version),
                "script_runtime": { "usage_model": "standard",
                                    "compatibility_date": version.metadata["compatibility_date"] },
            },
        })
    }

    /// Bindings as the API shows them: of a secret nothing but its name.
    fn bindings(&self, version: &Version) -> Value {
        let bindings = version.metadata["bindings"].as_array().cloned().unwrap_or_default();
        let secrets = self.secrets.keys().map(|name| json!({ "name": name, "type": "secret_text" }));
        bindings.into_iter().chain(secrets).collect()
    }

    /// The newest version's settings.
    pub(crate) fn settings(&self) -> Value {
        let metadata = self.versions.last().map(|version| &version.metadata);
        let field = |name: &str| metadata.and_then(|it| it.get(name)).cloned();
        json!({
            "bindings": self.versions.last().map_or_else(|| json!([]), |version| self.bindings(version)),
            "compatibility_date": field("compatibility_date").unwrap_or_else(|| json!("2021-11-02")),
            "compatibility_flags": field("compatibility_flags").unwrap_or_else(|| json!([])),
            "usage_model": "standard", "tags": [], "logpush": false,
        })
    }

    /// The script as an upload is answered.
    pub(crate) fn describe(&self) -> Value {
        let newest = self.versions.last();
        json!({
            "id": self.name, "tag": "sandbox", "etag": newest.map(|version| version.id.clone()), "handlers": ["fetch"],
            "named_handlers": [], "modified_on": newest.map_or(&self.created_on, |version| &version.created_on),
            "created_on": self.created_on, "usage_model": "standard", "startup_time_ms": 3,
            "compatibility_date": self.settings()["compatibility_date"],
            "deployment_id": newest.map(|version| version.id.clone()), "entry_point": "index.js", "has_assets": false,
            "has_modules": true, "logpush": false, "migration_tag": self.migration_tag,
        })
    }

    /// The script as a service, which is how wrangler asks whether there is one.
    pub(crate) fn service(&self) -> Value {
        json!({ "id": self.name, "default_environment": { "environment": "production",
            "script": { "id": self.name, "tag": "sandbox", "tags": [], "last_deployed_from": "wrangler", "etag": "sandbox",
            "migration_tag": self.migration_tag } } })
    }

    /// The script as a Worker of the newer API.
    pub(crate) fn worker(&self) -> Value {
        let mut subdomain = self.subdomain.clone();
        // What wrangler makes a version's address of, which nothing is served at here.
        subdomain["preview_url_suffix"] = format!("-{}.sandbox.workers.dev", self.name).into();
        json!({
            "id": "5a4db0c55a4db0c55a4db0c55a4db0c5", "name": self.name, "logpush": false, "subdomain": subdomain,
            "observability": { "enabled": true }, "tags": [], "tail_consumers": [],
            "references": { "domains": [], "dispatch_namespace_outbounds": [], "durable_objects": [], "queues": [], "workers": [] },
            "created_on": self.created_on, "updated_on": self.created_on,
        })
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}
