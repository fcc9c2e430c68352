//! A fleet: instances that are replaced in place by commands, and visitors of them. An instance remembers who came while it was
//! being replaced.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Site;
use crate::origin::Origin;

/// A site with a fleet in place of the example's two slots.
pub struct Fleet {
    /// The project, on a sandbox of its own.
    pub site: Site,
    /// The instances by their names.
    pub instances: Vec<Instance>,
}

/// One instance. Its files are `NAME/version`, what it serves; `NAME/busy`, there while it is replaced; `NAME/sick`, the version whose
/// health check fails; `NAME/fail-deploy`, `NAME/fail-rollback`, `NAME/slow`, read by its commands.
pub struct Instance {
    /// Its name in the table.
    pub name: String,
    origin: Origin,
    directory: PathBuf,
    met: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    /// So many instances, all with version 1.0.0 and the same share, replaced `batch` at a time.
    pub fn new(count: usize, batch: usize) -> Self {
        let fleet = Self::fresh(count, batch);
        fleet.serve_all();
        fleet
    }

    /// The same before the first release ever.
    pub fn fresh(count: usize, batch: usize) -> Self {
        let site = Site::new();
        let instances: Vec<Instance> = (0..count).map(|index| Instance::new(site.path(), index)).collect();
        let fleet = Self { site, instances };
        fleet.site.write("deploy.sh", DEPLOY);
        fleet.configure(batch, &fleet.entries());
        fleet
    }

    /// The `[[instances]]` of all instances.
    pub fn entries(&self) -> String {
        self.instances.iter().map(Instance::entry).collect()
    }

    /// Writes the configuration anew.
    pub fn configure(&self, batch: usize, entries: &str) {
        let url = self.site.sandbox.public_url().unwrap();
        let namespace = crossfade_sandbox::NAMESPACE_ID;
        self.site.write(
            "crossfade.toml",
            &format!(
                r#"project = "booking"
[environments.production]
url = "{url}"
kv_namespace = "{namespace}"
[version]
path = "/version.json"
within = "5s"
[[health]]
name = "basic"
path = "/health"
retries = 0
[rollout]
strategy = "rolling"
lease = "60s"
renew_every = "10s"
propagation = "1100ms"
confirm_within = "10s"
measure_every = "200ms"
listen_every = "300ms"
[rollout.rolling]
batch = {batch}
drain = "300ms"
watch = "600ms"
between = "100ms"
{entries}"#
            ),
        );
    }

    /// Adds an instance to the fleet, as yet outside of the table.
    pub fn add(&mut self) {
        let instance = Instance::new(self.site.path(), self.instances.len());
        self.instances.push(instance);
    }

    /// Writes a table in which all serve 1.0.0.
    pub fn serve_all(&self) {
        let count = self.instances.len();
        let variants: Vec<Value> = self
            .instances
            .iter()
            .enumerate()
            .map(|(index, instance)| {
                let weight = 10_000 / count + usize::from(index < 10_000 % count);
                json!({ "name": instance.name, "origin": instance.origin.url(), "version": "1.0.0", "weight": weight })
            })
            .collect();
        self.site.put(
            "routing:production",
            &json!({
                "schema": 1, "environment": "production", "revision": 1, "release": "rel-before",
                "updated_at": "2026-01-01T00:00:00Z", "stable": self.instances[0].name, "variants": variants,
                "affinity": { "by": "cookie", "salt": "rel-before" },
            }),
        );
    }

    /// What each instance serves now, in order.
    pub fn versions(&self) -> Vec<String> {
        self.instances.iter().map(Instance::version).collect()
    }

    /// Each variant's weight in the table, in basis points, by name.
    pub fn weight(&self, name: &str) -> u16 {
        let table = self.site.table();
        let variant = table.variants().iter().find(|variant| variant.name.as_str() == name);
        variant.map_or(0, |variant| variant.weight.basis_points())
    }

    /// Fails the test when a visitor met an instance that was being replaced.
    #[track_caller]
    pub fn nobody_met_a_busy_one(&self) {
        for instance in &self.instances {
            let met = instance.met.lock().unwrap();
            assert!(met.is_empty(), "{} was visited while it was replaced: {met:?}", instance.name);
        }
    }
}

/// Marks begin and end around what takes its time, as a deployment does.
const DEPLOY: &str = r#"cd "$CROSSFADE_INSTANCE" || exit 9
touch busy
echo "$1 $CROSSFADE_VERSION" >> log
sleep "$(cat slow 2>/dev/null || echo 0.3)"
test -e "fail-$1" && { rm busy; echo "no room left"; exit 1; }
printf '%s' "$CROSSFADE_VERSION" > version
rm busy
"#;

