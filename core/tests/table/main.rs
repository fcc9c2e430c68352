//! Properties of the routing table: what is written is read back the same, and what can be read at all, however it was
//! damaged, satisfies every invariant.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod damage;
mod invariants;
mod policy;
mod valid;

use crossfade_core::RoutingTable;
use crossfade_core::table::{ReleaseId, Weight};
use proptest::prelude::*;
use proptest::sample::Index;

use damage::{any_json, apply, damage};
use invariants::invariants_hold;
use valid::{table, timestamp};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_back_the_same(table in table()) {
        invariants_hold(&table)?;
        prop_assert_eq!(RoutingTable::parse(table.to_json().as_bytes()), Ok(table.clone()));
        prop_assert_eq!(RoutingTable::new(table.draft()), Ok(table));
    }

    #[test]
    fn damaged_bytes_never_make_an_unsound_table(
        table in table(), changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6), cut: Index
    ) {
        let mut bytes = table.to_json().into_bytes();
        sound_if_read(&bytes[..cut.index(bytes.len())])?;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            sound_if_read(&bytes)?;
        }
    }

    #[test]
    fn bytes_and_json_of_any_kind_are_refused_or_sound(
        bytes in prop::collection::vec(any::<u8>(), 0..200), json in any_json()
    ) {
        sound_if_read(&bytes)?;
        sound_if_read(json.to_string().as_bytes())?;
    }

    #[test]
    fn at_rest_everybody_is_on_stable_under_the_next_revision(table in table(), now in timestamp()) {
        prop_assume!(table.revision().number() < u64::MAX);
        let rest = table.at_rest(ReleaseId::new("release", "by-hand").unwrap(), now);
        invariants_hold(&rest)?;
        prop_assert_eq!(rest.revision().number(), table.revision().number() + 1);
        prop_assert_eq!((rest.stable().weight, rest.lease()), (Weight::TOTAL, None));
        prop_assert_eq!(&rest.stable().name, &table.stable().name);
        if table.lease().is_some() {
            prop_assert_eq!(rest.variants().len(), 1, "nobody vouched for what was in flight");
        } else {
            prop_assert_eq!(rest.variants().len(), table.variants().len());
        }
        let newest = table.variants().iter().find(|variant| {
            table.lease().is_some() && variant.origin != table.stable().origin
        });
        if let Some(canary) = newest {
            prop_assert_eq!(&rest.previous()[0].origin, &canary.origin, "its files are still found");
        }
    }
}

proptest! {
    // Most damage makes a table that is refused; enough must be left that are not.
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_table_that_parses_after_damage_satisfies_every_invariant(
        table in table(), damages in prop::collection::vec(damage(), 1..4)
    ) {
        let mut document = serde_json::from_str(&table.to_json()).unwrap();
        for damage in damages {
            apply(&mut document, damage);
        }
        sound_if_read(document.to_string().as_bytes())?;
    }
}

/// What may parse must hold the invariants and survive being written; a refusal must say where.
fn sound_if_read(bytes: &[u8]) -> Result<(), TestCaseError> {
    match RoutingTable::parse(bytes) {
        Ok(table) => {
            invariants_hold(&table)?;
            prop_assert_eq!(RoutingTable::parse(table.to_json().as_bytes()), Ok(table));
        }
        Err(error) => {
            prop_assert!(!error.field.is_empty() && !error.value.is_empty());
            prop_assert!(error.to_string().len() < 600, "{error}");
        }
    }
    Ok(())
}
