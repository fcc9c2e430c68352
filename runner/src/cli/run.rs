//! From the arguments to the exit code.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, Global};
use crate::command;
use crate::error::{Error, explain};
use crate::github;
use crate::report::{Mode, Reporter};

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    github::enter(cli.global.mode());
    let result = match &cli.command {
        Command::Completions { shell } => completions(*shell),
        Command::Man { into } => man(into.as_deref()),
        command => command::run(&cli.global, command),
    };
    let exit = match &result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&cli.global, error),
    };
    if let Some(job) = github::job() {
        result.iter().for_each(|()| job.done());
        job.leave();
    }
    exit
}

/// Shows what `clap` has to say: help, or what is wrong with the arguments.
fn refuse(error: &clap::Error) -> ExitCode {
    github::enter(Mode::Lines);
    match github::job() {
        Some(job) if error.use_stderr() => job.refuse(&error.to_string()),
        Some(_) | None => drop(error.print()),
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Tells programs and people why it did not work.
fn fail(global: &Global, error: &Error) -> ExitCode {
    // That there is no place for a report is not worth another error.
    let reporter = command::reporter(global, None).unwrap_or_else(|_| Reporter::new(global.mode()));
    reporter.error(error);
    let text = explain(error);
    // Neither an annotation nor a summary knows colours.
    let plain = anstream::adapter::strip_str(&text).to_string();
    if !github::job().is_some_and(|job| job.fail(plain.trim_start_matches("error: "))) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }
    error.to_exit()
}

/// The man page on standard output, or all of them in a directory.
fn man(into: Option<&Path>) -> Result<(), Error> {
    let command = Cli::command();
    let written = match into {
        Some(directory) => {
            std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory))
        }
        None => clap_mangen::Man::new(command).render(&mut std::io::stdout()),
    };
    written.map_err(|source| Error::Io { doing: "cannot write the man page".into(), source })
}

fn completions(shell: clap_complete::Shell) -> Result<(), Error> {
    // Into memory first: it panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "crossfade", &mut script);
    let written = std::io::stdout().write_all(&script);
    written.map_err(|source| Error::Io { doing: "cannot write the completions".into(), source })
}
