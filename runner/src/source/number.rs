//! One number from elsewhere: Prometheus, a JSON document, SQL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossfade_core::analysis::Reading;
use crossfade_core::probe::Place;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use ureq::http;

use super::ask::Patience;
use crate::cancel::Cancel;
use crate::config::{Json, Prometheus};
use crate::context::Context;

/// What Prometheus answers (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

/// Who asks: patience, secrets, signals.
pub(super) struct Asker<'a> {
    pub(super) patience: Patience,
    pub(super) context: &'a Context,
    pub(super) cancel: &'a Cancel,
}

impl Asker<'_> {
    /// What an instant query gives.
    pub(super) fn prometheus(&self, source: &Prometheus) -> Reading {
        self.read(|| {
            let url = self.fill(&source.url, Place::Text)?;
            let query = Place::Url.written(&self.fill(&source.query, Place::Text)?);
            let url = format!("{}/api/v1/query?query={query}", url.trim_end_matches('/'));
            let answer = self.ask(&url, source.bearer.as_deref(), source.basic.as_deref())?;
            // An error has its reason in the same form as a result.
            let said = serde_json::from_slice::<Answer>(&answer.body).map_err(|_| answer.refused())?;
            match (said.status.as_str(), said.data) {
                ("success", Some(data)) => number(data),
                (_, _) => Err(said.error.unwrap_or_else(|| answer.refused())),
            }
        })
    }

    /// What stands there.
    pub(super) fn json(&self, source: &Json) -> Reading {
        self.read(|| {
            let url = self.fill(&source.url, Place::Url)?;
            let answer = self.ask(&url, source.bearer.as_deref(), source.basic.as_deref())?;
            let document: Value = answer.json()?;
            value_of(document.pointer(&source.pointer), &source.pointer)
        })
    }

    /// A text with its variables; what cannot be filled is told without what could.
    pub(super) fn fill(&self, text: &str, place: Place) -> Result<String, String> {
        self.context.variables.fill(text, place).map_err(|error| error.to_string())
    }

    /// A reading, with no secret in what is told.
    pub(super) fn read(&self, ask: impl FnOnce() -> Result<Reading, String>) -> Reading {
        ask().unwrap_or_else(|why| Reading::Error(self.context.redact(&why)))
    }

    fn ask(
        &self,
        url: &str,
        bearer: Option<&str>,
        basic: Option<&str>,
    ) -> Result<super::ask::Answer, String> {
        let secret = |name: &str| self.fill(&crate::config::from_environment(name), Place::Text);
        let authorization = match (bearer, basic) {
            (Some(name), _) => Some(format!("Bearer {}", secret(name)?)),
            (None, Some(name)) => Some(format!("Basic {}", STANDARD.encode(secret(name)?))),
            (None, None) => None,
        };
        self.patience.ask(self.cancel, &|| {
            let request = http::Request::builder().uri(url).header("accept", "application/json");
            match &authorization {
                Some(value) => request.header("authorization", value),
                None => request,
            }
        })
    }
}

/// The one number of a result.
fn number(data: Data) -> Result<Reading, String> {
    let text = match data {
        Data::Scalar((_, text)) => text,
        Data::Vector(samples) => match samples.as_slice() {
            [] => return Ok(Reading::NoData),
            [Sample { value: (_, text) }] => text.clone(),
            many => return Err(format!("the query gives {} series, and one number is needed", many.len())),
        },
        Data::Matrix(_) | Data::String(_) => {
            return Err("the query gives no instant vector and no scalar".into());
        }
    };
    match text.parse::<f64>() {
        // Nothing divided by nothing: nobody came.
        Ok(number) if number.is_nan() => Ok(Reading::NoData),
        Ok(number) => Ok(Reading::Value(number)),
        Err(_) => Err(format!("`{text}` is not a number")),
    }
}

/// A number in JSON, also one that is written as text.
pub(super) fn value_of(value: Option<&Value>, at: &str) -> Result<Reading, String> {
    match value {
        None | Some(Value::Null) => Ok(Reading::NoData),
        Some(Value::Number(number)) => {
            number.as_f64().map(Reading::Value).ok_or_else(|| format!("{number} is not a number"))
        }
        Some(Value::String(text)) => {
            text.parse().map(Reading::Value).map_err(|_| format!("`{text}` at {at} is not a number"))
        }
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("what stands at {at} is not a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_read_and_nothing_else() {
        let read = |text: &str| number(serde_json::from_str(text).unwrap());
        let value = |value| Ok(Reading::Value(value));
        for (text, reading) in [
            (r#"{"resultType":"scalar","result":[1769860800.1,"0.02"]}"#, value(0.02)),
            (r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"3e2"]}]}"#, value(300.0)),
            (r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"+Inf"]}]}"#, value(f64::INFINITY)),
            (r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}"#, Ok(Reading::NoData)),
            (r#"{"resultType":"vector","result":[]}"#, Ok(Reading::NoData)),
        ] {
            assert_eq!(read(text), reading, "{text}");
        }
        let two = r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"1"]}]}"#;
        assert!(read(two).unwrap_err().contains("2 series"));
        assert!(read(r#"{"resultType":"matrix","result":[]}"#).is_err());
    }
}
