//! `crossfade router`: the router comes to a site, is replaced and goes, while visitors come all the time, and whatever fails.
//!
//! The sandbox runs the Worker as it was uploaded, behind the names of its zone, so what is checked through the public URL is real.
//!
//! | module | what it shows |
//! |---|---|
//! | [`life`] | installed, replaced version by version, removed: no request fails |
//! | [`undone`] | what fails is undone, what the token lacks is named before anything is changed |
//! | [`dying`] | whoever dies at any call leaves what the next run goes on from |
//! | [`migration`] | from a Pages custom domain to the router and back |

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, ApiRequest, Sandbox, Tools, ZONE_ID, ZONE_NAME};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, crossfade, sandbox};
use serde_json::Value;
use tempfile::TempDir;

mod dying;
mod life;
mod migration;
mod undone;

/// A Worker's name, and its namespace's title.
const WORKER: &str = "crossfade-booking-production";

/// A site at a host of the zone, somewhere behind Cloudflare's proxy, and nothing of Crossfade's yet.
struct Ground {
    sandbox: Sandbox,
    directory: TempDir,
    origin: Origin,
}

impl Ground {
    fn new() -> Self {
        let sandbox = sandbox(|options| {
            options.worker = None;
            options.hosts = true;
            options.serve_pages = false;
        });
        let origin =
            Origin::new(|_, wire| wire.answer("200 OK", &[("content-type", "text/html")], "Pick a time"));
        let port = origin.url().rsplit(':').next().unwrap().parse().unwrap();
        sandbox.point(ZONE_NAME, "web.example.com", Some(port), true);
        let ground = Self { sandbox, directory: TempDir::new().unwrap(), origin };
        let config = format!(
            "project = \"booking\"\n\n[environments.production]\nurl = \"{}\"\n\n[environments.production.worker]\norigin = \"{}\"\n\
             refresh = \"1s\"\n\n[rollout]\nconfirm_within = \"5s\"\n\n[[health]]\nname = \"page\"\npath = \"/\"\n",
            ground.url(),
            ground.origin.url()
        );
        std::fs::write(ground.config(), config).unwrap();
        ground
    }

    fn url(&self) -> String {
        self.sandbox.public_url().unwrap()
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("crossfade.toml")
    }

    /// `crossfade router …`.
    fn plain_command(&self, arguments: &[&str]) -> Command {
        let mut command = crossfade();
        command.arg("router").args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.envs(self.sandbox.variables());
        command
    }

    /// The same with the router of a directory.
    fn command(&self, arguments: &[&str], bundle: &Path) -> Command {
        let mut command = self.plain_command(arguments);
        if arguments[0] != "remove" {
            command.arg("--bundle").arg(bundle);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments, &built()))
    }

    fn run_with(&self, arguments: &[&str], bundle: &TempDir) -> Ended {
        Ended::of(self.command(arguments, bundle.path()))
    }

    /// A result of the API, below the account.
    fn api(&self, path: &str) -> Value {
        self.get(&format!("/accounts/{ACCOUNT_ID}{path}"))
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.api_url());
        let mut answer =
            ureq::get(url).header("authorization", format!("Bearer {API_TOKEN}")).call().unwrap();
        answer.body_mut().read_json::<Value>().unwrap()["result"].clone()
    }

    /// What there is of Crossfade's: Workers, routes, namespaces beside the sandbox's own.
    fn left(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let texts = |list: Value, field: &str| -> Vec<String> {
            list.as_array().unwrap().iter().map(|it| it[field].as_str().unwrap().to_owned()).collect()
        };
        let mut titles = texts(self.api("/storage/kv/namespaces"), "title");
        titles.retain(|title| title != "crossfade-routing");
        let routes = texts(self.get(&format!("/zones/{ZONE_ID}/workers/routes")), "pattern");
        (texts(self.api("/workers/scripts"), "id"), routes, titles)
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(self.left(), (Vec::new(), Vec::new(), Vec::new()));
        assert_eq!(self.served().1, None);
    }

    #[track_caller]
    fn assert_installed(&self) {
        let name = || vec![WORKER.to_owned()];
        assert_eq!(self.left(), (name(), vec![format!("{ZONE_NAME}/*")], name()));
        assert!(self.served().1.unwrap().contains("version=\"before-crossfade\""));
    }

    /// The status, and who the router says has answered.
    fn served(&self) -> (u16, Option<String>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let answer = agent.get(self.url()).call().unwrap();
        let said = answer.headers().get("crossfade").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), said)
    }

    /// The API requests that changed something.
    fn changes(&self) -> Vec<ApiRequest> {
        let mut requests = self.sandbox.requests();
        requests.retain(|request| request.method != "GET" && request.status < 400);
        requests
    }
}

/// The built router.
fn built() -> PathBuf {
    Tools::load().unwrap().worker.unwrap()
}

/// Another router: the built one with another main module.
fn other_router(index: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    for name in
        ["worker/shim.mjs", "worker/index.wasm", "counters/worker/shim.mjs", "counters/worker/index.wasm"]
    {
        let to = directory.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(built().join(name), to).unwrap();
    }
    std::fs::write(directory.path().join("index.js"), index).unwrap();
    directory
}

/// The built router, but for requests that `condition` holds for, which fail.
fn failing_router(condition: &str) -> TempDir {
    other_router(&format!(
        "import router from './worker/shim.mjs';\nexport {{ Counters }} from './counters/worker/shim.mjs';\n\
         export default {{ fetch(request, env, context) {{\n  const path = new URL(request.url).pathname;\n  \
         if ({condition}) return new Response('broken', {{ status: 500 }});\n  return router.fetch(request, env, context);\n}} }};\n"
    ))
}
