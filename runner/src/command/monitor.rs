//! `crossfade monitor`: every environment, again and again, until a signal or `--for` ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::report;
use super::session::{Session, environments};
use crate::cli::{Global, Monitor};
use crate::edge::{Edge, MetricsError};
use crate::error::Error;
use crate::notice::{Notice, Report};
use crate::notify::Notifications;
use crate::report::{Reporter, now, percent};
use crate::watch::{Tick, Watch};

/// How soon it is said that somebody could not be told.
const TROUBLE_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(global: &Global, arguments: &Monitor) -> Result<(), Error> {
    let sessions = sessions(global, arguments)?;
    let Some(first) = sessions.first() else { return Ok(()) };
    let edges = sessions.iter().map(Session::edge).collect::<Result<Vec<_>, _>>()?;
    let (config, cancel) = (&first.config, &first.cancel);
    let reporter = Arc::new(Reporter::forgetful(global.mode()));
    let notifications = Notifications::start(config, &first.root, &first.secrets);
    if let Some(notifications) = &notifications {
        reporter.listen(notifications.listener());
    }
    for session in &sessions {
        let (environment, url, every) = (&session.environment, &session.settings.url, config.monitor.every);
        reporter.line(&format!("watching {environment} at {url} every {every}"));
    }
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (session, edge) in sessions.iter().zip(&edges) {
            let reporter = &*reporter;
            scope.spawn(move || watch(session, edge, reporter));
        }
        while !cancel.wait(TROUBLE_EVERY) {
            if arguments.time.is_some_and(|time| began.elapsed() >= time.0) {
                sessions.iter().for_each(|session| session.cancel.cancel("the time is over"));
            }
            notifications.iter().flat_map(|it| it.trouble()).for_each(|text| reporter.warn(text));
        }
    });
    if let Some(notifications) = notifications {
        notifications
            .finish(&cancel.further())
            .into_iter()
            .for_each(|undelivered| reporter.warn(undelivered));
    }
    Ok(())
}

/// One session an environment.
fn sessions(global: &Global, arguments: &Monitor) -> Result<Vec<Session>, Error> {
    let names = match arguments.only.as_slice() {
        [] => environments(global)?,
        only => only.to_vec(),
    };
    let session = |environment: String| Session::open(&Global { environment, ..global.clone() });
    names.into_iter().map(session).collect()
}

/// Watches one environment until a signal ends it.
fn watch(session: &Session, edge: &Edge, reporter: &Reporter) {
    let config = &session.config.monitor;
    let mut watch = Watch::new(edge, &session.environment, config);
    let mut tick = Tick::start(config.every.0);
    let mut reported = Instant::now();
    let mut troubled = None;
    loop {
        let look = watch.look(now());
        for notice in look.notices {
            if let Notice::Metrics(metrics) = &notice {
                metrics.variants.iter().for_each(|it| reporter.line(&figures(session, it)));
            }
            reporter.notice(notice);
        }
        // The same trouble is told once.
        let trouble = look.trouble.map(|error| explained(session, &error));
        if trouble != troubled {
            trouble.iter().for_each(|text| reporter.warn(text.as_str()));
            troubled = trouble;
        }
        if reported.elapsed() >= config.report_every.0 {
            reported = Instant::now();
            tell_how_it_went(session, reporter);
        }
        if tick.wait(&session.cancel) {
            watch.end(now()).into_iter().for_each(|notice| reporter.notice(notice));
            return;
        }
    }
}

fn tell_how_it_went(session: &Session, reporter: &Reporter) {
    let to = now();
    let from = crate::cli::When::Ago(session.config.monitor.report_over.0).at(to);
    match report::summary(session, (from, to), to) {
        Ok(summary) => {
            let environment = session.environment.to_string();
            reporter.notice(Notice::Report(Report { environment, summary }));
        }
        Err(error) => reporter.warn(format!("{}: no report: {}", session.environment, error.in_one_line())),
    }
}

fn explained(session: &Session, error: &MetricsError) -> String {
    let environment = &session.environment;
    match error {
        MetricsError::NoCounters => {
            format!("{environment}: {error}: visitors are not watched until it has")
        }
        error => format!("{environment}: {error}"),
    }
}

/// A line for people; programs have the event.
fn figures(session: &Session, it: &crate::notice::VariantFigures) -> String {
    let p95 = it.p95_ms.map_or_else(String::new, |p95| format!(", p95 {p95} ms"));
    let (environment, failed) = (&session.environment, percent(it.error_rate));
    format!("  {environment} {} {}: {} requests, {failed} failed{p95}", it.variant, it.version, it.requests)
}
