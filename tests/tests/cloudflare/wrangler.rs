//! Real wrangler, of the version that `package.json` pins, pointed at a sandbox and at nothing else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crossfade_sandbox::{Sandbox, Tools};
use crossfade_tests::Ended;
use tempfile::TempDir;

/// wrangler with a home and a working directory of its own, which it leaves its caches in.
pub(crate) struct Wrangler<'a> {
    sandbox: &'a Sandbox,
    directory: TempDir,
    project: Option<PathBuf>,
}

impl<'a> Wrangler<'a> {
    /// wrangler for one sandbox.
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, directory: TempDir::new().unwrap(), project: None }
    }

    /// The same in a project's directory.
    pub(crate) fn at(mut self, project: &Path) -> Self {
        self.project = Some(project.to_owned());
        self
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[])
    }

    /// The same with more environment variables. Nothing else of this process's environment is passed on: some variables
    /// of development tools turn a Pages deployment into something else.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        Ended::of(self.command(arguments, variables))
    }

    /// Runs a command that reads this.
    pub(crate) fn run_fed(&self, arguments: &[&str], input: &str) -> Ended {
        let path = self.directory.path().join("input");
        std::fs::write(&path, input).unwrap();
        let mut command = self.command(arguments, &[]);
        command.stdin(std::fs::File::open(path).unwrap());
        Ended::of(command)
    }

    /// Runs a shell script to which `npx wrangler` is this wrangler.
    pub(crate) fn run_script(&self, script: &str, variables: &[(&str, &str)]) -> Ended {
        let tools = Tools::load().unwrap();
        let npx = self.directory.path().join("npx");
        let text = format!(
            "#!/bin/sh\nshift\nexec '{}' '{}' \"$@\"\n",
            tools.node.display(),
            tools.wrangler.display()
        );
        std::fs::write(&npx, text).unwrap();
        std::fs::set_permissions(&npx, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.directory.path().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        Ended::of(self.surrounded(shell, &[variables, &[("PATH", &path)]].concat()))
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let tools = Tools::load().unwrap();
        let mut command = Command::new(tools.node);
        command.arg(tools.wrangler).args(arguments);
        self.surrounded(command, variables)
    }

    fn surrounded(&self, mut command: Command, variables: &[(&str, &str)]) -> Command {
        command
            .current_dir(self.project.as_deref().unwrap_or(self.directory.path()))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .envs([
                ("CI", "1"),
                ("NO_COLOR", "1"),
                ("WRANGLER_HIDE_BANNER", "true"),
                ("WRANGLER_SEND_METRICS", "false"),
            ])
            .envs(self.sandbox.variables())
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
        command
    }
}
