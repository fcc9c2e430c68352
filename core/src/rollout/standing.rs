//! The fence: whether a runner may still replace what KV holds.
//!
//! KV has no compare-and-set (<https://developers.cloudflare.com/kv/concepts/how-kv-works/>), so between this look and the
//! write there is a moment in which somebody else may write too. Each writer looks again before its next write, so the
//! table that is in force then decides who goes on; the other one stops, and its lease ends what it left.

use crate::table::{Generation, Owner, ReleaseId, Revision, RoutingTable};

use super::WriteFailure;

/// Who wrote a table.
///
/// ```
/// # use crossfade_core::{RoutingTable, rollout::{WriteFailure, Writer, standing}, table::ReleaseId};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let ours = RoutingTable::parse(json)?;
/// let other = ours.at_rest(ReleaseId::new("release", "rel-8")?, ours.updated_at());
/// assert_eq!(standing(Some(&Writer::of(&ours)), &ours, None), Ok(()));
/// assert_eq!(
///     standing(Some(&Writer::of(&other)), &ours, Some(ours.revision())),
///     Err(WriteFailure::Superseded("revision 43 of release rel-8".into()))
/// );
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its revision.
    pub revision: Revision,
    /// The release.
    pub release: ReleaseId,
    /// The process.
    pub owner: Option<Owner>,
}

impl Writer {
    /// Who wrote this one.
    pub fn of(table: &RoutingTable) -> Self {
        Self { revision: table.revision(), release: table.release().clone(), owner: table.owner().cloned() }
    }

    fn generation(&self) -> Option<Generation> {
        self.owner.as_ref().map(|owner| owner.generation)
    }
}

/// Whether `table` may take the place of what KV holds.
///
/// # Errors
/// [`WriteFailure::Superseded`] when that is another release's, or of a runner that took over from this one;
/// [`WriteFailure::Behind`] when it is ours to replace, by a later revision than this.
pub fn standing(
    found: Option<&Writer>,
    table: &RoutingTable,
    base: Option<Revision>,
) -> Result<(), WriteFailure> {
    let Some(found) = found else {
        return match base {
            None => Ok(()),
            Some(_) => Err(WriteFailure::Superseded("somebody deleted the routing table".into())),
        };
    };
    let ours = Writer::of(table);
    if found.release != ours.release {
        return if Some(found.revision) == base {
            Ok(())
        } else {
            Err(WriteFailure::Superseded(foreign(found)))
        };
    }
    if found.owner == ours.owner {
        return Ok(());
    }
    if found.generation() >= ours.generation() {
        return Err(WriteFailure::Superseded(successor(found)));
    }
    if found.revision >= ours.revision { Err(WriteFailure::Behind(found.revision)) } else { Ok(()) }
}

/// Names who wrote a table that is not ours.
pub(super) fn foreign(found: &Writer) -> String {
    format!("revision {} of release {}", found.revision, found.release)
}

/// Names who took this very release over.
fn successor(found: &Writer) -> String {
    let Writer { revision, release, owner } = found;
    let runner = owner.as_ref().map_or("somebody", |owner| owner.runner.as_str());
    format!("revision {revision} of release {release}, which runner {runner} has taken over,")
}
