//! What the documentation must have, beyond what compilers see to: an example for each public item of `core`, and one table of
//! thresholds. rustdoc's own lint for examples exists on nightly only, and wants one on every item; here an example on the type that
//! calls its methods counts for all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::root;

#[test]
fn every_public_type_and_function_of_core_is_used_in_an_example() {
    let files = sources(&root().join("core/src"));
    let examples: String = files.iter().map(|(_, text)| examples(text)).collect();
    let missing: BTreeSet<String> = files
        .iter()
        .flat_map(|(path, text)| items(text).into_iter().map(move |item| (path, item)))
        .filter(|(_, item)| !item.is_in(&examples))
        .map(|(path, item)| format!("{}: {}", path.display(), item.name))
        .collect();
    assert!(missing.is_empty(), "used in no example: {missing:#?}");
}

#[test]
fn people_read_the_same_table_of_thresholds() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let rules = read("core/src/analysis/threshold/rules.md");
    assert!(
        read("README.md").contains(rules.trim()),
        "README.md has another table than core's documentation"
    );
}

/// A public item, and the ways in which an example can show it.
struct Item {
    name: String,
    uses: Vec<String>,
}

impl Item {
    /// Whether one of them is there, and not as a part of a longer word.
    fn is_in(&self, examples: &str) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        self.uses.iter().any(|it| {
            examples.match_indices(it.as_str()).any(|(at, _)| {
                let (before, after) = (&examples[..at], &examples[at + it.len()..]);
                let goes_on = |left: &str, right: &str| {
                    is_word(left.chars().next_back()) && is_word(right.chars().next())
                };
                !goes_on(before, it) && !goes_on(it, after)
            })
        })
    }
}

/// Public items, as rustfmt leaves them: `impl` at the beginning of a line, methods four blanks in.
fn items(text: &str) -> Vec<Item> {
    let code = text.split("mod tests {").next().unwrap_or_default();
    let mut of = None;
    let mut found = Vec::new();
    for line in code.lines() {
        if line.starts_with("impl") {
            let subject = line.rsplit(" for ").next().unwrap_or(line);
            of = subject.trim_start_matches("impl").trim_start().split(['<', ' ', '{']).next();
        } else if line == "}" {
            of = None;
        }
        let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
        let Some((kind, rest)) = rest.trim_start_matches("const ").split_once(' ') else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let uses = match (kind, of) {
            ("struct" | "enum" | "trait", _) => vec![name.to_owned()],
            ("fn", None) => vec![format!("{name}(")],
            ("fn", Some(of)) => vec![format!(".{name}("), format!("{of}::{name}(")],
            (_, _) => continue,
        };
        // Not a macro's own `$type`.
        if !name.is_empty() {
            found.push(Item { name: of.map_or_else(|| name.to_owned(), |of| format!("{of}::{name}")), uses });
        }
    }
    found
}

/// What is compiled of a file's documentation.
fn examples(text: &str) -> String {
    let mut block: Option<&str> = None;
    let mut found = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("")) => found.extend([line, "\n"]),
            (None, _) => {}
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && !is_test {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}
