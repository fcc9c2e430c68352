//! What releases begin with: tables, canaries, fleets.

use crossfade_core::RoutingTable;
use crossfade_core::rollout::{Canary, Crew, Instance};
use crossfade_core::table::{
    self, Affinity, AffinityBy, Environment, Origin, Policy, ReleaseId, Revision, Variant, VariantName,
    Version, Weight,
};

use crate::world::EPOCH;

/// The version that everything begins with, and the one that is released.
pub(crate) const OLD: &str = "1";
pub(crate) const NEW: &str = "2";

pub(crate) fn canary() -> Canary {
    Canary {
        environment: environment(),
        name: name("green"),
        origin: origin("green-new"),
        version: version(NEW),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    }
}

pub(crate) fn crew(instances: usize, in_place: impl Fn(usize) -> bool) -> Crew {
    let instances = (0..instances).map(|index| Instance { name: instance(index), in_place: in_place(index) });
    Crew {
        environment: environment(),
        instances: instances.collect(),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    }
}

pub(crate) fn pair() -> RoutingTable {
    base(vec![variant("blue", Weight::TOTAL), variant("green", Weight::ZERO)])
}

/// A table of so many instances.
pub(crate) fn instances(instances: usize) -> RoutingTable {
    let share = Weight::TOTAL.basis_points() / u16::try_from(instances).unwrap();
    let rest = Weight::TOTAL.basis_points() % u16::try_from(instances).unwrap();
    let weight = |index| Weight::new(if index == 0 { share + rest } else { share }).unwrap();
    base((0..instances).map(|index| variant(instance(index).as_str(), weight(index))).collect())
}

fn base(variants: Vec<Variant>) -> RoutingTable {
    RoutingTable::new(table::Draft {
        environment: environment(),
        revision: Revision::new(7).unwrap(),
        release: release("rel-old"),
        owner: None,
        updated_at: EPOCH,
        stable: variants[0].name.clone(),
        variants,
        lease: None,
        previous: Vec::new(),
        affinity: Affinity { by: AffinityBy::default(), salt: "rel-old".into() },
        policy: Policy::default(),
    })
    .unwrap()
}

fn variant(of: &str, weight: Weight) -> Variant {
    Variant { name: name(of), origin: origin(of), version: version(OLD), weight }
}

fn environment() -> Environment {
    Environment::new("environment", "production").unwrap()
}

fn instance(index: usize) -> VariantName {
    name(&format!("i{index}"))
}

fn name(name: &str) -> VariantName {
    VariantName::new("name", name).unwrap()
}

pub(crate) fn origin(host: &str) -> Origin {
    Origin::new("origin", &format!("https://{host}.example.com")).unwrap()
}

pub(crate) fn version(version: &str) -> Version {
    Version::new("version", version).unwrap()
}

pub(crate) fn release(id: &str) -> ReleaseId {
    ReleaseId::new("release", id).unwrap()
}

pub(crate) fn percent(percent: u16) -> Weight {
    Weight::new(percent * 100).unwrap()
}
