//! A Worker in the real runtime: `workerd serve`. In: modules and bindings. Out: a process that answers on a port.
//!
//! The configuration is workerd's own language
//! (<https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>). A request with `X-Forwarded-Proto: https`
//! counts as one that came over TLS, as behind any front that ends TLS; the JSON in `X-Sandbox-Cf` becomes `request.cf`, which
//! Cloudflare's network fills.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::binding::NAMESPACE_HEADER;
use crate::child::Child;
use crate::{Error, serve};

const UP_WITHIN: Duration = Duration::from_secs(20);

/// What runs.
#[derive(Debug)]
pub(crate) struct Program {
    /// By their names; the main one first.
    pub(crate) modules: Vec<(String, Source)>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) compatibility_date: String,
}

/// Where a module is.
#[derive(Debug)]
pub(crate) enum Source {
    Text(&'static str),
    File(PathBuf),
}

/// What the Worker's `env` has.
#[derive(Debug)]
pub(crate) enum Binding {
    Text(String, String),
    /// A namespace by its id.
    Kv(String, String),
    /// A Durable Object by its class; its SQLite files are the program's.
    Object(String, String),
    /// What data points are sent to.
    DataPoints(String),
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Running {
    port: u16,
    child: Child,
}

impl Running {
    /// Starts a program in a directory of its own and waits until it answers; port 0 takes any. KV and Analytics Engine are at
    /// `binding_port`.
    pub(crate) fn start(
        workerd: &Path,
        program: &Program,
        port: u16,
        binding_port: u16,
        directory: &Path,
    ) -> Result<Self, Error> {
        let port = if port == 0 { serve::free_port()? } else { port };
        let not_up = |why: String| Error::NotUp { what: "the router in workerd".into(), why };
        let deadline = Instant::now() + UP_WITHIN;
        // One that was killed a moment ago may still hold the port, and would answer instead of this one.
        while std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            if Instant::now() >= deadline {
                return Err(not_up(format!("port {port} is in use")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let config = directory.join("workerd.capnp");
        let objects = directory.join("objects");
        std::fs::create_dir_all(&objects).map_err(Error::io("make the objects' directory"))?;
        std::fs::write(&config, program.configuration(port, binding_port, &objects)?)
            .map_err(Error::io("write the router's configuration"))?;
        let arguments = ["serve".as_ref(), config.as_os_str(), "--import-path=/".as_ref()];
        let mut child = Child::start(workerd, arguments, directory)?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if child.has_ended() || Instant::now() >= deadline {
                return Err(not_up(child.output().join("\n")));
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

impl Program {
    fn configuration(&self, port: u16, binding_port: u16, objects: &Path) -> Result<String, Error> {
        let (mut modules, mut bindings, mut services) = (String::new(), String::new(), String::new());
        for (name, source) in &self.modules {
            match (source, name.rsplit('.').next()) {
                (Source::Text(text), _) => {
                    let _ = writeln!(modules, "    (name = {name:?}, esModule = {text:?}),");
                }
                (Source::File(path), Some(kind @ ("js" | "mjs" | "wasm"))) => {
                    let kind = if kind == "wasm" { "wasm" } else { "esModule" };
                    let path = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
                    let path = path.display().to_string();
                    let _ = writeln!(modules, "    (name = {name:?}, {kind} = embed {path:?}),");
                }
                (Source::File(_), _) => {}
            }
        }
        let mut classes: Vec<&str> = Vec::new();
        for binding in &self.bindings {
            let _ = match binding {
                Binding::Text(name, value) => writeln!(bindings, "    (name = {name:?}, text = {value:?}),"),
                Binding::Kv(name, namespace) => {
                    let _ = writeln!(
                        services,
                        "    (name = \"kv-{name}\", external = (address = \"127.0.0.1:{binding_port}\", http = \
                         (injectRequestHeaders = [(name = \"{NAMESPACE_HEADER}\", value = {namespace:?})]))),"
                    );
                    writeln!(bindings, "    (name = {name:?}, kvNamespace = \"kv-{name}\"),")
                }
                Binding::Object(name, class) => {
                    classes.push(class);
                    writeln!(bindings, "    (name = {name:?}, durableObjectNamespace = {class:?}),")
                }
                Binding::DataPoints(name) => {
                    let _ = writeln!(
                        services,
                        "    (name = \"points\", external = (address = \"127.0.0.1:{binding_port}\", http = ())),"
                    );
                    writeln!(bindings, "    (name = {name:?}, service = \"points\"),")
                }
            };
        }
        let mut namespaces = String::new();
        for class in &classes {
            let _ = write!(
                namespaces,
                "(className = {class:?}, uniqueKey = \"crossfade-{class}\", enableSql = true),"
            );
        }
        if !classes.is_empty() {
            namespaces = format!(
                "  durableObjectNamespaces = [{namespaces}],\n  durableObjectStorage = (localDisk = \"objects\"),\n"
            );
        }
        let date = &self.compatibility_date;
        Ok(format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "router", worker = .router),
{services}    (name = "objects", disk = (path = {objects:?}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "public", address = "127.0.0.1:{port}", http = (forwardedProtoHeader = "X-Forwarded-Proto", cfBlobHeader = "X-Sandbox-Cf"), service = "router")],
);
const router :Workerd.Worker = (
  compatibilityDate = {date:?},
  modules = [
{modules}  ],
  bindings = [
{bindings}  ],
{namespaces}  globalOutbound = "internet",
);
"#
        ))
    }
}
