//! The documentation, run: every line of every block marked `console run`, page by page, by a shell in one repository on one sandbox.

use std::path::Path;
use std::process::{Command, Stdio};

use crossfade_tests::{Ended, Site, root};

/// Pages in the order in which a new user reads them.
const PAGES: &[&str] = &["docs/quick-start.md", "docs/recipes.md", "docs/operations.md"];

#[test]
fn the_documentations_commands_do_what_it_says() {
    let site = Site::new();
    std::fs::remove_file(site.path().join("crossfade.toml")).unwrap();
    site.write("public/index.html", "<!doctype html><title>hello</title>");
    let public = site.sandbox.public_url().unwrap();
    let mut count = 0;
    for page in PAGES {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let blocks = text.split("```console run\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        for line in blocks.flat_map(str::lines) {
            let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("{page}: {line}"));
            let command = command.replace("http://127.0.0.1:8787", &public).replace("--for 15m", "--for 1s");
            let ended = Ended::of(shell(&site, &command));
            assert_eq!(ended.code, 0, "{page}: `{line}`\n{}\n{}", ended.stdout, ended.stderr);
            count += 1;
        }
    }
    assert_eq!(count, 30, "the commands that are run");
    assert_eq!(site.live(), ("1.0.0".to_owned(), true));
}

/// A line as somebody's shell would run it, who has the program on the path and nothing at home.
fn shell(site: &Site, line: &str) -> Command {
    let direct = site.command(&[]);
    let program = Path::new(direct.get_program()).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-ec", line]).current_dir(site.path()).stdin(Stdio::null());
    for (name, value) in direct.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PATH", path).env("HOME", site.path().join("home"));
    shell
}
