//! One hook, as it is written and as it is asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crossfade_core::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::config::check_url;
use crate::config::requests::{check_limits, check_name, check_names, check_request};
use crate::context::FROM_ENVIRONMENT;
use crate::hooks::Phase;

/// Waiting longer than this is no release any more; GitHub ends a job after six hours
/// (<https://docs.github.com/en/actions/reference/limits>).
const WAIT_MAX_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// What a webhook may take, and how often it is asked again when nothing answers.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
const WEBHOOK_RETRIES: u32 = 2;

/// One hook.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Hook {
    name: Option<String>,
    /// What asking it means.
    pub action: Action,
    timeout: Option<Span>,
    retries: Option<u32>,
    /// How long it may answer *wait*.
    pub wait_max: Duration,
}

/// What asking a hook means.
#[derive(Clone, Debug)]
pub enum Action {
    /// A command of the user's is run.
    Command(Command),
    /// A request is sent.
    Webhook(Webhook),
}

/// A command.
#[derive(Clone, Debug)]
pub struct Command {
    /// For `sh -c`.
    pub run: String,
    /// Whether it sees CLOUDFLARE_API_TOKEN.
    pub secrets: bool,
}

/// A request to somebody who decides, or wants to know.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where to; may hold `{{env.NAME}}`.
    pub url: String,
    /// `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// Headers by name; values may hold `{{env.NAME}}`.
    pub headers: BTreeMap<String, String>,
    /// The variable with the token that is sent.
    pub bearer: Option<String>,
    /// The variable with the key that signs.
    pub hmac: Option<String>,
    /// Sent along as it is.
    pub metadata: BTreeMap<String, Value>,
}

/// A hook as it is written: `{ run = "command" }` or `{ url = "https://…" }`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename = "Hook", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["run"] }, { "required": ["url"] }]))]
struct Fields {
    /// What the report calls it. Default: the command, or the URL without its query.
    name: Option<String>,
    /// A command, for `sh -c`. Exit 0 is pass, 75 (EX_TEMPFAIL) wait, anything else fail. With 75, a line such as
    /// `retry-after: 30` on standard output says how many seconds; default 10.
    run: Option<String>,
    /// A webhook. 2xx is pass; 202, and 425, 429 or 503 with a Retry-After, wait; anything else fail. Where nothing depends
    /// on the answer 202 is pass. `{{env.NAME}}` is filled in, as in headers.
    url: Option<String>,
    /// How long one try may take. Default: `10s` for a webhook; for a command `10m`, or `30s` in `rollout`, `rollback` and
    /// `event`.
    timeout: Option<Span>,
    /// Further tries when there was no answer: no connection, 502, 503, 504, too late. Default: 2 for a webhook, 0 for a
    /// command.
    retries: Option<u32>,
    /// How long *wait* is believed; then it counts as a failure. Default: `30m`, at most `24h`.
    wait_max: Option<Span>,
    /// For a command: whether it sees CLOUDFLARE_API_TOKEN, as `wrangler d1 migrations apply` needs. CROSSFADE_TOKEN and
    /// CROSSFADE_SIGNING_KEY are seen by no hook. Default: false.
    secrets: Option<bool>,
    /// For a webhook: `POST`, `PUT` or `PATCH`. Default: `POST`.
    method: Option<String>,
    /// For a webhook: headers by name.
    headers: Option<BTreeMap<String, String>>,
    /// For a webhook: the environment variable with a token, sent as `authorization: Bearer …`.
    bearer: Option<String>,
    /// For a webhook: the environment variable with a key. `crossfade-signature: sha256=…` is then the HMAC-SHA256, in
    /// hexadecimal, of what `crossfade-timestamp` says, a full stop and the body.
    hmac: Option<String>,
    /// For a webhook: sent along as it is.
    metadata: Option<BTreeMap<String, Value>>,
}

impl JsonSchema for Hook {
    fn schema_name() -> Cow<'static, str> {
        Fields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl TryFrom<Fields> for Hook {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        const HALF_AN_HOUR: Span = Span(Duration::from_secs(30 * 60));
        let Fields { name, run, url, timeout, retries, wait_max, secrets, .. } = fields;
        let Fields { method, headers, bearer, hmac, metadata, .. } = fields;
        let strangers = |fields: &[(&'static str, bool)], of: &str| match fields.iter().find(|(_, is)| *is) {
            Some((field, _)) => Err(format!("`{field}` is for {of}: take it out")),
            None => Ok(()),
        };
        let action = match (run, url) {
            (Some(run), None) => {
                let theirs = [
                    ("method", method.is_some()),
                    ("headers", headers.is_some()),
                    ("bearer", bearer.is_some()),
                    ("hmac", hmac.is_some()),
                    ("metadata", metadata.is_some()),
                ];
                strangers(&theirs, "a webhook, and this is a command")?;
                Action::Command(Command { run, secrets: secrets.unwrap_or_default() })
            }
            (None, Some(url)) => {
                strangers(&[("secrets", secrets.is_some())], "a command, and this is a webhook")?;
                let (headers, metadata) = (headers.unwrap_or_default(), metadata.unwrap_or_default());
                let method = method.unwrap_or_else(|| "POST".into());
                Action::Webhook(Webhook { url, method, headers, bearer, hmac, metadata })
            }
            (Some(_), Some(_)) => return Err("it has both `run` and `url`: keep one of them".into()),
            (None, None) => {
                return Err("it has neither `run` nor `url`: it must be a command, such as { run = \"npm run build\" }, \
                            or a webhook, such as { url = \"https://hooks.example.com/approve\" }"
                    .into());
            }
        };
        Ok(Self { name, action, timeout, retries, wait_max: wait_max.unwrap_or(HALF_AN_HOUR).0 })
    }
}

impl Hook {
    /// A webhook that is only told something.
    pub(in crate::config) const fn to(
        name: Option<String>,
        webhook: Webhook,
        timeout: Option<Span>,
        retries: Option<u32>,
    ) -> Self {
        Self { name, action: Action::Webhook(webhook), timeout, retries, wait_max: Duration::ZERO }
    }

