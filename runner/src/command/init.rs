//! `crossfade init`: looks at the repository, asks what it cannot know, and writes a configuration and a workflow. A file that is
//! there is never overwritten without a word of the person's.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::print;
use super::session::root;
use crate::cli::{Global, Init, Strategy};
use crate::config::{Config, check_project, check_site_url};
use crate::error::Error;
use crate::init::{
    Answers, Found, PLACEHOLDER_NAMESPACE, PLACEHOLDER_URL, Setup, config, placeholders, workflow,
};
use crate::report::{Mode, now};

mod ask;

use ask::{Ask, Empty};

/// A file on its way.
struct File {
    path: PathBuf,
    text: String,
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    Kept,
    Shown,
}

pub(super) fn run(global: &Global, arguments: &Init) -> Result<(), Error> {
    let root = root(&global.config);
    if !root.is_dir() {
        return Err(Error::Usage(format!("`{}` is no directory", root.display())));
    }
    let found = Found::look(&root);
    let lines = global.mode() == Mode::Lines;
    let asks = lines
        && !arguments.yes
        && !arguments.dry_run
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal();
    let ask = Ask(asks);
    if lines {
        found.notes.iter().for_each(|note| print(&format!("  · {note}")));
    }
    let answers = answers(global, arguments, &found, &ask)?;
    let files = files(global, arguments, &found, &answers)?;
    let mut told = Vec::new();
    for file in files {
        let fate = put(&file, arguments, &ask)?;
        if lines {
            say(&file, fate);
        }
        told.push((file, fate));
    }
    // A configuration that was left alone says other things than what was answered here.
    let ours = told.iter().any(|(file, fate)| file.path == global.config && *fate != Fate::Kept);
    let open = if ours {
        placeholders(&answers.environment, &answers.url, &answers.kv_namespace)
    } else {
        Vec::new()
    };
    let guessed = ours && !asks && arguments.directory.is_none() && found.directory.is_none();
    let next = next(&found, &open, guessed, told.iter().any(|(file, _)| file.path != global.config));
    match global.mode() {
        Mode::Lines => print(&next.join("\n")),
        Mode::Json => {
            let files: Vec<_> = told
                .iter()
                .map(|(file, fate)| json!({ "path": file.path, "fate": fate.name(), "text": file.text }))
                .collect();
            print(
                &json!({ "version": 1, "type": "init", "at": now(), "files": files, "placeholders": open })
                    .to_string(),
            );
        }
    }
    Ok(())
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Kept => "kept",
            Self::Shown => "shown",
        }
    }
}

fn answers(global: &Global, arguments: &Init, found: &Found, ask: &Ask) -> Result<Answers, Error> {
    let project_is = |name: &str| check_project("project", name);
    let url_is = |url: &str| check_site_url(url).map_err(|why| format!("it is {why}"));
    let said = |given: &Option<String>, proposed: &str| given.clone().unwrap_or_else(|| proposed.to_owned());
    let project =
        ask.text("Pages project", &arguments.project, &found.project, Empty::Proposed, project_is)?;
    let directory = found.directory.clone().unwrap_or_else(|| "dist".to_owned());
    let some = |text: &str| {
        if text.trim().is_empty() { Err("it must not be empty".to_owned()) } else { Ok(()) }
    };
    let directory =
        ask.text("The build's output", &arguments.directory, &directory, Empty::Proposed, some)?;
    let build = found.framework.build.clone().unwrap_or_default();
    let build =
        ask.text("Build command (empty: none)", &arguments.build, &build, Empty::Means, |_| Ok(()))?;
    let url = ask.text("Public URL of the site", &arguments.url, PLACEHOLDER_URL, Empty::Proposed, url_is)?;
    let namespace = found.kv_namespace.as_deref().unwrap_or(PLACEHOLDER_NAMESPACE);
    let canary = match arguments.strategy {
        Some(strategy) => strategy == Strategy::Canary,
        None => {
            ask.yes("A few visitors first (canary), rather than everybody at once (blue-green)?", false)?
        }
    };
    Ok(Answers {
        project,
        directory,
        build: Some(build.trim().to_owned()).filter(|build| !build.is_empty()),
        environment: global.environment.clone(),
        url,
        kv_namespace: said(&arguments.kv_namespace, namespace),
        canary,
        branch: ask.text(
            "The branch that is released",
            &arguments.branch,
            &found.branch,
            Empty::Proposed,
            some,
        )?,
        assets: found.framework.assets,
        setup: found.framework.setup.clone(),
    })
}

