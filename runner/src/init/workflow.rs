//! The GitHub workflow that releases what is pushed.

use super::Answers;
use super::framework::{Manager, Setup};

/// Tags can be moved; these commits are what they were when this was written.
const NODE: &str = "actions/setup-node@820762786026740c76f36085b0efc47a31fe5020 # v7.0.0";
const PNPM: &str = "pnpm/action-setup@fe02b34f77f8bc703788d5817da081398fad5dd2 # v4.0.0";
const BUN: &str = "oven-sh/setup-bun@0c5077e51419868618aeaa5fe8019c62421857d6 # v2.2.0";

/// The workflow's text. `below` is where the site is in its repository, empty for the whole of it; `itself` is the workflow's own
/// path.
pub fn workflow(answers: &Answers, below: &str, itself: &str) -> String {
    let Answers { environment, branch, .. } = answers;
    // Sites of one repository do not wait for each other.
    let of = |name: &str, sign: &str| {
        if below.is_empty() { quoted(name) } else { quoted(&format!("{name}{sign}{below}")) }
    };
    let (branch, name) = (quoted(branch), of("release", " "));
    let group = of(&format!("crossfade-{environment}"), "-");
    let paths = if below.is_empty() {
        String::new()
    } else {
        format!("    paths: [{}, {}]\n", quoted(&format!("{below}/**")), quoted(itself))
    };
    let setup = setup(&answers.setup, below);
    let place = if below.is_empty() {
        String::new()
    } else {
        format!("          workingDirectory: {}\n", quoted(below))
    };
    let of_environment = if environment == "production" {
        String::new()
    } else {
        format!("          environment: {}\n", quoted(environment))
    };
    format!(
        r#"# Releases each push. It needs two secrets and a variable of the repository:
#   CLOUDFLARE_API_TOKEN    a token with Cloudflare Pages: Edit and Workers KV Storage: Edit
#   CROSSFADE_TOKEN         the router's secret
#   CLOUDFLARE_ACCOUNT_ID   (a variable) the account
name: {name}

on:
  push:
    branches: [{branch}]
{paths}  workflow_dispatch:

permissions: {{}}

# One release at a time. A push does not cancel the release before it; cancelling by hand brings visitors home.
concurrency:
  group: {group}
  cancel-in-progress: false
  queue: max

jobs:
  release:
    runs-on: ubuntu-24.04
    # Longer than the rollout's own deadline, which `crossfade validate` says: the program has to be the one that gives up.
    timeout-minutes: 360
    permissions:
      contents: read
      deployments: write
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
{setup}      - uses: crossfade/crossfade@v1      # pin it to a commit
        with:
{of_environment}{place}          apiToken: ${{{{ secrets.CLOUDFLARE_API_TOKEN }}}}
          accountId: ${{{{ vars.CLOUDFLARE_ACCOUNT_ID }}}}
          crossfadeToken: ${{{{ secrets.CROSSFADE_TOKEN }}}}
          gitHubToken: ${{{{ github.token }}}}
"#
    )
}

/// The steps that a fresh machine needs before it can build.
fn setup(setup: &Setup, below: &str) -> String {
    let place = if below.is_empty() {
        String::new()
    } else {
        format!("        working-directory: {}\n", quoted(below))
    };
    match setup {
        Setup::Nothing => String::new(),
        Setup::Program(program) => format!("      # The build needs {program}: install it here.\n"),
        Setup::Node { manager, locked, pinned, version_file } => {
            // Either of the two says which pnpm, and both are an error.
            let manager_setup = match (manager, pinned) {
                (Manager::Pnpm, true) => format!("      - uses: {PNPM}\n"),
                (Manager::Pnpm, false) => {
                    format!("      - uses: {PNPM}\n        with:\n          version: latest\n")
                }
                (Manager::Bun, _) => format!("      - uses: {BUN}\n"),
                (Manager::Npm | Manager::Yarn, _) => String::new(),
            };
            let version = version_file.map_or_else(
                || "node-version: lts/*".to_owned(),
                |file| {
                    let path = if below.is_empty() { file.to_owned() } else { format!("{below}/{file}") };
                    format!("node-version-file: {}", quoted(&path))
                },
            );
            // The Yarn that GitHub's machines have is another than most repositories name.
            let corepack = match (manager, pinned) {
                (Manager::Yarn, true) => "      - run: npm install --global corepack && corepack enable\n",
                _ => "",
            };
            let install =
                if *locked { manager.install().to_owned() } else { format!("{} install", manager.program()) };
            format!(
                "{manager_setup}      - uses: {NODE}\n        with:\n          {version}\n{corepack}      - run: {install}\n{place}"
            )
        }
    }
}

/// A text as YAML reads it, of which JSON is a part.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
