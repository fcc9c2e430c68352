//! For every kind of site, `crossfade pages deploy` sends what real wrangler sends: manifest, assets with their types, form.
//! Where it does not, on purpose, the difference is named.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crossfade_sandbox::{Exchange, Sandbox, Tools};
use crossfade_tests::{Ended, crossfade, sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::form::{Part, without_layout};
use crate::openapi;
use crate::sent::Sent;
use crate::wrangler::Wrangler;

const PRODUCTION: [&str; 3] = ["--branch", "main", "--commit-dirty=true"];
const WORKER: &str = "export default { fetch(request, env) { return env.ASSETS.fetch(request); } };\n";

#[test]
fn any_name_and_content_that_a_site_can_have() {
    let project = project(&[
        ("index.html", "Hello"),
        ("copy.html", "Hello"),
        ("copy.txt", "Hello"),
        ("empty.html", ""),
        ("EMPTY", ""),
        ("404.html", "nothing here"),
        ("ünïcode/日本語/🦀.html", "crab"),
        ("e\u{301}.html", "decomposed"),
        ("with space/percent %20 %C3.txt", "a"),
        ("q?&+#;=@!$'()*,.txt", "b"),
        ("back\\slash.css", "c"),
        ("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/deep.svg", "<svg/>"),
        ("html", "its name is an extension"),
        ("sub/html", "not at the root"),
        (".html", "a dot file"),
        ("sub/.html", "d"),
        ("trailing.", "e"),
        ("a.tar.gz", "f"),
        ("UPPER.HTML", "Hello"),
        ("app.mjs", "g"),
        ("app.unknown-extension", "h"),
        (".well-known/security.txt", "i"),
        (".assetsignore", "index.html\n"),
        (".gitignore", "*"),
        ("sub/_headers", "kept"),
        ("sub/_worker.js", "kept"),
        ("sub/functions/a.js", "kept"),
        ("sub/.wrangler/a", "kept"),
        ("_HEADERS", "kept"),
        ("Node_Modules/a.js", "kept"),
        ("wrangler.toml", ""),
        (".DS_Store", "left out"),
        ("sub/.DS_Store", "left out"),
        ("node_modules/a/index.js", "left out"),
        ("sub/node_modules/a.js", "left out"),
        (".git/config", "left out"),
        (".wrangler/state", "left out"),
    ]);
    let dist = project.path().join("dist");
    symlink("index.html", dist.join("link.html")).unwrap();
    symlink("../.well-known", dist.join("sub/linked")).unwrap();
    std::fs::create_dir(dist.join("empty-directory")).unwrap();
    let sent = both_send_the_same(project.path(), &PRODUCTION);
    let manifest = sent.manifest();
    assert_eq!(manifest["/sub/linked/security.txt"], manifest["/.well-known/security.txt"]);
    assert_eq!(
        (&manifest["/node_modules/a/index.js"], manifest["/back\\slash.css"].is_string()),
        (&Value::Null, true)
    );
}

#[test]
fn a_static_site_with_headers_redirects_and_routes_that_lead_nowhere() {
    let project = project(&[
        ("index.html", "x"),
        ("404.html", "y"),
        ("_headers", "/*\n  X-Frame-Options: DENY\n"),
        ("_redirects", "/old /new 301\n"),
        ("_routes.json", r#"{"version":1,"include":["/api/*"],"exclude":[]}"#),
    ]);
    let sent = both_send_the_same(
        project.path(),
        &["--branch", "feature/x", "--commit-hash", "0123", "--commit-message", "a\n\nb"],
    );
    let names: Vec<&str> = sent.form.iter().map(Part::name).collect();
    // wrangler says nothing of dirt where there is no repository, and neither do we.
    assert_eq!(names[..4], ["manifest", "branch", "commit_message", "commit_hash"], "{names:?}");
    assert_eq!(sent.form[2].text(), "a\r\n\r\nb");
}

#[test]
fn a_worker_as_a_file_as_a_directory_and_compiled_from_functions() {
    let routes = ("_routes.json", r#"{"version":1,"include":["/api/*"],"exclude":["/api/x"]}"#);
    let file =
        project(&[("index.html", "x"), ("_worker.js", WORKER), routes, ("functions/a.js", "left out")]);
    let directory = project(&[
        ("index.html", "x"),
        (
            "_worker.js/index.js",
            "import { a } from './lib/a.js'; export default { fetch: () => new Response(a) };",
        ),
        ("_worker.js/lib/a.js", "export const a = 1;"),
        ("_worker.js/lib/b.mjs", "export const b = 1;"),
    ]);
    let functions = project(&[("index.html", "x")]);
    write(
        functions.path(),
        &[("functions/api/hello.js", "export const onRequest = () => new Response('hi');")],
    );
    for project in [file, directory] {
        both_send_the_same(project.path(), &[&PRODUCTION[..], &["--no-bundle"]].concat());
    }
    let sent = both_send_the_same(functions.path(), &PRODUCTION);
    let names: Vec<&str> = sent.form.iter().map(Part::name).collect();
    let parts = ["functions-filepath-routing-config.json", "_worker.bundle", "_routes.json"];
    assert_eq!(names[3..], parts, "{names:?}");

    // What wrangler compiles beforehand is the same as what it compiles on the way.
    let sandbox = recording();
    let wrangler = Wrangler::new(&sandbox).at(functions.path());
    wrangler.run(&["pages", "functions", "build", "--outdir", "dist/_worker.js"]).expect(0);
    std::fs::remove_dir_all(functions.path().join("functions")).unwrap();
    both_send_the_same(functions.path(), &[&PRODUCTION[..], &["--no-bundle"]].concat());
}

#[test]
fn functions_without_wrangler_are_a_clear_error() {
    let project = project(&[("index.html", "x")]);
    write(
        project.path(),
        &[("functions/api/hello.js", "export const onRequest = () => new Response('hi');")],
    );
    let sandbox = recording();
    let mut command = pages_deploy(&sandbox, project.path(), &PRODUCTION);
    command.env("PATH", "/nowhere");
    Ended::of(command).expect(3).says(&[
        "Pages Functions",
        "there is no wrangler",
        "npm install --save-dev wrangler",
    ]);
    write(project.path(), &[("functions/api/hello.js", "export const onRequest = ;")]);
    let failed = Ended::of(pages_deploy(&sandbox, project.path(), &PRODUCTION)).expect(3);
    failed.says(&["wrangler could not compile the Pages Functions", "hello.js"]);
    assert!(sandbox.take_exchanges().is_empty(), "nothing was sent");
}

#[test]
fn a_thousand_files_and_twenty_thousand() {
    for (files, bytes) in [(1_000, 4_096), (20_000, 24)] {
        let project = TempDir::new().unwrap();
        for number in 0..files {
            let directory = project.path().join(format!("dist/{}", number % 40));
            std::fs::create_dir_all(&directory).unwrap();
            let line = format!("{number:08}");
            std::fs::write(directory.join(format!("{number}.html")), line.repeat(bytes / line.len()))
                .unwrap();
        }
        let sent = both_send_the_same(project.path(), &PRODUCTION);
        assert_eq!((sent.uploaded.len(), sent.manifest().as_object().unwrap().len()), (files, files));
    }
}

#[test]
fn a_file_of_25_mib_and_one_byte_more() {
    let project = project(&[("index.html", "x")]);
    let big = std::fs::File::create(project.path().join("dist/big.bin")).unwrap();
    big.set_len(25 << 20).unwrap();
    both_send_the_same(project.path(), &PRODUCTION);
    big.set_len((25 << 20) + 1).unwrap();
    let sandbox = recording();
    by_wrangler(&sandbox, project.path(), &PRODUCTION).expect(1).mentions(&["25 MiB"]);
    sandbox.take_exchanges();
    let refused = Ended::of(pages_deploy(&sandbox, project.path(), &PRODUCTION));
    refused.expect(3).says(&["big.bin` is 26214401 bytes", "25 MiB", "R2"]);
    assert!(sandbox.take_exchanges().is_empty(), "wrangler asks first; we refuse before anything is sent");
}

#[test]
fn a_commit_is_told_as_git_says_it() {
    let project = project(&[("index.html", "x")]);
    // wrangler leaves its cache in the project.
    write(project.path(), &[(".gitignore", ".wrangler\nnode_modules\n")]);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(project.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "N").env(format!("GIT_{role}_EMAIL"), "n@example.com");
        }
        Ended::of(command).expect(0)
    };
    git(&["init", "-q", "-b", "feature/x"]);
    git(&["add", "."]);
    let long = format!("first line\n\n{} é", "é".repeat(200));
    git(&["commit", "-q", "-m", &long]);
    let sent = both_send_the_same(project.path(), &[]);
    let names: Vec<&str> = sent.form.iter().map(Part::name).collect();
    assert_eq!(names, ["manifest", "branch", "commit_message", "commit_hash", "commit_dirty"]);
    assert_eq!((sent.form[1].text(), sent.form[4].text()), ("feature/x".into(), "false".into()));
    write(project.path(), &[("dist/new.html", "y")]);
    assert_eq!(both_send_the_same(project.path(), &[]).form[4].text(), "true");
}

#[test]
fn everything_is_sent_again_when_it_is_asked_for() {
    let project = project(&[("index.html", "x"), ("a.css", "y")]);
    let sent = both_send_the_same(project.path(), &[&PRODUCTION[..], &["--skip-caching"]].concat());
    assert!(sent.asked_for.is_empty() && sent.uploaded.len() == 2, "{sent:?}");
}

/// Deploys `dist` by wrangler and by us, each to a sandbox of its own, and compares what was sent. `--no-bundle` is wrangler's
/// alone: we never bundle.
#[track_caller]
fn both_send_the_same(project: &Path, flags: &[&str]) -> Sent {
    let theirs = {
        let sandbox = recording();
        by_wrangler(&sandbox, project, flags).expect(0).prints(&["Deployment complete!"]);
        sent(&sandbox)
    };
    let ours = {
        let sandbox = recording();
        let flags: Vec<&str> = flags.iter().copied().filter(|flag| *flag != "--no-bundle").collect();
        Ended::of(pages_deploy(&sandbox, project, &flags)).expect(0).prints(&["deployed: http"]);
        sent(&sandbox)
    };
    assert_eq!(theirs.manifest(), ours.manifest());
    assert_eq!(theirs.asked_for, ours.asked_for);
    assert!(theirs.uploaded == ours.uploaded, "assets differ: {:?}", differing(&theirs, &ours));
    assert_eq!(theirs.in_use, ours.in_use);
    assert_eq!(without_layout(&theirs.form), without_layout(&ours.form));
    ours
}

fn differing(theirs: &Sent, ours: &Sent) -> Vec<String> {
    let differing = theirs.uploaded.symmetric_difference(&ours.uploaded);
    differing.map(|asset| asset.chars().take(300).collect()).collect()
}

#[track_caller]
fn sent(sandbox: &Sandbox) -> Sent {
    let exchanges = sandbox.take_exchanges();
    // To look at twenty thousand files one by one takes a minute, and one is like the other.
    let small = |exchange: &&Exchange| exchange.request.body.len() < 1 << 20;
    openapi::check(&exchanges.iter().filter(small).cloned().collect::<Vec<_>>());
    Sent::of(&exchanges)
}

#[track_caller]
fn by_wrangler(sandbox: &Sandbox, project: &Path, flags: &[&str]) -> Ended {
    let arguments = ["pages", "deploy", "dist", "--project-name", "booking"];
    Wrangler::new(sandbox).at(project).run(&[&arguments, flags].concat())
}

/// `crossfade pages deploy dist`, with wrangler where a shell would find it.
fn pages_deploy(sandbox: &Sandbox, project: &Path, flags: &[&str]) -> Command {
    let tools = Tools::load().unwrap();
    let modules = tools.wrangler.ancestors().find(|directory| directory.ends_with("node_modules")).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = [modules.join(".bin"), tools.node.parent().unwrap().to_owned()];
    let path = std::env::join_paths(directories.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = crossfade();
    command.args(["pages", "deploy", "dist", "--project-name", "booking"]).args(flags);
    command.current_dir(project).envs(sandbox.variables()).env("PATH", path);
    command
}

fn recording() -> Sandbox {
    let sandbox = sandbox(|options| {
        options.worker = None;
        options.serve_pages = false;
    });
    sandbox.take_exchanges();
    sandbox
}

/// A project whose output, `dist`, has these files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let project = TempDir::new().unwrap();
    let in_dist: Vec<(String, &str)> =
        files.iter().map(|(name, content)| (format!("dist/{name}"), *content)).collect();
    write(
        project.path(),
        &in_dist.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>(),
    );
    project
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}
