//! A zone's load balancer and the account's pools. In: ids, and fields to change. Out: what they are now.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Bearer, Body, Cloudflare, Error};

/// A load balancer, as far as it matters to us.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadBalancer {
    /// Whether it is in use at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether visitors come through Cloudflare, rather than being told an address.
    #[serde(default)]
    pub proxied: bool,
    /// How it chooses a pool.
    #[serde(default)]
    pub steering_policy: Option<String>,
    /// The pools that it chooses from.
    #[serde(default)]
    pub default_pools: Vec<String>,
    /// The one that is taken when no other is well.
    #[serde(default)]
    pub fallback_pool: Option<String>,
    /// The pools' weights.
    #[serde(default)]
    pub random_steering: Option<RandomSteering>,
    /// Whether a visitor stays where he is, and by what.
    #[serde(default)]
    pub session_affinity: Option<String>,
    /// How.
    #[serde(default)]
    pub session_affinity_attributes: Option<AffinityAttributes>,
    /// Rules that may send requests elsewhere.
    #[serde(default)]
    pub rules: Option<Vec<Value>>,
}

/// The pools' weights.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RandomSteering {
    /// By pool, relative to each other.
    #[serde(default)]
    pub pool_weights: Option<BTreeMap<String, f64>>,
    /// Of a pool that is not named; 1 when absent.
    #[serde(default)]
    pub default_weight: Option<f64>,
}

/// How sessions are kept.
#[derive(Clone, Debug, Deserialize)]
pub struct AffinityAttributes {
    /// How long an endpoint that was disabled keeps its sessions, in seconds.
    #[serde(default)]
    pub drain_duration: Option<f64>,
}

/// A pool, as far as it matters to us.
#[derive(Clone, Debug, Deserialize)]
pub struct Pool {
    /// Whether it gets requests.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its endpoints, with all their fields.
    #[serde(default)]
    pub origins: Vec<Map<String, Value>>,
}

impl Cloudflare {
    /// A zone's load balancer.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn load_balancer(&self, zone: &str, id: &str, within: Duration) -> Result<LoadBalancer, Error> {
        self.call("GET", &load_balancer(zone, id), Bearer::Api, Body::None, within)
    }

    /// Changes fields of it, and no others.
    ///
    /// # Errors
    /// See [`Error`]; to do it twice is to do it once.
    pub fn change_load_balancer(
        &self,
        zone: &str,
        id: &str,
        change: &Value,
        within: Duration,
    ) -> Result<LoadBalancer, Error> {
        self.call("PATCH", &load_balancer(zone, id), Bearer::Api, Body::Json(change), within)
    }

    /// A pool of the account.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn pool(&self, id: &str, within: Duration) -> Result<Pool, Error> {
        self.call("GET", &self.pool_path(id), Bearer::Api, Body::None, within)
    }

    /// Changes fields of it, and no others.
    ///
    /// # Errors
    /// See [`Error`]; to do it twice is to do it once.
    pub fn change_pool(&self, id: &str, change: &Value, within: Duration) -> Result<Pool, Error> {
        self.call("PATCH", &self.pool_path(id), Bearer::Api, Body::Json(change), within)
    }

    fn pool_path(&self, id: &str) -> String {
        self.account_path(&format!("/load_balancers/pools/{id}"))
    }
}

fn load_balancer(zone: &str, id: &str) -> String {
    format!("/zones/{zone}/load_balancers/{id}")
}

const fn yes() -> bool {
    true
}
