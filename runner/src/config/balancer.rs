//! `environments.….load_balancer`: Cloudflare Load Balancing instead of the router. In: the file's words. Out: which load balancer
//! follows the tables, and what of the file it cannot do.

use std::collections::BTreeMap;

use crossfade_core::table::{VariantName, Weight};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, Source, Strategy};
use crate::balancer::Balancer;
use crate::cloudflare::Cloudflare;

/// A load balancer that visitors of this environment meet instead of the router. It has no lease: what it was told last it does,
/// also when the runner is dead.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancerConfig {
    /// The id of its zone: 32 hexadecimal digits, as all of these.
    pub zone: String,
    /// Its own id.
    pub id: String,
    /// The pool of each slot, as `{ blue = "…", green = "…" }`: its default pools, and no others.
    pub pools: BTreeMap<String, String>,
}

impl LoadBalancerConfig {
    /// The load balancer.
    pub fn balancer(&self, client: Cloudflare) -> Balancer {
        let pools = self
            .pools
            .iter()
            .filter_map(|(slot, id)| Some((VariantName::new("slot", slot).ok()?, id.clone())));
        Balancer::new(client, &self.zone, &self.id, pools.collect())
    }

    fn check(&self, at: &str, slots: &[String; 2]) -> Result<(), String> {
        let pools = self.pools.iter().map(|(slot, id)| (format!("pools.{slot}"), id));
        for (field, id) in
            [("zone".to_owned(), &self.zone), ("id".to_owned(), &self.id)].into_iter().chain(pools)
        {
            if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("`{at}.{field}` is `{id}`: it must be an id, 32 hexadecimal digits"));
            }
        }
        let [one, other] = slots;
        let named: Vec<&String> = self.pools.keys().collect();
        if self.pools.len() != 2 || !slots.iter().all(|slot| self.pools.contains_key(slot)) {
            return Err(format!(
                "`{at}.pools` has {named:?}: it must have a pool for each of `rollout.slots`, {one} and {other}"
            ));
        }
        if self.pools.get(one) == self.pools.get(other) {
            return Err(format!(
                "`{at}.pools` gives {one} and {other} the same pool: a version is alone in its pool"
            ));
        }
        Ok(())
    }
}

impl Config {
    /// Refuses what no load balancer can do.
    pub(super) fn check_balancers(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for (name, environment) in &self.environments {
            let its = environment.load_balancer.iter();
            for id in its.flat_map(|it| std::iter::once(&it.id).chain(it.pools.values())) {
                if let Some(other) = seen.insert(id, name).filter(|other| *other != name) {
                    return Err(format!(
                        "`environments.{name}.load_balancer` has {id}, and so has {other}: a release of one would move the \
                         visitors of the other"
                    ));
                }
            }
        }
        for (name, environment) in &self.environments {
            let Some(balancer) = &environment.load_balancer else { continue };
            balancer.check(&format!("environments.{name}.load_balancer"), &self.rollout.slots)?;
            let counted = self.analysis.as_ref().filter(|analysis| analysis.needs_counts());
            let by_router = counted.is_some_and(|it| !matches!(it.source, Some(Source::Probe(_))));
            let first = self.rollout.steps.iter().flatten().next();
            let because = [
                (self.rollout.strategy == Strategy::Rolling, "strategy = \"rolling\" in `rollout`"),
                (
                    first.is_some_and(|step| step.weight.0 == Weight::ZERO),
                    "a first step of 0 %, whose override is the router's",
                ),
                (!self.router.rules.is_empty(), "`router.rules`"),
                (self.router.mirror.is_some(), "`router.mirror`"),
                (
                    by_router,
                    "`analysis` by what the router counts (take a probe as its source, or metrics of your own)",
                ),
            ];
            if let Some((_, what)) = because.iter().find(|(is_there, _)| *is_there) {
                return Err(format!(
                    "environment `{name}` has a `load_balancer`, which cannot do what the router does: {what}"
                ));
            }
        }
        Ok(())
    }
}
