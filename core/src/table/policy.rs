//! What the router does beyond the draw. Every part is optional in the document and has a default that suits most sites.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Problem, Rule, TableError, VariantName, Weight};

/// The longest of the times below: an hour.
pub const MILLIS_MAX: u64 = 3_600_000;
/// The most rules a table may have; each costs every request a little.
pub const RULES_MAX: usize = 16;

/// Rescue, breaker, mirror and rules.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::table::{Breaker, Mirror, Policy, Rescue, VariantName, Weight};
///
/// let policy = Policy {
///     rescue: Rescue { deadline: Duration::from_secs(3), ..Rescue::default() },
///     breaker: Breaker { failures: 3, ..Breaker::default() },
///     mirror: Some(Mirror { to: VariantName::new("to", "green")?, weight: Weight::from_percent("1").unwrap() }),
///     ..Policy::default()
/// };
/// let error = policy.check(|name| name.as_str() == "blue").unwrap_err();
/// assert_eq!(error.to_string(), "routing table: `mirror.to` is `green`: no variant has this name");
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Retrying a canary's failed answer on stable.
    #[serde(skip_serializing_if = "is_default")]
    pub rescue: Rescue,
    /// Leaving a failing canary alone for a while.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: Breaker,
    /// Repeating some of stable's requests on another variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Who goes where whatever the draw says; the first that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Retrying a canary's failed answer on stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rescue {
    /// The share of the canary's requests that may be rescued, in basis points; 0 turns it off. Default: 2000, the 20 % of
    /// Envoy's retry budget
    /// (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto>).
    pub budget: Weight,
    /// How long the canary may take until its answer begins, and so may each version that is asked for a file that another one
    /// lacks. Default: 10 s.
    #[serde(rename = "deadline_ms", serialize_with = "millis")]
    pub deadline: Duration,
}

/// Leaving a failing canary alone for a while. The defaults are Envoy's for outlier detection
/// (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// Failures in a row that open it; 0 turns it off. Default: 5.
    pub failures: u32,
    /// How long without a failure until one ejection is forgotten. Default: 10 s.
    #[serde(rename = "sweep_ms", serialize_with = "millis")]
    pub sweep: Duration,
    /// How long the first ejection lasts; the n-th lasts n times as long. Default: 30 s.
    #[serde(rename = "ejection_ms", serialize_with = "millis")]
    pub ejection: Duration,
}

/// Repeating some of stable's GET requests on another variant, after the answer and without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mirror {
    /// Who gets the copies.
    pub to: VariantName,
    /// Which share of the requests, in basis points.
    pub weight: Weight,
}

impl Policy {
    /// The policy with each variant's name replaced by what `resolve` makes of it; what names nobody is left out.
    pub(crate) fn resolved(&self, resolve: impl Fn(&VariantName) -> Option<VariantName>) -> Self {
        let mirror = self.mirror.as_ref();
        let rules = self.rules.iter();
        Self {
            mirror: mirror.and_then(|mirror| Some(Mirror { to: resolve(&mirror.to)?, ..mirror.clone() })),
            rules: rules.filter_map(|rule| Some(Rule { to: resolve(&rule.to)?, ..rule.clone() })).collect(),
            ..*self
        }
    }

    /// The invariants; `exists` tells whether there is a variant of that name.
    ///
    /// # Errors
    /// The first field that breaks one, with its value.
    pub fn check(&self, exists: impl Fn(&VariantName) -> bool) -> Result<(), TableError> {
        for (field, time) in [
            ("rescue.deadline_ms", self.rescue.deadline),
            ("breaker.sweep_ms", self.breaker.sweep),
            ("breaker.ejection_ms", self.breaker.ejection),
        ] {
            let millis = time.as_millis();
            if !(1..=u128::from(MILLIS_MAX)).contains(&millis) {
                return Err(TableError::new(field, millis, Problem::TooLong));
            }
        }
        if self.rules.len() > RULES_MAX {
            return Err(TableError::new("rules", self.rules.len(), Problem::RuleCount));
        }
        let rules = self.rules.iter().enumerate().map(|(at, rule)| (format!("rules[{at}].to"), &rule.to));
        let mirror = self.mirror.iter().map(|mirror| ("mirror.to".to_owned(), &mirror.to));
        for (field, name) in rules.chain(mirror) {
            if !exists(name) {
                return Err(TableError::new(field, name, Problem::VariantUnknown));
            }
        }
        self.rules.iter().enumerate().try_for_each(|(at, rule)| rule.check(&format!("rules[{at}]")))
    }
}

impl Default for Rescue {
    fn default() -> Self {
        const BUDGET: Weight = Weight::new(2_000).expect("20 % is a weight");
        Self { budget: BUDGET, deadline: Duration::from_secs(10) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, sweep: Duration::from_secs(10), ejection: Duration::from_secs(30) }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(MILLIS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoutingTable;
    use crate::table::{AffinityBy, Draft, Named, SameSite, TextMatch};

    fn draft() -> Draft {
        let table = br#"{"schema":1,"environment":"production","revision":7,"release":"rel-7","stable":"a",
            "updated_at":"2026-01-31T12:00:00Z","affinity":{"by":"cookie","salt":"s"},
            "variants":[{"name":"a","origin":"https://a.example","version":"1","weight":10000}]}"#;
        RoutingTable::parse(table).unwrap().draft()
    }

    /// A table is refused by its writer for all that its readers would refuse it for.
    #[test]
    fn what_no_reader_takes_no_writer_can_make() {
        let rule = |change: fn(&mut Rule)| {
            let mut rule = Rule {
                to: VariantName::new("to", "a").unwrap(),
                path: None,
                header: None,
                cookie: None,
                country: Vec::new(),
            };
            change(&mut rule);
            let mut draft = draft();
            draft.policy.rules = vec![rule];
            draft
        };
        let by = |by: AffinityBy| {
            let mut draft = draft();
            draft.affinity.by = by;
            draft
        };
        let policy = |change: fn(&mut Policy)| {
            let mut draft = draft();
            change(&mut draft.policy);
            draft
        };
        let cookie = |path: &str| by(AffinityBy::Cookie { same_site: SameSite::Lax, path: path.into() });
        for (draft, field) in [
            (by(AffinityBy::Header { header: "X-User".into() }), "affinity.header"),
            (by(AffinityBy::Header { header: String::new() }), "affinity.header"),
            (cookie("shop"), "affinity.path"),
            (cookie("/a; Domain=b"), "affinity.path"),
            (policy(|policy| policy.rescue.deadline = Duration::ZERO), "rescue.deadline_ms"),
            (policy(|policy| policy.breaker.sweep = Duration::from_secs(3601)), "breaker.sweep_ms"),
            (policy(|policy| policy.breaker.ejection = Duration::MAX), "breaker.ejection_ms"),
            (rule(|rule| rule.country = vec!["DE".into(), "de".into()]), "rules[0].country[1]"),
            (
                rule(|rule| rule.header = Some(Named { name: "X y".into(), is: TextMatch::Present })),
                "rules[0].header.name",
            ),
            (rule(|rule| rule.to = VariantName::new("to", "b").unwrap()), "rules[0].to"),
        ] {
            assert_eq!(RoutingTable::new(draft).unwrap_err().field, field);
        }
        RoutingTable::new(draft()).unwrap();
    }
}
