//! Cloudflare Pages over REST: projects, deployments and the asset store of Direct Upload.

use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Bearer, Body, Cloudflare, Error};

mod deployments;

pub use deployments::{Deployment, Stage, Trigger, TriggerMetadata};

/// A project, as far as we use it.
#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    /// The branch whose deployments are production's.
    pub production_branch: Option<String>,
    /// Its newest deployment.
    #[serde(default)]
    pub latest_deployment: Option<Latest>,
    /// What its own host name serves.
    #[serde(default)]
    pub canonical_deployment: Option<Deployment>,
    /// Its own host name.
    #[serde(default)]
    pub subdomain: Option<String>,
    /// Its custom domains.
    #[serde(default)]
    pub domains: Vec<String>,
}

/// The newest deployment of a project.
#[derive(Clone, Debug, Deserialize)]
pub struct Latest {
    /// Its id.
    pub id: String,
}

#[derive(Deserialize)]
struct UploadToken {
    jwt: String,
}

impl Cloudflare {
    /// A project by its name.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn project(&self, name: &str, within: Duration) -> Result<Project, Error> {
        self.call("GET", &self.project_path(name, ""), Bearer::Api, Body::None, within)
    }

    /// Makes a project without a repository.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn create_project(
        &self,
        name: &str,
        production_branch: &str,
        within: Duration,
    ) -> Result<Project, Error> {
        let body = json!({ "name": name, "production_branch": production_branch });
        self.call("POST", &self.account_path("/pages/projects"), Bearer::Api, Body::Json(&body), within)
    }

    /// A token for one upload.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn upload_token(&self, project: &str, within: Duration) -> Result<String, Error> {
        let path = self.project_path(project, "/upload-token");
        self.call::<UploadToken>("GET", &path, Bearer::Api, Body::None, within).map(|token| token.jwt)
    }

    /// Those of `hashes` that the asset store does not have.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn missing_assets(
        &self,
        jwt: &str,
        hashes: &[&str],
        within: Duration,
    ) -> Result<Vec<String>, Error> {
        let body = json!({ "hashes": hashes });
        self.call("POST", "/pages/assets/check-missing", Bearer::Upload(jwt), Body::Json(&body), within)
    }

    /// Stores assets; `payload` is a JSON array of `length` bytes.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn upload_assets(
        &self,
        jwt: &str,
        length: u64,
        payload: &mut dyn Read,
        within: Duration,
    ) -> Result<(), Error> {
        let body = Body::Stream { content_type: "application/json", length, reader: payload };
        self.call::<Value>("POST", "/pages/assets/upload", Bearer::Upload(jwt), body, within).map(drop)
    }

    /// Tells the asset store which assets are in use.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn upsert_hashes(&self, jwt: &str, hashes: &[&str], within: Duration) -> Result<(), Error> {
        let body = json!({ "hashes": hashes });
        self.call::<Value>(
            "POST",
            "/pages/assets/upsert-hashes",
            Bearer::Upload(jwt),
            Body::Json(&body),
            within,
        )
        .map(drop)
    }

    fn project_path(&self, name: &str, rest: &str) -> String {
        self.account_path(&format!("/pages/projects/{name}{rest}"))
    }
}
