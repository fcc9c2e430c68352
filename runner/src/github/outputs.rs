//! The step's outputs, each as soon as it is known: whoever is killed later has said it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::exit_code;
use crate::report::Event;

/// An output of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    DeploymentUrl,
    PagesDeploymentAliasUrl,
    PagesDeploymentId,
    PagesEnvironment,
    Outcome,
    Reason,
    Revision,
    Release,
    StableDeploymentId,
    Report,
}

impl Output {
    /// Its name in `action.yml`; the first four are those of cloudflare/wrangler-action.
    const fn name(self) -> &'static str {
        match self {
            Self::DeploymentUrl => "deployment-url",
            Self::PagesDeploymentAliasUrl => "pages-deployment-alias-url",
            Self::PagesDeploymentId => "pages-deployment-id",
            Self::PagesEnvironment => "pages-environment",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::Revision => "revision",
            Self::Release => "release",
            Self::StableDeploymentId => "stable-deployment-id",
            Self::Report => "report",
        }
    }
}

/// The file that the runner reads outputs from when the step has ended.
pub(super) struct Outputs {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The outcome is known; an error that follows says nothing else.
    finished: bool,
    /// Of a fleet there are several: each output has a line for each.
    deployed: Vec<[String; 4]>,
}

const DEPLOYED: [Output; 4] = [
    Output::DeploymentUrl,
    Output::PagesDeploymentAliasUrl,
    Output::PagesDeploymentId,
    Output::PagesEnvironment,
];

impl Outputs {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// What an event says.
    pub(super) fn hear(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::ReleaseStarted { release, .. } => self.set(Output::Release, release),
            Event::Weights { revision, .. } => self.set(Output::Revision, &revision.to_string()),
            Event::Deployed { id, url, aliases, pages_environment, .. } => {
                let alias = aliases.first().cloned().unwrap_or_default();
                let environment = pages_environment.clone().unwrap_or_default();
                state.deployed.push([url.clone(), alias, id.clone(), environment]);
                for (index, output) in DEPLOYED.into_iter().enumerate() {
                    let lines: Vec<&str> =
                        state.deployed.iter().filter_map(|it| it.get(index).map(String::as_str)).collect();
                    self.set(output, &lines.join("\n"));
                }
            }
            Event::Finished { outcome, text, .. } => {
                state.finished = true;
                self.set(Output::Outcome, outcome);
                self.set(Output::Reason, text);
            }
            Event::Error { exit_code, text, because, .. } if !state.finished => {
                self.set(Output::Outcome, outcome(*exit_code));
                let whole = because.iter().fold(text.clone(), |text, cause| format!("{text}: {cause}"));
                self.set(Output::Reason, &whole);
            }
            _ => {}
        }
    }

    /// A command that is no release was done.
    pub(super) fn done(&self) {
        if !self.state.lock().unwrap_or_else(PoisonError::into_inner).finished {
            self.set(Output::Outcome, "done");
        }
    }

    /// Sets one; the last time counts. That it cannot be written must not end a release.
    pub(super) fn set(&self, output: Output, value: &str) {
        if let Some(path) = &self.path {
            append(path, output.name(), value);
        }
    }
}

/// Adds to one of the runner's files, if that can be done.
pub(super) fn append(path: &Path, name: &str, value: &str) {
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
        let _ = file.write_all(assignment(name, value).as_bytes());
    }
}

/// What an error means that came before any release could say it.
const fn outcome(code: u8) -> &'static str {
    match code {
        exit_code::NOT_STARTED => "not-started",
        exit_code::ROLLED_BACK => "rolled-back",
        exit_code::SUPERSEDED => "superseded",
        exit_code::STUCK => "stuck",
        _ => "failed",
    }
}

/// `NAME<<DELIMITER`, the value, and the delimiter, which no value can have foreseen
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>).
fn assignment(name: &str, value: &str) -> String {
    let random = || getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    let delimiter = format!("end-{:016x}{:016x}", random(), random());
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// As the runner reads them.
    fn read(text: &str) -> BTreeMap<String, String> {
        let mut lines = text.lines();
        let mut values = BTreeMap::new();
        while let Some(line) = lines.next() {
            let (name, delimiter) = line.split_once("<<").unwrap();
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            values.insert(name.to_owned(), value.join("\n"));
        }
        values
    }

    fn said(events: &[Event]) -> BTreeMap<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output");
        let outputs = Outputs::new(Some(path.clone()));
        events.iter().for_each(|event| outputs.hear(event));
        read(&std::fs::read_to_string(path).unwrap_or_default())
    }

    fn deployed(id: &str, alias: Option<&str>) -> Event {
        Event::Deployed {
            project: "booking".into(),
            id: id.into(),
            url: format!("https://{id}.booking.pages.dev"),
            aliases: alias.map(str::to_owned).into_iter().collect(),
            pages_environment: Some("production".into()),
        }
    }

    fn finished(outcome: &'static str, text: &str) -> Event {
        Event::Finished { outcome, text: text.into(), elapsed_ms: 1 }
    }

    fn error(exit_code: u8) -> Event {
        Event::Error { exit_code, text: "cannot".into(), because: vec!["no".into()], hint: None }
    }

    #[test]
    fn a_value_cannot_end_itself_and_set_another() {
        let evil = "a\nend-0\noutcome<<x\npromoted\nx";
        let said = said(&[finished("rolled-back", evil)]);
        assert_eq!((said["outcome"].as_str(), said["reason"].as_str(), said.len()), ("rolled-back", evil, 2));
    }

    #[test]
    fn a_fleet_has_a_line_for_each_deployment() {
        let said = said(&[deployed("a1", Some("https://main.booking.pages.dev")), deployed("b2", None)]);
        let lines = |name: &str| said[name].split('\n').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines("pages-deployment-id"), ["a1", "b2"]);
        assert_eq!(lines("deployment-url"), ["https://a1.booking.pages.dev", "https://b2.booking.pages.dev"]);
        assert_eq!(lines("pages-deployment-alias-url"), ["https://main.booking.pages.dev", ""]);
        assert_eq!(lines("pages-environment"), ["production", "production"]);
    }

    #[test]
    fn what_a_release_came_to_counts_and_else_its_error() {
        for (events, outcome, reason) in [
            (vec![finished("stuck", "stuck: x"), error(6)], "stuck", "stuck: x"),
            (vec![error(2)], "failed", "cannot: no"),
            (vec![error(3)], "not-started", "cannot: no"),
            (vec![error(5)], "superseded", "cannot: no"),
        ] {
            let said = said(&events);
            assert_eq!((said["outcome"].as_str(), said["reason"].as_str()), (outcome, reason));
        }
    }

    #[test]
    fn action_yml_has_these_outputs() {
        let metadata = include_str!("../../../action.yml");
        let (_, outputs) = metadata.split_once("\noutputs:\n").unwrap();
        let named: Vec<&str> = outputs
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with(' '))
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .collect();
        let all =
            [Output::Outcome, Output::Reason, Output::Revision, Output::Release, Output::StableDeploymentId];
        let ours: Vec<&str> =
            DEPLOYED.into_iter().chain(all).chain([Output::Report]).map(Output::name).collect();
        assert_eq!(named, ours);
    }
}
