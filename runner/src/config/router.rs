//! `[router]`: how visitors are recognised, and what the router does beyond the draw. In: the file's words. Out: the parts of
//! the routing table that every release carries.

use crossfade_core::Span;
use crossfade_core::table::{
    self, AffinityBy, Mirror, Named, Policy, Rule, SameSite, TableError, TextMatch, VariantName, Weight,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{InstanceConfig, Percent};

/// How visitors are recognised, and what the router does beyond splitting them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouterConfig {
    /// What recognises a visitor: `{ by = "cookie" }`, the default; `{ by = "header", header = "x-user" }`;
    /// `{ by = "address" }`.
    pub affinity: AffinityConfig,
    /// Retrying a new version's failed answers on the stable one.
    pub rescue: RescueConfig,
    /// Leaving a failing new version alone for a while.
    pub breaker: BreakerConfig,
    /// The share of the stable version's GET requests that is repeated on the new one while it is released, as `"5%"`.
    /// Default: none.
    pub mirror: Option<Percent>,
    /// Who goes where whatever the draw says, at most 16; the first that holds counts.
    pub rules: Vec<RuleConfig>,
}

/// What recognises a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AffinityConfig {
    /// A cookie with an opaque id.
    Cookie {
        /// Which of the visitor's requests carry it. Default: `lax`.
        #[serde(default)]
        same_site: SameSiteConfig,
        /// Below which path. Default: `/`; another one rules out the `__Host-` prefix.
        #[serde(default = "root")]
        path: String,
    },
    /// A request header, such as one with a user's id.
    Header {
        /// Its name, in lower case.
        header: String,
    },
    /// The client's address and browser; no cookie is ever set.
    Address {},
}

/// A cookie's `SameSite`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SameSiteConfig {
    /// Sent when somebody follows a link from elsewhere, not with what other sites embed.
    #[default]
    Lax,
    /// Only from the site itself.
    Strict,
    /// Also with what other sites embed.
    None,
}

/// Retrying a new version's failed answers on the stable one: GET and HEAD only, before the answer has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RescueConfig {
    /// The share of the new version's requests that may be retried; `"0%"` turns it off. Default: `20%`.
    pub budget: Percent,
    /// How long the new version may take until its answer begins, at most `1h`. Default: `10s`.
    pub deadline: Span,
}

/// Leaving a failing new version alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// Failures in a row that make it so; 0 turns it off. Default: 5.
    pub failures: u32,
    /// How long without a failure until one ejection is forgotten, at most `1h`. Default: `10s`.
    pub sweep: Span,
    /// How long the first ejection lasts, at most `1h`; the n-th lasts n times as long. Default: `30s`.
    pub ejection: Span,
}

/// One rule. All conditions that it has must hold; one without any holds for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Who gets the request: `canary`, the new version while it is released; `stable`; or a slot by its name.
    pub to: String,
    /// The path without the query, as `{ prefix = "/beta/" }`.
    #[serde(default)]
    pub path: Option<TextConfig>,
    /// A request header, as `{ name = "x-team", exact = "qa" }`; its name in lower case.
    #[serde(default)]
    pub header: Option<NamedConfig>,
    /// A cookie, as `{ name = "beta", present = true }`.
    #[serde(default)]
    pub cookie: Option<NamedConfig>,
    /// The visitor's country, any of these, as `["DE", "AT"]`.
    #[serde(default)]
    pub country: Vec<String>,
}

/// What a text must be: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// The same, byte for byte.
    pub exact: Option<String>,
    /// It begins so.
    pub prefix: Option<String>,
    /// It has this somewhere.
    pub contains: Option<String>,
    /// `true`: whatever it is, as long as it is there.
    pub present: bool,
}

/// A header or cookie and what it must be: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedConfig {
    /// Its name.
    pub name: String,
    /// The same, byte for byte.
    #[serde(default)]
    pub exact: Option<String>,
    /// It begins so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// It has this somewhere.
    #[serde(default)]
    pub contains: Option<String>,
    /// `true`: whatever it is, as long as it is there.
    #[serde(default)]
    pub present: bool,
}

impl RouterConfig {
    /// What the table says of it. In rules and mirror, `canary` and `stable` still stand for the variants that they will be.
    ///
    /// # Errors
    /// The field that makes no sense, its value, and what would be right.
    pub fn parts(&self, slots: &[String]) -> Result<(AffinityBy, Policy), String> {
        let affinity = self.affinity.to_table();
        affinity.check().map_err(wrong)?;
        let mirror = self.mirror.map(|share| share.0).filter(|weight| *weight > Weight::ZERO);
        let mirror = mirror.map(|weight| Ok(Mirror { to: VariantName::new("mirror", "canary")?, weight }));
        let policy = Policy {
            rescue: table::Rescue { budget: self.rescue.budget.0, deadline: self.rescue.deadline.0 },
            breaker: table::Breaker {
                failures: self.breaker.failures,
                sweep: self.breaker.sweep.0,
                ejection: self.breaker.ejection.0,
            },
            mirror: mirror.transpose().map_err(wrong)?,
            rules: (self.rules.iter().enumerate().map(|(at, rule)| rule.to_table(at)))
                .collect::<Result<_, _>>()?,
        };
        let exists = |name: &VariantName| {
            let name = name.as_str();
            matches!(name, "canary" | "stable") || slots.iter().any(|slot| slot == name)
        };
        policy.check(exists).map_err(wrong)?;
        Ok((affinity, policy))
    }

