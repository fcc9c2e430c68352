//! A release as a deployment of GitHub's (<https://docs.github.com/en/rest/deployments/deployments>): one for each release, with a
//! status for each step, so that a repository's page shows what is live and since when.

use serde_json::{Value, json};

use super::Facts;
use super::api::{Api, Refused};
use crate::cancel::Cancel;
use crate::notice::{Completed, Notice, Started};
use crate::report::{Event, Share, percent};

/// GitHub takes so many characters
/// (<https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status>).
const DESCRIPTION_MAX: usize = 140;
/// How many earlier deployments are looked at.
const LOOK_BACK: usize = 10;

/// The deployments of an environment.
pub(super) struct Deployments {
    api: Api,
    commit: Option<String>,
    run_url: Option<String>,
    environment: String,
    /// Where visitors go.
    site: String,
    cancel: Cancel,
    /// Ours, once it is made.
    id: Option<u64>,
    /// What it is to be made of.
    wanted: Option<Wanted>,
    version: String,
}

impl Deployments {
    pub(super) fn new(api: Api, facts: &Facts, environment: String, site: String, cancel: Cancel) -> Self {
        let (commit, run_url) = (facts.commit.clone(), facts.run_url.clone());
        let version = String::new();
        Self { api, commit, run_url, environment, site, cancel, id: None, wanted: None, version }
    }

    pub(super) fn wants(event: &Event) -> bool {
        matches!(event, Event::Weights { .. } | Event::Notice(Notice::Started(_) | Notice::Completed(_)))
    }

