//! `[[notifications]]`: who is told of releases, beside whoever runs them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crossfade_core::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::hooks::{Hook, Webhook};
use super::requests::check_name;
use crate::context::FROM_ENVIRONMENT;
use crate::notice::Kind;

/// Further tries when a notice could not be delivered.
const RETRIES: u32 = 4;

/// Who is told, and of what.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Notification {
    name: Option<String>,
    /// Where to.
    pub to: To,
    /// Of what.
    pub events: Vec<Kind>,
}

/// Where a notice goes.
#[derive(Clone, Debug)]
pub enum To {
    /// A file of JSON lines.
    File(PathBuf),
    /// Whoever takes JSON.
    Webhook(Hook),
    /// Whoever takes Slack's messages.
    Slack(Hook),
}

/// Who is told of releases: a file, a webhook, or a chat.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Notification")]
struct Fields {
    /// What reports call it. Default: where it goes.
    name: Option<String>,
    /// Of what it is told. Default: all but `metrics_updated`.
    events: Option<Vec<Kind>>,
    /// A file that a JSON line is added to; relative to this one.
    file: Option<PathBuf>,
    /// A webhook that the JSON is sent to: 2xx is delivered; 408, 425, 429, 5xx and no answer are tried again; anything else is not.
    url: Option<String>,
    /// A chat that takes Slack's messages. The address is a secret: `{{env.NAME}}`.
    slack: Option<String>,
    /// For a webhook: headers by name.
    headers: Option<BTreeMap<String, String>>,
    /// For a webhook: the environment variable with a token, sent as `authorization: Bearer …`.
    bearer: Option<String>,
    /// For a webhook: the environment variable with a key. `crossfade-signature` is made as for hooks.
    hmac: Option<String>,
    /// How long one try may take. Default: `10s`.
    timeout: Option<Span>,
    /// Further tries. Default: 4.
    retries: Option<u32>,
}

impl JsonSchema for Notification {
    fn schema_name() -> Cow<'static, str> {
        Fields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl TryFrom<Fields> for Notification {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { name, events, file, url, slack, headers, bearer, hmac, timeout, retries } = fields;
        let secrets =
            [("headers", headers.is_some()), ("bearer", bearer.is_some()), ("hmac", hmac.is_some())];
        let sent = [("timeout", timeout.is_some()), ("retries", retries.is_some())];
        let strangers = |fields: &[(&'static str, bool)], of: &str| match fields.iter().find(|(_, is)| *is) {
            Some((field, _)) => Err(format!("`{field}` is for {of}: take it out")),
            None => Ok(()),
        };
        let hook = |url: String| {
            let webhook = Webhook {
                url,
                method: "POST".into(),
                headers: headers.clone().unwrap_or_default(),
                bearer: bearer.clone(),
                hmac: hmac.clone(),
                metadata: BTreeMap::new(),
            };
            Hook::to(name.clone(), webhook, timeout, retries.or(Some(RETRIES)))
        };
        let to = match (file, url, slack) {
            (Some(file), None, None) => {
                strangers(&secrets, "a webhook, and this is a file")?;
                strangers(&sent, "what is sent, and this is a file")?;
                To::File(file)
            }
            (None, Some(url), None) => To::Webhook(hook(url)),
            (None, None, Some(slack)) => {
                strangers(&secrets, "a webhook, and this is a chat")?;
                To::Slack(hook(slack))
            }
            _ => {
                return Err(
                    "it must have one of `file`, `url` and `slack`, such as { file = \"events.jsonl\" } or \
                            { slack = \"{{env.SLACK_WEBHOOK}}\" }"
                        .into(),
                );
            }
        };
        let events =
            events.unwrap_or_else(|| vec![Kind::Started, Kind::Alert, Kind::Completed, Kind::Report]);
        Ok(Self { name, to, events })
    }
}

impl Notification {
    /// What reports call it.
    pub fn title(&self) -> Cow<'_, str> {
        match (&self.name, &self.to) {
            (Some(name), _) => name.into(),
            (None, To::File(path)) => path.to_string_lossy(),
            (None, To::Webhook(hook) | To::Slack(hook)) => hook.title().into(),
        }
    }

    /// The hook that is asked, when it is one.
    pub(crate) const fn hook(&self) -> Option<&Hook> {
        match &self.to {
            To::File(_) => None,
            To::Webhook(hook) | To::Slack(hook) => Some(hook),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        const AT: &str = "[[notifications]]";
        if let Some(name) = &self.name {
            check_name(AT, name)?;
        }
        if self.events.is_empty() {
            return Err(format!("{AT}: `events` is empty: name some, or take it out"));
        }
        match &self.to {
            To::File(path) if path.as_os_str().is_empty() => {
                Err(format!("{AT}: `file` is empty: it must be a path, such as \"events.jsonl\""))
            }
            To::File(_) => Ok(()),
            To::Webhook(hook) => hook.check_at(AT, crate::hooks::Phase::Event),
            // Whoever knows the address can write there: it must not stand in a file, nor in the history.
            To::Slack(hook) if !hook.templates().iter().any(|text| text.contains(FROM_ENVIRONMENT)) => {
                Err(format!(
                    "{AT}: the address of a chat is a secret: put it into the environment, and write `slack = \
                 \"{{{{env.SLACK_WEBHOOK}}}}\"`"
                ))
            }
            To::Slack(hook) => hook.check_at(AT, crate::hooks::Phase::Event),
        }
    }
}
