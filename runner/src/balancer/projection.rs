//! What a load balancer has to be for a routing table, and in what it is not. Pure: a table in, fields out.
//!
//! Each of two slots has a pool with one endpoint. A variant's weight is its pool's. A pool is enabled while its variant is
//! stable or has visitors: a weight of nothing alone would leave those on it whose sessions are kept.

use std::collections::BTreeMap;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Origin, VariantName, Weight};
use serde_json::{Map, Value, json};

use crate::cloudflare::balancing::{LoadBalancer, Pool};

/// The id of each slot's pool.
pub type Pools = BTreeMap<VariantName, String>;

/// What it has to be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Of each slot, in the order of their names.
    slots: Vec<Slot>,
    /// The pool of the stable variant.
    fallback: String,
}

#[derive(Clone, Debug)]
struct Slot {
    name: VariantName,
    pool: String,
    weight: Weight,
    /// Where its pool leads while it is enabled; `None` disables it.
    origin: Option<Origin>,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The load balancer.
    pub(super) balancer: LoadBalancer,
    /// The pools, by their ids.
    pub(super) pools: BTreeMap<String, Pool>,
}

/// Shares of the two pools in basis points, by their ids.
pub(super) type Shares = BTreeMap<String, u16>;

impl Wanted {
    /// What this table asks for.
    ///
    /// # Errors
    /// When it names a variant that has no pool.
    pub(super) fn of(table: &RoutingTable, pools: &Pools) -> Result<Self, String> {
        let pool = |name: &VariantName| {
            pools.get(name).cloned().ok_or_else(|| {
                format!("the table has a variant `{name}`, and `load_balancer.pools` has no pool for it")
            })
        };
        let stable = &table.stable().name;
        table.variants().iter().try_for_each(|variant| pool(&variant.name).map(drop))?;
        let slots = pools.iter().map(|(name, pool)| {
            let variant = table.variant(name);
            let weight = variant.map_or(Weight::ZERO, |variant| variant.weight);
            let serves = variant.filter(|_| name == stable || weight > Weight::ZERO);
            Slot {
                name: name.clone(),
                pool: pool.clone(),
                weight,
                origin: serves.map(|it| it.origin.clone()),
            }
        });
        Ok(Self { slots: slots.collect(), fallback: pool(stable)? })
    }

    /// The fields of the load balancer that are ours.
    pub(super) fn steering(&self) -> Value {
        let weights: Map<String, Value> = self
            .slots
            .iter()
            .map(|slot| (slot.pool.clone(), json!(f64::from(slot.weight.basis_points()) / 10_000.0)))
            .collect();
        json!({
            "steering_policy": "random", "fallback_pool": self.fallback,
            "random_steering": { "default_weight": 0, "pool_weights": weights },
        })
    }

    /// Whom the load balancer then sends where.
    pub(super) fn shares(&self) -> Shares {
        self.slots.iter().map(|slot| (slot.pool.clone(), slot.weight.basis_points())).collect()
    }

    /// Pools that have to be changed before they get anybody, and how.
    pub(super) fn raised(&self, seen: &Seen) -> Vec<(String, Value)> {
        let change = |slot: &Slot| {
            let origin = slot.origin.as_ref()?;
            let pool = seen.pools.get(&slot.pool)?;
            if pool.enabled && leads_to(pool, origin) {
                return None;
            }
            let before = pool.origins.first().cloned().unwrap_or_default();
            let change = json!({ "enabled": true, "origins": [endpoint(before, &slot.name, origin)] });
            Some((slot.pool.clone(), change))
        };
        self.slots.iter().filter_map(change).collect()
    }

    /// Whether a pool that has visitors would be led elsewhere by that: somebody else has given them to it.
    pub(super) fn diverts(&self, seen: &Seen) -> bool {
        let shares = seen.shares();
        self.raised(seen).iter().any(|(pool, _)| shares.get(pool).is_some_and(|share| *share > 0))
    }

    /// Whether the load balancer itself has to be changed.
    pub(super) fn steers(&self, seen: &Seen) -> bool {
        seen.balancer.steering_policy.as_deref() != Some("random")
            || seen.balancer.fallback_pool.as_ref() != Some(&self.fallback)
            || seen.shares() != self.shares()
    }

    /// Pools that nobody is to be on any more.
    pub(super) fn idle(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|slot| slot.origin.is_none()).map(|slot| slot.pool.as_str())
    }

    /// In what it is something else; `None` when it is as it has to be.
    pub(super) fn differs(&self, seen: &Seen) -> Option<String> {
        if seen.balancer.steering_policy.as_deref() != Some("random") || seen.shares() != self.shares() {
            return Some(self.told(seen));
        }
        if seen.balancer.fallback_pool.as_ref() != Some(&self.fallback) {
            return Some("its fallback pool is not that of the stable version".to_owned());
        }
        self.slots.iter().find_map(|slot| {
            let Slot { name, pool, origin, .. } = slot;
            let pool = seen.pools.get(pool)?;
            match origin {
                None => {
                    pool.enabled.then(|| format!("the pool of {name}, which nobody is to be on, is enabled"))
                }
                Some(_) if !pool.enabled => Some(format!("the pool of {name} is disabled")),
                Some(origin) => {
                    (!leads_to(pool, origin)).then(|| format!("the pool of {name} does not lead to {origin}"))
                }
            }
        })
    }

    /// Whom it sends where, by the slots' names.
    fn told(&self, seen: &Seen) -> String {
        if seen.balancer.steering_policy.as_deref() != Some("random") {
            let policy = seen.balancer.steering_policy.as_deref().unwrap_or_default();
            return format!("its steering policy is \"{policy}\", not \"random\"");
        }
        let shares = seen.shares();
        let share = |slot: &Slot| {
            let share = shares.get(&slot.pool).copied().and_then(Weight::new).unwrap_or(Weight::ZERO);
            format!("{} {share}", slot.name)
        };
        format!("it gives {}", self.slots.iter().map(share).collect::<Vec<_>>().join(", "))
    }
}

