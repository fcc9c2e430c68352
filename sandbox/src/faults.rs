//! Cloudflare on a bad day, on request.

use serde::{Deserialize, Serialize};

/// Something that goes wrong with API requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this method; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that contain this.
    pub path: String,
    /// How many matching requests pass before it begins.
    #[serde(default)]
    pub after: u32,
    /// How many it strikes; for ever when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub action: Action,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// It is answered later.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// It is not done, and answered like this.
    Answer {
        /// HTTP status.
        status: u16,
        /// Cloudflare's code.
        code: i64,
        /// Cloudflare's words.
        message: String,
        /// Seconds, for 429.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// It is not done, and answered with this text, which is no JSON.
    Text {
        /// HTTP status.
        status: u16,
        /// The body.
        text: String,
    },
    /// It is not done, and the connection closed.
    Reset,
    /// It is done, and the connection closed.
    AppliedThenReset,
    /// It is done, and answered with an error.
    AppliedThenError {
        /// HTTP status.
        status: u16,
    },
    /// It is done, half of the answer is sent, and the connection closed.
    AppliedThenHalf,
    /// It is done, and the answer comes byte by byte.
    AppliedThenDrip {
        /// Milliseconds before each byte.
        ms: u64,
    },
    /// Nothing ever happens.
    Hang,
}

impl Fault {
    /// A fault for all requests of a method whose path contains a text.
    pub fn new(method: &str, path: &str, action: Action) -> Self {
        Self { method: Some(method.into()), path: path.into(), after: 0, times: None, action }
    }

    /// The same, a number of times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, after a number of requests.
    #[must_use]
    pub const fn after(mut self, after: u32) -> Self {
        self.after = after;
        self
    }

    /// Whether it strikes this request; counts down.
    pub(crate) fn strikes(&mut self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|wanted| wanted != method) || !path.contains(&self.path) {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
            None => true,
        }
    }
}

/// What the router's reads of KV meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KvFault {
    /// Milliseconds before each answer.
    pub delay_ms: u64,
    /// No answer at all.
    pub hang: bool,
    /// This status instead of the value.
    pub status: Option<u16>,
    /// Milliseconds after a write during which readers still get the value before it.
    pub propagation_ms: u64,
}
