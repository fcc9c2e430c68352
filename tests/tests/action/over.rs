//! What is left of a step: what it said, to people and to the runner.

use std::collections::BTreeMap;

use rustix::process::Signal;

/// A step that is over.
#[derive(Debug)]
pub(crate) struct Over {
    /// The exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// Standard output and error, as they came.
    pub(crate) said: String,
    /// The job's summary, in Markdown.
    pub(crate) summary: String,
    /// The step's outputs.
    pub(crate) outputs: BTreeMap<String, String>,
    /// How far the runner had to go.
    pub(crate) sent: Vec<Signal>,
}

impl Over {
    /// What people see of it: without what was to be masked, from there on.
    pub(crate) fn shown(&self) -> String {
        let mut masked: Vec<&str> = Vec::new();
        let mut shown = String::new();
        for line in self.said.lines() {
            if let Some(value) = line.strip_prefix("::add-mask::") {
                masked.push(value);
            } else {
                let line = masked.iter().fold(line.to_owned(), |line, value| line.replace(value, "***"));
                shown += &(line + "\n");
            }
        }
        shown
    }

    /// The workflow commands that the runner would obey, but for those that hide or group.
    pub(crate) fn commands(&self) -> Vec<&str> {
        let mut obeyed = Vec::new();
        let mut stopped: Option<&str> = None;
        for line in self.said.lines().filter(|line| line.starts_with("::")) {
            match (stopped, line.strip_prefix("::stop-commands::")) {
                (Some(token), _)
                    if line.strip_prefix("::").and_then(|it| it.strip_suffix("::")) == Some(token) =>
                {
                    stopped = None
                }
                (Some(_), _) => {}
                (None, Some(token)) => stopped = Some(token),
                (None, None) => obeyed.push(line),
            }
        }
        obeyed.retain(|line| {
            !["::add-mask::", "::group::", "::endgroup::"].iter().any(|it| line.starts_with(it))
        });
        obeyed
    }
}
