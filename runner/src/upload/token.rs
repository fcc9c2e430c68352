//! The token of one upload: a JWT that Pages hands out for the asset store and that runs out within minutes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{CALL_WITHIN, Error};
use crate::cloudflare::{self, Cloudflare};
use crate::report;
use crate::retry::{Policy, retry};

/// Files a deployment may have when the token does not say
/// (<https://developers.cloudflare.com/pages/platform/limits/#files>).
const FILES_MAX_DEFAULT: usize = 20_000;
/// A token with less time left than this is replaced before it is used.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// How often one call may be given a new token.
const REFRESHES_MAX: u32 = 3;

/// A token that renews itself.
pub(super) struct Token<'a> {
    client: &'a Cloudflare,
    project: &'a str,
    current: Mutex<Jwt>,
}

#[derive(Clone)]
struct Jwt {
    text: String,
    claims: Claims,
}

#[derive(Clone, Deserialize)]
struct Claims {
    /// Seconds since the epoch.
    exp: Option<u64>,
    max_file_count_allowed: Option<usize>,
}

/// Why a call with a token failed.
pub(super) enum Failure {
    Call(cloudflare::Error),
    Token(Error),
}

impl Failure {
    /// As an upload's error; `doing` follows "cannot".
    pub(super) fn or(self, doing: &'static str) -> Error {
        match self {
            Self::Call(source) => Error::Cloudflare { doing, source },
            Self::Token(error) => error,
        }
    }
}

impl<'a> Token<'a> {
    pub(super) fn fetch(
        client: &'a Cloudflare,
        project: &'a str,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let current = Mutex::new(fetch(client, project, cancelled)?);
        Ok(Self { client, project, current })
    }

    /// How many files the deployment may have.
    pub(super) fn files_max(&self) -> usize {
        self.jwt().claims.max_file_count_allowed.unwrap_or(FILES_MAX_DEFAULT)
    }

    /// Makes a call with a token that has not run out. Cloudflare says "run out" as 401 or 403, sometimes in plain text
    /// (<https://github.com/cloudflare/workers-sdk/issues/3773>): any of these gets a new token, a bounded number of times.
    pub(super) fn with<T>(
        &self,
        stop: &dyn Fn() -> bool,
        within: Duration,
        call: impl Fn(&str, Duration) -> Result<T, cloudflare::Error>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + within;
        let mut refreshes = 0;
        loop {
            let jwt = self.fresh(stop).map_err(Failure::Token)?;
            let left = deadline.saturating_duration_since(Instant::now());
            match retry(Policy::within(left), stop, |left| call(&jwt.text, left)) {
                Err(cloudflare::Error::Unauthorised { .. }) if refreshes < REFRESHES_MAX && !stop() => {
                    refreshes += 1;
                    self.replace(&jwt.text, stop).map_err(Failure::Token)?;
                }
                result => return result.map_err(Failure::Call),
            }
        }
    }

    fn fresh(&self, stop: &dyn Fn() -> bool) -> Result<Jwt, Error> {
        let jwt = self.jwt();
        let soon = report::now().plus(FRESH_FOR).as_millis() / 1000;
        if jwt.claims.exp.is_some_and(|exp| exp < soon) {
            self.replace(&jwt.text, stop)?;
            return Ok(self.jwt());
        }
        Ok(jwt)
    }

    /// Fetches a new token, unless another thread did since `old` was read.
    fn replace(&self, old: &str, stop: &dyn Fn() -> bool) -> Result<(), Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.text == old {
            *current = fetch(self.client, self.project, stop)?;
        }
        Ok(())
    }

    fn jwt(&self) -> Jwt {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn fetch(client: &Cloudflare, project: &str, cancelled: &dyn Fn() -> bool) -> Result<Jwt, Error> {
    let text = retry(Policy::within(CALL_WITHIN), cancelled, |left| client.upload_token(project, left))
        .map_err(Error::doing("get an upload token"))?;
    let claims = claims(&text).ok_or_else(|| Error::Token("its second part is no JSON".into()))?;
    Ok(Jwt { text, claims })
}

/// The claims of a JWT. Its signature is Cloudflare's own business: we only read when it runs out.
fn claims(jwt: &str) -> Option<Claims> {
    let payload = jwt.split('.').nth(1)?.trim_end_matches('=');
    let payload = payload.replace('+', "-").replace('/', "_");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_and_what_is_no_token_is_none() {
        let jwt = format!("a.{}.c", URL_SAFE_NO_PAD.encode(r#"{"exp":17,"max_file_count_allowed":2}"#));
        let read = claims(&jwt).unwrap();
        assert_eq!((read.exp, read.max_file_count_allowed), (Some(17), Some(2)));
        for text in ["", "a", "a.b.c", "a.e30", "..", "a.!!.c"] {
            assert!(claims(text).is_none_or(|claims| claims.exp.is_none()), "{text}");
        }
    }
}
