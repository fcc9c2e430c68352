//! What visitors meet, judged: the real program, the router and its counters in real workerd, versions that are scripted origins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod door;
mod judged;
mod numbers;
mod sources;
mod speed;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossfade_sandbox::{Counters, NAMESPACE_ID};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Running, Site};
use serde_json::Value;

/// A site on which 1.0.0 serves, and 2.0.0 that is there and waits to be released.
pub(crate) struct Stage {
    pub(crate) site: Site,
    new: Origin,
    new_pages: Arc<Mutex<Performance>>,
    _others: Vec<Origin>,
}

/// How the new version's pages are; its health checks never show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// As they should be.
    Well,
    /// One request of so many fails.
    Failing { one_of: u32 },
    /// Each answer takes long.
    Slow,
}

/// The new version's pages, and what came of them.
struct Performance {
    pages: Pages,
    asked: u32,
    failed: u32,
    first_failure: Option<Instant>,
}

impl Performance {
    /// Whether the page that is asked for now fails.
    fn fails(&mut self) -> bool {
        self.asked += 1;
        let fails = matches!(self.pages, Pages::Failing { one_of } if self.asked.is_multiple_of(one_of));
        if fails {
            self.failed += 1;
            self.first_failure.get_or_insert_with(Instant::now);
        }
        fails
    }
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
        let new_pages = Arc::new(Mutex::new(Performance {
            pages: Pages::Well,
            asked: 0,
            failed: 0,
            first_failure: None,
        }));
        let performance = Arc::clone(&new_pages);
        let new = Origin::new(move |request, wire| {
            let page = request.target == "/";
            let failing = page && performance.lock().unwrap().fails();
            if page && performance.lock().unwrap().pages == Pages::Slow {
                std::thread::sleep(Duration::from_millis(600));
            }
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
        Self { site, new, new_pages, _others: others }
    }

    /// The new version's pages are like this from now on.
    pub(crate) fn are(&self, pages: Pages) {
        self.new_pages.lock().unwrap().pages = pages;
    }

    /// How many of the new version's pages failed.
    pub(crate) fn failures(&self) -> u32 {
        self.new_pages.lock().unwrap().failed
    }

    /// When the first of the new version's pages failed.
    pub(crate) fn first_failure(&self) -> Option<Instant> {
        self.new_pages.lock().unwrap().first_failure
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

    /// Visitors who come again and again while this happens, without cookies, so that each is drawn anew; how many came, and what
    /// those saw who saw an error.
    pub(crate) fn visited<T>(&self, while_: impl FnOnce() -> T) -> (usize, Vec<String>, T) {
        let url = format!("{}/", self.site.sandbox.public_url().unwrap());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let visitors: Vec<_> = (0..4)
                .map(|nth| {
                    let (done, url) = (&done, &url);
                    scope.spawn(move || {
                        let (mut asked, mut failed) = (0_usize, Vec::new());
                        while !done.load(Ordering::Relaxed) {
                            asked += 1;
                            let agent: ureq::Agent = ureq::Agent::config_builder()
                                .http_status_as_error(false)
                                .timeout_global(Some(Duration::from_secs(10)))
                                .build()
                                .into();
                            let address = format!("10.{nth}.{}.{}", asked / 250 % 250, asked % 250);
                            match agent.get(url).header("cf-connecting-ip", address).call() {
                                Ok(answer) if answer.status() == 200 => {}
                                Ok(mut answer) => {
                                    let text = answer.body_mut().read_to_string();
                                    failed.push(format!(
                                        "{} {:?} {text:?}",
                                        answer.status(),
                                        answer.headers()
                                    ));
                                }
                                Err(error) => failed.push(format!("{error:?}")),
                            }
                            std::thread::sleep(Duration::from_millis(2));
                        }
                        (asked, failed)
                    })
                })
                .collect();
            let came_of_it = while_();
            done.store(true, Ordering::Relaxed);
            let counts = visitors.into_iter().map(|visitor| visitor.join().unwrap());
            let (asked, failed): (Vec<usize>, Vec<Vec<String>>) = counts.unzip();
            (asked.into_iter().sum(), failed.concat(), came_of_it)
        })
    }
}

/// The looks that a release told of.
pub(crate) fn looks(ended: &Ended) -> Vec<Value> {
    ended.events().into_iter().filter(|event| event["type"] == "measurement").collect()
}
