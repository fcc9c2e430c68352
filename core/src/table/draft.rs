//! A table that nobody has looked at yet.

use super::{
    Affinity, Environment, Lease, Owner, Policy, Previous, ReleaseId, Revision, Variant, VariantName,
};
use crate::Timestamp;

/// What a table is made of, before its invariants are checked.
///
/// ```
/// # use crossfade_core::{RoutingTable, table::{Draft, Problem, TableError, Weight}};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let mut draft: Draft = RoutingTable::parse(json)?.draft();
/// draft.revision = draft.revision.next();
/// draft.variants[1].weight = Weight::from_percent("10").unwrap();
/// let error: TableError = RoutingTable::new(draft.clone()).unwrap_err();
/// assert_eq!(error.problem, Problem::WeightSum);
/// assert_eq!(
///     error.to_string(),
///     "routing table: `variants[].weight` is `10500`: the weights must make exactly 10000 basis points"
/// );
/// draft.variants[0].weight = draft.variants[1].weight.rest();
/// assert_eq!(RoutingTable::new(draft)?.revision().number(), 43);
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whose traffic this is.
    pub environment: Environment,
    /// The number of this write.
    pub revision: Revision,
    /// Who writes it.
    pub release: ReleaseId,
    /// Which process of that release; `None` when nobody stays in charge of what is written.
    pub owner: Option<Owner>,
    /// When it is written.
    pub updated_at: Timestamp,
    /// The variant that everything falls back to.
    pub stable: VariantName,
    /// All destinations.
    pub variants: Vec<Variant>,
    /// Until when the weights hold; `None` when nothing is in flight.
    pub lease: Option<Lease>,
    /// Older releases, newest first, for their assets only.
    pub previous: Vec<Previous>,
    /// How visitors are recognised and spread.
    pub affinity: Affinity,
    /// What the router does beyond the draw.
    pub policy: Policy,
}
