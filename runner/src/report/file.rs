//! Events in a file, as they happen: one JSON object a line.

use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use super::{Entry, Listener};
use crate::context::Context;
use crate::error::Error;

/// Its name, in the directory of the report.
const NAME: &str = "events.ndjson";

/// What writes each event that it hears. A file is likely to be kept where a log is not: no secret is in it.
pub(super) fn listener(directory: &Path, secrets: Context) -> Result<Listener, Error> {
    let path = directory.join(NAME);
    let failed = |source| Error::Io { doing: format!("cannot write `{}`", path.display()), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    // Listeners are asked one after the other; the lock only says so.
    let file = Mutex::new(file);
    Ok(Box::new(move |entry: &Entry| {
        if let (Some(mut line), Ok(mut file)) = (entry.to_json(), file.lock()) {
            secrets.redact_json(&mut line);
            // A disk that is full is no reason to stop a release.
            let _ = writeln!(file, "{line}");
        }
    }))
}
