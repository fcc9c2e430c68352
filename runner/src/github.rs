//! A job of GitHub Actions that this program runs in: what it is told there beside lines in its log. In: the job's variables, events.
//! Out: outputs, annotations, groups, a summary; deployments and a comment through GitHub's API.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`log`] | lines, foreign output | groups, annotations; nobody but us gives the runner commands |
//! | [`outputs`] | events | `GITHUB_OUTPUT` |
//! | [`summary`], [`chart`] | a story | `GITHUB_STEP_SUMMARY` |
//! | [`api`] | a call | GitHub's answer |
//! | [`deployment`], [`comment`] | events | calls |
//!
//! Everything here is a nicety: it returns at once, or is done by a thread of its own, and none of it changes what a release comes to.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use crate::report::{Entry, Mode};
use crate::story::Story;

mod api;
mod chart;
mod comment;
mod deployment;
mod log;
mod outputs;
#[cfg(test)]
mod stand_in;
mod summary;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use telling::Telling;

pub(crate) use log::inert;
use log::{Log, Severity};
use outputs::{Output, Outputs};
use summary::Summary;

/// The variable that holds a token for GitHub's API. Not `GITHUB_TOKEN`: that one may be there for somebody else.
pub(crate) const GITHUB_TOKEN: &str = "CROSSFADE_GITHUB_TOKEN";
/// The variable that names the file by which a step tells its `post` what to run.
pub(crate) const STATE: &str = "GITHUB_STATE";
/// Whether a pull request is to be commented on.
const COMMENT: &str = "CROSSFADE_COMMENT";

static JOB: OnceLock<Job> = OnceLock::new();

/// The job that we are in, once [`enter`] found one.
pub(crate) fn job() -> Option<&'static Job> {
    JOB.get()
}

/// Looks whether this process runs in a job, as the first thing that it does: from here on its log belongs to the job.
pub(crate) fn enter(mode: Mode) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if variable("GITHUB_ACTIONS").as_deref() != Some("true") {
        return;
    }
    #[cfg(target_os = "linux")]
    // Whoever started us is killed after a cancel when it takes too long; going home then is for us to do, before the next step begins.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    let log = Log::new(mode, Box::new(anstream::stdout()));
    let _ = JOB.set(Job {
        log,
        outputs: Outputs::new(variable("GITHUB_OUTPUT").map(PathBuf::from)),
        state: variable(STATE).map(PathBuf::from),
        summary: Summary::new(variable("GITHUB_STEP_SUMMARY").map(PathBuf::from)),
        facts: Facts::new(&variable),
    });
}

/// A job of GitHub Actions.
pub(crate) struct Job {
    log: Log,
    outputs: Outputs,
    /// Where the action's `post` reads what we leave for it.
    state: Option<PathBuf>,
    summary: Summary,
    facts: Facts,
}

/// A line for programs, in which the runner finds no command of the older form either; to a program it says the same.
pub(crate) fn json_line(line: String) -> String {
    if job().is_some() { line.replace("##[", "##\\u005b") } else { line }
}

impl Job {
    /// Shows a line of ours, unless standard output is for programs; whether it was shown.
    pub(crate) fn line(&self, text: &str) -> bool {
        self.log.line(text)
    }

    /// Leaves the words that say where we look to the action's `post`, which has to look there too.
    pub(crate) fn looks_at(&self, words: &[String]) {
        if let (Some(path), Ok(words)) = (&self.state, serde_json::to_string(words)) {
            outputs::append(path, "where", &words);
        }
    }

    /// Shows what a command of the user's printed, unless standard output is for programs. The runner takes no orders from it.
    pub(crate) fn foreign(&self, title: &str, text: &str) -> bool {
        self.log.foreign(title, text)
    }

    /// Says what was done, beside the workflow run too; whether it was.
    pub(crate) fn say(&self, text: &str) -> bool {
        self.log.annotate(Severity::Notice, text)
    }

    /// Says something that a person should look at; whether it was.
    pub(crate) fn warn(&self, text: &str) -> bool {
        self.log.annotate(Severity::Warning, text)
    }

