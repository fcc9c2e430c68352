//! Worker scripts as the API keeps them: versions, which of them are deployed, secrets. Nothing runs; the router does, elsewhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    name: String,
    created_on: String,
    /// Oldest first.
    versions: Vec<Version>,
    /// Newest first.
    deployments: Vec<Value>,
    /// Names; what they are is nobody's business.
    pub(crate) secrets: BTreeMap<String, ()>,
    pub(crate) subdomain: Value,
    /// Patterns and their zones.
    pub(crate) routes: Vec<Value>,
}

/// What was uploaded at one time.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    created_on: String,
    metadata: Value,
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
            routes: Vec::new(),
        }
    }

    /// Takes an upload. A deployment replaces all bindings; secrets stay only if it says so.
    pub(crate) fn upload(&mut self, metadata: Value, deploys: bool) -> Version {
        let version = Version { id: super::pages::uuid(), created_on: now(), metadata };
        if deploys {
            let kept = version.metadata["keep_bindings"].as_array();
            if !kept.is_some_and(|kept| kept.iter().any(|kind| kind == "secret_text")) {
                self.secrets.clear();
            }
        }
        self.versions.push(version.clone());
        if deploys {
            self.deploy(json!([{ "version_id": version.id, "percentage": 100 }]), Value::Null);
        }
        version
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
                          "modified_on": version.created_on, "source": "wrangler", "hasPreview": false },
            "resources": {
                "script": { "etag": version.id, "handlers": ["fetch"], "last_deployed_from": "wrangler" },
                "bindings": version.metadata.get("bindings").cloned().unwrap_or_else(|| json!([])),
                "script_runtime": { "usage_model": "standard",
                                    "compatibility_date": version.metadata["compatibility_date"] },
            },
        })
    }

    /// The newest version's settings.
    pub(crate) fn settings(&self) -> Value {
        let metadata = self.versions.last().map(|version| &version.metadata);
        let field = |name: &str| metadata.and_then(|it| it.get(name)).cloned();
        json!({
            "bindings": field("bindings").unwrap_or_else(|| json!([])),
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
            "has_modules": true, "logpush": false,
        })
    }

    /// The script as a service, which is how wrangler asks whether there is one.
    pub(crate) fn service(&self) -> Value {
        json!({ "id": self.name, "default_environment": { "environment": "production",
            "script": { "id": self.name, "tag": "sandbox", "tags": [], "last_deployed_from": "wrangler", "etag": "sandbox" } } })
    }

    /// The script as a Worker of the newer API.
    pub(crate) fn worker(&self) -> Value {
        json!({
            "id": "5a4db0c55a4db0c55a4db0c55a4db0c5", "name": self.name, "logpush": false, "subdomain": self.subdomain,
            "observability": { "enabled": true }, "tags": [], "tail_consumers": [],
            "references": { "domains": [], "dispatch_namespace_outbounds": [], "durable_objects": [], "queues": [], "workers": [] },
            "created_on": self.created_on, "updated_on": self.created_on,
        })
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}
