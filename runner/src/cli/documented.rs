//! What the documentation says is what the program does: each command is parsed by the real command line, each piece of
//! configuration by the real reader.

use std::path::Path;

use clap::Parser as _;

use super::Cli;
use crate::config::Config;

/// A page's fenced blocks: the info string, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(info), None) => open = Some((info.trim().to_owned(), String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((info, text))) => open = Some((info, format!("{text}{line}\n"))),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// All pages, by name.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let all = pages.chain([root.join("README.md")]);
    all.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// A line's words as a shell would split it, up to what is not the command's any more; the command may have variables before it.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (None::<String>, None::<char>);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => match word.take() {
                Some(end) if matches!(end.as_str(), "#" | "|" | ">" | "&&" | "<") => break,
                Some(end) => words.push(end),
                None => {}
            },
            _ => word.get_or_insert_default().push(letter),
        }
    }
    let variables = words.iter().take_while(|word| word.contains('=')).count();
    let words = words.split_off(variables);
    (words.first().map(String::as_str) == Some("crossfade")).then_some(words)
}

/// The info strings of the blocks whose commands are run: by `tests/tests/release/documented.rs`, `control/status.rs`, `install/migration.rs`.
const RUN: [&str; 8] = [
    "console run",
    "sh asks",
    "sh elsewhere",
    "sh example",
    "sh in-flight",
    "sh monorepo",
    "sh router",
    "sh staging",
];

#[test]
fn every_command_in_the_documentation_is_one_and_is_run() {
    let mut count = 0;
    for (page, text) in pages() {
        let shell = blocks(&text)
            .into_iter()
            .filter(|(info, _)| info.starts_with("sh") || info.starts_with("console"));
        let lines = |(info, text): (String, String)| -> Vec<(String, String)> {
            text.lines().map(|line| (info.clone(), line.to_owned())).collect()
        };
        for (info, line) in shell.flat_map(lines) {
            if let Some(words) = command(&line) {
                count += 1;
                assert!(RUN.contains(&info.as_str()), "{page}: nobody runs `{line}`: its block is `{info}`");
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{page}: `{line}`: {error}");
                }
            }
        }
    }
    assert!(count > 50, "{count} commands were found");
}

#[test]
fn every_piece_of_configuration_in_the_documentation_is_valid() {
    const REST: &str = "project = \"booking\"\n[environments.production]\nurl = \"https://booking.example.com\"\n\
                        kv_namespace = \"0f2ac74b498b48028cb68387c421e279\"\n";
    let mut count = 0;
    for (page, text) in pages() {
        for (_, block) in blocks(&text).into_iter().filter(|(info, _)| info == "toml") {
            count += 1;
            let whole = if block.trim_start().starts_with("project") {
                block.clone()
            } else {
                format!("{REST}{block}")
            };
            if let Err(why) = Config::parse(&whole) {
                panic!("{page}: {why}\n{block}");
            }
        }
    }
    assert!(count > 15, "{count} blocks were found");
}

#[test]
fn every_link_within_the_documentation_leads_somewhere() {
    let heading = |page: &str| -> Vec<String> {
        let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' ');
        let anchor = |heading: &str| heading.trim_start_matches('#').trim().to_lowercase();
        headings.map(|it| anchor(it).chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
    };
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let path =
                if file.is_empty() { page.clone().into() } else { Path::new(&page).with_file_name(file) };
            if fragment.is_empty() {
                assert!(path.exists(), "{page}: {link}");
                continue;
            }
            let target =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {link}: {error}"));
            assert!(heading(&target).iter().any(|it| it == fragment), "{page}: {link}");
        }
    }
}