/// What is written where. A configuration that `validate` would refuse is refused here.
fn files(global: &Global, arguments: &Init, found: &Found, answers: &Answers) -> Result<Vec<File>, Error> {
    let text = config(answers);
    Config::parse(&text).map_err(|why| Error::Usage(format!("that makes no configuration: {why}")))?;
    let mut files = vec![File { path: global.config.clone(), text }];
    // One that releases already is enough.
    let releases = !found.ours.is_empty() && !arguments.force;
    if !arguments.no_workflow && !releases {
        let itself = arguments.workflow.clone().unwrap_or_else(|| found.workflow());
        let path = workflow_path(&itself, found, &root(&global.config));
        let itself = itself.display().to_string();
        files.push(File { path, text: workflow(answers, &found.below, &itself) });
    }
    Ok(files)
}

/// Workflows lie in the repository's directory, wherever the site is.
fn workflow_path(workflow: &Path, found: &Found, root: &Path) -> PathBuf {
    let top = if found.below.is_empty() { root } else { &found.top };
    let path = top.join(workflow);
    path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_owned)
}

fn put(file: &File, arguments: &Init, ask: &Ask) -> Result<Fate, Error> {
    if arguments.dry_run {
        return Ok(Fate::Shown);
    }
    let path = &file.path;
    if path.exists() && !arguments.force {
        let question = format!("{} is there already. Overwrite it?", path.display());
        if !ask.yes(&question, false)? {
            return Ok(Fate::Kept);
        }
    }
    let cannot = |source| Error::Io { doing: format!("cannot write `{}`", path.display()), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(cannot)?;
    }
    std::fs::write(path, &file.text).map_err(cannot)?;
    Ok(Fate::Written)
}

fn say(file: &File, fate: Fate) {
    let path = file.path.display();
    print(&match fate {
        Fate::Written => format!("  ✓ {path}"),
        Fate::Kept => format!("  · {path} is there already and was left alone (--force overwrites it)"),
        Fate::Shown => format!("──── {path}\n{}", file.text),
    });
}

/// What is left for the person.
fn next(found: &Found, open: &[String], guessed: bool, workflow: bool) -> Vec<String> {
    let mut next = Vec::new();
    if guessed {
        next.push("say in `directory` where the site's files are: nothing here does".to_owned());
    }
    let router = |field: &String| field.ends_with("kv_namespace");
    next.extend(open.iter().filter(|field| !router(field)).map(|field| format!("fill in {field}")));
    next.push("look at what a release will do: crossfade validate".to_owned());
    if open.iter().any(router) {
        next.push("install the router: crossfade router deploy (it fills in kv_namespace)".to_owned());
    }
    if workflow {
        if let Setup::Program(program) = &found.framework.setup {
            next.push(format!("install {program} in the workflow, where it says so"));
        }
        next.push(
            "give the repository CLOUDFLARE_API_TOKEN and CROSSFADE_TOKEN as secrets, CLOUDFLARE_ACCOUNT_ID as a variable"
                .to_owned(),
        );
    }
    let other = |path: &String| format!("take the deployment out of {path}: two would overwrite each other");
    next.extend(found.deploying.iter().map(other));
    next.extend(found.ours.iter().map(|path| format!("{path} releases with Crossfade already")));
    let numbered = next.iter().enumerate().map(|(index, it)| format!("  {}. {it}", index + 1));
    ["Next:".to_owned()].into_iter().chain(numbered).collect()
}
