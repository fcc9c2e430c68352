//! What a client sent to make a deployment: exchanges in, the parts of the protocol out, freed of order and repetition
//! where those do not count.

use std::collections::BTreeSet;

use crossfade_sandbox::{API_TOKEN, Exchange};
use serde_json::Value;

use crossfade_tests::form::{self, Part};

/// A deployment as it was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Which calls in which order, each once however often it came in a row.
    pub(crate) calls: Vec<String>,
    /// The hashes that it asked about.
    pub(crate) asked_for: BTreeSet<String>,
    /// The assets that it uploaded, as JSON.
    pub(crate) uploaded: BTreeSet<String>,
    /// The hashes that it said are in use.
    pub(crate) in_use: BTreeSet<String>,
    /// The deployment's form.
    pub(crate) form: Vec<Part>,
}

impl Sent {
    /// Reads the exchanges of one deployment, and fails the test when a call has another token than its kind takes.
    #[track_caller]
    pub(crate) fn of(exchanges: &[Exchange]) -> Self {
        let mut calls: Vec<String> = exchanges.iter().map(call).collect();
        calls.dedup();
        for exchange in exchanges {
            let token =
                exchange.request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            let token = token.unwrap_or_else(|| panic!("{exchange:?} has no token"));
            let is_jwt = token.split('.').count() == 3;
            let is_right =
                if exchange.path.starts_with("/pages/assets/") { is_jwt } else { token == API_TOKEN };
            assert!(is_right, "{} {} with the token {token}", exchange.method, exchange.path);
        }
        let bodies = |name: &str| -> Vec<&[u8]> {
            exchanges
                .iter()
                .filter(|exchange| call(exchange) == name)
                .map(|exchange| &*exchange.request.body)
                .collect()
        };
        let hashes = |name: &str| -> BTreeSet<String> {
            let json = bodies(name).into_iter().map(|body| serde_json::from_slice::<Value>(body).unwrap());
            json.flat_map(|json| json["hashes"].as_array().unwrap().clone())
                .map(|hash| hash.as_str().unwrap().to_owned())
                .collect()
        };
        let uploaded = bodies("POST upload").into_iter().flat_map(|body| {
            serde_json::from_slice::<Vec<Value>>(body).unwrap().into_iter().map(|asset| asset.to_string())
        });
        Self {
            asked_for: hashes("POST check-missing"),
            in_use: hashes("POST upsert-hashes"),
            uploaded: uploaded.collect(),
            form: bodies("POST deployments").first().map(|body| form::parts(body)).unwrap_or_default(),
            calls,
        }
    }
}

impl Sent {
    /// The manifest.
    #[track_caller]
    pub(crate) fn manifest(&self) -> Value {
        let manifest = self.form.iter().find(|part| part.name() == "manifest").expect("there is a manifest");
        serde_json::from_slice(&manifest.body).unwrap()
    }
}

/// Method and last segment; ids are left out.
fn call(exchange: &Exchange) -> String {
    let segments: Vec<&str> = exchange.path.split('/').collect();
    let what = match segments[..] {
        [.., "projects", _] => "project",
        [.., "deployments", _] => "deployment",
        [.., last] => last,
        [] => "",
    };
    format!("{} {what}", exchange.method)
}
