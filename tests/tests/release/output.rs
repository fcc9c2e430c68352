//! The same command on a terminal, in a pipe, and for programs.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Command;

use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, crossfade};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

const WHY: &str = "status is 503 with `out of order`, expected 2xx";

/// `crossfade check` of a site whose second health check is red.
fn check(directory: &std::path::Path, site: &Origin) -> Command {
    let config = format!(
        "project = \"p\"\n[environments.production]\nurl = \"{}\"\nkv_namespace = \"00000000000000000000000000000000\"\n\
         [[health]]\nname = \"front\"\npath = \"/\"\n[[health]]\nname = \"back\"\npath = \"/back\"\nretries = 0\n",
        site.url()
    );
    std::fs::write(directory.join("crossfade.toml"), config).unwrap();
    let mut command = crossfade();
    command.arg("check").current_dir(directory).env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command
}

fn site() -> Origin {
    Origin::new(|request, wire| match request.target.as_str() {
        "/back" => wire.answer("503 Service Unavailable", &[], "out of order"),
        _ => wire.answer("200 OK", &[], "fine"),
    })
}

#[test]
fn a_person_reads_one_error_last_and_once() {
    let (directory, site) = (tempfile::tempdir().unwrap(), site());
    let (code, said) = on_a_terminal(check(directory.path(), &site));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("\u{1b}[31m✗"), "colours are shown: {said:?}");
    assert_eq!(said.matches(WHY).count(), 1, "{said:?}");
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let [.., error, hint] = lines.as_slice() else { panic!("{said:?}") };
    assert!(error.contains(&format!("\u{1b}[31merror:\u{1b}[0m health: back: {WHY}")), "{said:?}");
    assert!(hint.contains("\u{1b}[36mhint:\u{1b}[0m "), "{said:?}");
}

#[test]
fn a_pipe_gets_plain_lines_and_a_program_gets_events() {
    let (directory, site) = (tempfile::tempdir().unwrap(), site());
    let ended = Ended::of(check(directory.path(), &site)).expect(3);
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'), "{ended:?}");
    assert_eq!(ended.stdout.lines().next(), Some("    ✗ back"));
    assert_eq!(format!("{}{}", ended.stdout, ended.stderr).matches(WHY).count(), 1, "{ended:?}");

    let mut command = check(directory.path(), &site);
    command.arg("--json");
    let ended = Ended::of(command).expect(3);
    let events = ended.events();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["phase-started", "progress", "progress", "phase-ended", "error"]);
    assert!(events.iter().all(|event| event["version"] == 1 && event["at"].is_string()), "{events:?}");
    assert_eq!(events[2]["text"], format!("back: {WHY}"), "programs are told everything where it happens");
    assert_eq!(events[4]["exit_code"], 3);
    assert_eq!(
        events[4]["hint"],
        "`crossfade check` deploys and moves nothing; mend the site or the check, and check again"
    );

    // A reader that leaves does not end it early.
    let mut command = check(directory.path(), &site);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status =
        command.stdout(writer).stderr(File::create(directory.path().join("err")).unwrap()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

/// Runs a command on a terminal of its own; its exit code, and what was shown.
fn on_a_terminal(mut command: Command) -> (i32, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    // Its ends of the terminal, which the command still holds for another start.
    drop(command);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    // Reading from a terminal that nobody holds any more is an error, not an end.
    while let Ok(count @ 1..) = File::from(terminal.try_clone().unwrap()).read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    (child.wait().unwrap().code().unwrap_or(-1), String::from_utf8_lossy(&shown).into_owned())
}
