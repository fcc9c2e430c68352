//! A local Cloudflare on loopback, for tests, the demo and development.
//!
//! | module | what it stands for | how real it is |
//! |---|---|---|
//! | [`api`](mod@api) | Cloudflare's REST API: Pages, its asset store, Workers KV, Worker scripts, zones, a load balancer | same paths, envelopes and codes; real wrangler passes against it |
//! | [`pages`] | one Pages deployment | the real runtime: `wrangler pages dev` |
//! | [`edge`] | the router at the public URL | the real runtime: `workerd` |
//! | [`front`], [`hosted`] | a zone's hostnames, and scripts as they were uploaded, on request | the real runtime: `workerd` |
//! | [`balancer`] | a load balancer with two pools, and who sends visitors on by it | a draw by the weights that the API keeps, and its session cookie |
//! | [`binding`] | what the runtime's KV binding talks to | the protocol workerd speaks, over the same store as the REST API |
//! | [`faults`] | Cloudflare on a bad day | on request |
//! | [`exchange`] | whole requests and answers, for tests | on request |
//! | [`control`] | `/sandbox/…`: faults, request log | ours |
//!
//! Everything listens on 127.0.0.1 and ends with the [`Sandbox`], however that ends: each child process hangs on a pipe
//! whose other end is ours.

#![forbid(unsafe_code)]

use std::sync::Arc;

mod api;
mod balancer;
mod binding;
mod bundle;
mod child;
mod control;
mod edge;
mod exchange;
mod faults;
mod front;
mod home;
mod hosted;
mod limits;
mod options;
mod pages;
mod serve;
mod state;
mod store;
mod tools;
mod workerd;
mod workers;
mod zone;

pub use exchange::{Exchange, Message};
pub use faults::{Action, Fault, KvFault};
pub use limits::{Limits, Refusal, UploadTokens};
pub use options::{Counters, Options};
pub use state::ApiRequest;
pub use tools::Tools;

/// The one account.
pub const ACCOUNT_ID: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
/// The API token that opens it.
pub const API_TOKEN: &str = "sandbox-api-token";
/// The KV namespace bound to the router.
pub const NAMESPACE_ID: &str = "5a4db0c55a4db0c55a4db0c55a4db0c5";
/// The one zone, and its name: one that leads to this machine.
pub const ZONE_ID: &str = "20ca1057c0ffee0020ca1057c0ffee00";
/// The zone's name.
pub const ZONE_NAME: &str = "localhost";
/// The Pages project that exists from the start.
pub const PROJECT: &str = "booking";
/// The load balancer of the zone.
pub const LOAD_BALANCER_ID: &str = "ba1a4ce0ba1a4ce0ba1a4ce0ba1a4ce0";
/// Its pools; everybody is on the first one at the start.
pub const POOL_IDS: [&str; 2] = ["b00e0000b00e0000b00e0000b00e0000", "94ee000094ee000094ee000094ee0000"];
/// The router's secret.
pub const CONTROL_TOKEN: &str = "sandbox-control-token";

/// Why the sandbox does not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tools are not there.
    #[error("{0}")]
    Tools(String),
    /// Something on this machine does not work.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What; follows "cannot".
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A runtime ended, or never answered.
    #[error("{what} did not come up: {why}")]
    NotUp {
        /// Which.
        what: String,
        /// Why, with the last it printed.
        why: String,
    },
}

