//! Memory under many requests of every kind: first visits, a canary's, rescued ones, files that only the other side has,
//! cookies of the origin's that are led home, copies for the canary, visitors who go away before their answer.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crossfade_sandbox::{CONTROL_TOKEN, Options, Sandbox, Tools};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{load, origin};
use crate::setup::Node;
use crate::step::{Failed, say};

const LOAD: &str = include_str!("soak.mjs");
const ENTRY: &str = include_str!("watched.js");
/// How many times memory is looked at.
const PARTS: u64 = 10;

/// What one part of the load came to.
#[derive(Deserialize)]
struct Part {
    good: u64,
    bad: u64,
    errors: u64,
    gone: u64,
}

/// The runtime's memory, in bytes.
#[derive(Clone, Copy, Default)]
struct Memory {
    resident: u64,
    /// What of it is the router's own.
    wasm: u64,
}

/// Sends `requests`, and says after each tenth of them how much memory the router has.
///
/// # Errors
/// When any visitor saw an error, or what was to be exercised was not.
pub(super) fn soak(node: &Node, built: &Path, requests: u64) -> Result<Value, Failed> {
    let failed = |why: &dyn std::fmt::Display| Failed::new("the soak", why);
    let scratch = tempfile::tempdir().map_err(|error| failed(&error))?;
    let script = scratch.path().join("soak.mjs");
    std::fs::write(&script, LOAD).map_err(|error| failed(&error))?;
    let router = Router::start(built, scratch.path())?;
    let (mut first, mut last, mut gone) = (Memory::default(), Memory::default(), 0);
    for part in 1..=PARTS {
        // A refresh finds something new, as when weights rise.
        router.put_table(part);
        let mut command = Command::new(&node.program);
        command.arg(&script).arg(node.modules.join("autocannon/autocannon.js")).arg(&router.url);
        let output = command.arg((requests / PARTS).to_string()).output().map_err(|error| failed(&error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let done: Part = serde_json::from_str(said.trim()).map_err(|error| {
            failed(&format_args!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)))
        })?;
        if done.good == 0 || done.bad + done.errors > 0 {
            let Part { good, bad, errors, .. } = done;
            return Err(failed(&format_args!("{good} good answers, {bad} others, {errors} errors")));
        }
        gone += done.gone;
        last = router.memory()?;
        first = if part == 1 { last } else { first };
        let (percent, sent) = (part * 100 / PARTS, part * done.good);
        let mib = |bytes: u64| bytes as f64 / f64::from(1024 * 1024);
        say(format_args!(
            "   soak {percent:3} %, {sent} requests: {:.1} MiB resident, {:.1} MiB of it wasm",
            mib(last.resident),
            mib(last.wasm)
        ));
    }
    let canary = router.canary()?;
    say(format_args!("   soak: the canary's part {canary}, and {gone} visitors who went away"));
    let ratio = (last.resident as f64 / first.resident as f64 * 1000.0).round() / 1000.0;
    Ok(json!({
        "requests": requests / PARTS * PARTS, "gone": gone, "canary": canary, "growth_ratio": ratio,
        "rss_first_bytes": first.resident, "rss_last_bytes": last.resident,
        "wasm_first_bytes": first.wasm, "wasm_last_bytes": last.wasm,
    }))
}

/// The router under soak.
struct Router {
    sandbox: Sandbox,
    url: String,
    group: u32,
    stable: String,
    canary: String,
}

