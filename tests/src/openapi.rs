//! Cloudflare's description of its API, and whether an exchange is in it: path, method, parameters, bodies, envelope.

use std::sync::OnceLock;

use crossfade_sandbox::{Exchange, Message};
use serde_json::{Value, json};

use crate::{exceptions, form, reference};

const URI: &str = "urn:cloudflare";

/// Fails the test with everything in which these exchanges differ from the description. What was accepted must have been
/// asked for correctly; what was refused need not.
#[track_caller]
pub fn check(exchanges: &[Exchange]) {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    let Some(description) = DESCRIPTION.get_or_init(Description::read) else { return };
    assert!(!exchanges.is_empty(), "there is nothing to check");
    let wrong: Vec<String> = exchanges
        .iter()
        .flat_map(|exchange| {
            let at = format!("{} {} → {}", exchange.method, exchange.path, exchange.status);
            description.differences(exchange).into_iter().map(move |why| format!("{at}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "not as Cloudflare describes it:\n{}", wrong.join("\n"));
}

struct Description {
    document: Value,
    registry: jsonschema::Registry<'static>,
}

impl Description {
    fn read() -> Option<Self> {
        let mut document = reference(
            "cloudflare-openapi-subset.json",
            "requests and answers against Cloudflare's description",
        )?;
        exceptions::make(&mut document);
        modernise(&mut document);
        let registry = jsonschema::Registry::new().add(URI, document.clone()).unwrap().prepare().unwrap();
        Some(Self { document, registry })
    }

    fn differences(&self, exchange: &Exchange) -> Vec<String> {
        let Some((template, parameters)) = self.template(&exchange.path) else {
            if exceptions::is_undocumented(exchange) {
                return Vec::new();
            }
            return vec!["there is no such path".into()];
        };
        let place = format!("/paths/{}/{}", escape(template), exchange.method.to_lowercase());
        let Some(operation) = self.document.pointer(&place) else {
            return vec!["there is no such method".into()];
        };
        let mut wrong = Vec::new();
        if (200..300).contains(&exchange.status) {
            wrong.extend(self.wrong_parameters(operation, &place, &parameters, exchange.query.as_deref()));
            match (operation.get("requestBody"), exchange.request.body.is_empty()) {
                (Some(described), true) if described["required"] != true => {}
                (Some(_), _) => {
                    wrong.extend(self.wrong_body(&format!("{place}/requestBody"), &exchange.request))
                }
                (None, true) => {}
                (None, false) => wrong.push("a body where none belongs".into()),
            }
        }
        // Only one class of errors is described; Cloudflare's own failures come in the same envelope.
        let described = if exchange.status >= 400 { "4XX".to_owned() } else { exchange.status.to_string() };
        if exchange.status != 0 {
            wrong.extend(self.wrong_body(&format!("{place}/responses/{described}"), &exchange.response));
        }
        wrong
    }

    /// The path's template and the values of its parameters.
    fn template(&self, path: &str) -> Option<(&str, Vec<(String, String)>)> {
        let paths = self.document["paths"].as_object()?;
        let asked: Vec<&str> = path.split('/').collect();
        paths.keys().find_map(|template| {
            let segments: Vec<&str> = template.split('/').collect();
            let mut values = Vec::new();
            let fits = segments.len() == asked.len()
                && segments.iter().zip(&asked).all(|(segment, value)| {
                    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                    values.extend(name.map(|name| (name.to_owned(), decode(value))));
                    name.is_some() || segment == value
                });
            fits.then_some((template.as_str(), values))
        })
    }

    fn wrong_parameters(
        &self,
        operation: &Value,
        place: &str,
        in_path: &[(String, String)],
        query: Option<&str>,
    ) -> Vec<String> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let in_query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let in_query: Vec<_> = in_query.map(|(name, value)| (decode(name), decode(value))).collect();
        let given =
            in_path.iter().map(|pair| ("path", pair)).chain(in_query.iter().map(|pair| ("query", pair)));
        let described = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        given
            .filter_map(|(kind, (name, value))| {
                let index = described.iter().position(|parameter| {
                    let parameter = self.resolved(parameter);
                    parameter["name"] == name.as_str() && parameter["in"] == kind
                });
                let Some(index) = index else { return Some(format!("{kind} parameter `{name}` is unknown")) };
                let parameter = &described[index];
                let schema = match parameter.get("$ref").and_then(Value::as_str) {
                    Some(reference) => format!("{}/schema", reference.trim_start_matches('#')),
                    None => format!("{place}/parameters/{index}/schema"),
                };
                let wrong = self.wrong_text(&schema, value);
                (!wrong.is_empty()).then(|| format!("{kind} parameter `{name}`: {}", wrong.join(", ")))
            })
            .collect()
    }

    fn wrong_body(&self, place: &str, message: &Message) -> Vec<String> {
        let Some(described) = self.document.pointer(place) else {
            return vec![format!("{place} is not described")];
        };
        let place = match described.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference.trim_start_matches('#').to_owned(),
            None => place.to_owned(),
        };
        let content_type = message.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        let schema = format!("{place}/content/{}/schema", escape(media_type));
        if self.document.pointer(&schema).is_none() {
            return vec![format!("`{content_type}` is not described at {place}")];
        }
        match media_type {
            "application/json" => match serde_json::from_slice(&message.body) {
                Ok(json) => self.wrong(&schema, &json),
                Err(error) => vec![format!("no JSON: {error}")],
            },
            "multipart/form-data" => {
                let parts = form::parts(&message.body);
                let as_text = |part: &form::Part| json!(part.text());
                let as_json = |part: &form::Part| {
                    serde_json::from_slice(&part.body)
                        .ok()
                        .filter(Value::is_object)
                        .unwrap_or_else(|| as_text(part))
                };
                let named = |value: &dyn Fn(&form::Part) -> Value| -> Value {
                    parts.iter().map(|part| (part.name().to_owned(), value(part))).collect()
                };
                // A part that is an object is one as text.
                let wrong = self.wrong(&schema, &named(&as_text));
                if wrong.is_empty() { wrong } else { self.wrong(&schema, &named(&as_json)) }
            }
            _ => self.wrong_text(&schema, &String::from_utf8_lossy(&message.body)),
        }
    }

    /// The same for a text, which may stand for a number or an object.
    fn wrong_text(&self, place: &str, text: &str) -> Vec<String> {
        let as_json = serde_json::from_str(text).unwrap_or(Value::Null);
        let wrong = self.wrong(place, &json!(text));
        if wrong.is_empty() || self.wrong(place, &as_json).is_empty() { Vec::new() } else { wrong }
    }

    /// In what a value differs from the schema at a place.
    fn wrong(&self, place: &str, value: &Value) -> Vec<String> {
        let schema = json!({ "$ref": format!("{URI}#{}", place.replace('{', "%7B").replace('}', "%7D")) });
        let options = jsonschema::options().with_registry(&self.registry).should_validate_formats(true);
        let validator = options.build(&schema).unwrap_or_else(|error| panic!("{place}: {error}"));
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str);
        reference.map_or(value, |reference| self.document.pointer(reference.trim_start_matches('#')).unwrap())
    }
}

/// OpenAPI 3.0's own dialect in the words of today's JSON Schema.
fn modernise(value: &mut Value) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(modernise);
    }
    let Value::Object(object) = value else { return };
    object.values_mut().for_each(modernise);
    // Whatever stands beside a reference does not count.
    if object.get("$ref").is_some_and(Value::is_string) {
        object.retain(|name, _| name == "$ref");
    }
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(Value::Bool(exclusive)) = object.get(flag).cloned() {
            object.remove(flag);
            if exclusive && let Some(limit) = object.remove(bound) {
                object.insert(flag.into(), limit);
            }
        }
    }
    if object.get("nullable") == Some(&Value::Bool(true)) {
        object.remove("nullable");
        *value = json!({ "anyOf": [{ "type": "null" }, object] });
    }
}

fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok()).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("a path is UTF-8")
}
