//! The documentation, run: every block marked `console run`, page by page, in one repository on one sandbox.

use std::process::Command;

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
            let arguments = line.strip_prefix("$ crossfade ").unwrap_or_else(|| panic!("{page}: {line}"));
            let arguments = arguments.replace("http://127.0.0.1:8787", &public);
            let arguments: Vec<&str> = arguments.split_whitespace().collect();
            let command: Command = site.command(&arguments);
            let ended = Ended::of(command);
            assert_eq!(ended.code, 0, "{page}: `{line}`\n{}\n{}", ended.stdout, ended.stderr);
            count += 1;
        }
    }
    assert_eq!(count, 15, "the commands that are run");
    assert_eq!(site.live(), ("1.0.0".to_owned(), true));
}
