//! Everybody on stable, and what stays listed then.

use super::{PREVIOUS_MAX, Previous, ReleaseId, RoutingTable, Variant, VariantName, Weight};
use crate::Timestamp;

impl RoutingTable {
    /// The next revision, with all visitors on `stable` and no lease: what every router does once the lease has run out.
    ///
    /// A lease means a release in flight. Nobody has vouched for its canary, which must never pass for the version before:
    /// it is listed no more, but for the files that pages loaded from it still need.
    ///
    /// ```
    /// # use crossfade_core::{RoutingTable, table::Weight};
    /// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
    /// let table = RoutingTable::parse(json)?;
    /// let rest = table.at_rest(table.release().clone(), table.updated_at());
    /// assert_eq!((rest.revision().number(), rest.lease()), (43, None));
    /// assert_eq!(rest.variants().len(), 1);
    /// assert_eq!(rest.stable().weight, Weight::TOTAL);
    /// # Ok::<(), crossfade_core::table::TableError>(())
    /// ```
    #[must_use]
    pub fn at_rest(&self, release: ReleaseId, now: Timestamp) -> Self {
        let unfinished = self.lease.is_some();
        let (mut variants, dropped): (Vec<Variant>, Vec<Variant>) =
            self.variants.iter().cloned().partition(|variant| !unfinished || variant.name == self.stable);
        for variant in &mut variants {
            variant.weight = if variant.name == self.stable { Weight::TOTAL } else { Weight::ZERO };
        }
        let policy =
            self.policy.resolved(|to| variants.iter().find(|it| it.name == *to).map(|it| it.name.clone()));
        let older = dropped.into_iter().map(Previous::from).chain(self.previous.iter().cloned());
        Self {
            revision: self.revision.next(),
            release,
            owner: None,
            updated_at: now,
            lease: None,
            previous: Previous::list(older, &variants),
            variants,
            policy,
            ..self.clone()
        }
    }

    /// The next revision, with all visitors on another version, and the one that had them still listed, to go back to.
    ///
    /// `to` keeps the name that it is listed by; when it is not listed, it takes the place of whoever has the name `slot`, or is
    /// added by it. Only the version before and this one stay variants; pages loaded from the others still find their files.
    ///
    /// ```
    /// # use crossfade_core::{RoutingTable, table::Weight};
    /// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
    /// let table = RoutingTable::parse(json)?;
    /// let (green, now) = (table.variants()[1].clone(), table.updated_at());
    /// let slot = green.name.clone();
    /// let after = table.switched(&green.into(), &slot, table.release().clone(), now);
    /// assert_eq!((after.stable().version.as_str(), after.stable().weight), ("1.5.0", Weight::TOTAL));
    /// # Ok::<(), crossfade_core::table::TableError>(())
    /// ```
    #[must_use]
    pub fn switched(&self, to: &Previous, slot: &VariantName, release: ReleaseId, now: Timestamp) -> Self {
        let rest = self.at_rest(release, now);
        let before = Variant { weight: Weight::ZERO, ..rest.stable().clone() };
        let listed = rest.variants.iter().find(|variant| variant.origin == to.origin);
        let (origin, version) = (to.origin.clone(), to.version.clone());
        let name = listed.map_or(slot, |variant| &variant.name).clone();
        let now_stable = Variant { name, origin, version, weight: Weight::TOTAL };
        let dropped = rest.variants.iter().filter(|variant| variant.name != before.name).cloned();
        let older: Vec<Previous> = dropped.map(Previous::from).chain(rest.previous.iter().cloned()).collect();
        let stable = now_stable.name.clone();
        let variants = if before.name == stable { vec![now_stable] } else { vec![before, now_stable] };
        let policy =
            rest.policy.resolved(|name| variants.iter().any(|it| it.name == *name).then(|| name.clone()));
        Self { previous: Previous::list(older.into_iter(), &variants), stable, variants, policy, ..rest }
    }
}

impl Previous {
    /// The first [`PREVIOUS_MAX`] of what comes newest first, each origin once, and none that is a variant's.
    pub(crate) fn list(newest_first: impl Iterator<Item = Self>, variants: &[Variant]) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for older in newest_first {
            let listed = variants.iter().any(|variant| variant.origin == older.origin)
                || list.iter().any(|newer| newer.origin == older.origin);
            if !listed && list.len() < PREVIOUS_MAX {
                list.push(older);
            }
        }
        list
    }
}

impl From<Variant> for Previous {
    fn from(variant: Variant) -> Self {
        Self { origin: variant.origin, version: variant.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RoutingTable {
        let table =
            br#"{"schema":1,"environment":"production","revision":7,"release":"rel-7","stable":"green",
            "updated_at":"2026-01-31T12:00:00Z","affinity":{"by":"cookie","salt":"s"},
            "variants":[{"name":"blue","origin":"https://b.example","version":"1","weight":0},
                        {"name":"green","origin":"https://g.example","version":"2","weight":10000}],
            "previous":[{"origin":"https://old.example","version":"0"}]}"#;
        RoutingTable::parse(table).unwrap()
    }

    /// (stable and its version, the variants by name and origin, the older ones by version)
    fn switched(table: &RoutingTable, origin: &str, version: &str) -> (String, String, String) {
        let to = Previous {
            origin: super::super::Origin::new("origin", origin).unwrap(),
            version: super::super::Version::new("version", version).unwrap(),
        };
        let idle = if table.stable.as_str() == "green" { "blue" } else { "green" };
        let slot = VariantName::new("slot", idle).unwrap();
        let release = ReleaseId::new("release", "rel-8").unwrap();
        let now = table.switched(&to, &slot, release, Timestamp::from_millis(0));
        assert_eq!(RoutingTable::new(now.draft()).as_ref(), Ok(&now), "a switched table is sound");
        assert_eq!(
            (now.revision, now.lease, now.stable().weight),
            (table.revision.next(), None, Weight::TOTAL)
        );
        let variants: Vec<_> = now.variants.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        let previous: Vec<_> = now.previous.iter().map(|it| it.version.to_string()).collect();
        (format!("{} {}", now.stable, now.stable().version), variants.join(", "), previous.join(", "))
    }

    #[test]
    fn any_version_can_take_over_in_one_revision() {
        let is = |got: (String, String, String), stable: &str, variants: &str, previous: &str| {
            assert_eq!(got, (stable.into(), variants.into(), previous.into()));
        };
        let table = table();
        is(switched(&table, "https://b.example", "1"), "blue 1", "green 2, blue 1", "0");
        is(switched(&table, "https://old.example", "0"), "blue 0", "green 2, blue 0", "1");
        is(switched(&table, "https://far.example", "-3"), "blue -3", "green 2, blue -3", "1, 0");
        is(switched(&table, "https://g.example", "2"), "green 2", "green 2", "1, 0");
    }

    #[test]
    fn a_canary_that_nobody_vouched_for_does_not_stay_a_variant() {
        let lease = Some(super::super::Lease { expires_at: Timestamp::from_millis(9) });
        let mut draft = super::super::Draft { lease, ..table().draft() };
        draft.variants[0].weight = Weight::new(500).unwrap();
        draft.variants[1].weight = Weight::new(9_500).unwrap();
        let shifted = RoutingTable::new(draft).unwrap();
        let (stable, variants, previous) = switched(&shifted, "https://old.example", "0");
        assert_eq!(
            (stable.as_str(), variants.as_str(), previous.as_str()),
            ("blue 0", "green 2, blue 0", "1")
        );
    }
}