impl Instance {
    fn new(project: &Path, index: usize) -> Self {
        let name = format!("i{index}");
        let directory = project.join(&name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("version"), "1.0.0").unwrap();
        let met = Arc::<Mutex<Vec<String>>>::default();
        let (at, visits) = (directory.clone(), Arc::clone(&met));
        let origin = Origin::new(move |request, wire| {
            let probe = request.header("user-agent").is_some_and(|agent| agent.starts_with("crossfade/"));
            // Some requests take so long that they are in flight whenever an instance is drained.
            let busy = || !probe && at.join("busy").exists();
            let looks = if request.target == "/slow" { 30 } else { 1 };
            let mut met_busy = false;
            for look in 0..looks {
                std::thread::sleep(Duration::from_millis(if look == 0 { 0 } else { 50 }));
                met_busy |= busy();
            }
            if met_busy {
                visits.lock().unwrap().push(request.target.clone());
            }
            let version = std::fs::read_to_string(at.join("version")).unwrap_or_default();
            let sick = std::fs::read_to_string(at.join("sick")).is_ok_and(|sick| sick == version);
            let status = if request.target == "/health" && sick { "500 Sick" } else { "200 OK" };
            let body = json!({ "version": version }).to_string();
            wire.answer(status, &[("content-type", "application/json")], body);
        });
        Self { name, origin, directory, met }
    }

    /// Its `[[instances]]`.
    pub fn entry(&self) -> String {
        let (name, origin) = (&self.name, self.origin.url());
        format!(
            "[[instances]]\nname = \"{name}\"\norigin = \"{origin}\"\ndeploy = \"sh deploy.sh deploy\"\n\
             rollback = \"sh deploy.sh rollback\"\ntimeout = \"20s\"\n"
        )
    }

    /// What it serves now.
    pub fn version(&self) -> String {
        std::fs::read_to_string(self.directory.join("version")).unwrap_or_default()
    }

    /// Its commands so far: `deploy 1.1.0`.
    pub fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Whether it is being replaced.
    pub fn is_busy(&self) -> bool {
        self.directory.join("busy").exists()
    }

    /// Writes one of its files, see above.
    pub fn mark(&self, file: &str, text: &str) {
        std::fs::write(self.directory.join(file), text).unwrap();
    }

    /// Removes one.
    pub fn unmark(&self, file: &str) {
        let _ = std::fs::remove_file(self.directory.join(file));
    }
}

/// Visitors with cookies that come again and again until they are counted.
pub struct Visitors {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Visit>>>,
}

/// One answer that a visitor got.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who.
    pub visitor: usize,
    /// The variant that answered; empty without an answer.
    pub variant: String,
    /// Its status; 0 without an answer.
    pub status: u16,
}

impl Visitors {
    /// Lets so many come.
    pub fn of(fleet: &Fleet, count: usize) -> Self {
        Self::asking(fleet, count, "/page")
    }

    /// The same for another path; `/slow` takes its time.
    pub fn asking(fleet: &Fleet, count: usize, path: &str) -> Self {
        Self::at(&format!("{}{path}", fleet.site.sandbox.public_url().unwrap()), count)
    }

    /// The same for any URL.
    pub fn at(url: &str, count: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let threads = (0..count)
            .map(|visitor| {
                let (url, stop) = (url.to_owned(), Arc::clone(&stop));
                std::thread::spawn(move || stay(visitor, &url, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    /// Sends them away; what they saw, each visitor's in order.
    pub fn leave(self) -> Vec<Vec<Visit>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

fn stay(visitor: usize, url: &str, stop: &AtomicBool) -> Vec<Visit> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .user_agent(format!("visitor-{visitor}"))
        .build()
        .into();
    let mut visits = Vec::new();
    let mut cookie: Option<String> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut request = agent.get(url);
        if let Some(cookie) = &cookie {
            request = request.header("cookie", cookie);
        }
        let visit = match request.call() {
            Ok(answer) => {
                let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
                if let Some(new) = header("set-cookie").and_then(|value| value.split(';').next()) {
                    cookie = Some(new.to_owned());
                }
                let said = header("crossfade").unwrap_or_default();
                let variant = said.split('"').nth(1).unwrap_or_default().to_owned();
                Visit { visitor, variant, status: answer.status().as_u16() }
            }
            Err(_) => Visit { visitor, variant: String::new(), status: 0 },
        };
        visits.push(visit);
        std::thread::sleep(Duration::from_millis(40));
    }
    visits
}
