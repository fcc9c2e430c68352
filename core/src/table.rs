//! The routing table: the one small document that decides who answers a visitor.
//!
//! In: the JSON under the KV key `routing:<environment>`. Out: a [`RoutingTable`] that satisfies every invariant below,
//! or a [`TableError`] that names the field, its value and what is wrong with it. The runner checks a table by the same
//! code before writing it as the router does after reading it.
//!
//! # Invariants
//!
//! 1. `schema` is [`SCHEMA`]; a table of a newer schema is refused as a whole.
//! 2. `revision` is at least 1 and grows by one with every write.
//! 3. There are 1 to [`VARIANTS_MAX`] variants with different names, and `stable` names one of them.
//! 4. Each weight is 0 to [`Weight::TOTAL`] basis points and together they make exactly [`Weight::TOTAL`].
//! 5. An origin is `https://host[:port]` and nothing more; plain `http` is for loopback hosts.
//! 6. Names, versions and releases can stand in an HTTP header: printable ASCII without quotes and backslashes.
//! 7. `previous` lists at most [`PREVIOUS_MAX`] older releases.
//! 8. A rule or mirror names a variant that is there; there are at most [`RULES_MAX`] rules; no time is longer than an hour.
//! 9. Header names are in lower case, cookie paths begin with a slash, countries are two capital letters or digits.
//!
//! Fields that this version does not know are ignored, so that an old router reads a newer runner's table.

use serde::Serialize;

use crate::Timestamp;

mod affinity;
mod draft;
mod error;
mod name;
mod origin;
mod owner;
mod policy;
mod read;
mod rest;
mod revision;
mod rule;
mod text;
mod variant;
mod weight;

pub use affinity::{Affinity, AffinityBy, SameSite};
pub use draft::Draft;
pub use error::{Problem, TableError};
pub use name::{Environment, ReleaseId, RunnerId, VariantName, Version};
pub use origin::{Origin, is_loopback};
pub use owner::{Generation, Owner};
pub use policy::{Breaker, MILLIS_MAX, Mirror, Policy, RULES_MAX, Rescue};
pub(crate) use read::manners;
pub use revision::Revision;
pub use rule::{Facts, Named, Rule};
pub use text::TextMatch;
pub use variant::{Previous, Variant};
pub use weight::Weight;

/// The schema that this version reads and writes.
pub const SCHEMA: u64 = 1;
/// The most variants a table may have.
pub const VARIANTS_MAX: usize = 16;
/// The most older releases kept for their assets.
pub const PREVIOUS_MAX: usize = 5;

/// A routing table that satisfies every invariant of this module.
///
/// ```
/// # use crossfade_core::{RoutingTable, Timestamp, table::TableError};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let table = RoutingTable::parse(json)?;
/// assert_eq!(RoutingTable::key(table.environment()), "routing:production");
/// assert_eq!(table.revision().number(), 42);
/// assert_eq!(table.stable().version.as_str(), "1.4.2");
/// assert_eq!(table.variants()[1].weight.to_string(), "5 %");
/// assert_eq!(table.variant(&table.variants()[1].name), Some(&table.variants()[1]));
/// assert_eq!(table.previous()[0].version.as_str(), "1.4.1");
/// assert!(table.names(table.stable().origin.as_str()) && !table.names("https://elsewhere.example"));
/// assert_eq!(RoutingTable::parse(table.to_json().as_bytes())?, table);
///
/// let lease = table.lease().unwrap();
/// assert!(table.lapsed(lease.expires_at) && !table.lapsed(table.updated_at()));
/// assert_eq!(table.affinity().salt, table.release().as_str());
/// assert!(table.owner().is_none() && table.policy().rules.is_empty());
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoutingTable {
    schema: u64,
    environment: Environment,
    revision: Revision,
    release: ReleaseId,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    updated_at: Timestamp,
    stable: VariantName,
    variants: Vec<Variant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Previous>,
    affinity: Affinity,
    #[serde(flatten)]
    policy: Policy,
}

/// How long the weights hold without anybody's further word.
///
/// ```
/// use crossfade_core::{Timestamp, table::Lease};
///
/// let lease = Lease { expires_at: Timestamp::parse("2026-01-31T12:05:00Z").unwrap() };
/// assert_eq!(serde_json::to_string(&lease).unwrap(), r#"{"expires_at":"2026-01-31T12:05:00Z"}"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// From this millisecond on every router sends all visitors to `stable`.
    pub expires_at: Timestamp,
}