impl Router {
    fn start(built: &Path, scratch: &Path) -> Result<Self, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::new("the soak's sandbox", error);
        let origin =
            |is_canary| origin::start(move |line| answer(line, is_canary)).map_err(|error| failed(&error));
        let worker = scratch.join("router");
        std::fs::create_dir_all(worker.join("worker")).map_err(|error| failed(&error))?;
        std::fs::write(worker.join("index.js"), ENTRY).map_err(|error| failed(&error))?;
        for name in ["worker/shim.mjs", "worker/index.wasm"] {
            std::fs::copy(built.join(name), worker.join(name)).map_err(|error| failed(&error))?;
        }
        let mut options = Options::new(Tools::load().map_err(|error| failed(&error))?);
        options.worker = Some(worker);
        let sandbox = Sandbox::start(options).map_err(|error| failed(&error))?;
        let running = sandbox.public_url().zip(sandbox.router_group());
        let (url, group) = running.ok_or_else(|| failed(&"it does not run"))?;
        Ok(Self { sandbox, url, group, stable: origin(false)?, canary: origin(true)? })
    }

    fn put_table(&self, revision: u64) {
        let table = json!({
            "schema": 1, "environment": "production", "revision": revision, "release": "rel-soak",
            "updated_at": "2026-01-31T12:00:00Z", "stable": "blue",
            "variants": [
                { "name": "blue", "origin": self.stable, "version": "1.4.2", "weight": 5_000 },
                { "name": "green", "origin": self.canary, "version": "1.5.0", "weight": 5_000 },
            ],
            "affinity": { "by": "cookie", "salt": "rel-soak" },
            "rules": [{ "to": "green", "path": { "prefix": "/canary" } }],
            "mirror": { "to": "green", "weight": 500 },
            "rescue": { "budget": 10_000 },
            "breaker": { "failures": 0 },
        });
        self.sandbox.put_kv("routing:production", table.to_string().as_bytes());
    }

    fn memory(&self) -> Result<Memory, Failed> {
        // The heap is swept a moment after the load, not with it.
        std::thread::sleep(Duration::from_secs(1));
        let wasm = self.get("/memory")?;
        let wasm = wasm.parse().map_err(|_| Failed::new("the wasm's memory", wasm))?;
        Ok(Memory { resident: load::memory_bytes(self.group), wasm })
    }

    /// What the router counted of the canary: how many it rescued among it.
    fn canary(&self) -> Result<Value, Failed> {
        let status = self.get("/__crossfade/status")?;
        let status: Value =
            serde_json::from_str(&status).map_err(|error| Failed::new("the status", error))?;
        let counted = json!({ "requests": status["isolate"][1]["requests"], "rescued": status["isolate"][1]["rescued"] });
        if counted["rescued"].as_u64().is_none_or(|rescued| rescued == 0) {
            return Err(Failed::new("the soak", format!("nothing was rescued: {status}")));
        }
        Ok(counted)
    }

    fn get(&self, path: &str) -> Result<String, Failed> {
        let failed = |error: ureq::Error| Failed::new("the soak", error);
        let request = ureq::get(format!("{}{path}", self.url));
        let mut answer =
            request.header("authorization", format!("Bearer {CONTROL_TOKEN}")).call().map_err(failed)?;
        answer.body_mut().read_to_string().map_err(failed)
    }
}

/// What the origins say to a request line.
fn answer(line: &str, is_canary: bool) -> Arc<[u8]> {
    let path = line.split(' ').nth(1).unwrap_or_default();
    let (status, headers) = match path {
        "/canary/fails" if is_canary => ("503 Service Unavailable", ""),
        "/canary/app-8f3a2c1d.js" if is_canary => ("404 Not Found", ""),
        "/sets-cookies" => (
            "200 OK",
            "set-cookie: session=1; Path=/; HttpOnly\r\nset-cookie: theme=dark; Domain=127.0.0.1\r\n",
        ),
        "/slow" | "/canary/slow" => {
            std::thread::sleep(Duration::from_millis(200));
            ("200 OK", "")
        }
        _ => ("200 OK", ""),
    };
    // An HTML page in a script's place would be a script that is not there.
    let kind = if path.ends_with(".js") { "text/javascript" } else { "text/html" };
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}content-length: 5\r\n\r\nhello")
        .into_bytes()
        .into()
}
