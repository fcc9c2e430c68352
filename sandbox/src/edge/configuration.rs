//! workerd's own configuration language
//! (<https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>). In: options. Out: a text.
//!
//! A request with `X-Forwarded-Proto: https` counts as one that came over TLS, as behind any front that ends TLS; the JSON in
//! `X-Sandbox-Cf` becomes `request.cf`, which Cloudflare's network fills.

use std::fmt::Write as _;
use std::path::Path;

use crate::{Counters, Error, Options};

/// What the router is compiled against; `wrangler.toml` has the same.
const COMPATIBILITY_DATE: &str = "2026-01-01";
/// Stands before the built router when something is to go wrong in it.
const MAIN: &str = include_str!("main.js");

/// Where things are.
pub(super) struct Places<'a> {
    /// The built router's directory.
    pub(super) worker: &'a Path,
    /// Where the objects' files go; they outlive a router.
    pub(super) objects: &'a Path,
    /// The public port.
    pub(super) port: u16,
    /// Where KV and Analytics Engine are.
    pub(super) binding_port: u16,
}

pub(super) fn configuration(options: &Options, places: &Places<'_>) -> Result<String, Error> {
    let Places { port, binding_port, objects, .. } = places;
    let names = modules_in(places.worker)?;
    let fault = match options.counters {
        Counters::Absent | Counters::Working => None,
        Counters::Throwing => Some("throws"),
        Counters::Hanging => Some("hangs"),
        Counters::Forgetting => Some("forgets"),
    };
    let wraps = fault.is_some() || options.analytics_share.is_some();
    let mut modules = String::new();
    if wraps {
        let _ = writeln!(modules, "    (name = \"sandbox.js\", esModule = {MAIN:?}),");
    }
    for name in &names {
        let kind = match name.rsplit('.').next() {
            Some("js" | "mjs") => "esModule",
            Some("wasm") => "wasm",
            Some(_) | None => continue,
        };
        let path = places.worker.join(name);
        let path = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
        let _ = writeln!(modules, "    (name = {name:?}, {kind} = embed {:?}),", path.display().to_string());
    }
    let mut bindings = String::new();
    let refresh = options.refresh_seconds.to_string();
    let share = options.analytics_share.map(|share| share.to_string());
    for (name, value) in [
        ("ENVIRONMENT", Some(options.environment.as_str())),
        ("REFRESH_SECONDS", Some(refresh.as_str())),
        ("DEFAULT_ORIGIN", options.default_origin.as_deref()),
        ("CROSSFADE_TOKEN", options.control_token.as_deref()),
        ("SIGNING_KEY", options.signing_key.as_deref()),
        ("ALLOWED_ORIGINS", options.allowed_origins.as_deref()),
        ("COUNTERS_SHARDS", options.counters_by_location.then_some("location")),
        ("ANALYTICS_SHARE", share.as_deref()),
        ("SANDBOX_FAULT", fault),
    ] {
        if let Some(value) = value {
            let _ = writeln!(bindings, "    (name = {name:?}, text = {value:?}),");
        }
    }
    // Only our own router has such an object; the benchmarks' have none.
    let counts =
        options.counters != Counters::Absent && names.iter().any(|name| name.starts_with("counters/"));
    let mut namespace = String::new();
    if counts {
        let _ = writeln!(bindings, "    (name = \"COUNTERS\", durableObjectNamespace = \"Counters\"),");
        namespace =
            "  durableObjectNamespaces = [(className = \"Counters\", uniqueKey = \"crossfade-counters\", \
            enableSql = true)],\n  durableObjectStorage = (localDisk = \"objects\"),\n"
                .to_owned();
    }
    if options.analytics_share.is_some() {
        let _ = writeln!(bindings, "    (name = \"SANDBOX_ANALYTICS\", service = \"analytics\"),");
    }
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "router", worker = .router),
    (name = "kv", external = (address = "127.0.0.1:{binding_port}", http = ())),
    (name = "analytics", external = (address = "127.0.0.1:{binding_port}", http = ())),
    (name = "objects", disk = (path = {objects:?}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "public", address = "127.0.0.1:{port}", http = (forwardedProtoHeader = "X-Forwarded-Proto", cfBlobHeader = "X-Sandbox-Cf"), service = "router")],
);
const router :Workerd.Worker = (
  compatibilityDate = "{COMPATIBILITY_DATE}",
  modules = [
{modules}  ],
  bindings = [
    (name = "ROUTING", kvNamespace = "kv"),
{bindings}  ],
{namespace}  globalOutbound = "internet",
);
"#
    ))
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
