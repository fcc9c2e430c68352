//! The machine against a scripted world; against any sequence of answers in `property`.
//!
//! Mutants that survive (`cargo mutants -p crossfade-core -f 'core/src/rollout/**/*.rs' -- --lib --test simulation`), and why:
//!
//! - in `Rollout::wake`, times to wake up at that do not matter just then: the machine looks, and waits again;
//! - in `Rollout::deployed`, the way out for a step without a batch, which is never deployed;
//! - in `Fleet::fall_back`, `||` for `&&`: who is spared then is being undone already.

use std::time::Duration;

use super::*;
use crate::table::{
    self, Affinity, AffinityBy, Environment, Generation, Origin, Policy, Previous, Rule, RunnerId, Variant,
    VariantName, Version, Weight,
};

mod canary;
mod fleet;
mod forecast;
mod gates;
mod judging;
mod lease;
mod look;
mod orders;
mod pause;
mod property;
mod saved;
mod scenario;
mod standing;
mod write;

use scenario::Scenario;

const RELEASE: &str = "rel-new";

fn base() -> RoutingTable {
    let variant = |name: &str, weight| Variant {
        name: VariantName::new("name", name).unwrap(),
        origin: Origin::new("origin", &format!("https://{name}.example.com")).unwrap(),
        version: Version::new("version", name).unwrap(),
        weight,
    };
    RoutingTable::new(table::Draft {
        environment: Environment::new("environment", "production").unwrap(),
        revision: Revision::new(7).unwrap(),
        release: ReleaseId::new("release", "rel-old").unwrap(),
        owner: None,
        updated_at: Timestamp::from_millis(0),
        stable: VariantName::new("stable", "blue").unwrap(),
        variants: vec![variant("blue", Weight::TOTAL), variant("green", Weight::ZERO)],
        lease: None,
        previous: Vec::new(),
        affinity: Affinity { by: AffinityBy::default(), salt: "rel-old".into() },
        policy: Policy::default(),
    })
    .unwrap()
}

fn canary() -> Canary {
    Canary {
        environment: Environment::new("environment", "production").unwrap(),
        name: VariantName::new("name", "green").unwrap(),
        origin: Origin::new("origin", "https://new.example.com").unwrap(),
        version: Version::new("version", "2").unwrap(),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    }
}

/// Rules that send some visitors there.
fn rules_to(names: &[&str]) -> Policy {
    let rule = |to: &&str| Rule {
        to: VariantName::new("to", *to).unwrap(),
        path: None,
        header: None,
        cookie: None,
        country: vec!["CH".into()],
    };
    Policy { rules: names.iter().map(rule).collect(), ..Policy::default() }
}

fn plan(steps: &[(u16, u64)]) -> Plan {
    let steps = steps.iter().map(|(percent, hold)| step(*percent, *hold)).collect();
    Plan::new(Draft { steps, ..Draft::default() }).unwrap()
}

fn step(percent: u16, hold: u64) -> Step {
    let shift = Shift::Canary(Weight::new(percent * 100).unwrap());
    Step { shift, hold: Duration::from_secs(hold), gates: Vec::new() }
}

fn owner() -> Owner {
    Owner { runner: RunnerId::new("runner", "r1").unwrap(), generation: Generation::FIRST }
}

fn rollout(plan: Plan, base: Option<RoutingTable>) -> Rollout {
    Rollout::new(plan, base, Subject::Canary(canary()), release(), owner()).unwrap()
}

fn release() -> ReleaseId {
    ReleaseId::new("release", RELEASE).unwrap()
}

fn measured(verdict: Verdict) -> Event {
    Event::Measured(verdict.into())
}

fn fail() -> Verdict {
    Verdict::Fail("basic: status 503".into())
}
