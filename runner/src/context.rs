//! What requests are filled with. In: values, and templates that name environment variables. Out: filled texts, and reports
//! without secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossfade_core::probe::{Place, UnknownVariable, Variables, names};

/// Names that every health check and smoke test knows.
pub const KNOWN: [&str; 3] = ["version", "release", "random"];
/// What names of environment variables begin with.
pub const FROM_ENVIRONMENT: &str = "env.";

/// Values that requests begin with, and those among them that nobody may read.
#[derive(Clone, Default)]
pub struct Context {
    pub(crate) variables: Variables,
    secrets: Vec<String>,
}

impl Context {
    /// The values that every request knows.
    pub fn new(version: &str, release: &str) -> Self {
        let mut variables = Variables::default();
        let random = format!("{:08x}", getrandom::u32().unwrap_or_default());
        for (name, value) in KNOWN.into_iter().zip([version, release, &random]) {
            variables.set(name, value);
        }
        Self { variables, secrets: Vec::new() }
    }

    /// Adds the environment variables that these texts name as `{{env.NAME}}`. Their values count as secrets.
    #[must_use]
    pub fn with_environment(
        mut self,
        templates: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        for template in templates {
            for name in variables_in(&template) {
                if let Some(value) = variable(name) {
                    self.variables.set(format!("{FROM_ENVIRONMENT}{name}"), value.clone());
                    self.secrets.push(value);
                }
            }
        }
        self.with_secrets([])
    }

    /// Adds what nobody may read, wherever it came from.
    #[must_use]
    pub fn with_secrets(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.secrets.extend(secrets);
        // The longest first: one that contains another would else be told in part.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self
    }

    /// Adds what another one keeps secret.
    #[must_use]
    pub fn with_secrets_of(self, other: &Self) -> Self {
        self.with_secrets(other.secrets.clone())
    }

    /// A text without the secrets, however they were written where they were put, and although an excerpt cut them short.
    pub fn redact(&self, text: &str) -> String {
        // Shorter values are everyday words; hiding them would make the report unreadable and protect nothing.
        const SECRET_MIN: usize = 4;
        let secrets = self.secrets.iter().filter(|secret| secret.len() >= SECRET_MIN);
        secrets.fold(text.to_owned(), |text, secret| {
            let [plain, json, url] =
                [Place::Text, Place::Json, Place::Url].map(|place| place.written(secret));
            // As `Basic` has it.
            let written = [plain, json, url, STANDARD.encode(secret)];
            written.iter().fold(text, |text, written| without(&text, written))
        })
    }
}

impl Context {
    /// A document without the secrets, in whatever text of it they were.
    pub fn redact_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.redact(text),
            serde_json::Value::Array(all) => all.iter_mut().for_each(|value| self.redact_json(value)),
            serde_json::Value::Object(fields) => {
                fields.values_mut().for_each(|value| self.redact_json(value))
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
}

/// A text without a secret, nor its beginning where the text was cut.
fn without(text: &str, secret: &str) -> String {
    /// Of less nobody makes anything.
    const BEGINNING_MIN: usize = 8;
    let whole = text.replace(secret, "***");
    let parts = whole.split('…').map(|part| {
        let cut = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= BEGINNING_MIN).rev();
        let beginning = cut.filter_map(|at| part.strip_suffix(secret.get(..at)?)).next();
        beginning.map_or_else(|| part.to_owned(), |rest| format!("{rest}***"))
    });
    parts.collect::<Vec<_>>().join("…")
}

/// The environment variables that a template names.
pub(crate) fn variables_in(template: &str) -> impl Iterator<Item = &str> {
    names(template).filter_map(|name| name.strip_prefix(FROM_ENVIRONMENT))
}

/// Headers with their values filled.
///
/// # Errors
/// The first name that is not known.
pub(crate) fn fill_headers<'a>(
    headers: impl IntoIterator<Item = (&'a String, &'a String)>,
    variables: &Variables,
) -> Result<Vec<(String, String)>, UnknownVariable> {
    let filled = |(name, value): (&String, &String)| {
        variables.fill(value, Place::Text).map(|value| (name.clone(), value))
    };
    headers.into_iter().map(filled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_the_environment_is_filled_in_and_told_to_nobody() {
        let context = Context::new("1.5.0", "rel-1").with_environment(
            ["Bearer {{env.SECRET}} {{ env.LONGER }}".into(), "{{env.UNSET}}{{version}}".into()],
            |name| match name {
                "SECRET" => Some("hunter 2\"".into()),
                "LONGER" => Some("hunter 2\"3".into()),
                _ => None,
            },
        );
        let filled = context.variables.fill("{{env.SECRET}} {{version}} {{release}}", Place::Text).unwrap();
        assert_eq!(filled, "hunter 2\" 1.5.0 rel-1");
        let error = context.variables.fill("{{env.UNSET}}", Place::Text).unwrap_err().to_string();
        assert!(
            error.starts_with("`{{env.UNSET}}` is not known here") && !error.contains("hunter"),
            "{error}"
        );
        assert_eq!(
            context.redact("hunter 2\" and hunter 2\\\" and /hunter%202%22?x hunter 2\"3"),
            "*** and *** and /***?x ***"
        );
    }

    #[test]
    fn neither_a_password_in_basic_nor_a_token_that_an_excerpt_cut_short_is_told() {
        let context =
            Context::new("1.5.0", "rel-1").with_secrets(["ops:hunter-2".into(), "tök-4711-0815".into()]);
        for (text, told) in [
            ("denied Basic b3BzOmh1bnRlci0y", "denied Basic ***"),
            ("status 403: denied Basic b3BzOmh1bnRlci", "status 403: denied Basic ***"),
            ("`denied tök-4711-08…`, expected 2xx", "`denied ***…`, expected 2xx"),
            ("status 403: tök-4711", "status 403: ***"),
            (
                "tök-471 is no secret yet; tök-4711 is in the middle",
                "tök-471 is no secret yet; tök-4711 is in the middle",
            ),
        ] {
            assert_eq!(context.redact(text), told);
        }
    }

    #[test]
    fn a_document_is_free_of_secrets_wherever_they_are_and_stays_a_document() {
        let context = Context::new("1.5.0", "rel-1").with_secrets(["true".into(), "hunter 2\"".into()]);
        let mut document = serde_json::json!({
            "ok": true, "n": 4711, "text": "hunter 2\" is true", "list": [null, { "deep": "/hunter%202%22" }],
        });
        context.redact_json(&mut document);
        let clean = serde_json::json!({ "ok": true, "n": 4711, "text": "*** is ***", "list": [null, { "deep": "/***" }] });
        assert_eq!(document, clean);
    }
}
