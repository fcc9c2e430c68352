//! The router in the real Workers runtime: `workerd serve`, its KV binding pointed at our store, its counters' object in
//! SQLite files of the sandbox.

use std::path::Path;
use std::time::{Duration, Instant};

mod configuration;

use configuration::Places;

use crate::child::Child;
use crate::{Error, Options, serve};

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
        let objects = directory.join("objects");
        std::fs::create_dir_all(&objects).map_err(Error::io("make the objects' directory"))?;
        let places = Places { worker, objects: &objects, port, binding_port };
        std::fs::write(&config, configuration::configuration(options, &places)?)
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
