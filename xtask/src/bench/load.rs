//! One round of load, by `autocannon`. In: a URL and a visitor's cookie. Out: requests a second, latency, and what it cost.

use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::setup::Node;
use crate::step::Failed;

const CONNECTIONS: &str = "32";

/// What a round measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Requests a second.
    pub(super) per_second: f64,
    /// The 99th percentile of the time to the end of the answer.
    pub(super) p99: Duration,
    /// The runtime's processor time for one request.
    pub(super) cpu: Duration,
}

/// What `autocannon` says, as far as we read it
/// (<https://github.com/mcollina/autocannon#autocannonopts-cb>).
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "2xx")]
    good: u64,
    non2xx: u64,
    errors: u64,
    /// In seconds.
    duration: f64,
    latency: Latency,
}

/// In milliseconds.
#[derive(Deserialize)]
struct Latency {
    p99: f64,
}

/// Sends load for `seconds` to a router that runs in the process group `group`.
///
/// # Errors
/// When any answer was not 2xx: a router that fails fast must not look fast.
pub(super) fn round(node: &Node, url: &str, cookie: &str, seconds: u32, group: u32) -> Result<Round, Failed> {
    let failed = |why: String| Failed::new("the load", why);
    let before = cpu_time(group);
    let output = Command::new(&node.program)
        .arg(node.modules.join("autocannon/autocannon.js"))
        .args(["--json", "--no-progress", "--connections", CONNECTIONS, "--duration", &seconds.to_string()])
        .args(["--headers", &format!("cookie: theme=dark; crossfade={cookie}; session=0123456789abcdef")])
        .arg(url)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let spent = cpu_time(group).saturating_sub(before);
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Report = serde_json::from_str(&said).map_err(|error| {
        failed(format!("autocannon: {error}: {said}{}", String::from_utf8_lossy(&output.stderr)))
    })?;
    if report.good == 0 || report.non2xx + report.errors > 0 {
        let Report { good, non2xx, errors, .. } = report;
        return Err(failed(format!("{url}: {good} good answers, {non2xx} others, {errors} errors")));
    }
    Ok(Round {
        per_second: report.good as f64 / report.duration,
        p99: Duration::from_secs_f64(report.latency.p99 / 1e3),
        cpu: spent.div_f64(report.good as f64),
    })
}

/// The processor time of a process group so far, user and system
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
pub(super) fn cpu_time(group: u32) -> Duration {
    /// What Linux tells user space, whatever the kernel's own tick is.
    const TICKS_PER_SECOND: u64 = 100;
    let ticks: u64 = processes(group).map(|fields| number(&fields, 14) + number(&fields, 15)).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The resident memory of a process group.
pub(super) fn memory_bytes(group: u32) -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let pages: u64 = processes(group).map(|fields| number(&fields, 24)).sum();
    pages * PAGE_BYTES
}

/// The fields of each process's `stat` from the third on.
fn processes(group: u32) -> impl Iterator<Item = Vec<String>> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The second field is the name in parentheses, and may hold blanks.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<String> = rest.split(' ').map(str::to_owned).collect();
        (number(&fields, 5) == u64::from(group)).then_some(fields)
    })
}

/// A field by the number it has in the manual.
fn number(fields: &[String], field: usize) -> u64 {
    fields.get(field - 3).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
