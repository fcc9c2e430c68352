//! `cargo xtask bench router`: the router beside the two that people would write by hand, in the same run.
//!
//! Every round measures all of them one after the other, so that whatever the machine does meets all alike; what counts
//! are medians and their ratios, never a figure alone. Processor time a request depends least on the machine's mood.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use crossfade_sandbox::{Counters, Options, Sandbox, Tools as SandboxTools};
use serde_json::json;

use crate::setup::{self, Node};
use crate::step::{Failed, say};
use crate::{root, worker};

mod binary;
mod load;
mod origin;
mod pages;
mod soak;

use load::Round;

/// A visitor's cookie that both routers take for an id.
const VISITOR: &str = "4d2a9c88b1e07f635a1c0de84b97d3f2";

/// What is measured, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The router beside the two that people would write by hand.
    Router(RouterArguments),
    /// `crossfade pages deploy` beside `wrangler pages deploy`.
    Pages(pages::Arguments),
    /// The program that people download, beside wrangler.
    Binary(binary::Arguments),
}

#[derive(Debug, clap::Args)]
struct RouterArguments {
    /// Rounds; the first one more is for warming up.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Seconds that each router is under load in a round.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Also sends this many requests of every kind to our router and reports its memory along the way.
    #[arg(long, value_name = "REQUESTS")]
    soak: Option<u64>,
}

/// What a router counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// Nothing.
    Never,
    /// Every request, and flushes once a minute.
    Idle,
    /// Every request, and flushes once a second, as while a release is in flight.
    InFlight,
}

/// One router under test.
struct Contestant {
    name: &'static str,
    sandbox: Sandbox,
    rounds: Vec<Round>,
    /// Reads of KV in those rounds, counted where KV is.
    kv_reads: u64,
}

/// Runs it. The last line on standard output is one JSON object.
///
/// # Errors
/// When something does not run, or answers wrongly.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failed> {
    match &arguments.what {
        What::Router(arguments) => router(arguments),
        What::Pages(arguments) => pages::run(arguments),
        What::Binary(arguments) => binary::run(arguments),
    }
}

fn router(arguments: &RouterArguments) -> Result<(), Failed> {
    let tools = setup::all()?;
    let built = worker::build(&tools)?;
    let page = origin::page();
    let origin =
        origin::start(move |_| Arc::clone(&page)).map_err(|error| Failed::new("the origin", error))?;
    let peers = tempfile::tempdir().map_err(|error| Failed::new("the peers", error))?;
    let mut contestants = vec![
        contestant("pass-through", &peer(peers.path(), "passthrough")?, &origin, 10_000, Counting::Never)?,
        contestant("hand-written", &peer(peers.path(), "router")?, &origin, 9_500, Counting::Never)?,
        contestant("crossfade, steady", &built, &origin, 10_000, Counting::Idle)?,
        contestant("crossfade, canary", &built, &origin, 9_500, Counting::InFlight)?,
        contestant("crossfade, uncounted", &built, &origin, 10_000, Counting::Never)?,
        contestant("crossfade, flushing", &built, &origin, 10_000, Counting::InFlight)?,
    ];
    for number in 0..=arguments.rounds {
        for contestant in &mut contestants {
            let before = contestant.sandbox.kv_reads();
            let round = contestant.round(&tools.node, arguments.seconds)?;
            if number > 0 {
                contestant.rounds.push(round);
                contestant.kv_reads += contestant.sandbox.kv_reads() - before;
            }
        }
        if number > 0 {
            let figures: Vec<String> = contestants
                .iter()
                .map(|it| format!("{} {:.0}/s", it.name, it.rounds[number as usize - 1].per_second))
                .collect();
            say(format_args!("   round {number} of {}: {}", arguments.rounds, figures.join(", ")));
        }
    }
    let mut report = report(&contestants, &built, arguments)?;
    if let Some(requests) = arguments.soak {
        report["soak"] = soak::soak(&tools.node, &built, requests)?;
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}\n{report}", table(&contestants));
    Ok(())
}

/// A directory with one of `xtask/peers` as a Worker.
fn peer(scratch: &Path, name: &str) -> Result<PathBuf, Failed> {
    let directory = scratch.join(name);
    let from = root().join("xtask/peers").join(format!("{name}.js"));
    std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::copy(&from, directory.join("index.js")))
        .map_err(|error| Failed::new("the peers", format!("{}: {error}", from.display())))?;
    Ok(directory)
}

