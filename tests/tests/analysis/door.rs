//! A door before the router: everything passes, but its counters may be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossfade_tests::Site;
use crossfade_tests::origin::{Origin, Received, Wire};

/// The door; it ends with this value.
pub(crate) struct Door {
    _origin: Origin,
    dead: Arc<AtomicBool>,
}

impl Door {
    /// Before the router of this site, whose `crossfade.toml` takes it for the router from now on.
    pub(crate) fn before(site: &Site) -> Self {
        let (dead, router) = (Arc::new(AtomicBool::new(false)), site.sandbox.public_url().unwrap());
        let (its, behind) = (Arc::clone(&dead), router.clone());
        let origin = Origin::new(move |request, wire| {
            if its.load(Ordering::Relaxed) && request.target.starts_with("/__crossfade/metrics") {
                wire.answer("503 Service Unavailable", &[], "the counters are away");
            } else {
                pass(&behind, request, wire);
            }
        });
        site.configure(&router, &origin.url());
        Self { _origin: origin, dead }
    }

    /// The counters do not answer from now on.
    pub(crate) fn counters_die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }
}

fn pass(router: &str, request: &Received, wire: &mut Wire<'_>) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let url = format!("{router}{}", request.target);
    let asked = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    let builder = asked.fold(ureq::http::Request::get(url), |it, (name, value)| it.header(name, value));
    let mut answer = agent.run(builder.body(()).unwrap()).unwrap();
    let headers: Vec<(String, String)> = (answer.headers().iter())
        .filter(|(name, _)| ["content-type", "crossfade"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = answer.body_mut().read_to_vec().unwrap();
    wire.answer(&answer.status().to_string(), &headers, body);
}
