//! `crossfade report`: how releases went, or what happened in one of them.

use std::path::Path;
use std::time::Duration;

use crossfade_core::Timestamp;
use serde_json::json;

use super::{Session, print};
use crate::cli::Report as Arguments;
use crate::error::Error;
use crate::github;
use crate::notice::{Line, Notice, Report};
use crate::record::Record;
use crate::report::{Mode, now};
use crate::story::Story;
use crate::summary::Summary;

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Error> {
    if let Some(wanted) = &arguments.release {
        return one(session, wanted, arguments);
    }
    let now = now();
    let (from, to) = (arguments.from.at(now), arguments.to.map_or(now, |to| to.at(now)));
    if from >= to {
        return Err(Error::Usage(format!("the period would end ({to}) before it begins ({from})")));
    }
    let summary = summary(session, (from, to), now)?;
    print(&match session.reporter.mode() {
        Mode::Json => {
            let report = Report { environment: session.environment.to_string(), summary };
            json!(Line { version: 1, at: now, notice: Notice::Report(report) }).to_string()
        }
        Mode::Lines if arguments.markdown => summary.to_markdown(),
        Mode::Lines => summary.to_text(),
    });
    Ok(())
}

/// What happened in one release.
fn one(session: &Session, wanted: &str, arguments: &Arguments) -> Result<(), Error> {
    let record = find(session, wanted)?;
    let story = Story::of(&record, |text| session.secrets.redact(text));
    if let Some(path) = &arguments.html {
        write(path, &story.to_html())?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &story.to_svg())?;
    }
    let picture = arguments.svg.as_ref().map(|path| path.to_string_lossy().replace(' ', "%20"));
    match session.reporter.mode() {
        Mode::Json => {
            let at = record.ended.as_ref().map(|ended| ended.at);
            let mut line = json!({ "version": 1, "type": "release", "at": at, "release": record });
            session.secrets.redact_json(&mut line);
            print(&line.to_string());
        }
        Mode::Lines if arguments.markdown => print(&story.to_markdown(picture.as_deref())),
        Mode::Lines if arguments.html.is_some() || arguments.svg.is_some() => {}
        Mode::Lines => print(&story.to_text()),
    }
    Ok(())
}

/// The report of a release that has just ended, where somebody wants it: `report.html`, `report.md` and `timeline.svg` in a
/// directory, and a job's summary.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write_all(session: &Session, record: &Record) -> Result<(), Error> {
    let story = Story::of(record, |text| session.secrets.redact(text));
    github::job().iter().for_each(|job| job.summarise(&story, session.report.as_deref()));
    let Some(directory) = &session.report else { return Ok(()) };
    let failed = |source| Error::Io { doing: format!("cannot make `{}`", directory.display()), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    write(&directory.join("report.html"), &story.to_html())?;
    write(&directory.join("timeline.svg"), &story.to_svg())?;
    write(&directory.join("report.md"), &story.to_markdown(Some("timeline.svg")))
}

/// The release in flight or an ended one, by its id or version.
fn find(session: &Session, wanted: &str) -> Result<Record, Error> {
    let current = session.ledger.current()?;
    let flying = current.filter(|it| it.ended.is_none() && (it.id == wanted || it.version == wanted));
    let found = match flying {
        Some(record) => Some(record),
        None => session.ledger.ended(wanted)?,
    };
    found.ok_or_else(|| {
        Error::Usage(format!("there is no release `{wanted}`: `crossfade history` lists them"))
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text)
        .map_err(|source| Error::Io { doing: format!("cannot write `{}`", path.display()), source })
}

/// How releases went in a period.
pub(crate) fn summary(
    session: &Session,
    period: (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Summary, Error> {
    // A release that ended in the period may have begun long before: GitHub ends a job after five days at the latest
    // (<https://docs.github.com/en/actions/reference/limits>).
    const LONGEST: Duration = Duration::from_secs(5 * 24 * 60 * 60);
    let mut ended = session.ledger.history_since(period.0.minus(LONGEST), Summary::has_enough)?;
    for end in ended.iter_mut().filter_map(|record| record.ended.as_mut()) {
        end.text = session.secrets.redact(&end.text);
    }
    let last = session.ledger.current()?;
    Ok(Summary::of(session.environment.as_str(), ended, last.as_ref(), period, now))
}
