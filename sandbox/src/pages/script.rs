//! Stages that a deployment passes through as it is told to: ones that take time, and ones that fail.

/// The stages to come, the present one first, and what was logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    stages: Vec<(String, String)>,
    lines: Vec<String>,
}

impl Script {
    pub(crate) fn new(stages: &[(&str, &str)], lines: &[&str]) -> Self {
        let owned = |(name, status): &(&str, &str)| ((*name).to_owned(), (*status).to_owned());
        Self {
            stages: stages.iter().map(owned).collect(),
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    /// The present stage: name and status.
    pub(super) fn stage(&self) -> Option<(&str, &str)> {
        self.stages.first().map(|(name, status)| (name.as_str(), status.as_str()))
    }

    /// The next one begins; the last one stays.
    pub(super) fn next(&mut self) {
        if self.stages.len() > 1 {
            self.stages.remove(0);
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}
