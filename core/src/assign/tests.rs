//! Properties of the assignment. Ids are counted up, not drawn: SipHash does the mixing.

use proptest::prelude::*;

use super::*;
use crate::table::{
    Affinity, AffinityBy, Draft, Environment, Lease, Origin, Policy, ReleaseId, Revision, Variant,
    VariantName, Version, Weight,
};

/// Enough visitors for a share of 1 basis point to be seen at all (12 expected).
const VISITORS: u128 = 120_000;

fn assignment(weights: &[u16], salt: &str) -> Assignment {
    Assignment::new(RoutingTable::new(draft(weights, salt)).unwrap())
}

fn draft(weights: &[u16], salt: &str) -> Draft {
    let name = |index| VariantName::new("name", format!("v{index}")).unwrap();
    Draft {
        environment: Environment::new("environment", "test").unwrap(),
        revision: Revision::FIRST,
        release: ReleaseId::new("release", "rel-1").unwrap(),
        owner: None,
        updated_at: Timestamp::from_millis(0),
        stable: name(0),
        variants: weights
            .iter()
            .enumerate()
            .map(|(index, weight)| Variant {
                name: name(index),
                origin: Origin::new("origin", &format!("https://v{index}.example.com")).unwrap(),
                version: Version::new("version", index.to_string()).unwrap(),
                weight: Weight::new(*weight).unwrap(),
            })
            .collect(),
        lease: None,
        previous: Vec::new(),
        affinity: Affinity { by: AffinityBy::default(), salt: salt.into() },
        policy: Policy::default(),
    }
}

fn choose(assignment: &Assignment, visitor: u128) -> usize {
    assignment.choose(VisitorId::from_bits(visitor), Timestamp::from_millis(0)).variant
}

/// A draw between any relative weights, which need not make 10000: what the table would be without its last invariant.
fn relative(weights: &[u16]) -> Vec<Draw> {
    let mut assignment = assignment(&[10_000], "s");
    let template = assignment.draws.remove(0);
    (weights.iter().enumerate().filter(|(_, weight)| **weight > 0))
        .map(|(index, weight)| {
            let mut hasher = template.hasher;
            hasher.write_u64(index as u64);
            Draw { index, weight: f64::from(*weight), hasher }
        })
        .collect()
}

/// Pearson's statistic with one degree of freedom.
fn chi_square(seen: u128, weight: u16) -> f64 {
    let share = f64::from(weight) / 10_000.0;
    let (expected, other) = (VISITORS as f64 * share, VISITORS as f64 * (1.0 - share));
    let difference = seen as f64 - expected;
    difference * difference / expected + difference * difference / other
}

#[test]
fn shares_match_weights() {
    for weight in [1, 100, 2500, 5000, 9999] {
        let assignment = assignment(&[10_000 - weight, weight], "rel-chi");
        let seen = (0..VISITORS).filter(|visitor| choose(&assignment, *visitor) == 1).count() as u128;
        // 10.83 is the 99.9 % quantile of the chi-square distribution with one degree of freedom.
        let statistic = chi_square(seen, weight);
        assert!(
            statistic < 10.83,
            "weight {weight}: {seen} of {VISITORS} visitors, chi-square {statistic:.2}"
        );
    }
}

#[test]
fn shares_match_weights_of_many_variants() {
    let weights = [1000, 2000, 3000, 4000];
    let assignment = assignment(&weights, "rel-many");
    let mut seen = [0_u32; 4];
    for visitor in 0..VISITORS {
        seen[choose(&assignment, visitor)] += 1;
    }
    let statistic: f64 = (weights.iter().zip(seen))
        .map(|(weight, seen)| {
            let expected = VISITORS as f64 * f64::from(*weight) / 10_000.0;
            (f64::from(seen) - expected).powi(2) / expected
        })
        .sum();
    // 16.27: 99.9 % quantile, three degrees of freedom.
    assert!(statistic < 16.27, "{seen:?}, chi-square {statistic:.2}");
}

#[test]
fn a_new_salt_reshuffles() {
    let (one, other) = (assignment(&[9000, 1000], "rel-1"), assignment(&[9000, 1000], "rel-2"));
    let both = (0..VISITORS).filter(|v| choose(&one, *v) == 1 && choose(&other, *v) == 1).count();
    // Independent draws share 1 % of the visitors: 1200, standard deviation about 34.
    assert!((1000..1400).contains(&both), "{both} visitors are among the first tenth twice");
}

