//! The router in the real Workers runtime: `workerd serve`, its KV binding pointed at our store.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::Child;
use crate::{Error, Options, serve};

/// What the router is compiled against; `wrangler.toml` has the same.
const COMPATIBILITY_DATE: &str = "2026-01-01";
const UP_WITHIN: Duration = Duration::from_secs(20);

/// A running router.
#[derive(Debug)]
pub(crate) struct Edge {
    port: u16,
    child: Child,
}

impl Edge {
    /// Starts the router and waits until it answers.
    pub(crate) fn start(
        options: &Options,
        worker: &Path,
        port: u16,
        binding_port: u16,
        directory: &Path,
    ) -> Result<Self, Error> {
        let port = if port == 0 { serve::free_port()? } else { port };
        let deadline = Instant::now() + UP_WITHIN;
        // A router that was killed a moment ago may still hold the port, and would answer instead of this one.
        while std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            if Instant::now() >= deadline {
                let why = format!("port {port} is in use");
                return Err(Error::NotUp { what: "the router in workerd".into(), why });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let config = directory.join("edge.capnp");
        std::fs::write(&config, configuration(options, worker, port, binding_port)?)
            .map_err(Error::io("write the router's configuration"))?;
        let arguments = ["serve".as_ref(), config.as_os_str(), "--import-path=/".as_ref()];
        let mut child = Child::start(&options.tools.workerd, arguments, directory)?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if child.has_ended() || Instant::now() >= deadline {
                let why = child.output().join("\n");
                return Err(Error::NotUp { what: "the router in workerd".into(), why });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { port, child })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn group(&self) -> u32 {
        self.child.group()
    }

    /// The last lines that the runtime printed.
    pub(crate) fn output(&self) -> Vec<String> {
        self.child.output()
    }
}

/// workerd's own configuration language
/// (<https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>).
///
/// A request with `X-Forwarded-Proto: https` counts as one that came over TLS, as behind any front that ends TLS; the JSON in
/// `X-Sandbox-Cf` becomes `request.cf`, which Cloudflare's network fills.
fn configuration(options: &Options, worker: &Path, port: u16, binding_port: u16) -> Result<String, Error> {
    let mut modules = String::new();
    for name in modules_in(worker)? {
        let kind = match name.rsplit('.').next() {
            Some("js" | "mjs") => "esModule",
            Some("wasm") => "wasm",
            Some(_) | None => continue,
        };
        let path = worker.join(&name);
        let path = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
        let _ = writeln!(modules, "    (name = {name:?}, {kind} = embed {:?}),", path.display().to_string());
    }
    let mut bindings = String::new();
    let refresh = options.refresh_seconds.to_string();
    for (name, value) in [
        ("ENVIRONMENT", Some(options.environment.as_str())),
        ("REFRESH_SECONDS", Some(refresh.as_str())),
        ("DEFAULT_ORIGIN", options.default_origin.as_deref()),
        ("CROSSFADE_TOKEN", options.control_token.as_deref()),
        ("SIGNING_KEY", options.signing_key.as_deref()),
        ("ALLOWED_ORIGINS", options.allowed_origins.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(bindings, "    (name = {name:?}, text = {value:?}),");
        }
    }
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "router", worker = .router),
    (name = "kv", external = (address = "127.0.0.1:{binding_port}", http = ())),
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
  globalOutbound = "internet",
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
