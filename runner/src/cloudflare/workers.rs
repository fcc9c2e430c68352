//! Worker scripts over REST: uploads, versions and the shares of a deployment.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Bearer, Body, Cloudflare, Error};

/// A script, as far as we use it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Script {
    /// Its name.
    pub(crate) id: String,
    /// The last migration of its Durable Objects.
    #[serde(default)]
    pub(crate) migration_tag: Option<String>,
}

/// A binding: its name, its kind, and what it is bound to.
pub(crate) type Binding = serde_json::Map<String, Value>;

/// A version and its share of the requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct VersionShare {
    /// The version.
    #[serde(rename = "version_id")]
    pub(crate) version: String,
    /// In percent.
    pub(crate) percentage: f64,
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<ScriptDeployment>,
}

#[derive(Deserialize)]
struct ScriptDeployment {
    versions: Vec<VersionShare>,
}

#[derive(Deserialize)]
struct Version {
    id: String,
    #[serde(default)]
    resources: Resources,
}

#[derive(Default, Deserialize)]
struct Resources {
    #[serde(default)]
    bindings: Vec<Binding>,
}

impl Cloudflare {
    /// A script by its name; `None` when there is none.
    pub(crate) fn script(&self, name: &str, within: Duration) -> Result<Option<Script>, Error> {
        let path = self.account_path("/workers/scripts");
        let all: Vec<Script> = self.call("GET", &path, Bearer::Api, Body::None, within)?;
        Ok(all.into_iter().find(|script| script.id == name))
    }

    /// The versions that requests meet now, with their shares; none of a script that was never deployed.
    pub(crate) fn version_shares(&self, name: &str, within: Duration) -> Result<Vec<VersionShare>, Error> {
        let path = self.script_path(name, "/deployments");
        let all: Deployments = self.call("GET", &path, Bearer::Api, Body::None, within)?;
        Ok(all.deployments.into_iter().next().map(|deployment| deployment.versions).unwrap_or_default())
    }

    /// What a version is bound to.
    pub(crate) fn version_bindings(
        &self,
        name: &str,
        version: &str,
        within: Duration,
    ) -> Result<Vec<Binding>, Error> {
        let path = self.script_path(name, &format!("/versions/{version}"));
        let version: Version = self.call("GET", &path, Bearer::Api, Body::None, within)?;
        Ok(version.resources.bindings)
    }

    /// Uploads a script and sends every request to it.
    pub(crate) fn upload_script(
        &self,
        name: &str,
        (content_type, bytes): &(String, Vec<u8>),
        within: Duration,
    ) -> Result<(), Error> {
        let body = Body::Bytes { content_type, bytes };
        self.call::<Value>("PUT", &self.script_path(name, ""), Bearer::Api, body, within).map(drop)
    }

    /// Uploads a version that no request meets yet; its id.
    pub(crate) fn upload_version(
        &self,
        name: &str,
        (content_type, bytes): &(String, Vec<u8>),
        within: Duration,
    ) -> Result<String, Error> {
        let body = Body::Bytes { content_type, bytes };
        let path = self.script_path(name, "/versions");
        self.call::<Version>("POST", &path, Bearer::Api, body, within).map(|version| version.id)
    }

    /// Gives versions their shares, which together are 100.
    pub(crate) fn share_versions(
        &self,
        name: &str,
        shares: &[(&str, u8)],
        message: &str,
        within: Duration,
    ) -> Result<(), Error> {
        let version = |(id, share): &(&str, u8)| json!({ "version_id": id, "percentage": share });
        let body = json!({
            "strategy": "percentage", "versions": shares.iter().map(version).collect::<Vec<_>>(),
            "annotations": { "workers/message": message },
        });
        let path = self.script_path(name, "/deployments");
        self.call::<Value>("POST", &path, Bearer::Api, Body::Json(&body), within).map(drop)
    }

    /// Removes a script with its Durable Objects.
    pub(crate) fn delete_script(&self, name: &str, within: Duration) -> Result<(), Error> {
        let path = self.script_path(name, "?force=true");
        self.call::<Value>("DELETE", &path, Bearer::Api, Body::None, within).map(drop)
    }

    fn script_path(&self, name: &str, rest: &str) -> String {
        self.account_path(&format!("/workers/scripts/{name}{rest}"))
    }
}
