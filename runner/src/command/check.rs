//! `crossfade check URL`: health checks and smoke tests, and nothing else.

use super::session::environment;
use crate::cancel::Cancel;
use crate::cli::{Check, Global};
use crate::config::{Config, check_site_url};
use crate::error::Error;
use crate::release;
use crate::report::Reporter;

pub(super) fn run(global: &Global, arguments: &Check) -> Result<(), Error> {
    let config = Config::read(&global.config)?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => environment(&config, global)?.url.clone(),
    };
    check_site_url(&url).map_err(|why| Error::Usage(format!("the URL is {why}")))?;
    let cancel = Cancel::on_signals()
        .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
    let reporter = Reporter::new(global.mode());
    release::check_all(&config, &release::target(&url), arguments.health_only, &reporter, &cancel)
}
