//! What a sandbox is made of.

use std::path::PathBuf;

use crate::{CONTROL_TOKEN, PROJECT, Tools};

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The programs that things run in.
    pub tools: Tools,
    /// The built router; `None` starts no edge.
    pub worker: Option<PathBuf>,
    /// The API's port; 0 for any.
    pub api_port: u16,
    /// The public URL's port; 0 for any.
    pub public_port: u16,
    /// The router's `REFRESH_SECONDS`.
    pub refresh_seconds: u32,
    /// The router's `DEFAULT_ORIGIN`.
    pub default_origin: Option<String>,
    /// The router's `ENVIRONMENT`.
    pub environment: String,
    /// The router's `CROSSFADE_TOKEN`; `None` sets none.
    pub control_token: Option<String>,
    /// The router's `SIGNING_KEY`; `None` sets none.
    pub signing_key: Option<String>,
    /// The router's `ALLOWED_ORIGINS`; `None` allows any.
    pub allowed_origins: Option<String>,
    /// The router's `COUNTERS`.
    pub counters: Counters,
    /// The router's `COUNTERS_SHARDS` is `location`.
    pub counters_by_location: bool,
    /// The router's `ANALYTICS_SHARE`, in basis points; `None` binds no `ANALYTICS`.
    pub analytics_share: Option<u16>,
    /// A Pages project that exists from the start.
    pub project: String,
    /// Whether deployments are served. What only has to be uploaded is done a good deal faster.
    pub serve_pages: bool,
}

/// The counters' object that the router tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// There is none.
    Absent,
    /// As it is built.
    Working,
    /// It fails, whatever it is asked.
    Throwing,
    /// It never answers.
    Hanging,
    /// It does as it is told, and every other time its answer is lost.
    Forgetting,
}

impl Options {
    /// The usual: production of `booking`, any ports, the built router, a fresh table every second.
    pub fn new(tools: Tools) -> Self {
        Self {
            worker: tools.worker.clone(),
            tools,
            api_port: 0,
            public_port: 0,
            refresh_seconds: 1,
            default_origin: None,
            environment: "production".into(),
            control_token: Some(CONTROL_TOKEN.into()),
            signing_key: None,
            allowed_origins: None,
            counters: Counters::Working,
            counters_by_location: false,
            analytics_share: None,
            project: PROJECT.into(),
            serve_pages: true,
        }
    }
}
