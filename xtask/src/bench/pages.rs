//! `cargo xtask bench pages`: our upload beside wrangler's, to the same stand-in, of the same sites.
//!
//! Both deploy each site to an empty store and then once more, taking turns; what counts are medians and their ratios. The
//! stand-in is a process of its own, a new one for every pair of deployments.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use comfy_table::{CellAlignment, Table, presets};
use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, PROJECT, Tools};
use serde_json::{Value, json};

use crate::root;
use crate::step::{self, Failed, say};

mod cost;
mod sites;
mod stand_in;

use cost::Cost;
use sites::Site;
use stand_in::StandIn;

/// What is measured, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only this site.
    #[arg(long, value_enum)]
    site: Option<Site>,
    /// The directory of `crossfade` and `crossfade-sandbox`; default: they are built for release.
    #[arg(long, value_name = "DIRECTORY")]
    programs: Option<PathBuf>,
}

/// Who deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contestant {
    Wrangler,
    Crossfade,
}

/// One site's costs, a round each.
#[derive(Default)]
struct Costs {
    cold: Vec<Cost>,
    warm: Vec<Cost>,
}

/// Runs it. The last line on standard output is one JSON object.
///
/// # Errors
/// When something does not run, or a deployment fails.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failed> {
    let tools = Tools::load().map_err(|error| Failed::new("the tools", error))?;
    let programs = match &arguments.programs {
        Some(given) => std::path::absolute(given).map_err(|error| Failed::new("the programs", error))?,
        None => build()?,
    };
    let scratch = tempfile::tempdir().map_err(|error| Failed::new("the sites", error))?;
    let mut measured = Vec::new();
    for site in Site::ALL.into_iter().filter(|site| arguments.site.is_none_or(|only| only == *site)) {
        let directory = scratch.path().join(site.name());
        site.write(&directory).map_err(|error| Failed::new("the sites", error))?;
        let mut costs = [Costs::default(), Costs::default()];
        for round in 1..=arguments.rounds {
            for (costs, who) in costs.iter_mut().zip([Contestant::Wrangler, Contestant::Crossfade]) {
                let stand_in = StandIn::start(&programs)?;
                for (kind, costs) in [("cold", &mut costs.cold), ("warm", &mut costs.warm)] {
                    let cost = who.deploy(&tools, &programs, &stand_in, &directory)?;
                    say(format_args!("   {} {round}, {who:?} {kind}: {cost}", site.name()));
                    costs.push(cost);
                }
            }
        }
        let _ = std::fs::remove_dir_all(&directory);
        measured.push((site, costs));
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}\n{}", table(&measured), report(&measured, arguments.rounds));
    Ok(())
}

fn build() -> Result<PathBuf, Failed> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "-p", "crossfade", "-p", "crossfade-sandbox"]).current_dir(root());
    step::show("the programs", &mut cargo)?;
    Ok(root().join("target/release"))
}

impl Contestant {
    fn deploy(self, tools: &Tools, programs: &Path, stand_in: &StandIn, site: &Path) -> Result<Cost, Failed> {
        let home = tempfile::tempdir().map_err(|error| Failed::new("the deployment", error))?;
        let mut command = match self {
            Self::Wrangler => {
                let mut command = Command::new(&tools.node);
                command.arg(&tools.wrangler);
                command
            }
            Self::Crossfade => Command::new(programs.join("crossfade")),
        };
        command
            .args(["pages", "deploy"])
            .arg(site)
            .args(["--project-name", PROJECT, "--branch", "main", "--commit-dirty=true"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .envs([("CI", "1"), ("WRANGLER_SEND_METRICS", "false"), ("WRANGLER_HIDE_BANNER", "true")])
            .envs([("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID), ("CLOUDFLARE_API_TOKEN", API_TOKEN)])
            .env("CLOUDFLARE_API_BASE_URL", stand_in.api_url())
            .current_dir(home.path());
        cost::of(&mut command).map_err(|why| Failed::new(format!("{self:?}"), why))
    }
}

/// The median of what `of` says of some costs.
fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut figures: Vec<f64> = costs.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The medians of one contestant's deployments of a kind: wall time, processor time, memory.
fn medians(costs: &[Cost]) -> [f64; 3] {
    [Cost::wall_seconds, Cost::cpu_seconds, Cost::memory_mib].map(|of| median(costs, of))
}

type Measured = [(Site, [Costs; 2])];

/// The medians for people.
fn table(measured: &Measured) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["site", "store", "who", "wall", "CPU", "peak memory"]);
    for (site, [wrangler, crossfade]) in measured {
        for (kind, who, costs) in [
            ("empty", "wrangler", &wrangler.cold),
            ("empty", "crossfade", &crossfade.cold),
            ("full", "wrangler", &wrangler.warm),
            ("full", "crossfade", &crossfade.warm),
        ] {
            let [wall, cpu, memory] = medians(costs);
            table.add_row([
                site.name().to_owned(),
                kind.to_owned(),
                who.to_owned(),
                format!("{wall:.2} s"),
                format!("{cpu:.2} s"),
                format!("{memory:.0} MiB"),
            ]);
        }
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The same for programs. Ratios are ours to wrangler's.
fn report(measured: &Measured, rounds: u32) -> Value {
    let mut worst = [0.0_f64; 3];
    let mut sites = serde_json::Map::new();
    let rounded = |figure: f64| (figure * 1000.0).round() / 1000.0;
    let figures = |costs: &[Cost]| {
        let [wall, cpu, memory] = medians(costs).map(rounded);
        json!({ "wall_s": wall, "cpu_s": cpu, "memory_mib": memory })
    };
    for (site, [wrangler, crossfade]) in measured {
        let ratio =
            |ours: &[Cost], theirs: &[Cost], of: fn(&Cost) -> f64| median(ours, of) / median(theirs, of);
        let cold = ratio(&crossfade.cold, &wrangler.cold, Cost::wall_seconds);
        let warm = ratio(&crossfade.warm, &wrangler.warm, Cost::wall_seconds);
        let memory = ratio(&crossfade.cold, &wrangler.cold, Cost::memory_mib);
        for (worst, figure) in worst.iter_mut().zip([cold, warm, memory]) {
            *worst = worst.max(figure);
        }
        let both = |costs: &Costs| json!({ "cold": figures(&costs.cold), "warm": figures(&costs.warm) });
        sites.insert(
            site.name().to_owned(),
            json!({ "wrangler": both(wrangler), "crossfade": both(crossfade) }),
        );
    }
    let [cold, warm, memory] = worst.map(rounded);
    json!({ "worst_cold_ratio": cold, "worst_warm_ratio": warm, "worst_memory_ratio": memory, "rounds": rounds, "sites": sites })
}
