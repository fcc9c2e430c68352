//! Workers KV in memory: one store behind the REST API and the router's binding.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A stored value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) metadata: Option<Value>,
    /// Seconds since the epoch.
    pub(crate) expiration: Option<i64>,
    written_at: Instant,
    /// What stood there before, for readers that a write has not reached.
    before: Option<Vec<u8>>,
}

/// All namespaces of the account.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    namespaces: BTreeMap<String, Namespace>,
}

#[derive(Debug, Default)]
struct Namespace {
    title: String,
    entries: BTreeMap<String, Entry>,
}

impl Kv {
    pub(crate) fn create(&mut self, id: &str, title: &str) {
        self.namespaces
            .insert(id.to_owned(), Namespace { title: title.to_owned(), entries: BTreeMap::new() });
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.namespaces.contains_key(id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        self.namespaces.remove(id).is_some()
    }

    /// Ids and titles.
    pub(crate) fn namespaces(&self) -> Vec<(String, String)> {
        self.namespaces.iter().map(|(id, namespace)| (id.clone(), namespace.title.clone())).collect()
    }

    pub(crate) fn entry(&self, namespace: &str, key: &str) -> Option<&Entry> {
        let entry = self.namespaces.get(namespace)?.entries.get(key)?;
        let expired = entry.expiration.is_some_and(|at| at <= jiff::Timestamp::now().as_second());
        if expired { None } else { Some(entry) }
    }

    pub(crate) fn value(&self, namespace: &str, key: &str) -> Option<Vec<u8>> {
        self.entry(namespace, key).map(|entry| entry.value.clone())
    }

    /// What a reader sees whom writes reach after `propagation`.
    pub(crate) fn value_seen(&self, namespace: &str, key: &str, propagation: Duration) -> Option<Vec<u8>> {
        let entry = self.entry(namespace, key)?;
        if entry.written_at.elapsed() < propagation {
            entry.before.clone()
        } else {
            Some(entry.value.clone())
        }
    }

    /// Whether a key was written less than a second ago.
    pub(crate) fn was_just_written(&self, namespace: &str, key: &str) -> bool {
        self.entry(namespace, key).is_some_and(|entry| entry.written_at.elapsed() < Duration::from_secs(1))
    }

    /// Every write replaces value, metadata and expiration.
    pub(crate) fn put(
        &mut self,
        namespace: &str,
        key: &str,
        value: Vec<u8>,
        metadata: Option<Value>,
        expiration: Option<i64>,
    ) {
        let Some(namespace) = self.namespaces.get_mut(namespace) else { return };
        let before = namespace.entries.get(key).map(|entry| entry.value.clone());
        let entry = Entry { value, metadata, expiration, written_at: Instant::now(), before };
        namespace.entries.insert(key.to_owned(), entry);
    }

    pub(crate) fn delete(&mut self, namespace: &str, key: &str) {
        if let Some(namespace) = self.namespaces.get_mut(namespace) {
            namespace.entries.remove(key);
        }
    }

    pub(crate) fn keys(&self, namespace: &str, prefix: &str) -> Vec<String> {
        let Some(namespace) = self.namespaces.get(namespace) else { return Vec::new() };
        namespace.entries.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }
}