impl Seen {
    /// Whom it sends where, of those pools that are ours.
    pub(super) fn shares(&self) -> Shares {
        let steering = self.balancer.random_steering.clone().unwrap_or_default();
        let weights = steering.pool_weights.unwrap_or_default();
        let weight =
            |id: &String| weights.get(id).copied().or(steering.default_weight).unwrap_or(1.0).max(0.0);
        let total: f64 = self.pools.keys().map(weight).sum();
        let basis_points = |id: &String| {
            let share = if total > 0.0 { weight(id) / total } else { 0.0 };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share is from 0 to 1"
            )]
            let points = (share * 10_000.0).round() as u16;
            points
        };
        self.pools.keys().map(|id| (id.clone(), basis_points(id))).collect()
    }

    /// Why it cannot be used as it is set up.
    pub(super) fn unfit(&self) -> Option<String> {
        let balancer = &self.balancer;
        if !balancer.enabled {
            return Some("it is disabled".into());
        }
        if !balancer.proxied {
            return Some("it is not proxied: visitors would keep the address that they were told".into());
        }
        let ours = |id: &String| self.pools.contains_key(id);
        if balancer.default_pools.len() != self.pools.len() || !balancer.default_pools.iter().all(ours) {
            return Some("its default pools must be the two of `load_balancer.pools` and no others".into());
        }
        let keeps = balancer.session_affinity.as_deref().is_some_and(|kind| !matches!(kind, "" | "none"));
        let drain =
            balancer.session_affinity_attributes.as_ref().and_then(|it| it.drain_duration).unwrap_or(0.0);
        if keeps && drain > 0.0 {
            return Some(format!(
                "its session affinity drains for {drain} s: visitors would stay that long on a version that they are brought home \
                 from"
            ));
        }
        let steers = |rule: &Value| {
            let overrides = rule.get("overrides").and_then(Value::as_object);
            let is_on = rule.get("disabled").and_then(Value::as_bool) != Some(true);
            overrides.is_some_and(|it| {
                is_on && it.keys().any(|key| key.contains("pool") || key.contains("steering"))
            })
        };
        if let Some(rule) = balancer.rules.iter().flatten().find(|rule| steers(rule)) {
            let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
            return Some(format!(
                "its rule \"{name}\" sends requests to pools of its own choice, whatever the weights say"
            ));
        }
        let nobody =
            |pool: &Pool| pool.origins.iter().any(|it| it.get("weight").and_then(Value::as_f64) == Some(0.0));
        if let Some((id, _)) = self.pools.iter().find(|(_, pool)| nobody(pool)) {
            return Some(format!("the endpoint of pool {id} has a weight of 0: nobody would get to it"));
        }
        let crowded = self.pools.iter().find(|(_, pool)| pool.origins.len() > 1);
        crowded.map(|(id, pool)| {
            format!(
                "pool {id} has {} endpoints; a version is one endpoint, alone in its pool",
                pool.origins.len()
            )
        })
    }
}

/// Whether a pool's one endpoint is this origin, asked as itself.
fn leads_to(pool: &Pool, origin: &Origin) -> bool {
    let [endpoint] = pool.origins.as_slice() else { return false };
    let wanted = self::endpoint(endpoint.clone(), "", origin);
    ["address", "port", "header", "enabled"].iter().all(|field| endpoint.get(*field) == wanted.get(*field))
}

/// The endpoint with these changes: without the Host header a Pages deployment does not know whose request it is
/// (<https://developers.cloudflare.com/load-balancing/pools/cloudflare-pages-origin/>).
fn endpoint(before: Map<String, Value>, name: impl std::fmt::Display, origin: &Origin) -> Map<String, Value> {
    let authority = origin.as_str().split_once("://").map_or("", |(_, authority)| authority);
    let port = authority.strip_prefix(origin.host()).and_then(|rest| rest.strip_prefix(':'));
    let mut endpoint = before;
    endpoint.remove("disabled_at");
    endpoint.entry("name").or_insert_with(|| name.to_string().into());
    endpoint.insert("address".into(), origin.host().into());
    endpoint.insert("enabled".into(), true.into());
    endpoint.insert("header".into(), json!({ "Host": [authority] }));
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(port) => endpoint.insert("port".into(), port.into()),
        None => endpoint.remove("port"),
    };
    endpoint
}

#[cfg(test)]
mod tests;
