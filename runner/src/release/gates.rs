//! Everything that must hold before visitors meet the new version, and the measurements while they do.

use std::time::Duration;

use crossfade_core::table::{Origin, ReleaseId};

use crate::cancel::Cancel;
use crate::command::Session;
use crate::config::{Config, VersionConfig};
use crate::context::Context;
use crate::error::Error;
use crate::health::{self, CheckResult, HealthCheck, Verdict};
use crate::probe::{self, NoAnswer, Target};
use crate::release::{Request, cancelled_or};
use crate::report::Event;
use crate::report::{Reporter, counted};
use crate::smoke::{self, SmokeResult, SmokeTest};
use crate::upload;

/// A site to be probed.
pub fn target(url: &str) -> Target {
    Target::new(url)
}

/// How long what was brought somewhere may take to answer.
pub(super) fn live_within(version: Option<&VersionConfig>) -> Duration {
    version.map_or(Duration::from_secs(120), |version| version.within.0)
}

/// Waits until the deployment is live and says that it is the new version.
pub(super) fn live(
    session: &Session,
    request: &Request,
    id: Option<&str>,
    origin: &Origin,
) -> Result<(), Error> {
    let phase = session.reporter.phase("live");
    let within = live_within(session.config.version.as_ref());
    let cancel = &session.cancel;
    phase.progress(format!("waiting for {origin}"));
    let deadline = std::time::Instant::now() + within;
    let wait = |id| {
        upload::wait_until_live(&session.client, session.project(), id, within, &|time| cancel.wait(time))
    };
    match id.map(wait) {
        Some(Ok(deployment)) => session.reporter.deployed(Event::deployed(session.project(), deployment)),
        Some(Err(error)) => {
            let error = cancelled_or(cancel, error.into());
            phase.failed_because(origin.as_str(), &error.in_one_line());
            return Err(error);
        }
        None => {}
    }
    let Some(version) = &session.config.version else {
        phase.done(format!("{origin} is live"));
        return Ok(());
    };
    let progress = |seen: &str| phase.progress(seen.to_owned());
    match named(version, origin, request.version.as_str(), deadline, cancel, &progress) {
        Ok(()) => {
            phase.done(format!("{origin} serves {}", request.version));
            Ok(())
        }
        Err(why) => {
            phase.failed_because(origin.as_str(), &why);
            Err(cancelled_or(cancel, Error::Gate { phase: "live", why }))
        }
    }
}

/// Waits until an origin names a version.
pub(super) fn named(
    version: &VersionConfig,
    origin: &Origin,
    wanted: &str,
    deadline: std::time::Instant,
    cancel: &Cancel,
    progress: &dyn Fn(&str),
) -> Result<(), String> {
    let target = target(origin.as_str());
    loop {
        let seen = match served_version(version, &target) {
            Ok(seen) if seen == wanted => return Ok(()),
            Ok(seen) => format!("it says that it is `{seen}`"),
            Err(why) => why,
        };
        progress(&seen);
        if std::time::Instant::now() >= deadline || cancel.wait(std::time::Duration::from_millis(500)) {
            return Err(format!("{origin}{} does not name version {wanted}: {seen}", version.path));
        }
    }
}

fn served_version(version: &VersionConfig, target: &Target) -> Result<String, String> {
    let request = probe::Request {
        method: "GET",
        path: &version.path,
        headers: &[],
        body: None,
        timeout: std::time::Duration::from_secs(5),
    };
    let observed =
        probe::send(&probe::agent(), target, request).map_err(|error: NoAnswer| error.to_string())?;
    let document = observed.json().ok_or_else(|| format!("status {} without JSON", observed.status))?;
    match document.pointer(&version.json) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err(format!("its JSON has no {}", version.json)),
    }
}

/// All health checks, at once.
pub(super) fn health(
    session: &Session,
    request: &Request,
    release: &ReleaseId,
    target: &Target,
) -> Result<(), Error> {
    let context = context(&session.config, request.version.as_str(), release.as_str());
    let result = health_phase(&session.config.health, target, &context, &session.reporter, &session.cancel);
    result.map_err(|error| cancelled_or(&session.cancel, error))
}

/// All smoke tests, in order.
pub(super) fn smoke(
    session: &Session,
    request: &Request,
    release: &ReleaseId,
    target: &Target,
) -> Result<(), Error> {
    let context = context(&session.config, request.version.as_str(), release.as_str());
    let result = smoke_phase(&session.config.smoke, target, &context, &session.reporter, &session.cancel);
    result.map_err(|error| cancelled_or(&session.cancel, error))
}

