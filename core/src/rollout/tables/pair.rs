//! The tables of a canary: shifted, settled, home. Pure functions of the table before it and the new version.

use crate::Timestamp;
use crate::table::{
    Affinity, AffinityBy, Draft, Environment, Lease, Origin, Policy, Previous, RoutingTable, Variant,
    VariantName, Version, Weight,
};

use super::{Stamp, resolved, valid};
use crate::rollout::CannotStart;

/// The new version, as the routing table will list it; its weight is the plan's business.
///
/// ```
/// use crossfade_core::rollout::Canary;
/// use crossfade_core::table::*;
///
/// let canary = Canary {
///     environment: Environment::new("environment", "production")?,
///     name: VariantName::new("name", "green")?,
///     origin: Origin::new("origin", "https://9a8b7c6d.booking.pages.dev")?,
///     version: Version::new("version", "1.6.0")?,
///     affinity: AffinityBy::default(),
///     policy: Policy::default(),
/// };
/// # assert_eq!(canary.name.as_str(), "green");
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Whose traffic this is; must be the base table's environment.
    pub environment: Environment,
    /// The idle slot.
    pub name: VariantName,
    /// Where the new version is.
    pub origin: Origin,
    /// What it is.
    pub version: Version,
    /// How visitors are recognised from this release on.
    pub affinity: AffinityBy,
    /// What the router does beyond the draw from this release on. Rules and mirror name `stable` and `canary`, or a slot;
    /// what names `canary` is gone when the release has settled.
    pub policy: Policy,
}

impl Canary {
    fn variant(&self, weight: Weight) -> Variant {
        Variant {
            name: self.name.clone(),
            origin: self.origin.clone(),
            version: self.version.clone(),
            weight,
        }
    }
}

/// Where a rollout starts from and what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rollout) struct Pair {
    pub(in crate::rollout) base: Option<RoutingTable>,
    pub(in crate::rollout) canary: Canary,
}

impl Pair {
    pub(in crate::rollout) fn new(base: Option<RoutingTable>, canary: Canary) -> Result<Self, CannotStart> {
        if let Some(base) = &base {
            CannotStart::check(base, &canary.environment, &canary.name)?;
        }
        Ok(Self { base, canary })
    }

    /// The canary has `weight`, stable the rest, until the lease runs out. Without a table before it the canary is
    /// stable at once and there is no lease: there is nowhere to go home to.
    pub(in crate::rollout) fn shifted(
        &self,
        weight: Weight,
        stamp: &Stamp,
        lease_ends: Timestamp,
    ) -> RoutingTable {
        let Some(base) = &self.base else { return self.settled(stamp) };
        let stable = Variant { weight: weight.rest(), ..base.stable().clone() };
        valid(RoutingTable::new(Draft {
            stable: stable.name.clone(),
            policy: self.policy(&stable.name, Some(&self.canary.name)),
            variants: vec![stable, self.canary.variant(weight)],
            lease: Some(Lease { expires_at: lease_ends }),
            ..self.draft(stamp)
        }))
    }

    /// The canary is stable and has everybody; the version before stays listed without visitors.
    pub(super) fn settled(&self, stamp: &Stamp) -> RoutingTable {
        let before = self.base.as_ref().map(|base| Variant { weight: Weight::ZERO, ..base.stable().clone() });
        let canary = self.canary.variant(Weight::TOTAL);
        valid(RoutingTable::new(Draft {
            policy: self.policy(&canary.name, None),
            variants: before.into_iter().chain([canary]).collect(),
            ..self.draft(stamp)
        }))
    }

    /// The table before the rollout, as a new revision. `None` when there was none. Pages that the canary answered still
    /// find their files: it is the newest of `previous`.
    pub(super) fn home(&self, stamp: &Stamp) -> Option<RoutingTable> {
        let base = self.base.as_ref()?;
        let canary = Previous::from(self.canary.variant(Weight::ZERO));
        let older = std::iter::once(canary).chain(base.previous().iter().cloned());
        Some(valid(RoutingTable::new(Draft {
            lease: None,
            previous: Previous::list(older, base.variants()),
            ..stamp.on(base.draft())
        })))
    }

    fn draft(&self, stamp: &Stamp) -> Draft {
        stamp.on(Draft {
            environment: self.canary.environment.clone(),
            revision: stamp.revision,
            release: stamp.release.clone(),
            owner: None,
            updated_at: stamp.now,
            stable: self.canary.name.clone(),
            variants: Vec::new(),
            lease: None,
            previous: self.previous(),
            affinity: Affinity { by: self.canary.affinity.clone(), salt: stamp.release.to_string() },
            policy: Policy::default(),
        })
    }

    /// The policy with `stable` and `canary` replaced by the variants' names. What names nobody in this table is left out.
    fn policy(&self, stable: &VariantName, canary: Option<&VariantName>) -> Policy {
        let base = self.base.as_ref().map(|base| &base.stable().name);
        let known: Vec<&VariantName> = [Some(&self.canary.name), base].into_iter().flatten().collect();
        resolved(&self.canary.policy, stable, canary, &known)
    }

    /// What the canary's slot held before, and what was older still.
    fn previous(&self) -> Vec<Previous> {
        let Some(base) = &self.base else { return Vec::new() };
        let replaced = base.variant(&self.canary.name).cloned().map(Previous::from);
        let variants = [base.stable().clone(), self.canary.variant(Weight::ZERO)];
        Previous::list(replaced.into_iter().chain(base.previous().iter().cloned()), &variants)
    }
}
