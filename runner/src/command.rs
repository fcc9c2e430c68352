//! Each command: what it does is here, how it does it is below.

use crate::cli::{Command, Global, Pages};
use crate::config::Config;
use crate::error::Error;
use crate::github;
use crate::notice::Notice;
use crate::orders::Word;

mod back;
mod by_hand;
mod check;
mod deploy;
mod history;
mod init;
mod monitor;
mod order;
mod pages;
mod question;
pub(crate) mod report;
mod rollback;
mod router;
mod session;
mod settings;
mod status;
mod validate;
mod weights;

pub use session::Session;
pub(crate) use session::reporter;

pub(crate) fn run(global: &Global, command: &Command) -> Result<(), Error> {
    match command {
        Command::Init(arguments) => init::run(global, arguments),
        Command::Deploy(arguments) => deploy::run(&Session::open(global)?, arguments),
        Command::Rollout(arguments) => deploy::rollout(&Session::open(global)?, arguments),
        Command::Promote(arguments) => order::promote(Session::open(global)?, arguments),
        Command::Abort(say) => order::run(Session::open(global)?, Word::Abort, say),
        Command::Pause(say) => order::run(Session::open(global)?, Word::Pause, say),
        Command::Resume(say) => order::run(Session::open(global)?, Word::Resume, say),
        Command::Approve(say) => order::run(Session::open(global)?, Word::Approve, say),
        Command::Retry => order::retry(&Session::open(global)?),
        Command::Rollback(arguments) => rollback::run(Session::open(global)?, arguments),
        Command::Status(arguments) if arguments.watch && status::watch::has_screen(global.mode()) => {
            status::watch::run(Session::open(global)?)
        }
        Command::Status(arguments) => {
            let (arguments, watch) = (arguments.clone(), arguments.watch);
            match ask(Session::open(global)?, move |session| status::run(session, &arguments)) {
                // It is how one stops watching.
                Err(Error::Interrupted(_)) if watch => Ok(()),
                result => result,
            }
        }
        Command::History(arguments) => {
            let arguments = arguments.clone();
            ask(Session::open(global)?, move |session| history::run(session, &arguments))
        }
        Command::Report(arguments) => {
            let arguments = arguments.clone();
            ask(Session::open(global)?, move |session| report::run(session, &arguments))
        }
        Command::Monitor(arguments) => monitor::run(global, arguments),
        Command::Weights(arguments) => weights::run(&Session::open(global)?, arguments),
        Command::Check(arguments) => check::run(global, arguments),
        Command::Pages(Pages::Deploy(arguments)) => pages::deploy(global, arguments),
        Command::Pages(Pages::List(arguments)) => pages::list(global, arguments),
        Command::Pages(Pages::Retry(arguments)) => pages::retry(global, arguments),
        Command::Pages(Pages::Delete(arguments)) => pages::delete(global, arguments),
        Command::Router(command) => router::run(global, command),
        Command::Validate(arguments) => validate::run(global, arguments),
        Command::Schema { events } => {
            let schema = if *events { Notice::schema() } else { Config::schema() };
            print(&serde_json::to_string_pretty(&schema).unwrap_or_default());
            Ok(())
        }
        // What the command line says of itself is the command line's.
        Command::Completions { .. } | Command::Man { .. } => Ok(()),
    }
}

fn ask(
    session: Session,
    question: impl FnOnce(&Session) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let cancel = session.cancel.clone();
    question::left_when_cancelled(&cancel, question::AT_ONCE, move || question(&session))
}

/// Prints what was asked for. A reader who left is no error.
fn print(text: &str) {
    use std::io::Write as _;
    if !github::job().is_some_and(|job| job.line(text)) {
        let _ = writeln!(anstream::stdout(), "{text}");
    }
}