#[test]
fn draining_one_of_many_instances_moves_only_its_own_visitors_and_spreads_them() {
    let before = assignment(&[2000; 5], "s");
    for drained in 0..5 {
        let mut weights = [2500; 5];
        weights[drained] = 0;
        let after = assignment(&weights, "s");
        let mut taken_over = [0_u32; 5];
        for visitor in 0..20_000 {
            let (from, to) = (choose(&before, visitor), choose(&after, visitor));
            if from == drained {
                taken_over[to] += 1;
            } else {
                assert_eq!(from, to, "visitor {visitor}, {drained} drained");
            }
        }
        // A fifth of them, to four others: about 1000 each, standard deviation about 31.
        let evenly = |(index, count): (usize, &u32)| index == drained || (850..1150).contains(count);
        assert!(taken_over.iter().enumerate().all(evenly), "{drained} drained: {taken_over:?}");
    }
}

#[test]
fn the_first_visits_ids_are_spread_like_any_others() {
    let assignment = assignment(&[5000, 5000], "rel-1");
    let seen = (0..VISITORS)
        .filter(|n| {
            let address = format!("203.0.{}.{}", n / 256, n % 256);
            let id = VisitorId::derive([&address, "Mozilla/5.0", "en"]);
            assignment.choose(id, Timestamp::from_millis(0)).variant == 1
        })
        .count() as u128;
    assert!(chi_square(seen, 5000) < 10.83, "{seen} of {VISITORS}");
}

#[test]
fn from_the_leases_last_millisecond_on_everybody_is_home() {
    let expires_at = Timestamp::from_millis(1_000);
    let lease = Some(Lease { expires_at });
    let assignment = Assignment::new(RoutingTable::new(Draft { lease, ..draft(&[0, 10_000], "s") }).unwrap());
    let id = VisitorId::from_bits(1);
    assert_eq!(assignment.choose(id, Timestamp::from_millis(999)), Choice { variant: 1, lapsed: false });
    assert_eq!(assignment.choose(id, expires_at), Choice { variant: 0, lapsed: true });
}

#[test]
fn a_cookie_that_is_not_an_id_is_a_new_visitor() {
    let id = VisitorId::from_bits(0xfeed);
    assert_eq!(VisitorId::parse(&id.to_string()), Some(id));
    for text in ["", "green", "0", &"F".repeat(32), &"0".repeat(33), &"+".repeat(32), &"é".repeat(16)] {
        assert_eq!(VisitorId::parse(text), None, "{text}");
    }
}

#[test]
fn where_one_text_ends_and_the_next_begins_counts() {
    assert_ne!(VisitorId::derive(["a", "bc", ""]), VisitorId::derive(["ab", "c", ""]));
}

/// Changing one of N weights moves only visitors into or out of that variant.
fn only_its_own_move(weights: &[u16], which: usize, changed: u16, visitors: std::ops::Range<u128>) {
    let mut after = weights.to_vec();
    after[which] = changed;
    let (before, after) = (relative(weights), relative(&after));
    for visitor in visitors.map(VisitorId::from_bits) {
        let (from, to) = (shortest(&before, visitor), shortest(&after, visitor));
        if from == to {
            continue;
        }
        let expected = if changed > weights[which] { to } else { from };
        assert_eq!(expected, Some(which), "visitor moved from {from:?} to {to:?}");
    }
}

proptest! {
    #[test]
    fn raising_the_canarys_weight_never_moves_a_visitor_back(
        low in 0_u16..=10_000, high in 0_u16..=10_000, start: u128, salt in "[a-z]{1,12}"
    ) {
        let (low, high) = (low.min(high), low.max(high));
        let before = assignment(&[10_000 - low, low], &salt);
        let after = assignment(&[10_000 - high, high], &salt);
        for offset in 0..200 {
            let visitor = start.wrapping_add(offset);
            if choose(&before, visitor) == 1 {
                prop_assert_eq!(choose(&after, visitor), 1);
            }
        }
    }

    #[test]
    fn changing_one_weight_moves_only_its_own_visitors(
        weights in prop::collection::vec(1_u16..=10_000, 2..=16), which: prop::sample::Index,
        changed in 0_u16..=10_000, start in 0_u128..u128::MAX - 200
    ) {
        only_its_own_move(&weights, which.index(weights.len()), changed, start..start + 200);
    }

    #[test]
    fn a_variant_without_weight_gets_nobody(canary in 0_u16..=10_000, visitor: u128) {
        let assignment = assignment(&[10_000 - canary, canary, 0], "s");
        prop_assert_ne!(choose(&assignment, visitor), 2);
    }
}
