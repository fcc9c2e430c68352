//! Releases in flight, and what people do with them from elsewhere: the real program twice, the sandbox's API, the router in
//! real workerd. Versions are scripted origins, released by `crossfade rollout`, so that a release takes seconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod canary;
mod dead;
mod heirs;
mod orders;
mod second;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crossfade_core::RoutingTable;
use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::{Running, Site, origin::Origin};
use serde_json::Value;

/// A site on which 1.0.0 serves, with a canary's plan, and 2.0.0 that is there and waits to be released.
pub(crate) struct Stage {
    pub(crate) site: Site,
    new: Origin,
    health: Arc<AtomicU8>,
    _others: Vec<Origin>,
}

/// How the new version is.
#[derive(Clone, Copy)]
pub(crate) enum Health {
    /// As it should be.
    Well,
    /// Each request fails.
    Failing,
    /// Each answer takes longer than it may.
    Slow,
}

impl Stage {
    /// `rollout` are the lines of `[rollout]` beside those that make it quick.
    pub(crate) fn new(rollout: &str) -> Self {
        let (site, others) = Site::serving(&[("blue", "1.0.0"), ("green", "0.9.0")]);
        let health = Arc::new(AtomicU8::new(Health::Well as u8));
        let its = Arc::clone(&health);
        let new = Origin::new(move |_, wire| {
            let is = its.load(Ordering::Relaxed);
            if is == Health::Slow as u8 {
                std::thread::sleep(Duration::from_millis(1_500));
            }
            let status = if is == Health::Failing as u8 { "500 Internal Server Error" } else { "200 OK" };
            let body = r#"{"version":"2.0.0","status":"ok"}"#;
            wire.answer(status, &[("content-type", "application/json")], body);
        });
        let url = site.sandbox.public_url().unwrap();
        site.write(
            "crossfade.toml",
            &format!(
                r#"project = "booking"

[environments.production]
url = "{url}"
kv_namespace = "{NAMESPACE_ID}"

[version]
path = "/version.json"

[rollout]
strategy = "canary"
lease = "6s"
renew_every = "2s"
propagation = "2s"
confirm_within = "30s"
measure_every = "1s"
listen_every = "300ms"
{rollout}

[[health]]
name = "basic"
path = "/api/health/basic"
expect = {{ json = {{ "/status" = "ok" }}, latency = "1s" }}
"#
            ),
        );
        let _ = site.sandbox.take_exchanges();
        Self { site, new, health, _others: others }
    }

    /// The new version is like this from now on.
    pub(crate) fn is(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    /// Begins to release 2.0.0.
    pub(crate) fn begin(&self) -> Running {
        self.begin_as("2.0.0")
    }

    pub(crate) fn begin_as(&self, version: &str) -> Running {
        Running::begin(self.site.command(&[
            "rollout",
            "--json",
            "--origin",
            &self.new.url(),
            "--as",
            version,
        ]))
    }

    /// Waits until the edge has been seen to serve the new version at this share.
    pub(crate) fn until_held(&self, running: &mut Running, share: &str) {
        running.until(&format!("{share}; passed\"}}"));
    }

    /// The new version's weight, in basis points, in each table that was written, the same once; and whether it had a lease.
    pub(crate) fn written(&self) -> Vec<(u16, bool)> {
        let path = "values/routing%3Aproduction";
        let exchanges = self.site.sandbox.take_exchanges();
        let puts = exchanges.iter().filter(|it| it.method == "PUT" && it.path.ends_with(path));
        let tables = puts.map(|put| RoutingTable::parse(&put.request.body).unwrap());
        let mut written: Vec<(u16, bool)> = tables
            .map(|table| {
                let new = table.variants().iter().find(|variant| variant.version.as_str() == "2.0.0");
                let weight = new.map_or(0, |variant| variant.weight.basis_points());
                (weight, table.lease().is_some())
            })
            .collect();
        written.dedup();
        written
    }

    /// The weight that the table in KV gives the new version.
    pub(crate) fn weight(&self) -> u16 {
        let table = self.site.table();
        let new = table.variants().iter().find(|variant| variant.version.as_str() == "2.0.0");
        new.map_or(0, |variant| variant.weight.basis_points())
    }

    pub(crate) fn record(&self) -> Value {
        self.site.document("release:production")
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !met() {
        assert!(Instant::now() < deadline, "it took too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
