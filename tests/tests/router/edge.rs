//! The router in real workerd, and tables for it.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossfade_core::Timestamp;
use crossfade_sandbox::{CONTROL_TOKEN, Options, Sandbox};
use crossfade_tests::origin::Origin;
use crossfade_tests::sandbox;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// The key of the environment `production`.
pub(crate) const KEY: &str = "routing:production";
/// How long a test waits for something that should come within a refresh or two.
const PATIENCE: Duration = Duration::from_secs(20);

/// A router with a sandbox of its own.
pub(crate) struct Edge {
    pub(crate) sandbox: Sandbox,
}

impl Edge {
    /// A router without a table.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same after `change` had its say.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self { sandbox: sandbox(change) }
    }

    /// A router with this table.
    pub(crate) fn routing(table: &Value) -> Self {
        let edge = Self::new();
        edge.put(table);
        edge
    }

    /// A router that reads the table once and then leaves KV alone, so that no refresh is under way in the test.
    pub(crate) fn settled(table: &Value) -> Self {
        let edge = Self::with(|options| options.refresh_seconds = 3600);
        edge.put(table);
        edge
    }

    /// The public URL.
    pub(crate) fn url(&self) -> String {
        self.sandbox.public_url().unwrap()
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.url())
    }

    /// A GET over a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.connect().get(target, headers)
    }

    /// Any request over a connection of its own.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.connect().ask(method, target, headers, body)
    }

    /// Writes a table, whatever it is worth.
    pub(crate) fn put(&self, table: &Value) {
        self.sandbox.put_kv(KEY, table.to_string().as_bytes());
    }

    /// What `/__crossfade/status` says.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let answer =
            self.get("/__crossfade/status", &[("authorization", &format!("Bearer {CONTROL_TOKEN}"))]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What `/__crossfade/status` says of how a variant has answered.
    #[track_caller]
    pub(crate) fn tally(&self, variant: &str) -> Value {
        let status = self.status();
        let tallies = status["isolate"].as_array().unwrap();
        tallies.iter().find(|tally| tally["variant"] == variant).unwrap().clone()
    }

    /// Asks for the status until it is as `wanted`; each question begins a refresh when one is due.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "never {what}: {status:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a revision is in force.
    #[track_caller]
    pub(crate) fn until_revision(&self, revision: u64) {
        self.until(&format!("revision {revision}"), |status| status["revision"] == revision);
    }

    /// Waits until the router has begun this many more reads of KV than now.
    #[track_caller]
    pub(crate) fn until_more_reads(&self, more: u64) {
        let before = self.sandbox.kv_reads();
        self.until(&format!("{more} more reads"), |_| self.sandbox.kv_reads() >= before + more);
    }
}

/// A table of two variants: `blue`, which is stable and has the rest, and `green` with this weight.
pub(crate) fn table(revision: u64, blue: &Origin, green: &Origin, green_weight: u16) -> Value {
    json!({
        "schema": 1,
        "environment": "production",
        "revision": revision,
        "release": format!("rel-{revision}"),
        "updated_at": "2026-01-31T12:00:00Z",
        "stable": "blue",
        "variants": [
            { "name": "blue", "origin": blue.url(), "version": "1.4.2", "weight": 10_000 - green_weight },
            { "name": "green", "origin": green.url(), "version": "1.5.0", "weight": green_weight },
        ],
        "affinity": { "by": "cookie", "salt": "rel-1" },
    })
}

/// A table that sends everybody to one origin.
pub(crate) fn only(revision: u64, origin: &Origin) -> Value {
    let mut table = table(revision, origin, origin, 0);
    table["variants"].as_array_mut().unwrap().truncate(1);
    table
}

/// The time now, by the clock that the router has too.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap())
}

/// A visitor's cookie header over plain HTTP.
pub(crate) fn cookie(id: u128) -> String {
    format!("crossfade={id:032x}")
}

/// An origin that nobody listens at: its port is held by a connection, so that no other program can take it.
pub(crate) struct Nobody {
    holder: TcpStream,
    _peer: TcpListener,
}

impl Nobody {
    /// Holds a port.
    pub(crate) fn new() -> Self {
        let peer = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Self { holder: TcpStream::connect(peer.local_addr().unwrap()).unwrap(), _peer: peer }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.holder.local_addr().unwrap())
    }
}
