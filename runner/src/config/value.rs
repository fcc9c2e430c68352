//! Values as people write them: a share of the visitors, a site, a project.

use std::borrow::Cow;

use crossfade_core::table::{Weight, is_loopback};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use ureq::http::Uri;

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

/// Refuses what is no site: scheme and host, nothing behind them, because paths are added to it.
///
/// # Errors
/// The text and what would be right; follows "is".
pub fn check_site_url(text: &str) -> Result<(), String> {
    const WANTED: &str = "a site without path, such as https://booking.example.com";
    let uri = check_url(text, WANTED)?;
    if uri.path() == "/" && uri.query().is_none() && !text.contains(['#', '@']) {
        Ok(())
    } else {
        Err(format!("`{text}`: it must be {WANTED}"))
    }
}

/// Refuses what is no URL, and plain `http` to another machine: secrets travel in the headers of what is sent there.
///
/// # Errors
/// The text and what would be right; follows "is".
pub fn check_url(text: &str, wanted: &str) -> Result<Uri, String> {
    let uri = text.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    let host = uri.as_ref().and_then(Uri::host).map(str::to_ascii_lowercase).unwrap_or_default();
    if uri.as_ref().and_then(Uri::authority).is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!(
            "a URL at {host} with a name or a password in it, which messages would show: leave those out"
        ));
    }
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http") if !is_loopback(&host) => Err(format!(
            "`{text}`: secrets would travel to {host} unencrypted; it must begin with https:// (http:// is for this \
             machine only, such as http://127.0.0.1:8787)"
        )),
        Some("https" | "http") => uri.ok_or_else(String::new),
        Some(_) | None => Err(format!("`{text}`: it must be {wanted}")),
    }
}

/// Refuses what is no name of a Pages project; it becomes part of the API's paths.
pub(crate) fn check_project(field: &str, name: &str) -> Result<(), String> {
    const LENGTH_MAX: usize = 58;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(format!(
            "`{field}` is `{name}`: it must be a Pages project's name, 1 to {LENGTH_MAX} of a-z, 0-9 and `-` \
             (`wrangler pages project list` shows them)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_scheme_and_a_host() {
        for good in ["https://booking.example.com", "http://127.0.0.1:8787", "https://booking.example.com/"] {
            check_site_url(good).unwrap();
        }
        for open in ["http://booking.example.com", "http://10.0.0.1:8787", "http://127.0.0.1.example.com"] {
            let why = check_site_url(open).unwrap_err();
            assert!(why.contains("unencrypted; it must begin with https://"), "{why}");
        }
        for bad in [
            "",
            "nonsense",
            "booking.example.com",
            "http://",
            "http://a b",
            "ftp://a.example",
            "https://a.example/b",
            "https://a.example?b",
            "https://a.example#b",
            "//a.example",
        ] {
            let why = check_site_url(bad).unwrap_err();
            assert!(why.starts_with(&format!("`{bad}`")), "{why}");
        }
        let why = check_url("https://me:s3cret@a.example/client/v4", "a URL").unwrap_err();
        assert!(why.contains("a name or a password") && !why.contains("s3cret"), "{why}");
    }
}
