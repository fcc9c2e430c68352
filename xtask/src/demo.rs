//! `cargo xtask demo`: four releases of the booking site under steady traffic, on the sandbox, and what visitors saw of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crossfade_sandbox::{Options, Sandbox, Tools as SandboxTools};

use crate::setup::{self, Tools, cargo};
use crate::step::{self, Failed, say};
use crate::{root, worker};

mod releases;
mod summary;
mod traffic;

use releases::{CASES, Released};
use traffic::Traffic;

/// How long a deployment may take to answer.
const UP_WITHIN: Duration = Duration::from_secs(60);

/// What the demo does besides.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave everything running at the end, with its URLs printed, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

/// Runs it.
///
/// # Errors
/// When a release did not end as said, or a visitor's request failed because of one.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let tools = setup::all()?;
    worker::build(&tools)?;
    step::log(
        "building crossfade",
        &tools.cache,
        cargo().args(["build", "--package", "crossfade"]).current_dir(root()),
    )?;

    let failed = |error: &dyn std::fmt::Display| Failed::new("the sandbox", error);
    let sandbox_tools = SandboxTools::load().map_err(|error| failed(&error))?;
    let mut sandbox = Sandbox::start(Options::new(sandbox_tools)).map_err(|error| failed(&error))?;
    let project = Project::new(&sandbox)?;

    say(
        "\nBefore Crossfade: version 0.9.0, uploaded with `wrangler pages deploy`, behind the router's DEFAULT_ORIGIN",
    );
    let origin = project.wrangler_deploy(&tools, &sandbox, "0.9.0")?;
    sandbox.set_default_origin(&origin).map_err(|error| failed(&error))?;
    let url = sandbox.public_url().unwrap_or_default();
    say(format_args!(
        "Visitors come to {url}, about {} requests a second from here to the end\n",
        traffic::PER_SECOND
    ));

    let traffic = Traffic::start(&url);
    traffic.warm_up()?;
    let mut released: Vec<Released> = Vec::new();
    for case in &CASES {
        say(format_args!("── {}", case.story));
        let release = releases::run(case, &project, &sandbox, &traffic)?;
        say(format_args!("   visitors meanwhile: {}\n", release.seen));
        released.push(release);
    }
    let samples = traffic.stop();
    let complaints = summary::complaints(&released, &samples);
    say(summary::table(&released, &samples));
    if arguments.keep {
        sandbox.wait_for_signal(|| {
            say(format_args!(
                "The site: {url}\nThe API:  {}\nThe project: {}",
                sandbox.api_url(),
                project.directory().display()
            ));
            say("\nTry `crossfade status` there; Ctrl-C ends it. The environment:");
            for (name, value) in sandbox.variables() {
                say(format_args!("  export {name}={value}"));
            }
        });
    }
    match complaints.as_slice() {
        [] => {
            say(
                "Every release ended as said, and no visitor's request failed because of versions 1.0.0 to 1.2.0.",
            );
            Ok(())
        }
        complaints => Err(Failed::new(
            "the demo",
            format!("not everything went as said:\n  {}", complaints.join("\n  ")),
        )),
    }
}

/// The booking site's project, pointed at the sandbox.
pub(super) struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new(sandbox: &Sandbox) -> Result<Self, Failed> {
        let failed = |error: std::io::Error| Failed::new("the demo's project", error);
        let directory = tempfile::Builder::new().prefix("crossfade-demo-").tempdir().map_err(failed)?;
        let config = std::fs::read_to_string(root().join("example/crossfade.toml")).map_err(failed)?;
        let build = format!("node '{}' --out dist", root().join("example/build.mjs").display());
        let config = config
            .replace("http://127.0.0.1:8787", &sandbox.public_url().unwrap_or_default())
            .replace("node build.mjs --out dist", &build);
        std::fs::write(directory.path().join("crossfade.toml"), config).map_err(failed)?;
        Ok(Self { directory })
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `crossfade` in this project, pointed at the sandbox.
    pub(super) fn crossfade(&self, sandbox: &Sandbox) -> Command {
        // …/target/debug/xtask and …/target/debug/crossfade lie side by side.
        let program = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("crossfade")));
        let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from("crossfade")));
        command.current_dir(self.directory()).envs(sandbox.variables());
        command
    }

    /// Uploads a version with wrangler, as people did before, and returns where it is.
    fn wrangler_deploy(&self, tools: &Tools, sandbox: &Sandbox, version: &str) -> Result<String, Failed> {
        let out = self.directory().join("before");
        let mut build = Command::new(&tools.node.program);
        build.arg(root().join("example/build.mjs")).args(["--version", version, "--out"]).arg(&out);
        step::log("building version 0.9.0", &tools.cache, &mut build)?;
        let mut wrangler = Command::new(&tools.node.program);
        wrangler
            .arg(tools.node.modules.join("wrangler/bin/wrangler.js"))
            .args(["pages", "deploy"])
            .arg(&out)
            .args(["--project-name", "booking", "--branch", "main", "--commit-dirty=true"])
            .current_dir(self.directory())
            .envs(sandbox.variables())
            .envs([("CI", "1"), ("WRANGLER_SEND_METRICS", "false")]);
        step::log("wrangler pages deploy", &tools.cache, &mut wrangler)?;
        // wrangler does not wait until the deployment answers.
        let deadline = Instant::now() + UP_WITHIN;
        loop {
            if let Some((_, url)) = sandbox.deployments().into_iter().next() {
                return Ok(url);
            }
            if Instant::now() >= deadline {
                return Err(Failed::new("wrangler pages deploy", "the deployment does not answer"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
