//! Health checks: probes that must hold, all at once. In: checks and a site. Out: one result each.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::probe::{Expectation, Place, Variables, in_words};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::context::{Context, fill_headers};
use crate::probe::{self, NoAnswer, Request, Target};

/// One check. Path and headers may hold `{{version}}`, `{{release}}`, `{{random}}` and `{{env.NAME}}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What the report calls it: `basic`, `database`, `external`, `application`.
    pub name: String,
    /// The path, or an absolute URL.
    pub path: String,
    /// The method. Default: `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// Headers by name.
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// What the answer must look like. Default: any 2xx status.
    #[serde(default)]
    pub expect: Expectation,
    /// The most one try may take. Default: `5s`.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// Further tries after a failed one. Default: 2.
    #[serde(default = "two")]
    pub retries: u32,
    /// The wait before a further try; it doubles each time, up to 30 seconds. Default: `1s`.
    #[serde(default = "one_second")]
    pub retry_delay: Span,
}

/// What a doubled wait ends at.
const WAIT_MAX: Duration = Duration::from_secs(30);

fn get() -> String {
    "GET".into()
}

const fn five_seconds() -> Span {
    Span(Duration::from_secs(5))
}

const fn one_second() -> Span {
    Span(Duration::from_secs(1))
}

const fn two() -> u32 {
    2
}

/// What one check or smoke test came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// As expected.
    Pass,
    /// Not as expected.
    Fail {
        /// Each mismatch.
        why: String,
    },
    /// Nothing can be said.
    Error {
        /// What stood in the way.
        why: String,
    },
}

impl Verdict {
    /// The same, in words that `tell` makes of its own.
    #[must_use]
    pub(crate) fn told(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Pass => Self::Pass,
            Self::Fail { why } => Self::Fail { why: tell(why) },
            Self::Error { why } => Self::Error { why: tell(why) },
        }
    }
}

impl HealthCheck {
    /// All texts that may hold `{{name}}`.
    pub fn templates(&self) -> impl Iterator<Item = String> {
        [self.path.clone()].into_iter().chain(self.headers.values().cloned())
    }
}

/// A check's result.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    /// Its name.
    pub name: String,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Tries made.
    pub attempts: u32,
    /// How long the last try took.
    pub elapsed_ms: u128,
}

impl std::fmt::Display for CheckResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.verdict {
            Verdict::Pass => write!(f, "{} {} ms", self.name, self.elapsed_ms),
            Verdict::Fail { why } | Verdict::Error { why } => write!(f, "{}: {why}", self.name),
        }
    }
}

/// Runs all checks at once; results come in the checks' order.
pub fn run_all(
    checks: &[HealthCheck],
    target: &Target,
    context: &Context,
    cancel: &Cancel,
) -> Vec<CheckResult> {
    std::thread::scope(|scope| {
        let running: Vec<_> = checks
            .iter()
            .map(|check| (check, scope.spawn(move || run(check, target, context, cancel))))
            .collect();
        running
            .into_iter()
            .map(|(check, thread)| {
                thread.join().unwrap_or_else(|_| CheckResult {
                    name: check.name.clone(),
                    verdict: Verdict::Error { why: "internal error: the check panicked".into() },
                    attempts: 0,
                    elapsed_ms: 0,
                })
            })
            .collect()
    })
}

fn run(check: &HealthCheck, target: &Target, context: &Context, cancel: &Cancel) -> CheckResult {
    let mut wait = check.retry_delay.0;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let started = std::time::Instant::now();
        let verdict = attempt(check, target, &context.variables).told(|why| context.redact(&why));
        let elapsed_ms = started.elapsed().as_millis();
        if verdict == Verdict::Pass || attempts > check.retries || cancel.wait(wait) {
            return CheckResult { name: check.name.clone(), verdict, attempts, elapsed_ms };
        }
        wait = wait.saturating_mul(2).min(wait.max(WAIT_MAX));
    }
}

fn attempt(check: &HealthCheck, target: &Target, variables: &Variables) -> Verdict {
    let filled = variables.fill(&check.path, Place::Url);
    let (path, headers) = match filled.and_then(|path| Ok((path, fill_headers(&check.headers, variables)?))) {
        Ok(parts) => parts,
        Err(error) => return Verdict::Error { why: error.to_string() },
    };
    let request = Request {
        method: &check.method,
        path: &path,
        headers: &headers,
        body: None,
        timeout: check.timeout.0,
    };
    // A connection of its own each time: a kept one would tell about the past.
    match probe::send(&probe::agent(), target, request) {
        Ok(observed) => {
            let mismatches = check.expect.mismatches(&observed);
            if mismatches.is_empty() {
                return Verdict::Pass;
            }
            Verdict::Fail { why: in_words(&mismatches) }
        }
        Err(NoAnswer::Failed(why)) => Verdict::Fail { why },
        Err(NoAnswer::CouldNotMeasure(why)) => Verdict::Error { why },
    }
}
