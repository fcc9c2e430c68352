//! A load balancer and its two pools as the API keeps them, and whom it sends a visitor to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{LOAD_BALANCER_ID, POOL_IDS, ZONE_ID};

pub(crate) mod front;

/// What a visitor who comes again brings when sessions are kept.
pub(crate) const COOKIE: &str = "__cflb";

/// The zone's load balancer and the account's pools, each with all its fields.
#[derive(Clone, Debug)]
pub(crate) struct Balancing {
    pub(crate) balancer: Value,
    pub(crate) pools: BTreeMap<String, Value>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Host and port to connect to.
    pub(crate) address: String,
    /// What the origin is asked as.
    pub(crate) host: String,
    /// The session that the visitor is given.
    pub(crate) session: Option<String>,
}

impl Default for Balancing {
    /// Everybody on the first pool, whose origin leads nowhere yet.
    fn default() -> Self {
        let since = "2026-01-01T00:00:00Z";
        let pool = |(id, name): (&str, &str)| {
            let origin = json!({ "name": name, "address": "127.0.0.1", "port": 1, "enabled": true, "weight": 1,
                                 "header": { "Host": ["nowhere.example"] } });
            let pool = json!({
                "id": id, "name": name, "description": "", "enabled": true, "minimum_origins": 1, "origins": [origin],
                "check_regions": null, "monitor": "f1aba936b94213e5b8dca0c0dbf1f9cc", "notification_email": "",
                "origin_steering": { "policy": "random" }, "created_on": since, "modified_on": since,
            });
            (id.to_owned(), pool)
        };
        let [one, other] = POOL_IDS;
        Self {
            balancer: json!({
                "id": LOAD_BALANCER_ID, "name": "booking.example.com", "description": "", "enabled": true, "proxied": true,
                "ttl": 30, "default_pools": POOL_IDS, "fallback_pool": one, "region_pools": {}, "country_pools": {},
                "pop_pools": {}, "steering_policy": "random", "session_affinity": "none", "rules": [],
                "random_steering": { "default_weight": 1, "pool_weights": { one: 1, other: 0 } },
                "zone_name": ZONE_ID, "created_on": since, "modified_on": since,
            }),
            pools: [(one, "first"), (other, "second")].into_iter().map(pool).collect(),
        }
    }
}

impl Balancing {
    /// Sends a visitor on: to where the session says, else to a pool by the draw, a number below 1.
    pub(crate) fn choose(&self, session: Option<&str>, draw: f64) -> Option<Chosen> {
        let sticky = self.balancer["session_affinity"] == "cookie";
        let sessions = || self.pools.iter().filter_map(|(id, pool)| Some((id, endpoint(pool)?)));
        let kept = session.filter(|_| sticky).and_then(|session| {
            sessions()
                .find(|(id, (address, _))| session == format!("{id}@{address}"))
                .map(|(id, _)| id.as_str())
        });
        let id = kept.or_else(|| self.drawn(draw)).or_else(|| self.balancer["fallback_pool"].as_str())?;
        let (address, host) = endpoint(self.pools.get(id)?)?;
        let session = sticky.then(|| format!("{id}@{address}"));
        Some(Chosen { address, host, session })
    }

    /// The pool of a draw among those that are enabled.
    fn drawn(&self, draw: f64) -> Option<&str> {
        let pools: Vec<&str> =
            self.balancer["default_pools"].as_array()?.iter().filter_map(Value::as_str).collect();
        let enabled = |id: &&&str| self.pools.get(**id).is_some_and(|pool| pool["enabled"] == true);
        let steering = &self.balancer["random_steering"];
        let weight = |id: &str| match self.balancer["steering_policy"].as_str() {
            Some("random") => {
                let own = steering["pool_weights"][id].as_f64();
                own.or_else(|| steering["default_weight"].as_f64()).unwrap_or(1.0)
            }
            // Failover: everybody goes to the first.
            _ => f64::from(u8::from(pools.first() == Some(&id))),
        };
        let total: f64 = pools.iter().filter(enabled).map(|id| weight(id)).sum();
        let mut left = draw * total;
        pools
            .iter()
            .filter(enabled)
            .find(|id| {
                left -= weight(id);
                left < 0.0
            })
            .copied()
    }
}

/// The enabled endpoint of an enabled pool: where to connect, and as what.
fn endpoint(pool: &Value) -> Option<(String, String)> {
    let origins = pool["origins"].as_array().filter(|_| pool["enabled"] == true)?;
    let origin = origins.iter().find(|origin| origin["enabled"] == true)?;
    let address = origin["address"].as_str()?;
    let port = origin["port"].as_u64().filter(|port| *port > 0).unwrap_or(443);
    let host = origin["header"]["Host"][0].as_str().unwrap_or(address);
    Some((format!("{address}:{port}"), host.to_owned()))
}

/// Takes a change: each field that it names is replaced, as a whole.
pub(crate) fn patch(document: &mut Value, change: Map<String, Value>) {
    for (name, value) in change {
        document[name] = value;
    }
    document["modified_on"] = jiff::Timestamp::now().to_string().into();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancing(weights: [f64; 2], affinity: &str) -> Balancing {
        let mut all = Balancing::default();
        let [one, other] = POOL_IDS;
        let [its, others] = weights;
        all.balancer["random_steering"]["pool_weights"] = json!({ one: its, other: others });
        all.balancer["session_affinity"] = affinity.into();
        for (id, port) in [(one, 1001), (other, 1002)] {
            all.pools.get_mut(id).unwrap()["origins"][0]["port"] = port.into();
        }
        all
    }

    fn address(all: &Balancing, session: Option<&str>, draw: f64) -> Option<String> {
        all.choose(session, draw).map(|chosen| chosen.address)
    }

    #[test]
    fn visitors_are_drawn_by_weight_among_what_is_enabled() {
        let mut all = balancing([0.75, 0.25], "none");
        let (one, other) = (Some("127.0.0.1:1001".to_owned()), Some("127.0.0.1:1002".to_owned()));
        assert_eq!((address(&all, None, 0.74), address(&all, None, 0.76)), (one.clone(), other.clone()));
        all.pools.get_mut(POOL_IDS[0]).unwrap()["enabled"] = false.into();
        assert_eq!(address(&all, None, 0.1), other, "a disabled pool gets nobody");
        all.pools.get_mut(POOL_IDS[0]).unwrap()["enabled"] = true.into();
        all.balancer["steering_policy"] = "off".into();
        assert_eq!(address(&all, None, 0.9), one, "without random steering weights are nothing");
    }

    #[test]
    fn a_session_outlives_a_weight_of_nothing_and_no_disabled_pool() {
        let mut all = balancing([0.0, 1.0], "cookie");
        let session = all.choose(None, 0.5).unwrap().session.unwrap();
        all.balancer["random_steering"]["pool_weights"] = json!({ POOL_IDS[0]: 1, POOL_IDS[1]: 0 });
        assert_eq!(address(&all, Some(&session), 0.5).unwrap(), "127.0.0.1:1002");
        all.pools.get_mut(POOL_IDS[1]).unwrap()["enabled"] = false.into();
        assert_eq!(address(&all, Some(&session), 0.5).unwrap(), "127.0.0.1:1001");
    }
}