impl Error {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// A running sandbox. Its methods block, so that tests and the demo are plain code.
#[derive(Debug)]
pub struct Sandbox {
    /// Dropped first: no request is answered any more when the rest goes.
    runtime: Option<tokio::runtime::Runtime>,
    state: Arc<state::State>,
    edge: Option<workerd::Running>,
    /// The public port, where hostnames are served.
    front_port: Option<u16>,
    options: Options,
    api_port: u16,
    binding_port: u16,
    balanced_port: u16,
}

impl Sandbox {
    /// Starts everything and waits until it answers.
    ///
    /// # Errors
    /// When a port is taken, a tool is missing or the router does not come up.
    pub fn start(options: Options) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start the sandbox's threads"))?;
        let state = Arc::new(state::State::new(&options)?);
        let api = runtime.block_on(serve::listen(options.api_port))?;
        let binding = runtime.block_on(serve::listen(0))?;
        let balanced = runtime.block_on(serve::listen(0))?;
        let (api_port, binding_port, balanced_port) =
            (serve::port(&api)?, serve::port(&binding)?, serve::port(&balanced)?);
        let app = api::router(Arc::clone(&state)).merge(control::router(Arc::clone(&state)));
        runtime.spawn(serve::serve(api, app));
        runtime.spawn(serve::serve(binding, binding::router(Arc::clone(&state))));
        let front_port = if options.hosts && options.worker.is_none() {
            let front = runtime.block_on(serve::listen(options.public_port))?;
            let port = serve::port(&front)?;
            state.host(binding_port);
            runtime.spawn(front::serve(front, Arc::clone(&state)));
            Some(port)
        } else {
            None
        };
        runtime.spawn(serve::serve(balanced, balancer::front::router(Arc::clone(&state))));
        let runtime = Some(runtime);
        let mut sandbox =
            Self { runtime, state, edge: None, options, api_port, binding_port, front_port, balanced_port };
        sandbox.restart_router()?;
        sandbox.state.set_urls(sandbox.api_url(), sandbox.public_url());
        Ok(sandbox)
    }

