//! `crossfade check URL`: health checks and smoke tests, and nothing else.

use super::session::environment;
use crate::cancel::Cancel;
use crate::cli::{Check, Global};
use crate::config::Config;
use crate::error::Error;
use crate::release;
use crate::report::Reporter;

pub(super) fn run(global: &Global, arguments: &Check) -> Result<(), Error> {
    let config = Config::read(&global.config)?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => environment(&config, global)?.url.clone(),
    };
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Error::Usage(format!("`{url}` is not a URL such as https://booking.example.com")));
    }
    let cancel = Cancel::on_signals()
        .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
    let reporter = Reporter::new(global.mode());
    release::check_all(&config, &release::target(&url), arguments.health_only, &reporter, &cancel)
}
