//! Everybody on stable, and what stays listed then.

use super::{PREVIOUS_MAX, Previous, ReleaseId, RoutingTable, Variant, Weight};
use crate::Timestamp;

impl RoutingTable {
    /// The next revision, with all visitors on `stable` and no lease: what every router does once the lease has run out.
    ///
    /// A lease means a release in flight. Nobody has vouched for its canary, which must never pass for the version before:
    /// it is listed no more, but for the files that pages loaded from it still need.
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
