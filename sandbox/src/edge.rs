//! The router as it is built here, with the bindings that [`Options`] ask for. In: options. Out: what [`workerd`] runs.
//!
//! [`workerd`]: crate::workerd

use std::path::Path;

use crate::workerd::{Binding, Program, Source};
use crate::{Counters, Error, NAMESPACE_ID, Options};

/// What the router is compiled against; `wrangler.toml` has the same.
const COMPATIBILITY_DATE: &str = "2026-01-01";
/// Stands before the built router when something is to go wrong in it.
const MAIN: &str = include_str!("edge/main.js");

/// The router of a directory.
pub(crate) fn program(options: &Options, worker: &Path) -> Result<Program, Error> {
    let names = modules_in(worker)?;
    let fault = match options.counters {
        Counters::Absent | Counters::Working => None,
        Counters::Throwing => Some("throws"),
        Counters::Hanging => Some("hangs"),
        Counters::Forgetting => Some("forgets"),
    };
    let mut modules = Vec::new();
    if fault.is_some() || options.analytics_share.is_some() {
        modules.push(("sandbox.js".to_owned(), Source::Text(MAIN)));
    }
    modules.extend(names.iter().map(|name| (name.clone(), Source::File(worker.join(name)))));
    let refresh = options.refresh_seconds.to_string();
    let share = options.analytics_share.map(|share| share.to_string());
    let texts = [
        ("ENVIRONMENT", Some(options.environment.as_str())),
        ("REFRESH_SECONDS", Some(refresh.as_str())),
        ("DEFAULT_ORIGIN", options.default_origin.as_deref()),
        ("CROSSFADE_TOKEN", options.control_token.as_deref()),
        ("SIGNING_KEY", options.signing_key.as_deref()),
        ("ALLOWED_ORIGINS", options.allowed_origins.as_deref()),
        ("COUNTERS_SHARDS", options.counters_by_location.then_some("location")),
        ("ANALYTICS_SHARE", share.as_deref()),
        ("SANDBOX_FAULT", fault),
    ];
    let text = |(name, value): (&str, Option<&str>)| Some(Binding::Text(name.to_owned(), value?.to_owned()));
    let mut bindings: Vec<Binding> = texts.into_iter().filter_map(text).collect();
    bindings.push(Binding::Kv("ROUTING".into(), NAMESPACE_ID.into()));
    // Only our own router has such an object; the benchmarks' have none.
    if options.counters != Counters::Absent && names.iter().any(|name| name.starts_with("counters/")) {
        bindings.push(Binding::Object("COUNTERS".into(), "Counters".into()));
    }
    if options.analytics_share.is_some() {
        bindings.push(Binding::DataPoints("SANDBOX_ANALYTICS".into()));
    }
    Ok(Program { modules, bindings, compatibility_date: COMPATIBILITY_DATE.into() })
}

/// The files of a built Worker, by their paths in it; the main module first.
fn modules_in(worker: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in walkdir::WalkDir::new(worker) {
        let entry = entry.map_err(|error| {
            let worker = worker.display();
            Error::Tools(format!(
                "there is no router in {worker} ({error}); `cargo xtask build-worker` builds it"
            ))
        })?;
        let name = entry.path().strip_prefix(worker).ok().and_then(Path::to_str);
        names.extend(name.filter(|_| entry.file_type().is_file()).map(str::to_owned));
    }
    names.sort_by_key(|name| (name != "index.js", name.clone()));
    Ok(names)
}
