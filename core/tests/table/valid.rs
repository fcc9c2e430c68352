//! Tables that satisfy every invariant, as wide as the invariants allow.

use crossfade_core::table::{
    Affinity, Draft, Environment, Lease, Origin, PREVIOUS_MAX, Previous, ReleaseId, Revision, VARIANTS_MAX,
    Variant, VariantName, Version, Weight,
};
use crossfade_core::{RoutingTable, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::policy::{affinity, parts};

prop_compose! {
    /// Any table.
    pub(crate) fn table()(
        environment in "[a-z0-9][a-z0-9-]{0,31}",
        revision in 1_u64..,
        release in word(),
        updated_at in timestamp(),
        stable: Index,
        variants in variants(),
        lease in prop::option::of(timestamp()),
        previous in previous(),
        salt in word(),
        by in affinity(),
        parts in parts(),
    ) -> RoutingTable {
        RoutingTable::new(Draft {
            environment: Environment::new("environment", environment).unwrap(),
            revision: Revision::new(revision).unwrap(),
            release: ReleaseId::new("release", release).unwrap(),
            owner: None,
            updated_at,
            stable: stable.get(&variants).name.clone(),
            policy: parts.among(&variants),
            variants,
            lease: lease.map(|expires_at| Lease { expires_at }),
            previous,
            affinity: Affinity { by, salt },
        }).unwrap()
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[ !#-\\[\\]-~]{1,12}", 1 => "[ !#-\\[\\]-~]{128}"]
}

fn origin() -> impl Strategy<Value = Origin> {
    let label = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?";
    let public = (prop::collection::vec(label, 1..4), prop::option::of(1_u16..))
        .prop_map(|(labels, port)| (format!("https://{}", labels.join(".")), port));
    let loopback = (0_u8.., 1_u16..).prop_map(|(last, port)| (format!("http://127.0.0.{last}"), Some(port)));
    prop_oneof![public, loopback].prop_map(|(host, port)| {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Origin::new("origin", &format!("{host}{port}")).unwrap()
    })
}

/// Weights that make a whole: the pieces between sorted cuts.
fn weights() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(0_u16..=10_000, 0..VARIANTS_MAX).prop_map(|mut cuts| {
        cuts.extend([0, 10_000]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

prop_compose! {
    fn variants()(weights in weights())(
        origins in prop::collection::vec(origin(), weights.len()),
        versions in prop::collection::vec(word(), weights.len()),
        names in prop::collection::hash_set("[a-z0-9][a-z0-9-]{0,7}|[a-z][a-z0-9-]{31}", weights.len()),
        weights in Just(weights),
    ) -> Vec<Variant> {
        let parts = names.into_iter().zip(origins).zip(versions).zip(weights);
        parts.map(|(((name, origin), version), weight)| Variant {
            name: VariantName::new("name", name).unwrap(),
            origin,
            version: Version::new("version", version).unwrap(),
            weight: Weight::new(weight).unwrap(),
        }).collect()
    }
}

fn previous() -> impl Strategy<Value = Vec<Previous>> {
    let one = (origin(), word()).prop_map(|(origin, version)| Previous {
        origin,
        version: Version::new("version", version).unwrap(),
    });
    prop::collection::vec(one, 0..=PREVIOUS_MAX)
}

/// Any point in time, more often one of a few centuries around 1970.
pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), -10_000_000_000_000..10_000_000_000_000_i64].prop_map(Timestamp::from_millis)
}