/// Health checks against a site, for `crossfade check`.
///
/// # Errors
/// [`Error::Check`] with the failures.
pub fn check_health(
    config: &Config,
    target: &Target,
    reporter: &Reporter,
    cancel: &Cancel,
) -> Result<(), Error> {
    health_phase(&config.health, target, &context(config, "", "check"), reporter, cancel).map_err(outside)
}

/// Smoke tests against a site, for `crossfade check`.
///
/// # Errors
/// [`Error::Check`] with the first failure.
pub fn check_smoke(
    config: &Config,
    target: &Target,
    reporter: &Reporter,
    cancel: &Cancel,
) -> Result<(), Error> {
    smoke_phase(&config.smoke, target, &context(config, "", "check"), reporter, cancel).map_err(outside)
}

/// A gate that stands in no release's way.
fn outside(error: Error) -> Error {
    match error {
        Error::Gate { phase, why } => Error::Check { phase, why },
        error => error,
    }
}

fn health_phase(
    checks: &[HealthCheck],
    target: &Target,
    context: &Context,
    reporter: &Reporter,
    cancel: &Cancel,
) -> Result<(), Error> {
    if checks.is_empty() {
        return Ok(());
    }
    let phase = reporter.phase("health");
    phase.progress(format!("{} at {}", counted(checks.len(), "check"), target.base()));
    let results = health::run_all(checks, target, context, cancel);
    let texts = |failed: bool| -> Vec<String> {
        let wanted = results.iter().filter(|result| (result.verdict != Verdict::Pass) == failed);
        wanted.map(ToString::to_string).collect()
    };
    let failed = texts(true);
    if failed.is_empty() {
        phase.done(format!("{} of {}: {}", results.len(), results.len(), texts(false).join(", ")));
        return Ok(());
    }
    for result in results.iter().filter(|result| result.verdict != Verdict::Pass) {
        phase.failed_detail(&result.name, &result.to_string());
    }
    phase.failed(format!("{} of {} failed", failed.len(), counted(results.len(), "check")));
    Err(Error::Gate { phase: "health", why: failed.join(" | ") })
}

fn smoke_phase(
    tests: &[SmokeTest],
    target: &Target,
    context: &Context,
    reporter: &Reporter,
    cancel: &Cancel,
) -> Result<(), Error> {
    if tests.is_empty() {
        return Ok(());
    }
    let phase = reporter.phase("smoke");
    phase.progress(format!("{} at {}", counted(tests.len(), "test"), target.base()));
    let results = smoke::run_all(tests, target, context, cancel, &|result: &SmokeResult| {
        let text = result.to_string();
        match result.verdict {
            Verdict::Pass => phase.detail(true, &text),
            Verdict::Fail { .. } | Verdict::Error { .. } => phase.failed_detail(&result.name, &text),
        }
    });
    match results.iter().find(|result| result.verdict != Verdict::Pass) {
        None => {
            phase.done(format!("{} of {}", results.len(), tests.len()));
            Ok(())
        }
        Some(result) => {
            let why = result.to_string();
            phase.failed(format!("{} of {} passed", results.len() - 1, tests.len()));
            Err(Error::Gate { phase: "smoke", why })
        }
    }
}

/// The first failure, else the first check that could not be made.
pub(super) fn worst(results: &[CheckResult]) -> Option<&CheckResult> {
    let first = |wanted: fn(&Verdict) -> bool| results.iter().find(move |result| wanted(&result.verdict));
    first(|verdict| matches!(verdict, Verdict::Fail { .. }))
        .or_else(|| first(|verdict| *verdict != Verdict::Pass))
}

/// That `who` fails this check as well, so that nobody else is to be blamed for it.
pub(super) fn fails_too(
    checks: &[HealthCheck],
    check: &str,
    who: &str,
    at: &Target,
    context: &Context,
    cancel: &Cancel,
) -> Option<String> {
    let same: Vec<HealthCheck> = checks.iter().filter(|it| it.name == check).cloned().collect();
    let results = health::run_all(&same, at, context, cancel);
    worst(&results).map(|failed| format!("{who} fails the same check: {failed}"))
}

pub(super) fn context(config: &Config, version: &str, release: &str) -> Context {
    let health = config.health.iter().flat_map(HealthCheck::templates);
    let smoke = config.smoke.iter().flat_map(SmokeTest::templates);
    Context::new(version, release).with_environment(health.chain(smoke), |name| std::env::var(name).ok())
}
