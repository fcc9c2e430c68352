//! A comment on the pull request that the job is about: one for each environment, brought up to date in place
//! (<https://docs.github.com/en/rest/issues/comments>).

use serde_json::{Value, json};

use super::Facts;
use super::api::{Api, Refused};
use super::deployment::share;
use crate::cancel::Cancel;
use crate::notice::Notice;
use crate::report::{Event, percent};
use crate::summary::markdown;

/// How many comments are looked through for ours: a hundred times so many.
const PAGES_MAX: usize = 10;

/// The comment of an environment.
pub(super) struct Comment {
    api: Api,
    pull_request: u64,
    run_url: Option<String>,
    cancel: Cancel,
    marker: String,
    id: Option<u64>,
    said: Said,
}

/// What stands in it.
#[derive(Default)]
struct Said {
    headline: String,
    version: String,
    rows: Vec<(&'static str, String)>,
}

impl Comment {
    /// One, when the job is about a pull request and somebody wants it.
    pub(super) fn new(api: Api, facts: &Facts, environment: &str, cancel: Cancel) -> Option<Self> {
        let pull_request = facts.pull_request.filter(|_| facts.comment)?;
        let marker = format!("<!-- crossfade:{environment} -->");
        Some(Self {
            api,
            pull_request,
            run_url: facts.run_url.clone(),
            cancel,
            marker,
            id: None,
            said: Said::default(),
        })
    }

    pub(super) fn wants(event: &Event) -> bool {
        matches!(
            event,
            Event::Weights { .. }
                | Event::Deployed { .. }
                | Event::Notice(Notice::Started(_) | Notice::Completed(_))
        )
    }

    /// Brings it up to date.
    pub(super) fn tell(&mut self, event: &Event) -> Result<(), Refused> {
        self.said.hear(event);
        if self.said.headline.is_empty() {
            return Ok(());
        }
        let body = json!({ "body": self.body() });
        let id = match self.id {
            Some(id) => Some(id),
            None => self.find()?,
        };
        let told = match id {
            Some(id) => {
                self.api.call("PATCH", &format!("/issues/comments/{id}"), Some(&body), &self.cancel)?
            }
            None => {
                let path = format!("/issues/{}/comments", self.pull_request);
                self.api.call("POST", &path, Some(&body), &self.cancel)?
            }
        };
        self.id = told["id"].as_u64();
        Ok(())
    }

    fn body(&self) -> String {
        let mut text = format!("{}\n{}\n", self.marker, self.said.headline);
        if !self.said.rows.is_empty() {
            text.push_str("\n| | |\n|---|---|\n");
        }
        for (name, value) in &self.said.rows {
            text.push_str(&format!("| {name} | {value} |\n"));
        }
        if let Some(url) = &self.run_url {
            text.push_str(&format!("\n[how it went]({url})\n"));
        }
        text
    }

    /// The comment of an earlier release. Anybody can write our marker; only what somebody of the repository or an app wrote is
    /// ours to overwrite.
    fn find(&mut self) -> Result<Option<u64>, Refused> {
        for page in 1..=PAGES_MAX {
            let path = format!("/issues/{}/comments?per_page=100&page={page}", self.pull_request);
            let comments = self.api.call("GET", &path, None, &self.cancel)?;
            let comments = comments.as_array().cloned().unwrap_or_default();
            if let Some(ours) = comments.iter().find(|comment| self.is_ours(comment)) {
                return Ok(ours["id"].as_u64());
            }
            if comments.len() < 100 {
                break;
            }
        }
        Ok(None)
    }

    fn is_ours(&self, comment: &Value) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let trusted = text(&comment["user"]["type"]) == "Bot"
            || matches!(text(&comment["author_association"]).as_str(), "OWNER" | "MEMBER" | "COLLABORATOR");
        trusted && text(&comment["body"]).starts_with(&self.marker)
    }
}

impl Said {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Notice(Notice::Started(it)) => {
                self.version.clone_from(&it.new_version);
                self.headline = format!(
                    "⏳ **{}** is on its way to **{}**",
                    markdown(&it.new_version),
                    markdown(&it.environment)
                );
                self.rows = vec![("release", markdown(&it.release))];
            }
            Event::Deployed { url, .. } => self.row("deployment", format!("<{url}>")),
            Event::Weights { revision, variants, .. } => {
                let share = percent(share(variants, &self.version));
                self.row("visitors on it", format!("{share} (revision {revision})"));
            }
            Event::Notice(Notice::Completed(it)) => {
                let mark = match it.outcome.as_str() {
                    // By hand: a version of before is back, which is not the pull request's.
                    "promoted" if self.version.is_empty() => "↩️",
                    "promoted" => "✅",
                    _ => "❌",
                };
                self.headline = format!("{mark} **{}**: {}", markdown(&it.environment), markdown(&it.text));
            }
            _ => {}
        }
    }

    fn row(&mut self, name: &'static str, value: String) {
        match self.rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1 = value,
            None => self.rows.push((name, value)),
        }
    }
}
