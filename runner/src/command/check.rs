//! `crossfade check URL`: health checks and smoke tests, and nothing else.

use std::sync::Arc;

use super::question::{AT_ONCE, left_when_cancelled};
use super::session::{environment, reporter};
use crate::cancel::Cancel;
use crate::cli::{Check, Global};
use crate::config::{Config, check_site_url};
use crate::error::Error;
use crate::release::{self, CLEAN_UP_WITHIN};

pub(super) fn run(global: &Global, arguments: &Check) -> Result<(), Error> {
    let config = Config::read(&global.config)?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => environment(&config, global)?.url.clone(),
    };
    check_site_url(&url).map_err(|why| Error::Usage(format!("the URL is {why}")))?;
    let cancel = Cancel::on_signals()
        .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
    let reporter = reporter(global, Some(&config))?;
    let checks = Arc::new((config, release::target(&url), reporter));
    let (asked, on_cancel) = (Arc::clone(&checks), cancel.clone());
    left_when_cancelled(&cancel, AT_ONCE, move || {
        let (config, target, reporter) = &*asked;
        release::check_health(config, target, reporter, &on_cancel)
    })?;
    if arguments.health_only {
        return Ok(());
    }
    // What a smoke test has made by then is cleaned up first; a further signal leaves that too.
    let makes_something = checks.0.smoke.iter().any(|test| !test.cleanup.is_empty());
    let leave_after = if makes_something { CLEAN_UP_WITHIN } else { AT_ONCE };
    let on_cancel = cancel.clone();
    left_when_cancelled(&cancel, leave_after, move || {
        let (config, target, reporter) = &*checks;
        release::check_smoke(config, target, reporter, &on_cancel)
    })
}
