//! Every workflow, the action, and every block of YAML in the documentation, linted as one repository that is made for it:
//! what people write as `uses: crossfade/crossfade@v1` is this action there, so that its inputs and outputs are checked too.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::setup::Tools;
use crate::step::{Failed, show};

/// Where workflows are.
const WORKFLOWS: [&str; 3] = [".github/workflows", "examples/workflows", "tests/tests/action/workflows"];
/// Where documents are, besides the root.
const DOCUMENTS: &str = "docs";
/// How people name this action, and how its own repository does.
const OURS: (&str, &str) = ("uses: crossfade/crossfade@", "uses: ./");
/// What a block that only has steps stands in.
const FRAME: &str = "\
on: workflow_dispatch
permissions: {}
concurrency: { group: example, cancel-in-progress: false }
jobs:
  example:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: { persist-credentials: false }
";

/// Runs the linters.
///
/// # Errors
/// The first one that found something, which it has printed.
pub(super) fn lint(tools: &Tools) -> Result<(), Failed> {
    let name = "collecting workflows";
    let repository = tempfile::tempdir().map_err(|error| Failed::new(name, error))?;
    let files = collect(repository.path()).map_err(|why| Failed::new(name, why))?;
    let python = &tools.python;
    show(
        &format!("workflows: {} files (jactionlint)", files.len()),
        Command::new(python.jactionlint())
            .arg("--strict-exit")
            .arg(format!("--shellcheck={}", python.shellcheck().display()))
            .args(&files)
            .current_dir(repository.path()),
    )?;
    show(
        "workflows (zizmor)",
        Command::new(python.zizmor())
            .args(["--offline", "--no-progress", "--quiet", "--min-severity", "medium", "."])
            .current_dir(repository.path()),
    )?;
    let of_github = |file: &&PathBuf| !file.ends_with("dependabot.yml");
    show(
        "workflows (GitHub's own language service)",
        Command::new(&tools.node.program)
            .arg(root().join("xtask/src/check/official.mjs"))
            .arg(&tools.node.modules)
            .args(files.iter().filter(of_github))
            .current_dir(repository.path()),
    )?;
    show(
        "action.yml (check-jsonschema)",
        python
            .check_jsonschema()
            .args(["--quiet", "--builtin-schema", "vendor.github-actions", "action.yml"])
            .current_dir(root()),
    )
}

/// Makes the repository; returns what is to be checked, relative to it.
fn collect(repository: &Path) -> Result<Vec<PathBuf>, String> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut files = vec![PathBuf::from("action.yml"), PathBuf::from(".github/dependabot.yml")];
    let mut write = |name: &str, text: &str| {
        let path = Path::new(name);
        let target = repository.join(path);
        let made = std::fs::create_dir_all(target.parent().unwrap_or(repository));
        made.and_then(|()| std::fs::write(&target, text)).map_err(|error| format!("{name}: {error}"))?;
        if name.starts_with(".github/workflows/") || name.starts_with(".github/actions/") {
            files.push(path.to_owned());
        }
        Ok::<(), String>(())
    };
    write(".git/HEAD", "ref: refs/heads/main\n")?;
    for name in ["action.yml", ".github/dependabot.yml", ".github/jactionlint.yaml"] {
        write(name, &read(&root().join(name))?)?;
    }
    for path in listed("action", "js")? {
        write(&format!("action/{}", name_of(&path)), &read(&path)?)?;
    }
    // It is none of ours that people use; its own step is.
    let composite = read(&root().join("tests/tests/action/composite/action.yml"))?;
    write(".github/actions/release/action.yml", &as_ours(&composite))?;
    for directory in WORKFLOWS {
        for path in listed(directory, "yml")? {
            let name = format!("{}-{}", directory.replace(['/', '.'], "-").trim_matches('-'), name_of(&path));
            write(&format!(".github/workflows/{name}"), &as_ours(&read(&path)?))?;
        }
    }
    for path in listed("", "md")?.into_iter().chain(listed(DOCUMENTS, "md")?) {
        for (line, block) in blocks(&read(&path)?) {
            let workflow = as_workflow(&block).map_err(|why| format!("{}:{line}: {why}", path.display()))?;
            let name = format!("{}-line-{line}.yml", name_of(&path).trim_end_matches(".md"));
            write(&format!(".github/workflows/{name}"), &as_ours(&workflow))?;
        }
    }
    Ok(files)
}

