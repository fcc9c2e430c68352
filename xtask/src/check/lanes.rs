//! The tests, two targets at a time: those from end to end mostly wait, for holds and leases, and leave the cores idle.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use crate::root;
use crate::setup::cargo;
use crate::step::{Failed, output, say, show};

/// What `cargo` is told for all tests but the documentation's. Always for the same packages: for others it would compile
/// what they share with other features.
pub(super) const TESTS: [&str; 4] = ["test", "--lib", "--bins", "--tests"];

/// Targets at a time.
const LANES: usize = 2;

/// Runs every target. What each printed is printed when it has ended, whole.
///
/// # Errors
/// The targets that failed; all of them have been run.
pub(super) fn run() -> Result<(), Failed> {
    show("compiling the tests", cargo().args(TESTS).args(["--no-run", "--quiet"]).current_dir(root()))?;
    say("── tests");
    let units = vec!["--lib".to_owned(), "--bins".to_owned()];
    let targets = targets()?.into_iter().map(|name| vec!["--test".to_owned(), name]);
    let queue = Mutex::new(targets.chain([units]).collect::<Vec<_>>().into_iter());
    let failures = Mutex::new(Vec::new());
    let lane = || {
        while let Some(job) = queue.lock().ok().and_then(|mut queue| queue.next()) {
            if let Err(why) = one(&job)
                && let Ok(mut failures) = failures.lock()
            {
                failures.push(format!("{}: {why}", job.join(" ")));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(lane);
        }
    });
    match failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).as_slice() {
        [] => Ok(()),
        failures => Err(Failed::new("tests", failures.join("; "))
            .or_do("`cargo xtask test -- --test NAME` runs one target alone")),
    }
}

fn one(job: &[String]) -> Result<(), String> {
    let mut printed = tempfile::tempfile().map_err(|error| error.to_string())?;
    let copy = || printed.try_clone().map_err(|error| error.to_string());
    let mut tests = cargo();
    tests.arg("test").args(job).current_dir(root()).stdin(Stdio::null());
    tests.stdout(copy()?).stderr(copy()?);
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        tests.env("RUST_TEST_THREADS", (2 * cores).to_string());
    }
    say(format_args!("-> {}", job.join(" ")));
    let started = Instant::now();
    let status = tests.status().map_err(|error| error.to_string())?;
    show_whole(&mut printed).map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`cargo test` ended with {status} after {} s", started.elapsed().as_secs())),
    }
}

fn show_whole(printed: &mut File) -> std::io::Result<()> {
    use std::io::Seek as _;
    printed.rewind()?;
    let mut screen = std::io::stdout().lock();
    std::io::copy(printed, &mut screen)?;
    screen.flush()
}

/// The names of all integration test targets, the last first: the longest happen to be among those.
fn targets() -> Result<Vec<String>, Failed> {
    let failed = |why: &str| Failed::new("finding the tests", why);
    let mut metadata = cargo();
    metadata.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(root());
    let text = output(&mut metadata).ok_or_else(|| failed("`cargo metadata` failed"))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| failed(&error.to_string()))?;
    let of = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = of(&metadata, "packages")
        .iter()
        .flat_map(|package| of(package, "targets"))
        .filter(|target| of(target, "kind").contains(&Value::from("test")))
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.dedup();
    match names.is_empty() {
        true => Err(failed("there are none")),
        false => Ok(names),
    }
}
