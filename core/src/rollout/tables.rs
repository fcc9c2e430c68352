//! The tables a rollout writes: shifted, settled, home. Pure functions of the table before it and the new version.

use crate::Timestamp;
use crate::table::{
    Affinity, Draft, Environment, Lease, Policy, Previous, ReleaseId, Revision, RoutingTable, Variant,
    VariantName, Weight,
};

use super::{Canary, valid};

/// Where a rollout starts from and what it brings.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    base: Option<RoutingTable>,
    canary: Canary,
    release: ReleaseId,
}

/// Why a rollout cannot start from a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotStart {
    /// Weights are shifted already.
    #[error("revision {revision} gives `{variant}` {weight} although `{stable}` is stable")]
    AlreadyShifted {
        /// The table's revision.
        revision: Revision,
        /// Who has weight.
        variant: String,
        /// How much.
        weight: Weight,
        /// Who should have all of it.
        stable: String,
    },
    /// The new version would overwrite the one that serves visitors.
    #[error("`{0}` is stable: a new version goes to an idle slot")]
    CanaryIsStable(String),
    /// The table belongs to another environment.
    #[error("the table is of environment `{0}`")]
    OtherEnvironment(String),
}

impl CannotStart {
    /// Whether a new version in slot `canary` can be released from this table.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(base: &RoutingTable, environment: &Environment, canary: &VariantName) -> Result<(), Self> {
        let stable = base.stable();
        if base.environment() != environment {
            return Err(Self::OtherEnvironment(base.environment().to_string()));
        }
        if stable.name == *canary {
            return Err(Self::CanaryIsStable(canary.to_string()));
        }
        let shifted = |variant: &&Variant| variant.name != stable.name && variant.weight > Weight::ZERO;
        match base.variants().iter().find(shifted) {
            Some(variant) => Err(Self::AlreadyShifted {
                revision: base.revision(),
                variant: variant.name.to_string(),
                weight: variant.weight,
                stable: stable.name.to_string(),
            }),
            None => Ok(()),
        }
    }
}

impl Tables {
    pub(super) fn new(
        base: Option<RoutingTable>,
        canary: Canary,
        release: ReleaseId,
    ) -> Result<Self, CannotStart> {
        if let Some(base) = &base {
            CannotStart::check(base, &canary.environment, &canary.name)?;
        }
        Ok(Self { base, canary, release })
    }

    pub(super) fn base_revision(&self) -> Option<Revision> {
        self.base.as_ref().map(RoutingTable::revision)
    }

    pub(super) const fn release(&self) -> &ReleaseId {
        &self.release
    }

    /// The canary has `weight`, stable the rest, until the lease runs out. Without a table before it the canary is
    /// stable at once and there is no lease: there is nowhere to go home to.
    pub(super) fn shifted(
        &self,
        weight: Weight,
        revision: Revision,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> RoutingTable {
        let Some(base) = &self.base else { return self.settled(revision, now) };
        let stable = Variant { weight: weight.rest(), ..base.stable().clone() };
        valid(RoutingTable::new(Draft {
            stable: stable.name.clone(),
            policy: self.policy(&stable.name, Some(&self.canary.name)),
            variants: vec![stable, self.canary.variant(weight)],
            lease: Some(Lease { expires_at: lease_ends }),
            ..self.draft(revision, now)
        }))
    }

    /// The canary is stable and has everybody; the version before stays listed without visitors.
    pub(super) fn settled(&self, revision: Revision, now: Timestamp) -> RoutingTable {
        let before = self.base.as_ref().map(|base| Variant { weight: Weight::ZERO, ..base.stable().clone() });
        let canary = self.canary.variant(Weight::TOTAL);
        valid(RoutingTable::new(Draft {
            stable: canary.name.clone(),
            policy: self.policy(&canary.name, None),
            variants: before.into_iter().chain([canary]).collect(),
            ..self.draft(revision, now)
        }))
    }

    /// The table before the rollout, as a new revision. `None` when there was none. Pages that the canary answered still
    /// find their files: it is the newest of `previous`.
    pub(super) fn home(&self, revision: Revision, now: Timestamp) -> Option<RoutingTable> {
        let base = self.base.as_ref()?;
        let canary = Previous::from(self.canary.variant(Weight::ZERO));
        let older = std::iter::once(canary).chain(base.previous().iter().cloned());
        Some(valid(RoutingTable::new(Draft {
            revision,
            release: self.release.clone(),
            updated_at: now,
            lease: None,
            previous: Previous::list(older, base.variants()),
            ..base.draft()
        })))
    }

    fn draft(&self, revision: Revision, now: Timestamp) -> Draft {
        Draft {
            environment: self.canary.environment.clone(),
            revision,
            release: self.release.clone(),
            updated_at: now,
            stable: self.canary.name.clone(),
            variants: Vec::new(),
            lease: None,
            previous: self.previous(),
            affinity: Affinity { by: self.canary.affinity.clone(), salt: self.release.to_string() },
            policy: Policy::default(),
        }
    }

    /// The policy with `stable` and `canary` replaced by the variants' names. What names nobody in this table is left out.
    fn policy(&self, stable: &VariantName, canary: Option<&VariantName>) -> Policy {
        let base = self.base.as_ref().map(|base| &base.stable().name);
        self.canary.policy.resolved(|name| match name.as_str() {
            "stable" => Some(stable.clone()),
            "canary" => canary.cloned(),
            _ => [Some(&self.canary.name), base].into_iter().flatten().find(|known| *known == name).cloned(),
        })
    }

    /// What the canary's slot held before, and what was older still.
    fn previous(&self) -> Vec<Previous> {
        let Some(base) = &self.base else { return Vec::new() };
        let replaced = base.variant(&self.canary.name).cloned().map(Previous::from);
        let variants = [base.stable().clone(), self.canary.variant(Weight::ZERO)];
        Previous::list(replaced.into_iter().chain(base.previous().iter().cloned()), &variants)
    }
}