    /// Tells GitHub.
    pub(super) fn tell(&mut self, event: &Event) -> Result<(), Refused> {
        match event {
            Event::Notice(Notice::Started(started)) => self.begin(started),
            // The end says it better.
            Event::Weights { why: "settle", .. } => Ok(()),
            Event::Weights { revision, variants, .. } => {
                let share = percent(share(variants, &self.version));
                let text = format!("{share} of the visitors are on {} (revision {revision})", self.version);
                self.status(State::InProgress, &text)
            }
            Event::Notice(Notice::Completed(completed)) => self.end(completed),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, started: &Started) -> Result<(), Refused> {
        self.version.clone_from(&started.new_version);
        if started.taken_over {
            self.id = self.of_release(&started.release)?;
        }
        let commit = match started.command.as_str() {
            // This job has it checked out.
            "deploy" => self.commit.clone(),
            _ => self.commit_of(&started.new_version)?.or_else(|| self.commit.clone()),
        };
        self.wanted = commit.map(|commit| Wanted { release: started.release.clone(), commit });
        self.status(
            State::InProgress,
            &format!("{} is being built and checked: nobody meets it yet", self.version),
        )
    }

    fn end(&mut self, completed: &Completed) -> Result<(), Refused> {
        let state = State::of(&completed.outcome);
        let Some(state) = state else { return Ok(()) };
        if self.wanted.is_none() {
            // Perhaps whoever began it was cut off before it could say how it ended.
            self.version.clone_from(&completed.new_version);
            self.id = self.of_release(&completed.release)?;
        }
        if self.wanted.is_none() && self.id.is_none() && state == State::Success {
            // By hand: a version that was deployed before is back. GitHub knows its commit, or is not told a wrong one.
            let commit = self.commit_of(&completed.new_version)?;
            self.wanted = commit.map(|commit| Wanted { release: completed.release.clone(), commit });
        }
        self.status(state, &completed.text)?;
        if state == State::Success { self.retire() } else { Ok(()) }
    }

    /// What it comes to, on the deployment that is made for that when there is none yet.
    fn status(&mut self, state: State, text: &str) -> Result<(), Refused> {
        let id = match (self.id, &self.wanted) {
            (Some(id), _) => id,
            (None, Some(wanted)) => {
                let body = json!({
                    "ref": wanted.commit,
                    "environment": self.environment,
                    "description": description(&format!("{} by Crossfade", self.version)),
                    "payload": { "crossfade": { "release": wanted.release, "version": self.version } },
                    // By default GitHub merges the default branch into it, and refuses it until all checks have passed: this job is
                    // one.
                    "auto_merge": false,
                    "required_contexts": [],
                });
                let created = self.api.call("POST", "/deployments", Some(&body), &self.cancel)?;
                let nameless = || Refused::Failed("POST /deployments: the answer has no id".into());
                created["id"].as_u64().ok_or_else(nameless)?
            }
            (None, None) => return Ok(()),
        };
        self.id = Some(id);
        self.status_of(id, state, text)
    }

    fn status_of(&mut self, id: u64, state: State, text: &str) -> Result<(), Refused> {
        let body = json!({
            "state": state.name(),
            "description": description(text),
            "environment_url": self.site,
            "log_url": self.run_url.as_deref().unwrap_or_default(),
        });
        self.api.call("POST", &format!("/deployments/{id}/statuses"), Some(&body), &self.cancel).map(drop)
    }

    /// What served before is not active any more. GitHub does that by itself, but not for production.
    fn retire(&mut self) -> Result<(), Refused> {
        // Without one of ours it is not known which of those that succeeded is right now; what was cut off is not.
        let over: &[&str] = match self.id {
            Some(_) => &["in_progress", "queued", "pending", "success"],
            None => &["in_progress", "queued", "pending"],
        };
        let ours = self.id.unwrap_or(u64::MAX);
        for Earlier { id, .. } in self.earlier()?.into_iter().filter(|it| it.id < ours) {
            let statuses = self.api.call(
                "GET",
                &format!("/deployments/{id}/statuses?per_page=1"),
                None,
                &self.cancel,
            )?;
            let state = statuses[0]["state"].as_str().unwrap_or_default();
            if over.contains(&state) {
                let text = format!("{} serves now", self.version);
                self.status_of(id, State::Inactive, &text)?;
            }
        }
        Ok(())
    }

    /// The last deployments of this environment that are of our making, the newest first.
    fn earlier(&mut self) -> Result<Vec<Earlier>, Refused> {
        let path = format!("/deployments?environment={}&per_page={}", self.environment, 3 * LOOK_BACK);
        let listed = self.api.call("GET", &path, None, &self.cancel)?;
        let all = listed.as_array().into_iter().flatten();
        Ok(all.filter_map(Earlier::read).take(LOOK_BACK).collect())
    }

    /// The deployment that was made for a release.
    fn of_release(&mut self, release: &str) -> Result<Option<u64>, Refused> {
        Ok(self.earlier()?.into_iter().find(|it| it.release == release).map(|it| it.id))
    }

    /// What a version was built from, when it was deployed before.
    fn commit_of(&mut self, version: &str) -> Result<Option<String>, Refused> {
        Ok(self.earlier()?.into_iter().find(|it| it.version == version).map(|it| it.commit))
    }
}

/// A deployment that is to be made.
struct Wanted {
    release: String,
    commit: String,
}

/// A deployment of our making.
struct Earlier {
    id: u64,
    commit: String,
    release: String,
    version: String,
}

impl Earlier {
    fn read(deployment: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        // GitHub answers with what it was given: an object, or a text that has one in it.
        let payload = match &deployment["payload"] {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        };
        let ours = &payload["crossfade"];
        Some(Self {
            id: deployment["id"].as_u64()?,
            commit: text(&deployment["sha"])?,
            release: text(&ours["release"])?,
            version: text(&ours["version"])?,
        })
    }
}

/// A status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InProgress,
    Success,
    Failure,
    Inactive,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }

    /// What a release's outcome is; weights that somebody set are none.
    fn of(outcome: &str) -> Option<Self> {
        match outcome {
            "promoted" => Some(Self::Success),
            "shifted" => None,
            "superseded" => Some(Self::Inactive),
            _ => Some(Self::Failure),
        }
    }
}

/// A version's share, 0 to 1.
pub(super) fn share(variants: &[Share], version: &str) -> f64 {
    let of_it = variants.iter().filter(|variant| variant.version == version);
    of_it.map(|variant| f64::from(variant.weight.basis_points())).sum::<f64>() / 10_000.0
}

fn description(text: &str) -> String {
    if text.chars().count() <= DESCRIPTION_MAX {
        return text.to_owned();
    }
    text.chars().take(DESCRIPTION_MAX - 1).chain(['…']).collect()
}
