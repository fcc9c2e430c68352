//! A share of the visitors as people write it.

use std::borrow::Cow;

use crossfade_core::table::Weight;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A share: `5%`, `0.01%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub Weight);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Weight::from_percent(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is not a share such as 5% or 0.01% (0 to 100)"))
        })
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,2})?%?$", "examples": ["5%", "0.01%"] })
    }
}
