//! Why a rollout cannot start from a table.

use crate::table::{Environment, Revision, RoutingTable, VARIANTS_MAX, Variant, VariantName, Weight};

/// Why a rollout cannot start from a table.
///
/// ```
/// # use crossfade_core::{RoutingTable, rollout::CannotStart};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let table = RoutingTable::parse(json)?;
/// let check = |slot: usize| CannotStart::check(&table, table.environment(), &table.variants()[slot].name);
/// assert_eq!(
///     check(1).unwrap_err().to_string(),
///     "revision 42 gives `green` 5 % although `blue` is stable"
/// );
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
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
    /// What was saved is not what KV holds any more.
    #[error("{0} is in force: this release cannot be resumed")]
    Superseded(String),
    /// More instances than a table may list.
    #[error(
        "{0} instances are more than a routing table may list ({VARIANTS_MAX}), those that leave included"
    )]
    TooManyInstances(usize),
    /// A batch whose visitors would have nowhere to go.
    #[error(
        "nobody else has visitors while `{0}` is replaced: replace instances that are new first, or fewer at once"
    )]
    NobodyLeft(String),
    /// The plan is for another fleet.
    #[error("the plan replaces {planned} instances, and there are {instances}")]
    OtherFleet {
        /// How many the plan replaces.
        planned: usize,
        /// How many there are.
        instances: usize,
    },
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
