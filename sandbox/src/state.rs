//! Everything the sandbox remembers, behind locks that no request holds while it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::assets::extension;
use crate::balancer::Balancing;
use crate::exchange::Exchange;
use crate::faults::{Action, Fault, KvFault};
use crate::home;
use crate::limits::Counted;
use crate::pages::{Project, Script};
use crate::store::Kv;
use crate::tools::Tools;
use crate::zone::Zone;
use crate::{Error, NAMESPACE_ID, Options};

/// An API request as the log keeps it: no headers, no bodies, so no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiRequest {
    /// The method.
    pub method: String,
    /// The path without `/client/v4` and query.
    pub path: String,
    /// The status it was answered with; 0 when the connection was closed instead.
    pub status: u16,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tools: Tools,
    directory: TempDir,
    urls: Mutex<(String, Option<String>)>,
    kv: Mutex<Kv>,
    kv_reads: AtomicU64,
    kv_fault: Mutex<KvFault>,
    data_points: Mutex<Vec<serde_json::Value>>,
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<ApiRequest>>,
    /// `None` until somebody wants them.
    exchanges: Mutex<Option<Vec<Exchange>>>,
    projects: Mutex<BTreeMap<String, Project>>,
    assets: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Keys and extensions that were found to belong together.
    verified: Mutex<BTreeSet<(String, String)>>,
    workers: Mutex<BTreeMap<String, crate::workers::Script>>,
    zone: Mutex<Zone>,
    /// The port of the bindings, where scripts run as they are uploaded.
    hosting: OnceLock<u16>,
    balancing: Mutex<Balancing>,
    limits: Mutex<Counted>,
    script: Mutex<Script>,
    pub(crate) serve_pages: bool,
}

impl State {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut kv = Kv::default();
        kv.create(NAMESPACE_ID, "crossfade-routing");
        let project = Project::new(&options.project, "main");
        Ok(Self {
            tools: options.tools.clone(),
            directory: home::make().map_err(Error::io("make a directory"))?,
            urls: Mutex::default(),
            kv: Mutex::new(kv),
            kv_reads: AtomicU64::new(0),
            kv_fault: Mutex::default(),
            data_points: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            exchanges: Mutex::default(),
            projects: Mutex::new(BTreeMap::from([(options.project.clone(), project)])),
            assets: Mutex::default(),
            verified: Mutex::default(),
            workers: Mutex::default(),
            zone: Mutex::default(),
            hosting: OnceLock::new(),
            balancing: Mutex::default(),
            limits: Mutex::default(),
            script: Mutex::default(),
            serve_pages: options.serve_pages,
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Whether an asset's key was found to be that of a path before: a site of a gigabyte is not hashed each time.
    pub(crate) fn was_verified(&self, key: &str, path: &str) -> bool {
        lock(&self.verified).contains(&(key.to_owned(), extension(path).to_owned()))
    }

    pub(crate) fn verified(&self, key: &str, path: &str) {
        lock(&self.verified).insert((key.to_owned(), extension(path).to_owned()));
    }

    /// Worker scripts by their names.
    pub(crate) fn workers(&self) -> MutexGuard<'_, BTreeMap<String, crate::workers::Script>> {
        lock(&self.workers)
    }

    pub(crate) fn zone(&self) -> MutexGuard<'_, Zone> {
        lock(&self.zone)
    }

    /// Scripts run from now on; their bindings are at this port.
    pub(crate) fn host(&self, binding_port: u16) {
        let _ = self.hosting.set(binding_port);
    }

    /// The port of the bindings, if scripts run.
    pub(crate) fn hosting(&self) -> Option<u16> {
        self.hosting.get().copied()
    }

    pub(crate) fn balancing(&self) -> MutexGuard<'_, Balancing> {
        lock(&self.balancing)
    }

    pub(crate) fn limits(&self) -> MutexGuard<'_, Counted> {
        lock(&self.limits)
    }

    pub(crate) fn set_stages(&self, script: Script) {
        *lock(&self.script) = script;
    }

    /// The stages of a deployment that is made now.
    pub(crate) fn script(&self) -> Script {
        lock(&self.script).clone()
    }

    /// Where the API and the router are, once they are anywhere.
    pub(crate) fn set_urls(&self, api: String, public: Option<String>) {
        *lock(&self.urls) = (api, public);
    }

    pub(crate) fn kv(&self) -> MutexGuard<'_, Kv> {
        lock(&self.kv)
    }

    pub(crate) fn projects(&self) -> MutexGuard<'_, BTreeMap<String, Project>> {
        lock(&self.projects)
    }

    /// Assets by their keys.
    pub(crate) fn assets(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        lock(&self.assets)
    }

    pub(crate) fn kv_reads(&self) -> u64 {
        self.kv_reads.load(Ordering::Relaxed)
    }

    pub(crate) fn count_kv_read(&self) {
        self.kv_reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn kv_fault(&self) -> KvFault {
        *lock(&self.kv_fault)
    }

    pub(crate) fn set_kv_fault(&self, fault: KvFault) {
        *lock(&self.kv_fault) = fault;
    }

    pub(crate) fn add_data_point(&self, point: serde_json::Value) {
        lock(&self.data_points).push(point);
    }

    pub(crate) fn data_points(&self) -> Vec<serde_json::Value> {
        lock(&self.data_points).clone()
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    pub(crate) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        lock(&self.faults).clone()
    }

    /// What the first fault that strikes does.
    pub(crate) fn struck(&self, method: &str, path: &str) -> Option<Action> {
        let mut faults = lock(&self.faults);
        faults.iter_mut().find_map(|fault| fault.strikes(method, path).then(|| fault.action.clone()))
    }

    pub(crate) fn log(&self, request: ApiRequest) {
        lock(&self.requests).push(request);
    }

    pub(crate) fn requests(&self) -> Vec<ApiRequest> {
        lock(&self.requests).clone()
    }

    pub(crate) fn clear_requests(&self) {
        lock(&self.requests).clear();
    }

    pub(crate) fn keeps_exchanges(&self) -> bool {
        lock(&self.exchanges).is_some()
    }

    pub(crate) fn keep_exchange(&self, exchange: Exchange) {
        lock(&self.exchanges).get_or_insert_default().push(exchange);
    }

    /// The exchanges since this was last asked; from now on they are kept.
    pub(crate) fn take_exchanges(&self) -> Vec<Exchange> {
        lock(&self.exchanges).replace(Vec::new()).unwrap_or_default()
    }

    pub(crate) fn deployments(&self) -> Vec<(String, String)> {
        let projects = self.projects();
        let served =
            projects.values().flat_map(Project::deployments).filter(|deployment| deployment.is_live());
        served.map(|deployment| (deployment.id.clone(), deployment.url.clone())).collect()
    }

    pub(crate) fn stop_deployments(&self) {
        self.workers().clear();
        self.projects().clear();
    }

    pub(crate) fn describe(&self) -> Value {
        let (api_url, public_url) = lock(&self.urls).clone();
        json!({
            "api_url": api_url,
            "public_url": public_url,
            "account_id": crate::ACCOUNT_ID,
            "namespace_id": NAMESPACE_ID,
            "projects": self.projects().keys().collect::<Vec<_>>(),
            "deployments": self.deployments(),
            "kv_keys": self.kv().keys(NAMESPACE_ID, ""),
            "kv_reads": self.kv_reads(),
        })
    }
}

/// A panic in one request must not take the sandbox down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
