//! Settings that come from flags and variables, checked before anything is sent: what is wrong here would otherwise be
//! met as an odd answer much later.

use crate::cli::Global;
use crate::cloudflare::{API_TOKEN, AccountId, ApiToken, Cloudflare};
use crate::config::{Config, Hook, check_url, from_environment};
use crate::context::Context;
use crate::edge::{CONTROL_TOKEN, ControlToken};
use crate::error::Error;
use crate::github::GITHUB_TOKEN;
use crate::signing::{SIGNING_KEY, Signer};

/// The account.
fn account(global: &Global) -> Result<AccountId, Error> {
    let id = global.account_id.as_deref().map(str::trim).unwrap_or_default();
    if id.is_empty() {
        return Err(Error::Missing {
            what: "the Cloudflare account id",
            hint: "set CLOUDFLARE_ACCOUNT_ID (`wrangler whoami` shows it); in a workflow, the action's input `accountId`".into(),
        });
    }
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::Usage(format!(
            "the Cloudflare account id is `{id}`: it must be 32 hexadecimal digits (`wrangler whoami` shows it)"
        )));
    }
    Ok(AccountId::new(id.to_owned()))
}

/// The API token.
fn api_token() -> Result<ApiToken, Error> {
    let token = secret(API_TOKEN)?.ok_or_else(|| Error::Missing {
        what: API_TOKEN,
        hint: "create a token with the permissions \"Cloudflare Pages: Edit\" and \"Workers KV Storage: Edit\" at \
               https://dash.cloudflare.com/profile/api-tokens and set it in the environment; in a workflow, pass a secret as the \
               action's input `apiToken`"
            .into(),
    })?;
    Ok(ApiToken::new(token))
}

/// The router's secret; commands that ask nothing of the router do without.
pub(super) fn control_token() -> Result<Option<ControlToken>, Error> {
    Ok(secret(CONTROL_TOKEN)?.map(ControlToken::new))
}

/// What tables are signed with; without a key they are not.
pub(super) fn signer() -> Result<Signer, Error> {
    Ok(Signer::new(secret(SIGNING_KEY)?))
}

/// What nobody may read: our own secrets, and whatever the configuration takes from the environment.
pub(super) fn secrets(config: &Config) -> Context {
    let queries: Vec<String> = config.all_hooks().filter_map(Hook::query).map(str::to_owned).collect();
    our_secrets().with_environment(config.templates(), variable).with_secrets(queries)
}

/// Our own secrets.
pub(super) fn our_secrets() -> Context {
    let ours = [API_TOKEN, CONTROL_TOKEN, SIGNING_KEY, GITHUB_TOKEN].map(from_environment);
    Context::new("", "").with_environment(ours, variable)
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The client of the account that is named, by the token of the environment.
pub(super) fn client(global: &Global) -> Result<Cloudflare, Error> {
    let account = account(global)?;
    Ok(Cloudflare::new(api_base_url(global)?, account, api_token()?))
}

/// Where the API is.
fn api_base_url(global: &Global) -> Result<&str, Error> {
    let url = global.api_base_url.as_str();
    check_url(url, "a URL such as https://api.cloudflare.com/client/v4")
        .map(|_| url)
        .map_err(|why| Error::Usage(format!("CLOUDFLARE_API_BASE_URL is {why}")))
}

/// A secret from the environment; empty counts as not set, which is how GitHub passes a secret that does not exist.
/// Blanks around it come from how it was pasted. It never appears in a message.
pub(super) fn secret(name: &str) -> Result<Option<String>, Error> {
    let value = std::env::var_os(name).unwrap_or_default();
    let value = value.to_str().map(str::trim);
    match value {
        Some("") => Ok(None),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(text.to_owned())),
        Some(_) | None => Err(Error::Usage(format!(
            "{name} has characters that no token has (blanks, line breaks or others than ASCII); paste it anew"
        ))),
    }
}
