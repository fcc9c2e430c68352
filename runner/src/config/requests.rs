//! Health checks and smoke tests that could never work. In: them. Out: the first thing that is wrong: place, value, remedy.

use std::collections::{BTreeMap, BTreeSet};

use crossfade_core::Span;
use crossfade_core::probe::names;
use ureq::http::{HeaderName, HeaderValue};

use crate::context::{FROM_ENVIRONMENT, KNOWN};
use crate::health::HealthCheck;
use crate::smoke::{SmokeStep, SmokeTest};

/// More tries than this hide what they should tell, and keep a release waiting for hours.
const RETRIES_MAX: u32 = 20;

/// Refuses a health check that could never work.
pub(super) fn check_health(check: &HealthCheck) -> Result<(), String> {
    let at = named("[[health]]", &check.name)?;
    check_request(&at, &check.method, &check.headers)?;
    check_limits(&at, check.timeout, check.retries)?;
    check_names(&at, check.templates(), &BTreeSet::new())
}

/// Refuses a smoke test that could never work.
pub(super) fn check_smoke(test: &SmokeTest) -> Result<(), String> {
    let at = named("[[smoke]]", &test.name)?;
    if test.steps.is_empty() {
        return Err(format!("{at}: `steps` is []: add a step such as {{ path = \"/\" }}"));
    }
    let mut captured = BTreeSet::new();
    for (index, step) in test.steps.iter().enumerate() {
        check_step(&format!("{at}: `steps[{index}]`"), step, &captured)?;
        captured.extend(step.capture.keys().map(String::as_str));
    }
    // What a failed scenario did not capture leaves its clean-up out; what none captures would always leave it out.
    for (index, step) in test.cleanup.iter().enumerate() {
        check_step(&format!("{at}: `cleanup[{index}]`"), step, &captured)?;
        captured.extend(step.capture.keys().map(String::as_str));
    }
    Ok(())
}

fn check_step(at: &str, step: &SmokeStep, captured: &BTreeSet<&str>) -> Result<(), String> {
    if let Some(name) = &step.name {
        check_name(at, name)?;
    }
    check_request(at, &step.method, &step.headers)?;
    check_limits(at, step.timeout, step.retries)?;
    if let (Some(json), Some(body)) = (&step.json, &step.body) {
        return Err(format!("{at} has both `json` ({json}) and `body` ({body:?}): keep one of them"));
    }
    check_names(at, step.templates(), captured)
}

/// Where a check stands, by its name.
fn named(list: &str, name: &str) -> Result<String, String> {
    check_name(list, name)?;
    Ok(format!("{list} `{name}`"))
}

/// Refuses a name that nobody could see in a report.
pub(super) fn check_name(at: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("{at}: `name` is {name:?}: reports need a name, such as \"booking creation\""));
    }
    Ok(())
}

pub(super) fn check_request(
    at: &str,
    method: &str,
    headers: &BTreeMap<String, String>,
) -> Result<(), String> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Err(format!("{at}: `method` is `{method}`: it must be a method such as GET or POST"));
    }
    for (name, value) in headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(format!(
                "{at}: `headers` has `{name}`: it must be a header's name, such as content-type"
            ));
        }
        // The value may be a secret, written down where it should not be: it is not repeated.
        if HeaderValue::from_bytes(value.as_bytes()).is_err() {
            return Err(format!("{at}: the value of header `{name}` has line breaks or such: take them out"));
        }
    }
    Ok(())
}

pub(super) fn check_limits(at: &str, timeout: Span, retries: u32) -> Result<(), String> {
    check_not_zero(&format!("{at}: `timeout`"), timeout)?;
    if retries > RETRIES_MAX {
        return Err(format!("{at}: `retries` is {retries}: it must be at most {RETRIES_MAX}"));
    }
    Ok(())
}

/// Refuses a time that is none.
pub(super) fn check_not_zero(what: &str, time: Span) -> Result<(), String> {
    if time.0.is_zero() {
        return Err(format!("{what} is {time}: it must be longer than nothing, such as 5s"));
    }
    Ok(())
}

/// Refuses names that nothing can have set. Whether an environment variable is set shows when it is used.
pub(super) fn check_names(
    at: &str,
    templates: impl IntoIterator<Item = String>,
    captured: &BTreeSet<&str>,
) -> Result<(), String> {
    for template in templates {
        for name in names(&template) {
            let from_environment = name.strip_prefix(FROM_ENVIRONMENT).is_some_and(|name| !name.is_empty());
            if from_environment || KNOWN.contains(&name) || captured.contains(name) {
                continue;
            }
            let known: Vec<&str> = KNOWN.into_iter().chain(captured.iter().copied()).collect();
            return Err(format!(
                "{at} uses `{{{{{name}}}}}`, which nothing before it captures: known here are {}, and env.NAME for \
                 variables of the environment",
                known.join(", ")
            ));
        }
    }
    Ok(())
}