fn contestant(
    name: &'static str,
    worker: &Path,
    origin: &str,
    stable: u16,
    counting: Counting,
) -> Result<Contestant, Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed::new("the sandbox", error);
    let mut options = Options::new(SandboxTools::load().map_err(|error| failed(&error))?);
    options.worker = Some(worker.to_owned());
    options.default_origin = Some(origin.to_owned());
    options.refresh_seconds = 30;
    if counting == Counting::Never {
        options.counters = Counters::Absent;
    }
    let sandbox = Sandbox::start(options).map_err(|error| failed(&error))?;
    let mut table = json!({
        "schema": 1, "environment": "production", "revision": 1, "release": "rel-bench",
        "updated_at": "2026-01-31T12:00:00Z", "stable": "blue",
        "variants": [
            { "name": "blue", "origin": origin, "version": "1.4.2", "weight": stable },
            { "name": "green", "origin": origin, "version": "1.5.0", "weight": 10_000 - stable },
        ],
        "affinity": { "by": "cookie", "salt": "rel-bench" },
    });
    if counting == Counting::InFlight {
        table["lease"] = json!({ "expires_at": "2999-01-01T00:00:00Z" });
    }
    sandbox.put_kv("routing:production", table.to_string().as_bytes());
    Ok(Contestant { name, sandbox, rounds: Vec::new(), kv_reads: 0 })
}

impl Contestant {
    fn round(&self, node: &Node, seconds: u32) -> Result<Round, Failed> {
        let running = self.sandbox.public_url().zip(self.sandbox.router_group());
        let (url, group) = running.ok_or_else(|| Failed::new(self.name, "it does not run"))?;
        load::round(node, &format!("{url}/appointments/today?week=49"), VISITOR, seconds, group)
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn per_second(&self) -> f64 {
        self.median(|round| round.per_second)
    }

    fn cpu_micros(&self) -> f64 {
        self.median(|round| micros(round.cpu))
    }

    fn p99_micros(&self) -> f64 {
        self.median(|round| micros(round.p99))
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The medians for people.
fn table(contestants: &[Contestant]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["router", "requests/s", "of hand-written", "p99", "CPU a request", "KV reads"]);
    let peer = contestants[1].per_second();
    for it in contestants {
        table.add_row([
            it.name.to_owned(),
            format!("{:.0}", it.per_second()),
            format!("{:.2}", it.per_second() / peer),
            format!("{:.1} ms", it.p99_micros() / 1e3),
            format!("{:.0} µs", it.cpu_micros()),
            it.kv_reads.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The same for programs.
fn report(
    contestants: &[Contestant],
    built: &Path,
    arguments: &RouterArguments,
) -> Result<serde_json::Value, Failed> {
    let [through, peer, steady, canary, uncounted, flushing] = contestants else {
        return Err(Failed::new("the report", "six routers"));
    };
    let wasm = gzip_bytes(&built.join("worker/index.wasm"))?;
    let figures = |it: &Contestant| {
        json!({ "requests_per_second": it.per_second().round(), "p99_us": it.p99_micros().round(),
                "cpu_us": it.cpu_micros().round(), "kv_reads": it.kv_reads })
    };
    let ratio = |of: f64, to: f64| (of / to * 1000.0).round() / 1000.0;
    Ok(json!({
        "ratio_js": ratio(steady.per_second(), peer.per_second()),
        "ratio_js_canary": ratio(canary.per_second(), peer.per_second()),
        "ratio_passthrough": ratio(steady.per_second(), through.per_second()),
        "ratio_cpu_js": ratio(steady.cpu_micros(), peer.cpu_micros()),
        "ratio_p99_js": ratio(steady.p99_micros(), peer.p99_micros()),
        "ratio_counters": ratio(steady.per_second(), uncounted.per_second()),
        "ratio_cpu_counters": ratio(steady.cpu_micros(), uncounted.cpu_micros()),
        "ratio_cpu_counters_in_flight": ratio(flushing.cpu_micros(), uncounted.cpu_micros()),
        "wasm_gzip_bytes": wasm,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "passthrough": figures(through), "hand_written": figures(peer), "steady": figures(steady), "canary": figures(canary),
        "uncounted": figures(uncounted), "flushing": figures(flushing),
    }))
}

/// The size of a file as Cloudflare counts it, compressed
/// (<https://developers.cloudflare.com/workers/platform/limits/#worker-size>).
fn gzip_bytes(path: &Path) -> Result<u64, Failed> {
    let failed = |error: std::io::Error| Failed::new("the size", format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(failed)?;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&bytes).map_err(failed)?;
    Ok(encoder.finish().map_err(failed)?.len() as u64)
}
