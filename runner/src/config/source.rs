//! Where numbers come from, as it is written. How they are asked for is in [`crate::source`].

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check_url;
use super::requests::check_names;

/// Where numbers come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The router's own counters.
    Edge,
    /// Workers Analytics Engine, by its SQL API.
    AnalyticsEngine(AnalyticsEngine),
    /// An instant query to Prometheus, or to what answers like it.
    Prometheus(Prometheus),
    /// A number in a JSON document.
    Json(Json),
    /// Requests of our own, to the canary and to stable at the same time: for sites with few visitors.
    Probe(Probe),
}

/// Workers Analytics Engine. The token is CLOUDFLARE_API_TOKEN, which needs *Account Analytics: Read*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyticsEngine {
    /// The dataset that the router writes to. Default: `crossfade`.
    #[serde(default = "dataset")]
    pub dataset: String,
    /// SQL of your own whose first row's first column is the metric; may hold `{{version}}`, `{{release}}` and `{{env.NAME}}`. Rows
    /// are samples: sum `_sample_interval` instead of counting them. Without it: the requests that the router has written.
    #[serde(default)]
    pub query: Option<String>,
}

/// An instant query (<https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Where it is, without `/api/v1/query`; may hold `{{env.NAME}}`.
    pub url: String,
    /// PromQL that gives one number; may hold `{{version}}`, `{{release}}` and `{{env.NAME}}`.
    pub query: String,
    /// The environment variable with a token, sent as `authorization: Bearer …`.
    #[serde(default)]
    pub bearer: Option<String>,
    /// The environment variable with `user:password`, sent as `authorization: Basic …`.
    #[serde(default)]
    pub basic: Option<String>,
}

/// A number in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// Where it is; may hold `{{version}}`, `{{release}}` and `{{env.NAME}}`.
    pub url: String,
    /// Where in it the number stands, as a JSON pointer. `null`, or nothing there, is no data.
    pub pointer: String,
    /// The environment variable with a token, sent as `authorization: Bearer …`.
    #[serde(default)]
    pub bearer: Option<String>,
    /// The environment variable with `user:password`, sent as `authorization: Basic …`.
    #[serde(default)]
    pub basic: Option<String>,
}

/// Requests of our own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// What is asked for. Default: `/`.
    pub path: String,
    /// How many requests each look makes to each side, 1 to 100. Default: 10.
    pub requests: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self { path: "/".into(), requests: 10 }
    }
}

fn dataset() -> String {
    "crossfade".into()
}

impl Source {
    /// What it is called in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::AnalyticsEngine(_) => "analytics-engine",
            Self::Prometheus(_) => "prometheus",
            Self::Json(_) => "json",
            Self::Probe(_) => "probe",
        }
    }

    /// Whether it counts requests of both sides, or else gives a number.
    pub const fn counts(&self) -> bool {
        match self {
            Self::Edge | Self::Probe(_) => true,
            Self::AnalyticsEngine(engine) => engine.query.is_none(),
            Self::Prometheus(_) | Self::Json(_) => false,
        }
    }

    /// Texts that may hold `{{name}}`.
    pub fn templates(&self) -> Vec<String> {
        match self {
            Self::Edge => Vec::new(),
            Self::AnalyticsEngine(engine) => engine.query.iter().cloned().collect(),
            Self::Prometheus(prometheus) => vec![prometheus.url.clone(), prometheus.query.clone()],
            Self::Json(json) => vec![json.url.clone()],
            Self::Probe(probe) => vec![probe.path.clone()],
        }
    }

    /// The environment variables that it is authenticated with.
    pub fn secrets(&self) -> Vec<String> {
        let (bearer, basic) = match self {
            Self::Edge | Self::AnalyticsEngine(_) | Self::Probe(_) => (&None, &None),
            Self::Prometheus(prometheus) => (&prometheus.bearer, &prometheus.basic),
            Self::Json(json) => (&json.bearer, &json.basic),
        };
        bearer.iter().chain(basic).cloned().collect()
    }

    /// Refuses what could never work.
    pub(super) fn check(&self, at: &str) -> Result<(), String> {
        check_names(at, self.templates(), &BTreeSet::new())?;
        let url = |url: &str| match url.contains("{{") {
            // Whether the variable holds a URL shows when it is used.
            true => Ok(()),
            false => check_url(url, "a URL such as https://metrics.example.com")
                .map(|_| ())
                .map_err(|why| format!("{at}: `url` is {why}")),
        };
        let one = |bearer: &Option<String>, basic: &Option<String>| match (bearer, basic) {
            (Some(_), Some(_)) => Err(format!("{at} has both `bearer` and `basic`: keep one of them")),
            (_, _) => Ok(()),
        };
        match self {
            Self::Edge => Ok(()),
            Self::AnalyticsEngine(AnalyticsEngine { dataset, .. }) => {
                let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if dataset.is_empty() || !dataset.bytes().all(named) {
                    return Err(format!(
                        "{at}: `dataset` is `{dataset}`: it must be a name of a-z, 0-9 and _"
                    ));
                }
                Ok(())
            }
            Self::Prometheus(prometheus) => {
                url(&prometheus.url)?;
                one(&prometheus.bearer, &prometheus.basic)
            }
            Self::Json(json) => {
                url(&json.url)?;
                if !json.pointer.is_empty() && !json.pointer.starts_with('/') {
                    return Err(format!(
                        "{at}: `pointer` is `{}`: it must be a JSON pointer such as /errors/rate",
                        json.pointer
                    ));
                }
                one(&json.bearer, &json.basic)
            }
            Self::Probe(Probe { requests, .. }) => match requests {
                1..=100 => Ok(()),
                _ => Err(format!("{at}: `requests` is {requests}: it must be from 1 to 100")),
            },
        }
    }
}
