//! `crossfade deploy`.

use std::path::Path;
use std::process::Command;

use crossfade_core::Timestamp;
use crossfade_core::table::{Origin, Version};

use super::Session;
use crate::cli::{Deploy, Rollout};
use crate::error::Error;
use crate::record::Commit;
use crate::release::{self, Request, Source};
use crate::upload;

pub(super) fn run(session: &Session, arguments: &Deploy) -> Result<(), Error> {
    let directory = match &arguments.directory {
        Some(given) => given.clone(),
        None => session.root.join(&session.config.directory),
    };
    let version = match &arguments.version {
        Some(given) => given.clone(),
        None => git_version(&session.root)?,
    };
    let version = Version::new("--as", version)
        .map_err(|error| Error::Usage(format!("the version is {}: {}", error.value, error.problem)))?;
    if session.config.hooks.build.is_none() && release::uploads(session) {
        // Nothing is going to make it: known before a hook has touched the database.
        upload::check(&directory, &session.root)?;
    }
    let source = Source::Directory { path: directory, message: arguments.message.clone(), command: "deploy" };
    release::deploy(session, &Request { source, version, commit: commit(&session.root) })
}

/// `crossfade rollout`.
pub(super) fn rollout(session: &Session, arguments: &Rollout) -> Result<(), Error> {
    let wrong = |what: &str, error: crossfade_core::table::TableError| {
        Error::Usage(format!("{what} is {}: {}", error.value, error.problem))
    };
    let version = Version::new("--as", arguments.version.as_str()).map_err(|error| wrong("--as", error))?;
    let origin = Origin::new("--origin", &arguments.origin).map_err(|error| wrong("--origin", error))?;
    let source = Source::Origin { origin, deployment_id: None, command: "rollout" };
    // What stands there may have been built from anything.
    release::deploy(session, &Request { source, version, commit: None })
}

/// The commit that the directory stands at, when git knows one.
pub(super) fn commit(directory: &Path) -> Option<Commit> {
    let output =
        Command::new("git").args(["show", "-s", "--format=%H %ct"]).current_dir(directory).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let (id, seconds) = text.trim().split_once(' ')?;
    let at = Timestamp::from_millis(seconds.parse::<i64>().ok()?.checked_mul(1000)?);
    Some(Commit { id: id.to_owned(), at })
}

/// What the sources call themselves.
fn git_version(directory: &Path) -> Result<String, Error> {
    let output =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(directory).output();
    match output {
        Ok(output) if output.status.success() && !output.stdout.trim_ascii().is_empty() => {
            Ok(String::from_utf8_lossy(output.stdout.trim_ascii()).into_owned())
        }
        Ok(_) | Err(_) => Err(Error::Missing {
            what: "the new version's name",
            hint: "give it with `--as 1.5.0` or CROSSFADE_VERSION; there is no git commit to ask".into(),
        }),
    }
}
