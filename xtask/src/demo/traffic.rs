//! Visitors: each keeps cookies and goes through the site again and again. Every request is remembered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::step::Failed;

/// Requests a second, all visitors together.
pub(super) const PER_SECOND: u32 = 80;
const VISITORS: u32 = 20;
/// After so many rounds a visitor leaves and a new one, without cookies, comes.
const ROUNDS_OF_A_VISITOR: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(10);

/// One request and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When it was sent.
    pub(super) sent: Instant,
    /// Until the whole answer was there.
    pub(super) took: Duration,
    /// The version that answered, by the router's header; `None` before there is a table, and without an answer.
    pub(super) version: Option<String>,
    /// Not a GET.
    pub(super) is_post: bool,
    /// Why the visitor did not get what they asked for.
    pub(super) failure: Option<String>,
}

/// Traffic that goes on until it is stopped.
pub(super) struct Traffic {
    samples: Arc<Mutex<Vec<Sample>>>,
    stop: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Lets visitors come to a site.
    pub(super) fn start(url: &str) -> Self {
        let (samples, stop) = (Arc::<Mutex<Vec<Sample>>>::default(), Arc::<AtomicBool>::default());
        let visitors = (0..VISITORS)
            .map(|number| {
                let (url, samples, stop) = (url.to_owned(), Arc::clone(&samples), Arc::clone(&stop));
                std::thread::spawn(move || {
                    // Spread over the pace, so that they do not come in step.
                    std::thread::sleep(pace().mul_f64(f64::from(number) / f64::from(VISITORS)));
                    let mut visit = 0;
                    while !stop.load(Ordering::Relaxed) {
                        Visitor::new(&url, number, visit, &samples, &stop).stay();
                        visit += 1;
                    }
                })
            })
            .collect();
        Self { samples, stop, visitors }
    }

    /// Waits for the first answers, which must be good.
    pub(super) fn warm_up(&self) -> Result<(), Failed> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let samples = self.samples();
            if let Some(failure) = samples.iter().find_map(|sample| sample.failure.as_deref()) {
                return Err(Failed::new("the traffic before the first release", failure));
            }
            if samples.len() >= PER_SECOND as usize {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(Failed::new("the traffic before the first release", "there are hardly any answers"))
    }

    /// All requests so far.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the visitors away and returns what they saw.
    pub(super) fn stop(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        for visitor in self.visitors {
            let _ = visitor.join();
        }
        let mut samples = std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner));
        samples.sort_by_key(|sample| sample.sent);
        samples
    }
}

/// The time between two requests of one visitor.
fn pace() -> Duration {
    Duration::from_secs(1) * VISITORS / PER_SECOND
}

struct Visitor<'a> {
    agent: ureq::Agent,
    url: &'a str,
    name: String,
    next: Instant,
    samples: &'a Mutex<Vec<Sample>>,
    stop: &'a AtomicBool,
}

impl<'a> Visitor<'a> {
    fn new(
        url: &'a str,
        number: u32,
        visit: u32,
        samples: &'a Mutex<Vec<Sample>>,
        stop: &'a AtomicBool,
    ) -> Self {
        // Without cookies visitors are told apart by address and browser, and all of ours come from one address.
        let name = format!("visitor-{number}-{visit}");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(&name)
            .build()
            .into();
        Self { agent, url, name, next: Instant::now(), samples, stop }
    }

    /// A page with its files, free times, signing in, booking, cancelling: round after round.
    fn stay(&mut self) {
        for _ in 0..ROUNDS_OF_A_VISITOR {
            let page = self.get("/", 200);
            let assets: Vec<&str> = page.split('"').filter(|text| text.starts_with("/assets/")).collect();
            for asset in assets {
                self.get(asset, 200);
            }
            self.get("/api/slots?date=2026-12-01", 200);
            let email = format!("{}@example.com", self.name);
            let credentials = serde_json::json!({ "email": email, "password": "open sesame" });
            let session = self.post("/api/session", "", &credentials);
            let token = serde_json::from_str::<serde_json::Value>(&session).unwrap_or_default();
            // Who could not sign in has nothing to book with: one failure must not look like two.
            let Some(token) = token["token"].as_str() else { continue };
            let booking = serde_json::json!({ "slot": "2026-12-01T09:00", "name": self.name });
            self.post("/api/bookings", token, &booking);
        }
    }

    fn get(&mut self, path: &str, expected: u16) -> String {
        let request = self.agent.get(format!("{}{path}", self.url));
        self.send(false, path, expected, || request.call())
    }

    /// `token` is empty for somebody who has not signed in.
    fn post(&mut self, path: &str, token: &str, json: &serde_json::Value) -> String {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(true, path, 201, || request.send_json(json))
    }

    fn send(
        &mut self,
        is_post: bool,
        path: &str,
        expected: u16,
        send: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> String {
        if self.stop.load(Ordering::Relaxed) {
            return String::new();
        }
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next = (self.next + pace()).max(Instant::now());
        let sent = Instant::now();
        let answer = send().and_then(|mut response| {
            let header =
                response.headers().get("crossfade").and_then(|value| value.to_str().ok()).and_then(version);
            Ok((response.status().as_u16(), header, response.body_mut().read_to_string()?))
        });
        let (version, failure, body) = match answer {
            Ok((status, version, body)) if status == expected => (version, None, body),
            Ok((status, version, _)) => (version, Some(format!("{path}: status {status}")), String::new()),
            Err(error) => (None, Some(format!("{path}: {error}")), String::new()),
        };
        let sample = Sample { sent, took: sent.elapsed(), version, is_post, failure };
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        body
    }
}

/// The version in the router's response header.
fn version(header: &str) -> Option<String> {
    let (_, rest) = header.split_once("version=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}
