//! What a step of GitHub Actions leaves in its files.

use std::collections::BTreeMap;

/// `NAME=VALUE` and `NAME<<END` … `END`, as GitHub's runner reads outputs and state; what it would not take fails the test.
#[track_caller]
pub fn job_values(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, value) = match (line.find('='), line.find("<<")) {
            (Some(at), heredoc) if heredoc.is_none_or(|it| at < it) => {
                (&line[..at], line[at + 1..].to_owned())
            }
            (_, Some(at)) => {
                let end = &line[at + 2..];
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                (&line[..at], value.join("\n"))
            }
            (_, None) => panic!("the runner fails the step: Invalid format '{line}'"),
        };
        found.insert(name.to_owned(), value);
    }
    found
}