/// The files of a directory of the workspace that end like this, in order.
fn listed(directory: &str, extension: &str) -> Result<Vec<PathBuf>, String> {
    let path = root().join(directory);
    let entries = std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|its| its == extension))
        .collect();
    files.sort();
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The fenced blocks of YAML in a document, without their indentation, each with the line that it begins at.
fn blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize, String)> = None;
    for (number, line) in markdown.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match &mut open {
            None if matches!(line.trim(), "```yaml" | "```yml") => {
                open = Some((number + 2, indent, String::new()))
            }
            None => {}
            Some((line_number, _, block)) if line.trim() == "```" => {
                found.push((*line_number, std::mem::take(block)));
                open = None;
            }
            Some((_, outer, block)) => {
                block.push_str(line.get((*outer).min(indent)..).unwrap_or_default());
                block.push('\n');
            }
        }
    }
    found
}

/// A whole workflow stands for itself, steps get the rest.
fn as_workflow(block: &str) -> Result<String, &'static str> {
    if block.lines().any(|line| line == "jobs:") {
        return Ok(block.to_owned());
    }
    if !block.starts_with("- ") {
        return Err("this YAML is neither a workflow (`jobs:`) nor steps (`- uses: …`)");
    }
    let steps =
        block.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("      {line}\n") });
    Ok(FRAME.chars().chain(steps.collect::<String>().chars()).collect())
}

/// The same with this repository's action.
fn as_ours(workflow: &str) -> String {
    let (theirs, ours) = OURS;
    let line = |line: &str| match line.split_once(theirs) {
        Some((before, _)) => format!("{before}{ours}\n"),
        None => format!("{line}\n"),
    };
    workflow.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_yaml_are_found_wherever_they_are_indented() {
        let markdown = "text\n```toml\na = 1\n```\n1. so\n\n   ```yaml\n   jobs:\n     a: 1\n   ```\n\n```yml\n- run: x\n\n```\n";
        assert_eq!(blocks(markdown), [(8, "jobs:\n  a: 1\n".into()), (13, "- run: x\n\n".into())]);
    }

    #[test]
    fn steps_become_a_workflow_and_our_action_that_of_the_repository() {
        let steps = "- uses: crossfade/crossfade@v1  # why\n  with: { mode: status }\n";
        let workflow = as_ours(&as_workflow(steps).unwrap());
        assert!(workflow.ends_with("\n      - uses: ./\n        with: { mode: status }\n"), "{workflow}");
        assert!(workflow.starts_with("on: workflow_dispatch\n"));
        let whole = "on: push\njobs:\n  a: {}\n";
        assert_eq!(as_workflow(whole), Ok(whole.into()));
        assert!(as_workflow("concurrency: x\n").is_err());
    }

    /// The bash that comes with macOS is 3.2, and its `set -e` goes on after a `[[ … ]]` that is not true
    /// (<https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html> is of one that does not).
    #[test]
    fn no_check_of_our_workflows_is_passed_over_on_macos() {
        for path in listed(".github/workflows", "yml").unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut commands = text.lines().flat_map(|line| line.split(';')).map(str::trim);
            let alone = |command: &&str| {
                let command = command.strip_prefix("do ").unwrap_or(command);
                command.starts_with("[[") && command.ends_with("]]")
            };
            assert_eq!(commands.find(alone), None, "{}: write it with `test`", path.display());
        }
    }
}
