//! What a program costs, with the programs that it starts: time, processor time, memory at its highest. Linux tells.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked at. What a process used after the last look is missed.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// What a program cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    wall: Duration,
    cpu: Duration,
    /// Each process at its highest, added up.
    memory_kib: u64,
}

impl Cost {
    pub(super) fn wall_seconds(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    pub(super) fn cpu_seconds(&self) -> f64 {
        self.cpu.as_secs_f64()
    }

    pub(super) fn memory_mib(&self) -> f64 {
        self.memory_kib as f64 / 1024.0
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (wall, cpu, memory) = (self.wall_seconds(), self.cpu_seconds(), self.memory_mib());
        write!(f, "{wall:.2} s, {cpu:.2} s of CPU, {memory:.0} MiB")
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not run, or what it says when it is not a deployment that is complete: wrangler exits with 0 for some that are not.
pub(super) fn of(command: &mut Command) -> Result<Cost, String> {
    let said = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let file = || said.reopen().map(Stdio::from).map_err(|error| error.to_string());
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file()?)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut seen = BTreeMap::new();
    let status = loop {
        look(child.id(), &mut seen);
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let wall = started.elapsed();
    let text = std::fs::read_to_string(said.path()).unwrap_or_default();
    let complete = ["Deployment complete!", "deployed: http"].iter().any(|words| text.contains(words));
    if !status.success() || !complete {
        return Err(format!("{status}: {text}"));
    }
    let cpu = seen.values().map(|(cpu, _)| *cpu).sum();
    Ok(Cost { wall, cpu, memory_kib: seen.values().map(|(_, memory)| memory).sum() })
}

/// Notes the processor time and the highest memory of a process and its children
/// (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn look(process: u32, seen: &mut BTreeMap<u32, (Duration, u64)>) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
    let status = read("status");
    let highest = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let highest = highest.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    if let (Some(kib), Some(cpu)) = (highest, cpu(&read("stat"))) {
        seen.insert(process, (cpu, kib));
    }
    for child in read(&format!("task/{process}/children")).split_whitespace() {
        if let Ok(child) = child.parse() {
            look(child, seen);
        }
    }
}

fn cpu(stat: &str) -> Option<Duration> {
    /// What Linux tells user space, whatever the kernel's own tick is.
    const MILLIS_PER_TICK: u64 = 10;
    let (_, rest) = stat.rsplit_once(") ")?;
    // User and system time are the fields 14 and 15, of which the third is the first here.
    let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
    Some(Duration::from_millis(ticks * MILLIS_PER_TICK))
}