    /// Stops the router and starts it anew: a fresh isolate, the same KV. Does nothing without a router.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_router(&mut self) -> Result<(), Error> {
        let Some(worker) = self.options.worker.clone() else { return Ok(()) };
        let port = self.edge.take().map_or(self.options.public_port, |edge| edge.port());
        let program = edge::program(&self.options, &worker)?;
        let (workerd, directory) = (&self.options.tools.workerd, self.state.directory());
        self.edge = Some(workerd::Running::start(workerd, &program, port, self.binding_port, directory)?);
        Ok(())
    }

    /// Changes the router's `DEFAULT_ORIGIN` and starts it anew.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn set_default_origin(&mut self, origin: &str) -> Result<(), Error> {
        self.options.default_origin = Some(origin.to_owned());
        self.restart_router()
    }

    /// Where the API is: `http://127.0.0.1:PORT/client/v4`.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}/client/v4", self.api_port)
    }

    /// Where faults and the request log are: `http://127.0.0.1:PORT/sandbox`.
    pub fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}/sandbox", self.api_port)
    }

    /// Where visitors go; `None` without a router.
    pub fn public_url(&self) -> Option<String> {
        let named = self.front_port.map(|port| format!("http://{ZONE_NAME}:{port}"));
        named.or_else(|| self.edge.as_ref().map(|edge| format!("http://127.0.0.1:{}", edge.port())))
    }

    /// Makes a DNS record of the zone lead to a host, which may be a Pages project's; `port` is where that host is, when it is
    /// none of Cloudflare's. It goes before what was there.
    pub fn point(&self, name: &str, content: &str, port: Option<u16>, proxied: bool) {
        let mut zone = self.state.zone();
        zone.records.retain(|record| record.name != name);
        let id = pages::uuid().replace('-', "");
        zone.records.push(zone::Record { id, name: name.into(), content: content.into(), proxied });
        zone.hosts.extend(port.map(|port| (content.to_owned(), port)));
    }

    /// Takes a DNS record of the zone away.
    pub fn unpoint(&self, name: &str) {
        self.state.zone().records.retain(|record| record.name != name);
    }

    /// Where visitors of the load balancer go; each request is sent on as it says at that moment.
    pub fn balanced_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.balanced_port)
    }

    /// The load balancer as the API shows it.
    pub fn load_balancer(&self) -> serde_json::Value {
        self.state.balancing().balancer.clone()
    }

    /// A pool as the API shows it; `null` when there is no such pool.
    pub fn pool(&self, id: &str) -> serde_json::Value {
        self.state.balancing().pools.get(id).cloned().unwrap_or_default()
    }

    /// Changes fields of the load balancer as somebody at the dashboard would.
    pub fn change_load_balancer(&self, change: serde_json::Map<String, serde_json::Value>) {
        balancer::patch(&mut self.state.balancing().balancer, change);
    }

    /// Changes fields of a pool likewise.
    pub fn change_pool(&self, id: &str, change: serde_json::Map<String, serde_json::Value>) {
        if let Some(pool) = self.state.balancing().pools.get_mut(id) {
            balancer::patch(pool, change);
        }
    }

    /// The last lines that the router's runtime printed: what the router logged, exceptions among it.
    pub fn router_output(&self) -> Vec<String> {
        self.edge.as_ref().map_or_else(Vec::new, workerd::Running::output)
    }

    /// The process group that the router's runtime runs in, for measuring what it costs.
    pub fn router_group(&self) -> Option<u32> {
        self.edge.as_ref().map(workerd::Running::group)
    }

    /// The environment variables that point `crossfade` and `wrangler` here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CLOUDFLARE_API_BASE_URL", self.api_url()),
            ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID.into()),
            ("CLOUDFLARE_API_TOKEN", API_TOKEN.into()),
            ("CROSSFADE_TOKEN", CONTROL_TOKEN.into()),
        ]
    }

    /// The value of a key in the router's namespace.
    pub fn kv(&self, key: &str) -> Option<Vec<u8>> {
        self.state.kv().value(NAMESPACE_ID, key)
    }

    /// The keys in the router's namespace.
    pub fn kv_keys(&self) -> Vec<String> {
        self.state.kv().keys(NAMESPACE_ID, "")
    }

    /// Writes a key as another program would.
    pub fn put_kv(&self, key: &str, value: &[u8]) {
        self.state.kv().put(NAMESPACE_ID, key, value.to_vec(), None, None);
    }

    /// Removes a key as another program would.
    pub fn delete_kv(&self, key: &str) {
        self.state.kv().delete(NAMESPACE_ID, key);
    }

    /// How often the router has read KV.
    pub fn kv_reads(&self) -> u64 {
        self.state.kv_reads()
    }

    /// What the router's reads of KV meet from now on.
    pub fn set_kv_fault(&self, fault: KvFault) {
        self.state.set_kv_fault(fault);
    }

    /// Adds a fault to the API.
    pub fn fault(&self, fault: Fault) {
        self.state.add_fault(fault);
    }

    /// What Cloudflare keeps its users to from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.state.limits().set(limits);
    }

    /// What the tokens of uploads are like from now on.
    pub fn set_upload_tokens(&self, tokens: UploadTokens) {
        self.state.limits().set_tokens(tokens);
    }

    /// The stages, name and status, that deployments made from now on pass through, one each time that somebody looks; the
    /// last one stays. None are those of a deployment that is served. What fails has logged `lines`.
    pub fn set_stages(&self, stages: &[(&str, &str)], lines: &[&str]) {
        self.state.set_stages(pages::Script::new(stages, lines));
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state.clear_faults();
        self.state.set_kv_fault(KvFault::default());
    }

    /// The API requests so far, oldest first.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.state.requests()
    }

    /// The whole exchanges with the API since this was last asked, bodies included. They are kept from the first time on
    /// that it is asked.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.state.take_exchanges()
    }

    /// The data points that the router wrote to Analytics Engine, as the binding got them.
    pub fn data_points(&self) -> Vec<serde_json::Value> {
        self.state.data_points()
    }

    /// The URLs of the Pages deployments that are being served, by id.
    pub fn deployments(&self) -> Vec<(String, String)> {
        self.state.deployments()
    }

    /// Waits for SIGINT or SIGTERM. `ready` is called once neither ends the process by itself any more: whoever is told
    /// then may send one at once.
    pub fn wait_for_signal(&self, ready: impl FnOnce()) {
        use tokio::signal::unix::{SignalKind, signal};
        let Some(runtime) = &self.runtime else { return };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            ready();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    }

    /// The sandbox's state as JSON, as `GET /sandbox` shows it.
    pub fn describe(&self) -> serde_json::Value {
        self.state.describe()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.edge = None;
        self.state.stop_deployments();
        if let Some(runtime) = self.runtime.take() {
            // What still waits for a deployment to answer sees that it is gone; only then can the directory go too.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        }
    }
}
