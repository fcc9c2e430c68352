//! One Workers KV namespace over REST. In: keys and values. Out: bytes.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Bearer, Body, Cloudflare, Error};
use crate::retry::{Policy, never, retry};

/// The largest value (<https://developers.cloudflare.com/kv/platform/limits/>), and so the largest answer we read.
pub(super) const VALUE_MAX: u64 = 25 * 1024 * 1024;

/// A namespace; cheap to clone.
#[derive(Clone, Debug)]
pub struct Namespace {
    client: Cloudflare,
    path: String,
}

impl Namespace {
    pub(super) fn new(client: Cloudflare, id: &str) -> Self {
        let path = client.account_path(&format!("/storage/kv/namespaces/{id}"));
        Self { client, path }
    }

    /// A value, tried again until `within` is over; `None` when the key does not exist.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read(&self, key: &str, within: Duration) -> Result<Option<Vec<u8>>, Error> {
        retry(Policy::within(within), &never, |left| self.read_once(key, left))
    }

    /// A value, in one attempt.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read_once(&self, key: &str, within: Duration) -> Result<Option<Vec<u8>>, Error> {
        self.client.bytes(&self.value_path(key), within)
    }

    /// Writes a value, tried again until `within` is over: to write the same value twice is to write it once.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::fate`] tells whether it can have been written.
    pub fn write(&self, key: &str, value: &[u8], within: Duration) -> Result<(), Error> {
        retry(Policy::within(within), &never, |left| self.write_once(key, value, left))
    }

    /// Writes a value, in one attempt.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::fate`] tells whether it can have been written.
    pub fn write_once(&self, key: &str, value: &[u8], within: Duration) -> Result<(), Error> {
        let body = Body::Bytes { content_type: "application/octet-stream", bytes: value };
        self.client.call::<Value>("PUT", &self.value_path(key), Bearer::Api, body, within).map(drop)
    }

    /// Removes a key, in one attempt; one that is not there is gone already.
    pub(crate) fn delete_once(&self, key: &str, within: Duration) -> Result<(), Error> {
        self.client.call::<Value>("DELETE", &self.value_path(key), Bearer::Api, Body::None, within).map(drop)
    }

    /// All keys that begin with `prefix`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn list(&self, prefix: &str, within: Duration) -> Result<Vec<String>, Error> {
        /// More than any environment's history; bounds a server that hands out cursors for ever.
        const PAGES_MAX: usize = 20;
        let mut keys = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let path =
                format!("{}/keys?limit=1000&prefix={}&cursor={}", self.path, encode(prefix), encode(&cursor));
            let page = retry(Policy::within(within), &never, |left| self.client.page(&path, left))?;
            let names = page.get("result").and_then(Value::as_array).into_iter().flatten();
            keys.extend(names.filter_map(|key| key.get("name")?.as_str().map(str::to_owned)));
            match page.pointer("/result_info/cursor").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                Some(_) | None => break,
            }
        }
        Ok(keys)
    }

    fn value_path(&self, key: &str) -> String {
        format!("{}/values/{}", self.path, encode(key))
    }
}

/// A namespace of the account.
#[derive(Debug, Deserialize)]
struct Titled {
    id: String,
    title: String,
}

impl Cloudflare {
    /// The id of the namespace with this title; `None` when there is none.
    pub(crate) fn namespace_titled(&self, title: &str, within: Duration) -> Result<Option<String>, Error> {
        const PER_PAGE: usize = 1000;
        /// No account may have more namespaces
        /// (<https://developers.cloudflare.com/kv/platform/limits/>).
        const PAGES_MAX: usize = 2;
        for page in 1..=PAGES_MAX {
            let path = self.account_path(&format!("/storage/kv/namespaces?per_page={PER_PAGE}&page={page}"));
            let listed: Vec<Titled> = self.call("GET", &path, Bearer::Api, Body::None, within)?;
            let is_last = listed.len() < PER_PAGE;
            if let Some(found) = listed.into_iter().find(|namespace| namespace.title == title) {
                return Ok(Some(found.id));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }

    /// Makes a namespace; its id.
    pub(crate) fn create_namespace(&self, title: &str, within: Duration) -> Result<String, Error> {
        let path = self.account_path("/storage/kv/namespaces");
        let body = Body::Json(&json!({ "title": title }));
        self.call::<Titled>("POST", &path, Bearer::Api, body, within).map(|namespace| namespace.id)
    }

    /// Removes a namespace with all that is in it.
    pub(crate) fn delete_namespace(&self, id: &str, within: Duration) -> Result<(), Error> {
        let path = self.account_path(&format!("/storage/kv/namespaces/{id}"));
        self.call::<Value>("DELETE", &path, Bearer::Api, Body::None, within).map(drop)
    }

    /// A whole envelope, for what stands beside `result`.
    fn page(&self, path: &str, within: Duration) -> Result<Value, Error> {
        let at = super::At::new("GET", path);
        self.send(&at, path, Bearer::Api, Body::None, within)?.envelope(&at)
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_one_path_segment() {
        assert_eq!(encode("routing:production"), "routing%3Aproduction");
        assert_eq!(encode("my key/ü?"), "my%20key%2F%C3%BC%3F");
    }
}
