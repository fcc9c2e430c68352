//! The four releases: what each is like, how it must end, and how it did.

use std::fmt;
use std::time::{Duration, Instant};

use crossfade_sandbox::Sandbox;
use serde_json::Value;

use super::Project;
use super::traffic::{Sample, Traffic};
use crate::step::Failed;

/// A version and how its release must end.
pub(super) struct Case {
    /// What the version is called.
    pub(super) version: &'static str,
    /// What is wrong with it, see `example/build.mjs`.
    fail: &'static str,
    /// What is about to be seen.
    pub(super) story: &'static str,
    /// The exit code of `crossfade deploy`.
    pub(super) code: i32,
    /// The outcome in the history.
    pub(super) outcome: &'static str,
    /// The version that serves visitors afterwards.
    pub(super) live: &'static str,
    /// Its release may cost visitors nothing.
    pub(super) is_free: bool,
}

/// All four.
pub(super) const CASES: [Case; 4] = [
    Case {
        version: "1.0.0",
        fail: "",
        story: "1.0.0: the first release ever",
        code: 0,
        outcome: "promoted",
        live: "1.0.0",
        is_free: true,
    },
    Case {
        version: "1.1.0",
        fail: "",
        story: "1.1.0: a good version, switched under load",
        code: 0,
        outcome: "promoted",
        live: "1.1.0",
        is_free: true,
    },
    Case {
        version: "1.2.0",
        fail: "smoke-payment",
        story: "1.2.0: payments are declined; no visitor may ever see it",
        code: 3,
        outcome: "not-started",
        live: "1.1.0",
        is_free: true,
    },
    Case {
        version: "1.3.0",
        fail: "real-host",
        story: "1.3.0: passes every check and fails behind the public host; must be rolled back",
        code: 4,
        outcome: "rolled-back",
        live: "1.1.0",
        is_free: false,
    },
];

/// How a release ended.
pub(super) struct Released {
    pub(super) case: &'static Case,
    pub(super) code: i32,
    pub(super) outcome: String,
    /// What the history says is live.
    pub(super) live: String,
    /// From the switch's write until it was confirmed.
    pub(super) switch: Option<Duration>,
    /// From the failed verification until traffic was seen home.
    pub(super) home: Option<Duration>,
    /// When it began and when visitors were left alone again.
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    pub(super) seen: Seen,
}

/// What visitors saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: usize,
    pub(super) failed: usize,
    pub(super) rescued: usize,
    pub(super) slowest: Duration,
    first_failure: Option<String>,
}

impl Seen {
    /// Adds up requests.
    pub(super) fn of<'a>(samples: impl Iterator<Item = &'a Sample>) -> Self {
        samples.fold(Self::default(), |seen, sample| Self {
            requests: seen.requests + 1,
            failed: seen.failed + usize::from(sample.failure.is_some()),
            rescued: seen.rescued + usize::from(sample.rescued),
            slowest: seen.slowest.max(sample.took),
            first_failure: seen.first_failure.or_else(|| sample.failure.clone()),
        })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} rescued, {} failed, slowest {} ms",
            self.requests,
            self.rescued,
            self.failed,
            self.slowest.as_millis()
        )?;
        match &self.first_failure {
            Some(failure) => write!(f, " (the first: {failure})"),
            None => Ok(()),
        }
    }
}

/// Releases a version and watches the visitors a little longer.
pub(super) fn run(
    case: &'static Case,
    project: &Project,
    sandbox: &Sandbox,
    traffic: &Traffic,
) -> Result<Released, Failed> {
    const WATCHED_AFTERWARDS: Duration = Duration::from_secs(3);
    let failed = |why: &dyn fmt::Display| Failed::new(format!("releasing {}", case.version), why);
    let begun = Instant::now();
    let status = project
        .crossfade(sandbox)
        .args(["deploy", "--as", case.version])
        .env("BOOKING_FAIL", case.fail)
        .status()
        .map_err(|error| failed(&error))?;
    std::thread::sleep(WATCHED_AFTERWARDS);
    let ended = Instant::now();
    let output = project
        .crossfade(sandbox)
        .args(["history", "-n", "1", "--json"])
        .output()
        .map_err(|error| failed(&error))?;
    let line: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(&format!("the history cannot be read: {error}")))?;
    let record = &line["release"];
    let samples = traffic.samples();
    Ok(Released {
        case,
        code: status.code().unwrap_or(-1),
        outcome: record["ended"]["outcome"].as_str().unwrap_or("?").to_owned(),
        live: live_version(sandbox),
        switch: phase_took(record, "switch"),
        home: phase_took(record, "home"),
        begun,
        ended,
        seen: Seen::of(samples.iter().filter(|sample| sample.sent >= begun && sample.sent < ended)),
    })
}

/// The version that has all visitors, by the table in KV.
fn live_version(sandbox: &Sandbox) -> String {
    let table: Value = sandbox
        .kv("routing:production")
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    let variants = table["variants"].as_array().cloned().unwrap_or_default();
    let all = variants.iter().find(|variant| variant["weight"] == 10_000);
    all.and_then(|variant| variant["version"].as_str()).unwrap_or("?").to_owned()
}

/// How long a phase took, by the release's own evidence.
fn phase_took(record: &Value, phase: &str) -> Option<Duration> {
    let entries = record["evidence"].as_array()?;
    let ended = entries.iter().find(|entry| entry["type"] == "phase-ended" && entry["phase"] == phase)?;
    ended["elapsed_ms"].as_u64().map(Duration::from_millis)
}