    /// The same for a fleet, in which there is no canary.
    ///
    /// # Errors
    /// As [`RouterConfig::parts`].
    pub fn fleet_parts(&self, instances: &[InstanceConfig]) -> Result<(AffinityBy, Policy), String> {
        if let Some(mirror) = self.mirror {
            return Err(format!(
                "`router.mirror` is {}: with strategy = \"rolling\" there is no canary to repeat requests on; leave it out",
                mirror.0
            ));
        }
        let names: Vec<String> = instances.iter().map(|instance| instance.name.clone()).collect();
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.to != "stable" && !names.contains(&rule.to) {
                return Err(format!(
                    "`router.rules[{at}].to` is `{}`: with strategy = \"rolling\" it must be `stable` or one of [[instances]]",
                    rule.to
                ));
            }
        }
        self.parts(&names)
    }
}

impl AffinityConfig {
    fn to_table(&self) -> AffinityBy {
        match self {
            Self::Cookie { same_site, path } => AffinityBy::Cookie {
                same_site: match same_site {
                    SameSiteConfig::Lax => SameSite::Lax,
                    SameSiteConfig::Strict => SameSite::Strict,
                    SameSiteConfig::None => SameSite::None,
                },
                path: path.clone(),
            },
            Self::Header { header } => AffinityBy::Header { header: header.clone() },
            Self::Address {} => AffinityBy::Address,
        }
    }
}

impl RuleConfig {
    fn to_table(&self, at: usize) -> Result<Rule, String> {
        let field = |name: &str| format!("rules[{at}].{name}");
        let named = |name: &str, config: &Option<NamedConfig>| {
            let to_table = |config: &NamedConfig| {
                let is = config.text().to_table(&field(name))?;
                Ok::<_, String>(Named { name: config.name.clone(), is })
            };
            config.as_ref().map(to_table).transpose()
        };
        Ok(Rule {
            to: VariantName::new(&field("to"), self.to.as_str()).map_err(wrong)?,
            path: self.path.as_ref().map(|text| text.to_table(&field("path"))).transpose()?,
            header: named("header", &self.header)?,
            cookie: named("cookie", &self.cookie)?,
            country: self.country.clone(),
        })
    }
}

impl NamedConfig {
    fn text(&self) -> TextConfig {
        let Self { name: _, exact, prefix, contains, present } = self.clone();
        TextConfig { exact, prefix, contains, present }
    }
}

impl TextConfig {
    fn to_table(&self, field: &str) -> Result<TextMatch, String> {
        let Self { exact, prefix, contains, present } = self.clone();
        match (exact, prefix, contains, present) {
            (Some(text), None, None, false) => Ok(TextMatch::Exact(text)),
            (None, Some(text), None, false) => Ok(TextMatch::Prefix(text)),
            (None, None, Some(text), false) => Ok(TextMatch::Contains(text)),
            (None, None, None, true) => Ok(TextMatch::Present),
            (_, _, _, _) => Err(format!("`router.{field}`: {}", table::Problem::NotACondition)),
        }
    }
}

/// A table's error in the file's words: there, times are not in milliseconds.
fn wrong(error: TableError) -> String {
    let field = error.field.trim_end_matches("_ms");
    match error.problem {
        table::Problem::TooLong => format!("`router.{field}`: it must be 1ms to 1h"),
        table::Problem::VariantUnknown => {
            format!(
                "`router.{field}` is {}: it must be `canary`, `stable` or one of `rollout.slots`",
                error.value
            )
        }
        problem => format!("`router.{field}` is {}: {problem}", error.value),
    }
}

impl Default for AffinityConfig {
    fn default() -> Self {
        Self::Cookie { same_site: SameSiteConfig::Lax, path: root() }
    }
}

impl Default for RescueConfig {
    fn default() -> Self {
        let table::Rescue { budget, deadline } = table::Rescue::default();
        Self { budget: Percent(budget), deadline: Span(deadline) }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        let table::Breaker { failures, sweep, ejection } = table::Breaker::default();
        Self { failures, sweep: Span(sweep), ejection: Span(ejection) }
    }
}

fn root() -> String {
    "/".into()
}

#[cfg(test)]
mod tests;
