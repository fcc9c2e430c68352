//! What visitors meet, judged: the real program, the router and its counters in real workerd, versions that are scripted origins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod door;
mod judged;
mod numbers;
mod sources;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use crossfade_sandbox::{Counters, NAMESPACE_ID};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Running, Site};
use serde_json::Value;

/// A site on which 1.0.0 serves, and 2.0.0 that is there and waits to be released.
pub(crate) struct Stage {
    pub(crate) site: Site,
    new: Origin,
    pages: Arc<AtomicU8>,
    _others: Vec<Origin>,
}

/// How the new version's pages are; its health checks never show it.
#[derive(Clone, Copy)]
pub(crate) enum Pages {
    /// As they should be.
    Well,
    /// Every other request fails.
    Failing,
    /// Each answer takes long.
    Slow,
}

impl Stage {
    /// `rollout` are lines of `[rollout]`, `more` is what follows.
    pub(crate) fn new(rollout: &str, more: &str) -> Self {
        Self::counted(rollout, more, Counters::Working)
    }

    /// The same where counters are like this.
    pub(crate) fn counted(rollout: &str, more: &str, counters: Counters) -> Self {
        let versions = [("blue", "1.0.0"), ("green", "0.9.0")];
        let (site, others) = Site::serving_with(&versions, |options| options.counters = counters);
        let pages = Arc::new(AtomicU8::new(Pages::Well as u8));
        let (are, asked) = (Arc::clone(&pages), AtomicU8::new(0));
        let new = Origin::new(move |request, wire| {
            let page = request.target == "/";
            let are = are.load(Ordering::Relaxed);
            if page && are == Pages::Slow as u8 {
                std::thread::sleep(Duration::from_millis(600));
            }
            let odd = asked.fetch_add(u8::from(page), Ordering::Relaxed) % 2 == 1;
            let failing = page && odd && are == Pages::Failing as u8;
            let status = if failing { "500 Internal Server Error" } else { "200 OK" };
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
measure_every = "2s"
listen_every = "300ms"
{rollout}

[[health]]
name = "basic"
path = "/api/health/basic"

{more}
"#
            ),
        );
        Self { site, new, pages, _others: others }
    }

    /// The new version's pages are like this from now on.
    pub(crate) fn are(&self, pages: Pages) {
        self.pages.store(pages as u8, Ordering::Relaxed);
    }

    /// Begins to release 2.0.0.
    pub(crate) fn begin(&self) -> Running {
        Running::begin(self.site.command(&[
            "rollout",
            "--json",
            "--origin",
            &self.new.url(),
            "--as",
            "2.0.0",
        ]))
    }

    /// Releases 2.0.0.
    pub(crate) fn release(&self) -> Ended {
        self.begin().end()
    }

    /// Whether everybody is on this version, and nothing is in flight.
    pub(crate) fn serves(&self, version: &str) -> bool {
        self.site.live() == (version.to_owned(), true)
    }

    /// Visitors who come again and again while this happens, without cookies, so that each is drawn anew; how many came, and how
    /// many of them saw an error.
    pub(crate) fn visited<T>(&self, while_: impl FnOnce() -> T) -> (usize, usize, T) {
        let url = format!("{}/", self.site.sandbox.public_url().unwrap());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let visitors: Vec<_> = (0..4)
                .map(|nth| {
                    let (done, url) = (&done, &url);
                    scope.spawn(move || {
                        let (mut asked, mut failed) = (0_usize, 0);
                        while !done.load(Ordering::Relaxed) {
                            asked += 1;
                            let agent: ureq::Agent = ureq::Agent::config_builder()
                                .http_status_as_error(false)
                                .timeout_global(Some(Duration::from_secs(10)))
                                .build()
                                .into();
                            let address = format!("10.{nth}.{}.{}", asked / 250 % 250, asked % 250);
                            let well = (agent.get(url).header("cf-connecting-ip", address).call())
                                .is_ok_and(|answer| answer.status() == 200);
                            failed += usize::from(!well);
                            std::thread::sleep(Duration::from_millis(2));
                        }
                        (asked, failed)
                    })
                })
                .collect();
            let came_of_it = while_();
            done.store(true, Ordering::Relaxed);
            let counts = visitors.into_iter().map(|visitor| visitor.join().unwrap());
            let (asked, failed) = counts.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            (asked, failed, came_of_it)
        })
    }
}

/// The looks that a release told of.
pub(crate) fn looks(ended: &Ended) -> Vec<Value> {
    ended.events().into_iter().filter(|event| event["type"] == "measurement").collect()
}
