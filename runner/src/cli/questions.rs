//! The commands that ask, of which none changes who serves visitors.

use std::path::PathBuf;

use clap::Args;
use crossfade_core::Span;

use super::When;

#[derive(Clone, Debug, Args)]
pub(crate) struct Status {
    /// Show it again whenever it changes, until the release in flight has ended.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct History {
    /// How many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Report {
    /// What happened in one release, by its id (`rel-…`) or version, rather than how releases went in a period.
    #[arg(value_name = "RELEASE")]
    pub(crate) release: Option<String>,
    /// The period's beginning: so long ago (`7d`, `12h`), a date, or an RFC 3339 time.
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    pub(crate) from: When,
    /// Its end. Default: now.
    #[arg(long, value_name = "WHEN")]
    pub(crate) to: Option<When>,
    /// As Markdown, for a job summary or a chat.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Write the release's report as a page that needs nothing else.
    #[arg(long, value_name = "FILE", requires = "release")]
    pub(crate) html: Option<PathBuf>,
    /// Write the release's picture; with `--markdown` the text refers to it.
    #[arg(long, value_name = "FILE", requires = "release")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Only these environments.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// End by itself after so long, such as `14m`. Default: a signal ends it.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The site; default: the environment's public URL.
    pub(crate) url: Option<String>,
    /// The health checks only.
    #[arg(long)]
    pub(crate) health_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The site's traffic, to say how many requests are at risk.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) requests_per_second: Option<f64>,
}

/// A number that a rate can be.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| error.to_string())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("it must be above 0".to_owned()) }
}
