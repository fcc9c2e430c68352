//! Cloudflare Pages over REST: projects, deployments and the asset store of Direct Upload.

use std::io::Read;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Bearer, Body, Cloudflare, Error};
use crate::retry::{Policy, retry};

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

/// A deployment, as far as we use it.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Where it alone is served.
    pub url: String,
    /// When it was made, as Cloudflare says.
    #[serde(default)]
    pub created_on: Option<String>,
    /// `production` or `preview`.
    #[serde(default)]
    pub environment: Option<String>,
    /// Where it is served besides: the host name of its branch.
    #[serde(default)]
    pub aliases: Option<Vec<String>>,
    /// How far it is.
    #[serde(default)]
    pub latest_stage: Option<Stage>,
    /// The service decided not to build it.
    #[serde(default, deserialize_with = "null_is_false")]
    pub is_skipped: bool,
    /// What set it off.
    #[serde(default)]
    pub deployment_trigger: Option<Trigger>,
}

/// A stage of a deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct Stage {
    /// `queued`, `initialize`, `clone_repo`, `build`, `deploy`.
    pub name: String,
    /// `idle`, `active`, `success`, `failure`, `canceled`.
    pub status: String,
}

/// What set a deployment off.
#[derive(Clone, Debug, Deserialize)]
pub struct Trigger {
    /// What was said about it.
    #[serde(default)]
    pub metadata: Option<TriggerMetadata>,
}

/// What was said about a deployment when it was made.
#[derive(Clone, Debug, Deserialize)]
pub struct TriggerMetadata {
    /// The commit message; a release's holds its id.
    #[serde(default)]
    pub commit_message: Option<String>,
    /// The commit.
    #[serde(default)]
    pub commit_hash: Option<String>,
    /// The branch.
    #[serde(default)]
    pub branch: Option<String>,
}

#[derive(Deserialize)]
struct UploadToken {
    jwt: String,
}

#[derive(Deserialize)]
struct Logs {
    #[serde(default)]
    data: Vec<LogLine>,
}

#[derive(Deserialize)]
struct LogLine {
    line: String,
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

    /// Makes a deployment of uploaded assets.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn create_deployment(
        &self,
        project: &str,
        content_type: &str,
        form: &[u8],
        within: Duration,
    ) -> Result<Deployment, Error> {
        let body = Body::Bytes { content_type, bytes: form };
        self.call("POST", &self.project_path(project, "/deployments"), Bearer::Api, body, within)
    }

    /// The deployments that were made since one, the newest first; at most a few pages of them.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn deployments_since(
        &self,
        project: &str,
        before: Option<&str>,
        within: Duration,
    ) -> Result<Vec<Deployment>, Error> {
        /// Nobody makes more deployments than that while one is being made.
        const PAGES_MAX: usize = 4;
        self.listed(project, PAGES_MAX, before, within)
    }

    /// All deployments of a project, the newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn deployments(&self, project: &str, within: Duration) -> Result<Vec<Deployment>, Error> {
        /// Bounds a server that hands out full pages for ever.
        const PAGES_MAX: usize = 1_000;
        self.listed(project, PAGES_MAX, None, within)
    }

    fn listed(
        &self,
        project: &str,
        pages_max: usize,
        before: Option<&str>,
        within: Duration,
    ) -> Result<Vec<Deployment>, Error> {
        /// The most that Cloudflare gives.
        const PER_PAGE: usize = 25;
        let deadline = Instant::now() + within;
        let mut all: Vec<Deployment> = Vec::new();
        for page in 1..=pages_max {
            let path = self.project_path(project, &format!("/deployments?page={page}&per_page={PER_PAGE}"));
            let left = deadline.saturating_duration_since(Instant::now());
            let listed: Vec<Deployment> = self.call("GET", &path, Bearer::Api, Body::None, left)?;
            let is_last = listed.len() < PER_PAGE;
            for deployment in listed {
                if Some(deployment.id.as_str()) == before {
                    return Ok(all);
                }
                // One that was made meanwhile has moved the others by one.
                if all.iter().all(|known| known.id != deployment.id) {
                    all.push(deployment);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Makes a deployment once more; the new one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn retry_deployment(&self, project: &str, id: &str, within: Duration) -> Result<Deployment, Error> {
        let path = self.project_path(project, &format!("/deployments/{id}/retry"));
        self.call("POST", &path, Bearer::Api, Body::None, within)
    }

    /// A deployment by its id.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn deployment(&self, project: &str, id: &str, within: Duration) -> Result<Deployment, Error> {
        self.call(
            "GET",
            &self.project_path(project, &format!("/deployments/{id}")),
            Bearer::Api,
            Body::None,
            within,
        )
    }

    /// What a deployment logged, line by line.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn deployment_log(&self, project: &str, id: &str, within: Duration) -> Result<Vec<String>, Error> {
        let path = self.project_path(project, &format!("/deployments/{id}/history/logs"));
        let logs: Logs = self.call("GET", &path, Bearer::Api, Body::None, within)?;
        Ok(logs.data.into_iter().map(|line| line.line).collect())
    }

    /// Removes a deployment; `force` also one that an alias points to. One that is gone is removed. The live production
    /// deployment is refused.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete_deployment(
        &self,
        project: &str,
        id: &str,
        force: bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        const WITHIN: Duration = Duration::from_secs(15);
        let query = if force { "?force=true" } else { "" };
        let path = self.project_path(project, &format!("/deployments/{id}{query}"));
        let delete = |left| self.call::<Value>("DELETE", &path, Bearer::Api, Body::None, left).map(drop);
        match retry(Policy::within(WITHIN), cancelled, delete) {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        }
    }

    /// Makes the project's own host name serve an earlier production deployment.
    pub(crate) fn roll_back_project(&self, project: &str, id: &str, within: Duration) -> Result<(), Error> {
        let path = self.project_path(project, &format!("/deployments/{id}/rollback"));
        self.call::<Value>("POST", &path, Bearer::Api, Body::None, within).map(drop)
    }

    fn project_path(&self, name: &str, rest: &str) -> String {
        self.account_path(&format!("/pages/projects/{name}{rest}"))
    }
}

fn null_is_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<bool>::deserialize(deserializer).map(Option::unwrap_or_default)
}
