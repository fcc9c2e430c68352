//! A site behind a load balancer instead of the router: 1.0.0 serves, 2.0.0 is there and waits to be released.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossfade_sandbox::{LOAD_BALANCER_ID, NAMESPACE_ID, POOL_IDS, ZONE_ID};
use serde_json::{Value, json};

use crate::origin::Origin;
use crate::run::{Ended, Running};
use crate::site::Site;

/// The site.
pub struct Balanced {
    /// The project, without a router.
    pub site: Site,
    new: Origin,
    fails: Arc<AtomicBool>,
    _old: Vec<Origin>,
}

impl Balanced {
    /// `rollout` are the lines of `[rollout]` beside those that make it quick.
    pub fn new(rollout: &str) -> Self {
        let (site, old) = Site::serving_with(&[("blue", "1.0.0")], |options| options.worker = None);
        let fails = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&fails);
        let new = Origin::new(move |_, wire| {
            let status = if its.load(Ordering::Relaxed) { "500 Internal Server Error" } else { "200 OK" };
            wire.answer(
                status,
                &[("content-type", "application/json")],
                r#"{"version":"2.0.0","status":"ok"}"#,
            );
        });
        let ([blue, green], url) = (POOL_IDS, site.sandbox.balanced_url());
        site.write(
            "crossfade.toml",
            &format!(
                r#"project = "booking"

[environments.production]
url = "{url}"
kv_namespace = "{NAMESPACE_ID}"
load_balancer = {{ zone = "{ZONE_ID}", id = "{LOAD_BALANCER_ID}", pools = {{ blue = "{blue}", green = "{green}" }} }}

[version]
path = "/version.json"

[rollout]
strategy = "canary"
lease = "6s"
renew_every = "1s"
propagation = "2s"
confirm_within = "30s"
measure_every = "500ms"
listen_every = "200ms"
{rollout}

[[health]]
name = "basic"
path = "/api/health/basic"
expect = {{ json = {{ "/status" = "ok" }}, latency = "2s" }}
"#
            ),
        );
        let host = old[0].host();
        let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
        let endpoint = json!({ "name": "theirs", "address": "127.0.0.1", "port": port, "enabled": true, "weight": 1,
                               "header": { "Host": [host] } });
        let change = |fields: Value| fields.as_object().unwrap().clone();
        site.sandbox.change_pool(blue, change(json!({ "origins": [endpoint] })));
        site.sandbox.change_pool(green, change(json!({ "enabled": false })));
        Self { site, new, fails, _old: old }
    }

    /// The new version fails each request from now on, or no more.
    pub fn fails(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// Releases 2.0.0.
    pub fn release(&self) -> Ended {
        self.site.run(&["rollout", "--origin", &self.new.url(), "--as", "2.0.0"])
    }

    /// Begins to release 2.0.0, by the workflow run that `run` is.
    pub fn begin_in(&self, run: &str) -> Running {
        let mut command =
            self.site.command(&["rollout", "--json", "--origin", &self.new.url(), "--as", "2.0.0"]);
        command.envs(workflow(run));
        Running::begin(command)
    }

    /// What the action does after the workflow run `run` was cut off.
    pub fn post(&self, run: &str) -> Ended {
        let mut command = self.site.command(&["rollback", "--if-unsettled"]);
        command.envs(workflow(run));
        Ended::of(command)
    }

    /// Waits until the new version was measured at this share.
    pub fn until_held(&self, running: &mut Running, share: &str) {
        running.until(&format!("{share}; passed\"}}"));
    }

    /// Changes fields of the load balancer at the dashboard.
    pub fn by_hand(&self, fields: &Value) {
        self.site.sandbox.change_load_balancer(fields.as_object().unwrap().clone());
    }

    /// The weights of blue's pool and green's.
    pub fn weights(&self) -> [f64; 2] {
        let weights = self.site.sandbox.load_balancer()["random_steering"]["pool_weights"].clone();
        POOL_IDS.map(|id| weights[id].as_f64().unwrap())
    }

    /// Whether blue's pool is enabled, and green's.
    pub fn enabled(&self) -> [bool; 2] {
        POOL_IDS.map(|id| self.site.sandbox.pool(id)["enabled"] == true)
    }

    /// Where so many visitors land, each without a past: versions, and statuses of those that fail.
    pub fn land(&self, visitors: usize) -> BTreeMap<String, usize> {
        let mut landed = BTreeMap::new();
        for _ in 0..visitors {
            *landed.entry(self.visit(None).0).or_default() += 1;
        }
        landed
    }

    /// Where a visitor lands, and the cookie that he is given.
    pub fn visit(&self, cookie: Option<&str>) -> (String, Option<String>) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut request = agent.get(format!("{}/version.json", self.site.sandbox.balanced_url()));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let mut answer = request.call().unwrap();
        let given = answer.headers().get("set-cookie").map(|it| it.to_str().unwrap());
        let given = given.and_then(|it| it.split(';').next()).map(str::to_owned);
        if answer.status() != 200 {
            return (answer.status().to_string(), given);
        }
        let document: Value = answer.body_mut().read_json().unwrap();
        (document["version"].as_str().unwrap().to_owned(), given)
    }

    /// What was written, in its order: `kv`, `balancer`, `pool blue`, `pool green`; the same several times in a row once.
    pub fn written(&self) -> Vec<&'static str> {
        let [blue, green] = POOL_IDS;
        let name = |path: &str| match path.rsplit('/').next() {
            Some(last) if last == blue => Some("pool blue"),
            Some(last) if last == green => Some("pool green"),
            Some(last) if last == LOAD_BALANCER_ID => Some("balancer"),
            Some("routing:production" | "routing%3Aproduction") => Some("kv"),
            _ => None,
        };
        let changes = self.site.changes();
        let done = changes.iter().filter(|it| it.status == 200);
        let mut written: Vec<_> = done.filter_map(|it| name(&it.path)).collect();
        written.dedup();
        written
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn until(&self, what: &str, mut met: impl FnMut() -> bool) -> Duration {
        let begun = Instant::now();
        while !met() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it took too long until {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }
}

fn workflow(run: &str) -> [(&'static str, &str); 3] {
    [
        ("GITHUB_SERVER_URL", "https://git.example"),
        ("GITHUB_REPOSITORY", "shop/booking"),
        ("GITHUB_RUN_ID", run),
    ]
}
