//! JSON to [`Draft`]: each field by hand, so that an error can say which one and what stood there.

use serde_json::{Map, Value};

use super::{
    Affinity, AffinityBy, Draft, Environment, Generation, Lease, Origin, Owner, Policy, Previous, Problem,
    ReleaseId, Revision, RunnerId, SCHEMA, SameSite, TableError, Variant, VariantName, Version, Weight,
};
use crate::Timestamp;

mod policy;

pub(super) fn draft(json: &[u8]) -> Result<Draft, TableError> {
    let document: Value = serde_json::from_slice(json)
        .map_err(|error| TableError::new("(document)", error, Problem::NotJson))?;
    draft_of(&document)
}

pub(super) fn draft_of(document: &Value) -> Result<Draft, TableError> {
    let root = Object::new(String::new(), document)?;
    let schema = root.integer("schema")?;
    if schema != SCHEMA {
        return Err(TableError::new("schema", schema, Problem::NewerSchema));
    }
    let revision = root.integer("revision")?;
    Ok(Draft {
        environment: Environment::new("environment", root.text("environment")?)?,
        revision: Revision::new(revision)
            .ok_or_else(|| TableError::new("revision", revision, Problem::RevisionZero))?,
        release: ReleaseId::new("release", root.text("release")?)?,
        owner: root.object("owner")?.map(|object| owner(&object)).transpose()?,
        updated_at: root.time("updated_at")?,
        stable: VariantName::new("stable", root.text("stable")?)?,
        variants: root.list("variants")?.map(variant).collect::<Result<_, _>>()?,
        lease: match root.optional("lease") {
            Some(value) => {
                Some(Lease { expires_at: Object::new("lease".into(), value)?.time("expires_at")? })
            }
            None => None,
        },
        previous: match root.optional("previous") {
            Some(_) => root.list("previous")?.map(previous).collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
        affinity: affinity(&Object::new("affinity".into(), root.field("affinity")?)?)?,
        policy: policy::policy(&root)?,
    })
}

fn owner(object: &Object<'_>) -> Result<Owner, TableError> {
    Ok(Owner {
        runner: RunnerId::new(&object.path("runner"), object.text("runner")?)?,
        generation: Generation::new(object.integer("generation")?),
    })
}

/// What a table says beside its variants, read alone: how visitors are recognised, and what is done beyond the draw.
pub(crate) fn manners(document: &Value) -> Result<(AffinityBy, Policy), TableError> {
    let root = Object::new(String::new(), document)?;
    let affinity = affinity(&Object::new("affinity".into(), root.field("affinity")?)?)?;
    Ok((affinity.by, policy::policy(&root)?))
}

fn variant((path, value): (String, &Value)) -> Result<Variant, TableError> {
    let object = Object::new(path, value)?;
    Ok(Variant {
        name: VariantName::new(&object.path("name"), object.text("name")?)?,
        origin: Origin::new(&object.path("origin"), object.text("origin")?)?,
        version: Version::new(&object.path("version"), object.text("version")?)?,
        weight: object.weight("weight")?,
    })
}

fn previous((path, value): (String, &Value)) -> Result<Previous, TableError> {
    let object = Object::new(path, value)?;
    Ok(Previous {
        origin: Origin::new(&object.path("origin"), object.text("origin")?)?,
        version: Version::new(&object.path("version"), object.text("version")?)?,
    })
}

fn affinity(object: &Object<'_>) -> Result<Affinity, TableError> {
    let path = || object.optional_text("path").map(|path| path.unwrap_or("/").to_owned());
    let by = match object.text("by")? {
        "cookie" => AffinityBy::Cookie { same_site: same_site(object)?, path: path()? },
        "header" => AffinityBy::Header { header: object.text("header")?.to_owned() },
        "address" => AffinityBy::Address,
        other => return Err(TableError::new("affinity.by", other, Problem::UnknownAffinity)),
    };
    Ok(Affinity { by, salt: object.text("salt")?.to_owned() })
}

fn same_site(object: &Object<'_>) -> Result<SameSite, TableError> {
    match object.optional_text("same_site")? {
        None | Some("lax") => Ok(SameSite::Lax),
        Some("strict") => Ok(SameSite::Strict),
        Some("none") => Ok(SameSite::None),
        Some(other) => Err(TableError::new(object.path("same_site"), other, Problem::UnknownSameSite)),
    }
}

/// A JSON object and where it stands in the document.
struct Object<'a> {
    at: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    fn new(at: String, value: &'a Value) -> Result<Self, TableError> {
        match value {
            Value::Object(fields) => Ok(Self { at, fields }),
            other => {
                let at = if at.is_empty() { "(document)".into() } else { at };
                Err(TableError::new(at, other, Problem::WrongType("an object")))
            }
        }
    }

    fn path(&self, field: &str) -> String {
        if self.at.is_empty() { field.to_owned() } else { format!("{}.{field}", self.at) }
    }

    fn has(&self, field: &str) -> bool {
        self.optional(field).is_some()
    }

    /// Where it stands.
    fn at(&self) -> &str {
        &self.at
    }

    /// What it is, for an error.
    fn value(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// `null` counts as absent: it is how many writers say so.
    fn optional(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn field(&self, field: &str) -> Result<&'a Value, TableError> {
        self.optional(field).ok_or_else(|| TableError::missing(self.path(field)))
    }

    fn text(&self, field: &str) -> Result<&'a str, TableError> {
        let value = self.field(field)?;
        value.as_str().ok_or_else(|| TableError::new(self.path(field), value, Problem::WrongType("a string")))
    }

    fn optional_text(&self, field: &str) -> Result<Option<&'a str>, TableError> {
        if self.optional(field).is_some() { self.text(field).map(Some) } else { Ok(None) }
    }

    /// An object, when it is there.
    fn object(&self, field: &str) -> Result<Option<Self>, TableError> {
        self.optional(field).map(|value| Object::new(self.path(field), value)).transpose()
    }

    fn weight(&self, field: &str) -> Result<Weight, TableError> {
        let weight = self.integer(field)?;
        u16::try_from(weight)
            .ok()
            .and_then(Weight::new)
            .ok_or_else(|| TableError::new(self.path(field), weight, Problem::WeightRange))
    }

    fn integer(&self, field: &str) -> Result<u64, TableError> {
        let value = self.field(field)?;
        value.as_u64().ok_or_else(|| {
            TableError::new(self.path(field), value, Problem::WrongType("a whole number, 0 or more"))
        })
    }

    fn time(&self, field: &str) -> Result<Timestamp, TableError> {
        let text = self.text(field)?;
        Timestamp::parse(text).ok_or_else(|| TableError::new(self.path(field), text, Problem::NotATime))
    }

    fn list(&self, field: &str) -> Result<impl Iterator<Item = (String, &'a Value)>, TableError> {
        let value = self.field(field)?;
        let path = self.path(field);
        match value {
            Value::Array(items) => {
                Ok(items.iter().enumerate().map(move |(index, item)| (format!("{path}[{index}]"), item)))
            }
            other => Err(TableError::new(path, other, Problem::WrongType("a list"))),
        }
    }
}

impl<'de> serde::Deserialize<'de> for super::RoutingTable {
    /// A table inside another document.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        draft_of(&document).and_then(Self::new).map_err(serde::de::Error::custom)
    }
}