    /// Says why the command did not do what it was asked to; whether it was.
    pub(crate) fn fail(&self, text: &str) -> bool {
        self.summary.write_once(&summary::of_failure(text));
        self.log.annotate(Severity::Error, text)
    }

    /// Says what is wrong with the arguments.
    pub(crate) fn refuse(&self, text: &str) {
        let text = text.trim().trim_start_matches("error: ");
        self.outputs.set(Output::Outcome, "failed");
        self.outputs.set(Output::Reason, text.lines().next().unwrap_or_default());
        self.fail(text);
    }

    /// Says what cannot be told to GitHub.
    fn note(&self, text: &str) {
        let _ = self.say(text) || self.line(text);
    }

    /// Hears of everything that happens.
    pub(crate) fn hear(&self, entry: &Entry) {
        self.outputs.hear(&entry.event);
    }

    /// Which table was written last. Not each is an event: most of them only renew a lease.
    pub(crate) fn revision_is(&self, revision: u64) {
        self.outputs.set(Output::Revision, &revision.to_string());
    }

    /// Where the report is.
    pub(crate) fn reported_in(&self, directory: &std::path::Path) {
        self.outputs.set(Output::Report, &directory.to_string_lossy());
    }

    /// What this step does is known as this release.
    pub(crate) fn release_is(&self, release: &str) {
        self.outputs.set(Output::Release, release);
    }

    /// Which deployment everybody is on now.
    pub(crate) fn stable_is(&self, deployment_id: &str) {
        self.outputs.set(Output::StableDeploymentId, deployment_id);
    }

    /// Tells a release that has ended as the step's summary. `report` is where all of it is.
    pub(crate) fn summarise(&self, story: &Story, report: Option<&std::path::Path>) {
        self.summary.write_once(&summary::of(story, report, self.facts.run_url.as_deref()));
    }

    /// Shows an answer as the step's summary too.
    pub(crate) fn answer(&self, text: &str) {
        self.summary.write_once(&summary::of_answer(text));
    }

    /// It was done.
    pub(crate) fn done(&self) {
        self.outputs.done();
    }

    /// Lets the runner listen again: what comes now is somebody else's.
    pub(crate) fn leave(&self) {
        self.log.close();
    }
}

/// What the job's variables say of it
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    /// `owner/name`.
    repository: Option<String>,
    /// What is deployed: of a pull request its own last commit, not the merge that GitHub tries out.
    commit: Option<String>,
    /// The pull request that the job is about.
    pull_request: Option<u64>,
    /// The run's page.
    run_url: Option<String>,
    /// GitHub's API.
    api_url: String,
    /// A token for it.
    token: Option<api::Token>,
    /// Whether the pull request is to be commented on.
    comment: bool,
}

impl Facts {
    fn new(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let event = variable("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
        let event: Value = event.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let pull_request = &event["pull_request"];
        let repository = variable("GITHUB_REPOSITORY").filter(|name| is_repository(name));
        let run_url = (|| {
            let (server, run) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_RUN_ID")?);
            Some(format!("{server}/{}/actions/runs/{run}", repository.as_ref()?))
        })();
        let head = pull_request["head"]["sha"].as_str().map(str::to_owned);
        Self {
            commit: head.or_else(|| variable("GITHUB_SHA")),
            pull_request: pull_request["number"].as_u64(),
            run_url,
            repository,
            api_url: variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".into()),
            token: variable(GITHUB_TOKEN).map(api::Token::new),
            comment: variable(COMMENT).is_some_and(|text| text.trim().eq_ignore_ascii_case("true")),
        }
    }

    /// GitHub's API, when there is a token for it.
    fn api(&self) -> Option<api::Api> {
        Some(api::Api::new(&self.api_url, self.repository.as_deref()?, self.token.clone()?))
    }
}

/// It becomes part of a path.
fn is_repository(name: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty()
            && !matches!(text, "." | "..")
            && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    name.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}
