//! The deployments of a project at Cloudflare Pages.

use std::time::{Duration, Instant};

use crossfade_core::table::Origin;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::cloudflare::{Bearer, Body, Cloudflare, Error};
use crate::retry::{Policy, retry};

/// The most that Cloudflare gives at once.
const PER_PAGE: usize = 25;
/// Nobody makes more deployments than fit there while one is being made.
const PAGES_OF_NEW: usize = 4;
/// Bounds a server that hands out full pages for ever.
const PAGES_MAX: usize = 1_000;

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
struct Logs {
    #[serde(default)]
    data: Vec<LogLine>,
}

#[derive(Deserialize)]
struct LogLine {
    line: String,
}

impl Cloudflare {
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
        let deadline = Instant::now() + within;
        self.listed(project, PAGES_OF_NEW, before, &|path| {
            let left = deadline.saturating_duration_since(Instant::now());
            self.call("GET", path, Bearer::Api, Body::None, left)
        })
    }

    /// The deployment that is served at this origin, when it is not too old.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn deployment_at(
        &self,
        project: &str,
        origin: &Origin,
        within: Duration,
    ) -> Result<Option<Deployment>, Error> {
        let newest = self.deployments_since(project, None, within)?;
        Ok(newest.into_iter().find(|it| it.url.trim_end_matches('/') == origin.as_str()))
    }

    /// All deployments of a project, the newest first. A page that fails is asked for again until `cancelled`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn deployments(
        &self,
        project: &str,
        within: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<Deployment>, Error> {
        let deadline = Instant::now() + within;
        self.listed(project, PAGES_MAX, None, &|path| {
            let left = deadline.saturating_duration_since(Instant::now());
            let page = |left| self.call("GET", path, Bearer::Api, Body::None, left);
            retry(Policy::within(left), cancelled, page)
        })
    }

    fn listed(
        &self,
        project: &str,
        pages_max: usize,
        before: Option<&str>,
        ask: &dyn Fn(&str) -> Result<Vec<Deployment>, Error>,
    ) -> Result<Vec<Deployment>, Error> {
        let mut all: Vec<Deployment> = Vec::new();
        for page in 1..=pages_max {
            let path = self.project_path(project, &format!("/deployments?page={page}&per_page={PER_PAGE}"));
            let listed = ask(&path)?;
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
}

fn null_is_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<bool>::deserialize(deserializer).map(Option::unwrap_or_default)
}
