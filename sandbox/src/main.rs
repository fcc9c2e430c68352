//! `crossfade-sandbox`: a local Cloudflare until it is told to end.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use crossfade_sandbox::{NAMESPACE_ID, Options, PROJECT, Sandbox, Tools};

/// A local Cloudflare on loopback: its API, Pages in the real runtime, the router in the real runtime.
///
/// It prints the environment variables that point `crossfade` and `wrangler` here, and ends on Ctrl-C.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The API's port; 0 takes any.
    #[arg(long, default_value_t = 8788)]
    api_port: u16,
    /// The public URL's port; 0 takes any.
    #[arg(long, default_value_t = 8787)]
    public_port: u16,
    /// The directory of the built router; default: what `cargo xtask build-worker` made.
    #[arg(long)]
    worker: Option<PathBuf>,
    /// How often the router looks at KV, in seconds.
    #[arg(long, default_value_t = 1)]
    refresh_seconds: u32,
    /// Who answers while there is no routing table.
    #[arg(long)]
    default_origin: Option<String>,
    /// The API alone: what is uploaded is kept, and nothing is served.
    #[arg(long, conflicts_with_all = ["worker", "public_port", "refresh_seconds", "default_origin"])]
    api_only: bool,
    /// No router to begin with: the public port serves what the zone `localhost` leads to, and scripts run as they are uploaded
    /// (`crossfade router deploy`).
    #[arg(long, conflicts_with_all = ["worker", "api_only", "refresh_seconds", "default_origin"])]
    hosts: bool,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), crossfade_sandbox::Error> {
    let mut options = Options::new(Tools::load()?);
    options.api_port = arguments.api_port;
    options.public_port = arguments.public_port;
    options.refresh_seconds = arguments.refresh_seconds;
    options.default_origin.clone_from(&arguments.default_origin);
    options.worker =
        arguments.worker.clone().or(options.worker).filter(|_| !arguments.api_only && !arguments.hosts);
    options.hosts = arguments.hosts;
    options.serve_pages = !arguments.api_only;
    let sandbox = Sandbox::start(options)?;
    sandbox.wait_for_signal(|| {
        // When nobody reads it, it still runs.
        let _ = writeln!(std::io::stdout(), "{}", announcement(&sandbox, arguments.json));
    });
    Ok(())
}

/// What a person or a program needs to know, in lines that a shell can read too.
fn announcement(sandbox: &Sandbox, json: bool) -> String {
    if json {
        let mut description = sandbox.describe();
        for (name, value) in sandbox.variables() {
            description["variables"][name] = value.into();
        }
        return description.to_string();
    }
    let mut lines =
        vec!["# A local Cloudflare, until Ctrl-C. These point `crossfade` and `wrangler` at it:".to_owned()];
    lines.extend(sandbox.variables().into_iter().map(|(name, value)| format!("export {name}={value}")));
    if let Some(url) = sandbox.public_url() {
        lines.push(format!("# visitors go to {url}"));
    }
    lines.push(format!("# control: {} (state), …/faults, …/requests", sandbox.control_url()));
    lines.push(format!("# project: {PROJECT}, KV namespace: {NAMESPACE_ID}"));
    lines.join("\n")
}
