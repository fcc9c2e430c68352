//! Policies that satisfy every invariant.

use std::time::Duration;

use crossfade_core::table::{
    AffinityBy, Breaker, MILLIS_MAX, Mirror, Named, Policy, RULES_MAX, Rescue, Rule, SameSite, TextMatch,
    Variant, Weight,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Any way of recognising visitors.
pub(crate) fn affinity() -> impl Strategy<Value = AffinityBy> {
    let same_site = select(vec![SameSite::Lax, SameSite::Strict, SameSite::None]);
    prop_oneof![
        (same_site, "/[a-z/]{0,12}").prop_map(|(same_site, path)| AffinityBy::Cookie { same_site, path }),
        "[a-z0-9-]{1,64}".prop_map(|header| AffinityBy::Header { header }),
        Just(AffinityBy::Address),
    ]
}

prop_compose! {
    /// Any policy; the parts that name a variant name one of 16, which [`Parts::among`] picks.
    pub(crate) fn parts()(
        budget in weight(), deadline in millis(), failures in 0_u32.., sweep in millis(), ejection in millis(),
        mirror in prop::option::of((any::<Index>(), weight())),
        rules in prop::collection::vec(rule(), 0..=RULES_MAX),
    ) -> Parts {
        let rescue = Rescue { budget, deadline };
        Parts { rescue, breaker: Breaker { failures, sweep, ejection }, mirror, rules }
    }
}

/// A policy whose variants are still to be named.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    rescue: Rescue,
    breaker: Breaker,
    mirror: Option<(Index, Weight)>,
    rules: Vec<(Index, Conditions)>,
}

type Conditions = (Option<TextMatch>, Option<Named>, Option<Named>, Vec<String>);

impl Parts {
    /// The policy for a table with these variants.
    pub(crate) fn among(self, variants: &[Variant]) -> Policy {
        let name = |index: Index| index.get(variants).name.clone();
        let rule = |(to, (path, header, cookie, country)): (Index, Conditions)| Rule {
            to: name(to),
            path,
            header,
            cookie,
            country,
        };
        Policy {
            rescue: self.rescue,
            breaker: self.breaker,
            mirror: self.mirror.map(|(to, weight)| Mirror { to: name(to), weight }),
            rules: self.rules.into_iter().map(rule).collect(),
        }
    }
}

fn rule() -> impl Strategy<Value = (Index, Conditions)> {
    let named = |name: &'static str| (name, text()).prop_map(|(name, is)| Named { name, is });
    let (header, cookie) =
        (prop::option::of(named("[a-z0-9-]{1,8}")), prop::option::of(named("[A-Za-z_-]{1,8}")));
    let country = prop::collection::vec("[A-Z0-9]{2}", 0..3);
    (any::<Index>(), (prop::option::of(text()), header, cookie, country))
}

fn text() -> impl Strategy<Value = TextMatch> {
    prop_oneof![
        ".{0,8}".prop_map(TextMatch::Exact),
        ".{0,8}".prop_map(TextMatch::Prefix),
        ".{0,8}".prop_map(TextMatch::Contains),
        Just(TextMatch::Present),
    ]
}

fn weight() -> impl Strategy<Value = Weight> {
    (0_u16..=10_000).prop_map(|basis_points| Weight::new(basis_points).unwrap())
}

fn millis() -> impl Strategy<Value = Duration> {
    (1..=MILLIS_MAX).prop_map(Duration::from_millis)
}
