//! The documentation's commands, for the tests that run them. What a block's info string says after `sh` or `console` is who runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Site, root};

/// Pages with commands, in the order in which a new user reads them.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/quick-start.md",
    "docs/recipes.md",
    "docs/operations.md",
    "docs/migration.md",
    "docs/upstreams.md",
];

/// The lines of the blocks with this info string, such as `console run` or `sh router`; of a `sh` block those that call the program.
pub fn documented(info: &str) -> Vec<String> {
    let mut found = Vec::new();
    for page in PAGES {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let fence = format!("```{info}\n");
        let blocks = text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
        for line in blocks.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(command.to_owned()),
                None if calls_us(line) => found.push(line.to_owned()),
                None => assert!(!info.starts_with("console"), "{page}: `{line}` is no command"),
            }
        }
    }
    assert!(!found.is_empty(), "there is no `{info}`");
    found
}

fn calls_us(line: &str) -> bool {
    line.split_whitespace().find(|word| !word.contains('=')) == Some("crossfade")
}

impl Site {
    /// A line as somebody's shell would run it, who has the program on the path and nothing at home.
    pub fn shell(&self, line: &str) -> Command {
        let direct = self.command(&[]);
        let program = Path::new(direct.get_program()).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", line]).current_dir(self.path()).stdin(Stdio::null());
        for (name, value) in direct.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("PATH", path).env("HOME", self.path().join("home"));
        shell
    }
}
