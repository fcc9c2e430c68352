//! An edge that counts: in front of a sandbox's router, with the counters' endpoint as it is documented. What it counts is what the
//! router's own header says of each answer, so it counts what visitors really met.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossfade_core::analysis::LatencyHistogram;
use crossfade_core::table::RoutingTable;
use crossfade_sandbox::CONTROL_TOKEN;
use serde_json::{Value, json};

use crate::Site;
use crate::origin::{Origin, Received, Wire};

/// The edge; it ends with this value.
pub struct CountingEdge {
    origin: Origin,
    shared: Arc<Shared>,
}

/// Whether the counters answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// They do.
    Well,
    /// They are there, and do not.
    Dead,
    /// There are none.
    Absent,
}

#[derive(Default)]
struct Shared {
    counters: AtomicU8,
    arrived: Mutex<Vec<Arrived>>,
    /// Who wrote which revision, and with which versions.
    tables: Mutex<BTreeMap<u64, RoutingTable>>,
}

/// One answer.
struct Arrived {
    at: u64,
    revision: u64,
    variant: String,
    failed: bool,
    micros: u64,
}

impl CountingEdge {
    /// The edge of this site, whose `crossfade.toml` takes it for the router from now on.
    pub fn before(site: &Site) -> Self {
        let shared = Arc::new(Shared::default());
        let (its, router) = (Arc::clone(&shared), site.sandbox.public_url().unwrap());
        let behind = router.clone();
        let origin = Origin::new(move |request, wire| {
            if request.target.starts_with("/__crossfade/metrics") {
                its.answer(request, wire);
            } else {
                its.pass_on(&behind, request, wire);
            }
        });
        site.configure(&router, &origin.url());
        Self { origin, shared }
    }

    /// Where visitors come.
    pub fn url(&self) -> String {
        self.origin.url()
    }

    /// The counters are like this from now on.
    pub fn counters(&self, are: Counters) {
        self.shared.counters.store(are as u8, Ordering::Relaxed);
    }

    /// Requests to a variant, and how many of them failed.
    pub fn counted(&self, variant: &str) -> (usize, usize) {
        let arrived = self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let its: Vec<_> = arrived.iter().filter(|answer| answer.variant == variant).collect();
        (its.len(), its.iter().filter(|answer| answer.failed).count())
    }
}

impl Shared {
    fn pass_on(&self, router: &str, request: &Received, wire: &mut Wire<'_>) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let mut builder = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{router}{}", request.target));
        for (name, value) in &request.headers {
            if !["host", "content-length", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
                builder = builder.header(name, value);
            }
        }
        let started = Instant::now();
        // A body of no length is one all the same, and what has one is not rescued.
        let answered = match request.body.is_empty() {
            true => agent.run(builder.body(()).unwrap()),
            false => agent.run(builder.body(request.body.clone()).unwrap()),
        };
        let Ok(mut answer) = answered else {
            return wire.answer("502 Bad Gateway", &[], "the router does not answer");
        };
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap();
        let header = answer.headers().get("crossfade").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let control = request.target.starts_with("/__crossfade/");
        if let Some(header) = header.filter(|_| !control && request.header("crossfade-variant").is_none()) {
            self.count(&header, answer.status().as_u16(), micros, router);
        }
        let headers: Vec<(String, String)> = (answer.headers().iter())
            .filter(|(name, _)| {
                !["content-length", "transfer-encoding", "connection"].contains(&name.as_str())
            })
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = answer.body_mut().read_to_vec().unwrap_or_default();
        wire.answer(&answer.status().to_string(), &headers, body);
    }

    /// `variant="green", version="1.5.0", revision=42`; a rescued answer is stable's, and a failure of the canary's.
    fn count(&self, header: &str, status: u16, micros: u64, router: &str) {
        let value = |name: &str| {
            let rest = header.split_once(&format!("{name}="))?.1;
            Some(rest.split(',').next()?.trim_matches('"').to_owned())
        };
        let (Some(answered), Some(revision)) =
            (value("variant"), value("revision").and_then(|it| it.parse().ok()))
        else {
            return;
        };
        let table = self.table(router, revision);
        let rescued = header.contains("rescued");
        let others = table.variants().iter().map(|variant| variant.name.as_str());
        let canary = others.clone().find(|name| *name != table.stable().name.as_str());
        let variant = if rescued { canary.unwrap_or_default().to_owned() } else { answered };
        let arrived = Arrived { at: now(), revision, variant, failed: rescued || status >= 500, micros };
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
    }

    /// The table of a revision, as the router says it when it is first met.
    fn table(&self, router: &str, revision: u64) -> RoutingTable {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(&revision) {
            return table.clone();
        }
        let request = ureq::get(format!("{router}/__crossfade/status"));
        let status: Value = request
            .header("authorization", format!("Bearer {CONTROL_TOKEN}"))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        let table = RoutingTable::parse(status["table"].to_string().as_bytes()).unwrap();
        tables.insert(revision, table.clone());
        table
    }

    fn answer(&self, request: &Received, wire: &mut Wire<'_>) {
        let is = self.counters.load(Ordering::Relaxed);
        if request.header("authorization") != Some(&format!("Bearer {CONTROL_TOKEN}")) {
            return wire.answer("401 Unauthorized", &[], "this endpoint needs the secret");
        }
        if is == Counters::Dead as u8 {
            return wire.answer("503 Service Unavailable", &[], "the counters are away");
        }
        if is == Counters::Absent as u8 {
            return wire.answer("404 Not Found", &[], "this router has no COUNTERS");
        }
        let parameter = |name: &str| -> Option<u64> {
            let rest = request.target.split_once(&format!("{name}="))?.1;
            rest.split('&').next()?.parse().ok()
        };
        // The second that is not over may still grow.
        let until = now() / 1_000 * 1_000;
        let from = parameter("from").unwrap_or(0);
        let to = parameter("to").unwrap_or(u64::MAX);
        let by_second = request.target.contains("by=second");
        let body = json!({
            "schema": 1, "environment": "production", "from": from, "to": to, "until": until,
            "series": self.series(from, to, by_second),
        });
        wire.answer("200 OK", &[("content-type", "application/json")], body.to_string());
    }

    fn series(&self, from: u64, to: u64, by_second: bool) -> Vec<Value> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = BTreeMap::<(u64, u64, &str), (u64, u64, LatencyHistogram)>::new();
        for answer in arrived.iter().filter(|answer| (from..to).contains(&answer.at)) {
            let second = if by_second { answer.at / 1_000 * 1_000 } else { 0 };
            let (requests, errors, latency) =
                sums.entry((second, answer.revision, &answer.variant)).or_default();
            (*requests, *errors) = (*requests + 1, *errors + u64::from(answer.failed));
            latency.record(answer.micros);
        }
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |((at, revision, variant), (requests, errors, latency)): (_, (u64, u64, _))| {
            let (at, revision, variant): (u64, u64, &str) = (at, revision, variant);
            let table = &tables[&revision];
            let version = table.variants().iter().find(|it| it.name.as_str() == variant);
            json!({
                "at": at, "revision": revision, "release": table.release(), "variant": variant,
                "version": version.map(|variant| &variant.version), "requests": requests, "errors": errors,
                "exceptions": 0, "timeouts": 0, "rescued": 0, "fallbacks": 0, "ejections": 0, "newly_failing": 0,
                "latency": latency,
            })
        };
        sums.into_iter().map(one).collect()
    }
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
