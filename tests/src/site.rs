//! The booking site on a sandbox, and releases of it.

use std::path::Path;
use std::process::{Command, Stdio};

use crossfade_core::RoutingTable;
use crossfade_sandbox::{ApiRequest, NAMESPACE_ID, Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::origin::Origin;
use crate::run::{Ended, Running};
use crate::{crossfade, root, sandbox};

/// A project directory with `crossfade.toml`, and the sandbox it is released to.
pub struct Site {
    /// The local Cloudflare.
    pub sandbox: Sandbox,
    directory: TempDir,
}

impl Site {
    /// A site without any release.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// A site whose `versions` were released before, each by its slot, the first one stable: scripted origins that cost
    /// nothing to start. They live as long as the second value.
    pub fn serving(versions: &[(&str, &'static str)]) -> (Self, Vec<Origin>) {
        Self::serving_with(versions, |_| ())
    }

    /// The same, on a sandbox that `change` had its say in.
    pub fn serving_with(
        versions: &[(&str, &'static str)],
        change: impl FnOnce(&mut Options),
    ) -> (Self, Vec<Origin>) {
        let site = Self::with(change);
        let origins: Vec<Origin> = versions.iter().map(|(_, version)| version_origin(version)).collect();
        let variants: Vec<Value> = versions
            .iter()
            .zip(&origins)
            .enumerate()
            .map(|(index, ((slot, version), origin))| {
                let weight = if index == 0 { 10_000 } else { 0 };
                json!({ "name": slot, "origin": origin.url(), "version": version, "weight": weight })
            })
            .collect();
        site.put(
            "routing:production",
            &json!({
                "schema": 1, "environment": "production", "revision": 1, "release": "rel-before",
                "updated_at": "2026-01-01T00:00:00Z", "stable": versions[0].0, "variants": variants,
                "affinity": { "by": "cookie", "salt": "rel-before" },
            }),
        );
        (site, origins)
    }

    /// A site without any release, on a sandbox that `change` had its say in.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let site = Self { sandbox: sandbox(change), directory: TempDir::new().unwrap() };
        let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
        let build = format!("node '{}' --out dist", root().join("example/build.mjs").display());
        let config = example
            .replace("http://127.0.0.1:8787", &site.sandbox.public_url().unwrap_or_default())
            .replace("node build.mjs --out dist", &build);
        assert!(config.contains(&build), "the example's configuration has another build hook");
        site.write("crossfade.toml", &config);
        site
    }

    /// The project's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text in `crossfade.toml`, which must be there.
    #[track_caller]
    pub fn configure(&self, from: &str, to: &str) {
        let config = std::fs::read_to_string(self.path().join("crossfade.toml")).unwrap();
        assert!(config.contains(from), "`{from}` is not in crossfade.toml");
        self.write("crossfade.toml", &config.replace(from, to));
    }

    /// Adds to the end of `crossfade.toml`.
    pub fn append(&self, text: &str) {
        let config = std::fs::read_to_string(self.path().join("crossfade.toml")).unwrap();
        self.write("crossfade.toml", &format!("{config}\n{text}"));
    }

    /// `crossfade` with these arguments in the project's directory, pointed at the sandbox.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = crossfade();
        command.args(arguments).current_dir(self.path()).envs(self.sandbox.variables()).stdin(Stdio::null());
        command
    }

    /// Runs `crossfade` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments))
    }

    /// Releases a version that fails in the named ways, see `example/build.mjs`.
    pub fn deploy(&self, version: &str, fail: &[&str]) -> Ended {
        Ended::of(self.deploy_command(version, fail))
    }

    /// Begins the same and lets it run; it prints events.
    pub fn begin_deploy(&self, version: &str, fail: &[&str]) -> Running {
        let mut command = self.deploy_command(version, fail);
        command.arg("--json");
        Running::begin(command)
    }

    fn deploy_command(&self, version: &str, fail: &[&str]) -> Command {
        let mut command = self.command(&["deploy", "--as", version]);
        command.env("BOOKING_FAIL", fail.join(","));
        command
    }

    /// Writes a document to KV as another program would.
    pub fn put(&self, key: &str, document: &Value) {
        self.sandbox.put_kv(key, document.to_string().as_bytes());
    }

    /// A document in KV.
    #[track_caller]
    pub fn document(&self, key: &str) -> Value {
        let bytes = self.sandbox.kv(key).unwrap_or_else(|| panic!("there is no `{key}`"));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Changes a document in KV as another program would.
    #[track_caller]
    pub fn edit(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let mut document = self.document(key);
        change(&mut document);
        self.put(key, &document);
    }

    /// The table in KV.
    #[track_caller]
    pub fn table(&self) -> RoutingTable {
        let json = self.sandbox.kv("routing:production").expect("there is a table");
        RoutingTable::parse(&json).unwrap()
    }

    /// The version that most visitors get, and whether nothing is in flight.
    #[track_caller]
    pub fn live(&self) -> (String, bool) {
        let table = self.table();
        let most = table.variants().iter().max_by_key(|variant| variant.weight).unwrap();
        (most.version.to_string(), table.lease().is_none())
    }

    /// What the public URL says its version is.
    pub fn served_version(&self) -> String {
        let url = format!("{}/version.json", self.sandbox.public_url().unwrap());
        let mut answer = ureq::get(url).call().unwrap();
        let json: serde_json::Value = answer.body_mut().read_json().unwrap();
        json["version"].as_str().unwrap().to_owned()
    }

    /// Whether the routers have sent everybody home, because the lease of the table that they have ran out.
    pub fn has_lapsed(&self) -> bool {
        self.run(&["status", "--json"]).expect(0).event("status")["edge"]["lapsed"] == true
    }

    /// The API requests that changed anything but the release's own records.
    pub fn changes(&self) -> Vec<ApiRequest> {
        let mut requests = self.sandbox.requests();
        requests.retain(|request| {
            let path = request.path.replace("%3A", ":");
            request.method != "GET"
                && !path.contains("/values/release:")
                && !path.contains("/values/history:")
        });
        requests
    }

    /// How often a key of the router's namespace was written over the API.
    pub fn writes(&self, key: &str) -> usize {
        let path = format!(
            "/accounts/{}/storage/kv/namespaces/{NAMESPACE_ID}/values/{}",
            crossfade_sandbox::ACCOUNT_ID,
            key.replace(':', "%3A")
        );
        let requests = self.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.method == "PUT" && request.path.replace(':', "%3A") == path)
            .count()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// An origin that says which version it is, and as much of the booking site as its health checks ask for.
fn version_origin(version: &'static str) -> Origin {
    Origin::new(move |request, wire| match request.target.as_str() {
        "/" => wire.answer("200 OK", &[("content-type", "text/html")], "Pick a time"),
        _ => {
            let healthy = json!({
                "version": version, "status": "ok", "migrations": "current", "calendar": "reachable",
                "payments": "reachable",
            });
            wire.answer("200 OK", &[("content-type", "application/json")], healthy.to_string());
        }
    })
}
