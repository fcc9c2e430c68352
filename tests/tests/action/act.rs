//! Workflows that use the action as people do, run by `act` in a site's project: real expressions, real outputs, no Docker.
//!
//! In what it does differently from GitHub's own runner it proves nothing, above all when a step is cancelled: see
//! [`executor`](crate::executor).

use std::path::{Path, PathBuf};
use std::process::Command;

use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, CONTROL_TOKEN, Tools};
use crossfade_tests::{Running, Site, crossfade, root};
use serde_json::Value;
use tempfile::TempDir;

/// How people name the action.
const USES: &str = "crossfade/crossfade@v1";

/// Workflows of one site.
pub(crate) struct Act<'a> {
    site: &'a Site,
    place: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Act<'a> {
    /// The action is that of this workspace, under its public name.
    pub(crate) fn new(site: &'a Site) -> Self {
        let place = TempDir::new().unwrap();
        std::fs::create_dir_all(place.path().join("crossfade/action")).unwrap();
        let mut files = vec![PathBuf::from("action.yml")];
        let scripts = std::fs::read_dir(root().join("action")).unwrap();
        files.extend(scripts.map(|entry| Path::new("action").join(entry.unwrap().file_name())));
        for file in files {
            std::fs::copy(root().join(&file), place.path().join("crossfade").join(&file)).unwrap();
        }
        let composite =
            std::fs::read_to_string(root().join("tests/tests/action/composite/action.yml")).unwrap();
        site.write(".github/actions/release/action.yml", &composite);
        for arguments in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "a",
            ],
        ] {
            let git = Command::new("git").args(arguments).current_dir(site.path()).status();
            assert!(git.unwrap().success(), "git {arguments:?}");
        }
        let variables = vec![
            ("BINARY", crossfade().get_program().to_string_lossy().into_owned()),
            ("PRODUCTION_API", site.sandbox.api_url()),
            ("PRODUCTION_URL", site.sandbox.public_url().unwrap()),
            ("TELL", root().join("tests/tests/action/tell.mjs").display().to_string()),
        ];
        Self { site, place, variables }
    }

    /// A configuration variable of the repository.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Begins a workflow of `tests/tests/action/workflows`.
    pub(crate) fn begin(&self, workflow: &str) -> Running {
        let text =
            std::fs::read_to_string(root().join("tests/tests/action/workflows").join(workflow)).unwrap();
        self.begin_text(workflow, &text, &["push"])
    }

    /// Begins one of those that people copy, by the event and the inputs of these arguments.
    pub(crate) fn begin_example(&self, workflow: &str, event: &[&str]) -> Running {
        let text = std::fs::read_to_string(root().join("examples/workflows").join(workflow)).unwrap();
        let text = text.replace(" # pin it to a commit", "");
        let uses = format!("uses: {USES}\n        with:\n");
        assert!(text.contains(&uses), "{workflow} uses something else");
        let ours = text.replace(&uses, &format!("{uses}          binary: ${{{{ vars.BINARY }}}}\n"));
        // What `act` does not know yet.
        let known =
            |line: &&str| !line.trim().starts_with("queue:") && !line.trim().starts_with("environment: {");
        let text: Vec<&str> = ours.lines().filter(known).collect();
        let api = format!("CLOUDFLARE_API_BASE_URL={}", self.site.sandbox.api_url());
        self.begin_text(workflow, &text.join("\n"), &[event, &["--env", &api]].concat())
    }

    fn begin_text(&self, workflow: &str, text: &str, event: &[&str]) -> Running {
        self.site.write(&format!(".github/workflows/{workflow}"), text);
        let tools = Tools::load().unwrap();
        let mut path = vec![tools.node.parent().unwrap().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = Command::new(program());
        command
            .args(event)
            .args(["--workflows", &format!(".github/workflows/{workflow}")])
            .args(["--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--pull=false"])
            .arg("--action-cache-path")
            .arg(self.place.path().join("cache"))
            .arg("--local-repository")
            .arg(format!("{USES}={}", self.place.path().join("crossfade").display()))
            .args(["--secret", &format!("CLOUDFLARE_API_TOKEN={API_TOKEN}")])
            .args(["--secret", &format!("CROSSFADE_TOKEN={CONTROL_TOKEN}")])
            .current_dir(self.site.path())
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.place.path());
        for (name, value) in &self.variables {
            command.args(["--var", &format!("{name}={value}")]);
        }
        for (name, value) in self.environment() {
            command.args(["--env", &format!("{name}={value}")]);
        }
        Running::begin(command)
    }

    /// What `tell.mjs` was told, a step a value.
    pub(crate) fn seen(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.seen_file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What tells processes of this workflow from others.
    pub(crate) fn mark(&self) -> String {
        format!("SEEN={}", self.seen_file().display())
    }

    fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID.into()),
            ("SEEN", self.seen_file().display().to_string()),
            // GitHub's own API is not asked.
            ("GITHUB_API_URL", "http://127.0.0.1:9".into()),
        ]
    }

    fn seen_file(&self) -> PathBuf {
        self.place.path().join("seen.jsonl")
    }
}

/// What `cargo xtask setup` installed.
fn program() -> PathBuf {
    let tools = std::fs::read(root().join("target/crossfade/tools.json")).unwrap();
    let tools: Value = serde_json::from_slice(&tools).unwrap();
    tools["act"].as_str().expect("`cargo xtask setup` has installed `act`").into()
}