    /// What reports call it. A query may be a secret, and is left out.
    pub fn title(&self) -> &str {
        match (&self.name, &self.action) {
            (Some(name), _) => name,
            (None, Action::Command(command)) => &command.run,
            (None, Action::Webhook(webhook)) => webhook.place(),
        }
    }

    /// How long one try may take.
    pub fn timeout(&self, phase: Phase) -> Duration {
        match (self.timeout, &self.action) {
            (Some(timeout), _) => timeout.0,
            (None, Action::Command(_)) => phase.command_timeout(),
            (None, Action::Webhook(_)) => WEBHOOK_TIMEOUT,
        }
    }

    /// Further tries when there was no answer.
    pub fn retries(&self) -> u32 {
        self.retries.unwrap_or(match self.action {
            Action::Command(_) => 0,
            Action::Webhook(_) => WEBHOOK_RETRIES,
        })
    }

    /// The same without further tries.
    pub(crate) fn tried_once(self) -> Self {
        Self { retries: Some(0), ..self }
    }

    /// What stands behind the question mark of a webhook's URL: many a key is written there.
    pub(crate) fn query(&self) -> Option<&str> {
        match &self.action {
            Action::Command(_) => None,
            Action::Webhook(webhook) => webhook.url.split_once('?').map(|(_, query)| query),
        }
    }

    /// The texts that may name environment variables.
    pub(crate) fn templates(&self) -> Vec<String> {
        match &self.action {
            Action::Command(_) => Vec::new(),
            Action::Webhook(webhook) => webhook.templates(),
        }
    }

    pub(super) fn check(&self, phase: Phase) -> Result<(), String> {
        self.check_at(&format!("`hooks.{}`", phase.name().replace('-', "_")), phase)
    }

    /// The same for one that stands elsewhere.
    pub(in crate::config) fn check_at(&self, at: &str, phase: Phase) -> Result<(), String> {
        if let Some(name) = &self.name {
            check_name(at, name)?;
        }
        check_limits(at, Span(self.timeout(phase)), self.retries())?;
        if self.wait_max > WAIT_MAX_MOST {
            let (is, most) = (Span(self.wait_max), Span(WAIT_MAX_MOST));
            return Err(format!("{at}: `wait_max` is {is}: it must be at most {most}"));
        }
        match &self.action {
            Action::Command(Command { run, .. }) if run.trim().is_empty() => {
                Err(format!("{at}: `run` is {run:?}: it must be a command, such as \"npm run build\""))
            }
            Action::Command(_) => Ok(()),
            Action::Webhook(webhook) => webhook.check(at),
        }
    }
}

impl Webhook {
    /// The URL without its query and as it is written: without secrets from the environment.
    pub(crate) fn place(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    fn templates(&self) -> Vec<String> {
        let variables = self.bearer.iter().chain(&self.hmac).map(|name| from_environment(name));
        self.headers.values().cloned().chain([self.url.clone()]).chain(variables).collect()
    }

    fn check(&self, at: &str) -> Result<(), String> {
        check_request(at, &self.method, &self.headers)?;
        if !["POST", "PUT", "PATCH"].contains(&self.method.as_str()) {
            return Err(format!(
                "{at}: `method` is `{}`: it must be one that has a body: POST, PUT or PATCH",
                self.method
            ));
        }
        for (field, variable) in [("bearer", &self.bearer), ("hmac", &self.hmac)] {
            // Whoever wrote the secret itself here must not find it in a log as well.
            if variable.as_ref().is_some_and(|name| !is_variable(name)) {
                return Err(format!(
                    "{at}: `{field}` must be the name of an environment variable, such as HOOK_TOKEN: A-Z, 0-9 and `_`"
                ));
            }
        }
        let twice = self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        if twice && self.bearer.is_some() {
            return Err(format!("{at} has both `bearer` and a header `authorization`: keep one of them"));
        }
        check_names(at, self.templates(), &BTreeSet::new())?;
        // What the environment completes is looked at again when it is complete.
        if crossfade_core::probe::names(&self.url).next().is_some() {
            return Ok(());
        }
        check_hook_url(&self.url).map_err(|why| format!("{at}: `url` is {why}"))
    }
}

/// Refuses where a hook's secrets and what it is told would travel in the clear.
///
/// # Errors
/// The text without its query, and what would be right; follows "is".
pub(crate) fn check_hook_url(url: &str) -> Result<(), String> {
    let place = url.split(['?', '#']).next().unwrap_or_default();
    if place.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
        return Err("one with credentials in it: name them with `bearer`, or in a header".into());
    }
    check_url(place, "a URL such as https://hooks.example.com/approve").map(|_| ())
}

/// A template that is this environment variable.
pub(crate) fn from_environment(name: &str) -> String {
    format!("{{{{{FROM_ENVIRONMENT}{name}}}}}")
}

fn is_variable(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| !first.is_ascii_digit()) && name.bytes().all(rest)
}
