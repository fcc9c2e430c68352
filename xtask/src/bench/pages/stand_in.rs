//! The stand-in for Cloudflare's API, as a process of its own with an empty store. It ends with this value.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::step::Failed;

pub(super) struct StandIn {
    child: Child,
    api_url: String,
}

impl StandIn {
    /// Starts it and waits until it answers.
    pub(super) fn start(programs: &Path) -> Result<Self, Failed> {
        let failed = |why: String| Failed::new("the stand-in", why);
        let child = Command::new(programs.join("crossfade-sandbox"))
            .args(["--api-only", "--api-port", "0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut started = Self { child, api_url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = started.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
        }
        let said: Value = serde_json::from_str(&line).map_err(|error| failed(format!("{error}: {line}")))?;
        started.api_url = said["api_url"].as_str().unwrap_or_default().to_owned();
        Ok(started)
    }

    pub(super) fn api_url(&self) -> &str {
        &self.api_url
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
