//! Smoke tests: scenarios that must work, one after the other. In: scenarios and a site. Out: one result each.
//!
//! A scenario is a list of requests; values captured from one answer are used in the next. It stops at its first failed
//! request. Its clean-up always runs, after a failure and after a cancellation too, as far as what it needs was captured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossfade_core::Span;
use crossfade_core::probe::{Capture, Expectation, Place, Variables, in_words};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cancel::Cancel;
use crate::context::{Context, fill_headers};
use crate::health::Verdict;
use crate::probe::{self, NoAnswer, Request, Target};

/// One scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeTest {
    /// What the report calls it: `booking creation`.
    pub name: String,
    /// The requests, in order.
    pub steps: Vec<SmokeStep>,
    /// Requests that undo what the steps did; they always run.
    #[serde(default)]
    pub cleanup: Vec<SmokeStep>,
}

/// One request. Path, headers and bodies may hold `{{name}}` of captured values, `{{version}}`, `{{release}}`,
/// `{{random}}` and `{{env.NAME}}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeStep {
    /// What the report calls it. Default: method and path.
    #[serde(default)]
    pub name: Option<String>,
    /// The method. Default: `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// The path, or an absolute URL.
    pub path: String,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default)]
    pub json: Option<Value>,
    /// Any other body; its type is up to `headers`.
    #[serde(default)]
    pub body: Option<String>,
    /// What the answer must look like. Default: any 2xx status.
    #[serde(default)]
    pub expect: Expectation,
    /// Values to take out of the answer, by name.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
    /// The most it may take. Default: `10s`.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Further tries after a failed one. Default: 0.
    #[serde(default)]
    pub retries: u32,
}

fn get() -> String {
    "GET".into()
}

const fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

/// A scenario's result.
#[derive(Clone, Debug, Serialize)]
pub struct SmokeResult {
    /// Its name.
    pub name: String,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Requests made, clean-up included.
    pub requests: usize,
    /// How long it took.
    pub elapsed_ms: u128,
    /// What could not be cleaned up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

impl std::fmt::Display for SmokeResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.verdict {
            Verdict::Pass => write!(f, "{} {} ms", self.name, self.elapsed_ms)?,
            Verdict::Fail { why } | Verdict::Error { why } => write!(f, "{}: {why}", self.name)?,
        }
        for left in &self.left_behind {
            write!(f, "; not cleaned up: {left}")?;
        }
        Ok(())
    }
}

/// Runs scenarios in order, up to the first that does not pass.
pub fn run_all(
    tests: &[SmokeTest],
    target: &Target,
    context: &Context,
    cancel: &Cancel,
    report: &dyn Fn(&SmokeResult),
) -> Vec<SmokeResult> {
    let mut results = Vec::new();
    for test in tests {
        let result = run(test, target, context, cancel);
        report(&result);
        let passed = result.verdict == Verdict::Pass;
        results.push(result);
        if !passed {
            break;
        }
    }
    results
}

fn run(test: &SmokeTest, target: &Target, context: &Context, cancel: &Cancel) -> SmokeResult {
    let started = Instant::now();
    let agent = probe::agent();
    let mut variables = context.variables.clone();
    let mut requests = 0;
    let mut verdict = Verdict::Pass;
    for step in &test.steps {
        if let Some(reason) = cancel.reason() {
            verdict = Verdict::Error { why: format!("cancelled ({reason}) before {}", step.title()) };
            break;
        }
        requests += 1;
        verdict = step.run(&agent, target, &mut variables, cancel);
        if verdict != Verdict::Pass {
            break;
        }
    }
    let mut left_behind = Vec::new();
    for step in &test.cleanup {
        if !step.ready(&variables) {
            continue;
        }
        requests += 1;
        match step.run(&agent, target, &mut variables, &Cancel::default()) {
            Verdict::Pass => {}
            Verdict::Fail { why } | Verdict::Error { why } => left_behind.push(context.redact(&why)),
        }
    }
    let verdict = verdict.told(|why| context.redact(&why));
    let elapsed_ms = started.elapsed().as_millis();
    SmokeResult { name: test.name.clone(), verdict, requests, elapsed_ms, left_behind }
}

impl SmokeTest {
    /// All texts that may hold `{{name}}`.
    pub fn templates(&self) -> impl Iterator<Item = String> {
        self.steps.iter().chain(&self.cleanup).flat_map(SmokeStep::templates)
    }
}

impl SmokeStep {
    fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} {}", self.method, self.path))
    }

    /// All texts that may hold `{{name}}`.
    pub fn templates(&self) -> Vec<String> {
        let json = self.json.as_ref().map(ToString::to_string);
        let headers = self.headers.values().cloned();
        [self.path.clone()].into_iter().chain(headers).chain(json).chain(self.body.clone()).collect()
    }

    /// Whether everything this request needs is known; for a clean-up, whether there is anything to clean.
    fn ready(&self, variables: &Variables) -> bool {
        self.templates().iter().all(|text| variables.fill(text, Place::Text).is_ok())
    }

    fn run(
        &self,
        agent: &ureq::Agent,
        target: &Target,
        variables: &mut Variables,
        cancel: &Cancel,
    ) -> Verdict {
        const RETRY_DELAY: Duration = Duration::from_secs(1);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let verdict = match self.attempt(agent, target, variables) {
                Verdict::Pass => return Verdict::Pass,
                verdict => verdict.told(|why| format!("{}: {why}", self.title())),
            };
            if attempts > self.retries || cancel.wait(RETRY_DELAY) {
                return verdict;
            }
        }
    }

    fn attempt(&self, agent: &ureq::Agent, target: &Target, variables: &mut Variables) -> Verdict {
        let filled = || -> Result<_, crossfade_core::probe::UnknownVariable> {
            let path = variables.fill(&self.path, Place::Url)?;
            let headers = fill_headers(&self.headers, variables)?;
            let body = match (&self.json, &self.body) {
                (Some(json), _) => {
                    Some(("application/json", variables.fill(&json.to_string(), Place::Json)?))
                }
                (None, Some(text)) => Some(("text/plain; charset=utf-8", variables.fill(text, Place::Text)?)),
                (None, None) => None,
            };
            Ok((path, headers, body))
        };
        let (path, headers, body) = match filled() {
            Ok(parts) => parts,
            Err(error) => return Verdict::Error { why: error.to_string() },
        };
        let request = Request {
            method: &self.method,
            path: &path,
            headers: &headers,
            body: body.map(|(content_type, text)| (content_type, text.into_bytes())),
            timeout: self.timeout.0,
        };
        let observed = match probe::send(agent, target, request) {
            Ok(observed) => observed,
            Err(NoAnswer::Failed(why)) => return Verdict::Fail { why },
            Err(NoAnswer::CouldNotMeasure(why)) => return Verdict::Error { why },
        };
        let mismatches = self.expect.mismatches(&observed);
        let mut missing = Vec::new();
        // Captured first: what a half-failed step has made must be cleaned up all the same.
        for (name, capture) in &self.capture {
            match capture.take(&observed) {
                Ok(value) => variables.set(name, value),
                Err(error) => missing.push(error.to_string()),
            }
        }
        match (mismatches.is_empty(), missing.is_empty()) {
            (true, true) => Verdict::Pass,
            (true, false) => Verdict::Fail { why: missing.join("; ") },
            // What an answer is that it should not be explains what it does not have.
            (false, _) => Verdict::Fail { why: in_words(&mismatches) },
        }
    }
}
