//! `cargo xtask bench binary`: how large the program is that people download, and how soon it answers, beside wrangler in the same
//! run. The two take turns, so that whatever the machine does meets both; what counts are medians.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::root;
use crate::setup::{self, Tools, cargo, of_no_place, which};
use crate::step::{self, Failed, say};
use crate::worker;

/// What is promised of it.
const COMPRESSED_MAX: usize = 6 << 20;
const START_MAX: Duration = Duration::from_millis(10);

/// What is measured, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The target that it is built for.
    #[arg(long, default_value_t = format!("{}-unknown-linux-musl", std::env::consts::ARCH))]
    target: String,
    /// A program that is there already; default: it is built as a release builds it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Starts of ours; wrangler starts once for every ten of them.
    #[arg(long, default_value_t = 200)]
    starts: u32,
}

/// Runs it. The last line on standard output is one JSON object.
///
/// # Errors
/// When it does not build or start, or is not what is promised.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let tools = setup::all()?;
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => build(&tools, &arguments.target)?,
    };
    let failed = |error: std::io::Error| Failed::new("measuring the program", error);
    let bytes = std::fs::read(&program).map_err(failed)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes).map_err(failed)?;
    let compressed = encoder.finish().map_err(failed)?.len();

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..arguments.starts {
        ours.push(start(Command::new(&program).arg("--version"))?);
        if number % 10 == 0 {
            let wrangler = tools.node.modules.join("wrangler/bin/wrangler.js");
            theirs.push(start(Command::new(&tools.node.program).arg(wrangler).arg("--version"))?);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let is_static = !has_interpreter(&bytes);
    say(format_args!(
        "   {}: {:.1} MiB, {:.1} MiB compressed, {}; --version after {:.1} ms, wrangler's after {:.0} ms",
        program.display(),
        mib(bytes.len()),
        mib(compressed),
        if is_static { "static" } else { "not static" },
        milliseconds(ours),
        milliseconds(theirs),
    ));
    let report = json!({
        "benchmark": "binary", "target": arguments.target, "static": is_static,
        "bytes": bytes.len(), "compressed_bytes": compressed,
        "start_ms": milliseconds(ours), "wrangler_start_ms": milliseconds(theirs),
        "ratio_start": ours.as_secs_f64() / theirs.as_secs_f64(),
    });
    writeln!(std::io::stdout(), "{report}").map_err(failed)?;
    let promised = compressed <= COMPRESSED_MAX && ours <= START_MAX && is_static;
    promised.then_some(()).ok_or_else(|| {
        let (size, time) = (mib(COMPRESSED_MAX), milliseconds(START_MAX));
        Failed::new(
            "the program",
            format!("it must be static, {size} MiB compressed at most, and start within {time} ms"),
        )
    })
}

/// Builds it as `.github/workflows/release.yml` does.
fn build(tools: &Tools, target: &str) -> Result<PathBuf, Failed> {
    worker::build(tools)?;
    if which("rustup").is_some() {
        let mut add = Command::new("rustup");
        add.args(["target", "add", target]).env("RUSTUP_MAX_RETRIES", "0");
        step::log(&format!("rustup target add {target}"), &tools.cache, &mut add)?;
    }
    let mut build = cargo();
    of_no_place(&mut build);
    build.args(["build", "--profile", "dist", "--locked", "--package", "crossfade", "--target", target]);
    step::log("building the program for release", &tools.cache, build.current_dir(root())).map_err(
        |failed| {
            failed.or_do("a C compiler for the target is needed: `apt-get install -y musl-tools` as root")
        },
    )?;
    Ok(root().join("target").join(target).join("dist/crossfade"))
}

/// How long it takes from its start to its end.
fn start(command: &mut Command) -> Result<Duration, Failed> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let elapsed = started.elapsed();
    if status.is_ok_and(|status| status.success()) {
        return Ok(elapsed);
    }
    Err(Failed::new(
        "starting the program",
        format!("`{}` does not run", command.get_program().to_string_lossy()),
    ))
}

/// Whether an ELF file names a program that has to load it, and so needs the libraries of the machine it runs on: segment type 3
/// (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html>).
fn has_interpreter(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let number = |at: usize, length: usize| {
        let bytes = elf.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)))
    };
    let segments = || {
        let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
        let kind = |index: u64| number(usize::try_from(table + index * size).ok()?, 4);
        Some((0..count).any(|index| kind(index) == Some(u64::from(INTERPRETER))))
    };
    segments().unwrap_or(true)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