impl RoutingTable {
    /// Checks the invariants.
    ///
    /// # Errors
    /// The first field that breaks one, with its value.
    pub fn new(draft: Draft) -> Result<Self, TableError> {
        let Draft {
            environment,
            revision,
            release,
            owner,
            updated_at,
            stable,
            variants,
            lease,
            previous,
            affinity,
            policy,
        } = draft;
        if variants.is_empty() || variants.len() > VARIANTS_MAX {
            return Err(TableError::new("variants", variants.len(), Problem::VariantCount));
        }
        for (index, variant) in variants.iter().enumerate() {
            if variants[..index].iter().any(|earlier| earlier.name == variant.name) {
                return Err(TableError::new(
                    format!("variants[{index}].name"),
                    &variant.name,
                    Problem::DuplicateName,
                ));
            }
        }
        let sum: u32 = variants.iter().map(|variant| u32::from(variant.weight.basis_points())).sum();
        if sum != u32::from(Weight::TOTAL.basis_points()) {
            return Err(TableError::new("variants[].weight", sum, Problem::WeightSum));
        }
        if !variants.iter().any(|variant| variant.name == stable) {
            return Err(TableError::new("stable", &stable, Problem::StableUnknown));
        }
        if previous.len() > PREVIOUS_MAX {
            return Err(TableError::new("previous", previous.len(), Problem::PreviousCount));
        }
        if !name::fits_a_header(&affinity.salt) {
            return Err(TableError::new("affinity.salt", &affinity.salt, Problem::NotAWord));
        }
        affinity.by.check()?;
        policy.check(|name| variants.iter().any(|variant| variant.name == *name))?;
        Ok(Self {
            schema: SCHEMA,
            environment,
            revision,
            release,
            owner,
            updated_at,
            stable,
            variants,
            lease,
            previous,
            affinity,
            policy,
        })
    }

    /// Reads the JSON document.
    ///
    /// # Errors
    /// The first field that is missing, of the wrong type or breaks an invariant, with its value.
    pub fn parse(json: &[u8]) -> Result<Self, TableError> {
        read::draft(json).and_then(Self::new)
    }

    /// The JSON document, as it is stored under the KV key.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a table holds only strings, numbers and lists of them")
    }

    /// The KV key of an environment's table.
    pub fn key(environment: &Environment) -> String {
        format!("routing:{environment}")
    }

    /// A copy to change and check again with [`RoutingTable::new`].
    pub fn draft(&self) -> Draft {
        Draft {
            environment: self.environment.clone(),
            revision: self.revision,
            release: self.release.clone(),
            owner: self.owner.clone(),
            updated_at: self.updated_at,
            stable: self.stable.clone(),
            variants: self.variants.clone(),
            lease: self.lease,
            previous: self.previous.clone(),
            affinity: self.affinity.clone(),
            policy: self.policy.clone(),
        }
    }

    /// Whose traffic this is.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The number of this write.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Who wrote it.
    pub const fn release(&self) -> &ReleaseId {
        &self.release
    }

    /// Which process of that release.
    pub const fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// When it was written.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// All destinations, at least one.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The variant of that name.
    pub fn variant(&self, name: &VariantName) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == *name)
    }

    /// The variant that everything falls back to.
    pub fn stable(&self) -> &Variant {
        self.variant(&self.stable).expect("`stable` names one of the variants")
    }

    /// Until when the weights hold; `None` when nothing is in flight.
    pub const fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// Whether the lease has run out, so that all visitors belong to `stable`.
    pub fn lapsed(&self, now: Timestamp) -> bool {
        self.lease.is_some_and(|lease| now >= lease.expires_at)
    }

    /// Older releases, newest first.
    pub fn previous(&self) -> &[Previous] {
        &self.previous
    }

    /// Whether visitors are sent to this origin, or fetch files from it; it may end in a slash.
    pub fn names(&self, origin: &str) -> bool {
        let variants = self.variants.iter().map(|variant| &variant.origin);
        let mut all = variants.chain(self.previous.iter().map(|previous| &previous.origin));
        all.any(|it| it.as_str() == origin.trim_end_matches('/'))
    }

    /// How visitors are recognised and spread.
    pub const fn affinity(&self) -> &Affinity {
        &self.affinity
    }

    /// What the router does beyond the draw.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}
