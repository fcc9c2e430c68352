//! JSON to [`Policy`]: rescue, breaker, mirror, rules. A part that is absent is its default, and so is a field of a part.

use std::time::Duration;

use serde_json::Value;

use super::Object;
use crate::table::{
    Breaker, Mirror, Named, Policy, Problem, Rescue, Rule, TableError, TextMatch, VariantName,
};

pub(super) fn policy(root: &Object<'_>) -> Result<Policy, TableError> {
    Ok(Policy {
        rescue: root.object("rescue")?.map(|object| rescue(&object)).transpose()?.unwrap_or_default(),
        breaker: root.object("breaker")?.map(|object| breaker(&object)).transpose()?.unwrap_or_default(),
        mirror: root.object("mirror")?.map(|object| mirror(&object)).transpose()?,
        rules: match root.optional("rules") {
            Some(_) => root.list("rules")?.map(rule).collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
    })
}

fn rescue(object: &Object<'_>) -> Result<Rescue, TableError> {
    let default = Rescue::default();
    Ok(Rescue {
        budget: if object.has("budget") { object.weight("budget")? } else { default.budget },
        deadline: millis(object, "deadline_ms", default.deadline)?,
    })
}

fn breaker(object: &Object<'_>) -> Result<Breaker, TableError> {
    let default = Breaker::default();
    let failures = if object.has("failures") { object.integer("failures")? } else { default.failures.into() };
    Ok(Breaker {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        sweep: millis(object, "sweep_ms", default.sweep)?,
        ejection: millis(object, "ejection_ms", default.ejection)?,
    })
}

fn mirror(object: &Object<'_>) -> Result<Mirror, TableError> {
    Ok(Mirror {
        to: VariantName::new(&object.path("to"), object.text("to")?)?,
        weight: object.weight("weight")?,
    })
}

fn rule((path, value): (String, &Value)) -> Result<Rule, TableError> {
    let object = Object::new(path, value)?;
    Ok(Rule {
        to: VariantName::new(&object.path("to"), object.text("to")?)?,
        path: object.object("path")?.map(|object| text(&object)).transpose()?,
        header: named(&object, "header")?,
        cookie: named(&object, "cookie")?,
        country: countries(&object)?,
    })
}

fn named(object: &Object<'_>, field: &str) -> Result<Option<Named>, TableError> {
    let named = object.object(field)?;
    named.map(|object| Ok(Named { name: object.text("name")?.to_owned(), is: text(&object)? })).transpose()
}

fn text(object: &Object<'_>) -> Result<TextMatch, TableError> {
    let wanted = |field: &str| object.text(field).map(str::to_owned);
    let mut found = Vec::new();
    for field in ["exact", "prefix", "contains", "present"].into_iter().filter(|field| object.has(field)) {
        found.push(match field {
            "exact" => TextMatch::Exact(wanted(field)?),
            "prefix" => TextMatch::Prefix(wanted(field)?),
            "contains" => TextMatch::Contains(wanted(field)?),
            _ => TextMatch::Present,
        });
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (_, _) => Err(TableError::new(object.at(), object.value(), Problem::NotACondition)),
    }
}

fn countries(object: &Object<'_>) -> Result<Vec<String>, TableError> {
    if !object.has("country") {
        return Ok(Vec::new());
    }
    let country = |(path, value): (String, &Value)| match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(TableError::new(path, value, Problem::NotACountry)),
    };
    object.list("country")?.map(country).collect()
}

fn millis(object: &Object<'_>, field: &str, default: Duration) -> Result<Duration, TableError> {
    if !object.has(field) {
        return Ok(default);
    }
    object.integer(field).map(Duration::from_millis)
}
