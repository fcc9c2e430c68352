//! What is there, as far as a plan depends on it.

use std::borrow::Cow;

use crossfade_core::RoutingTable;
use crossfade_core::table::{Origin, Version};
use serde_json::Value;

use super::pattern::{Leads, leads};
use super::wanted::{BUNDLE, HOST, Wanted};
use crate::cloudflare::workers::Binding;
use crate::cloudflare::zones::{Domain, Record, Route, Zone};

/// What is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The namespace's id.
    pub(crate) namespace: Option<String>,
    /// The id of the one that is called as ours would be.
    pub(crate) titled: Option<String>,
    /// The namespace that the configuration names is not there.
    pub(crate) astray: bool,
    /// The table in it.
    pub(crate) table: Option<RoutingTable>,
    /// Why what is there is none.
    pub(crate) damaged: Option<String>,
    /// Somebody's Worker of the wanted name.
    pub(crate) worker: Option<Worker>,
    pub(crate) zone: Option<Zone>,
    /// The zone's routes.
    pub(crate) routes: Vec<Route>,
    /// The host's DNS records.
    pub(crate) records: Vec<Record>,
    /// The Worker whose own the host is.
    pub(crate) domain: Option<Domain>,
    /// The site without Crossfade.
    pub(crate) site: Option<Site>,
    /// The Pages project's own host and its custom domains. The first need not be its name's: that may have been taken.
    pub(crate) hosts: Vec<String>,
    /// The Pages deployment that the table's stable version is, when the site is another one.
    pub(crate) stable_deployment: Option<String>,
    pub(crate) answers: Answers,
}

/// A Worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    /// Its Durable Objects are there already.
    pub(crate) migrated: bool,
    /// What requests meet now.
    pub(crate) deployed: Vec<Deployed>,
}

/// A version that requests meet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployed {
    pub(crate) version: String,
    pub(crate) percentage: f64,
    pub(crate) bindings: Vec<Binding>,
}

/// The site without Crossfade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) origin: Origin,
    pub(crate) version: Version,
    /// The Pages deployment that it is.
    pub(crate) deployment: Option<String>,
}

/// What the public URL says to a question for the router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answers {
    /// It is the router, with this revision of the table.
    Router(Option<u64>),
    /// It is the router, and its secret is another one.
    OtherSecret,
    /// It is something else.
    Other(u16),
    /// Nobody does.
    #[default]
    Nothing,
}

impl Deployed {
    /// What a binding is bound to.
    fn bound(&self, name: &str, field: &str) -> Option<&str> {
        let binding =
            self.bindings.iter().find(|binding| binding.get("name").is_some_and(|it| it == name))?;
        binding.get(field).and_then(Value::as_str)
    }

    /// The KV namespace that it reads.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.bound("ROUTING", "namespace_id")
    }

    /// Which router it is, as our uploads say.
    pub(crate) fn bundle(&self) -> Option<&str> {
        self.bound(BUNDLE, "text")
    }

    /// The host whose router it is, as our uploads say.
    pub(crate) fn host(&self) -> Option<&str> {
        self.bound(HOST, "text")
    }

    /// Its secrets' names.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets =
            self.bindings.iter().filter(|binding| binding.get("type").is_some_and(|it| it == "secret_text"));
        secrets.filter_map(|binding| binding.get("name").and_then(Value::as_str))
    }

    /// Whether an upload would change nothing, but for secrets' values.
    pub(crate) fn is_as_wanted(&self, wanted: &Wanted, fingerprint: &str, found: &Found) -> bool {
        self.bundle() == Some(fingerprint)
            && found.variables(wanted).all(|(name, value)| self.bound(name, "text") == Some(&*value))
            && self.namespace() == found.namespace.as_deref()
            && self.bound("COUNTERS", "class_name") == Some("Counters")
            && wanted.dataset.as_deref().is_none_or(|it| self.bound("ANALYTICS", "dataset") == Some(it))
            && wanted.secrets.iter().all(|secret| self.secrets().any(|name| name == secret.name))
    }
}

impl Worker {
    /// Whether it is a router of ours: any other Worker is left alone.
    pub(crate) fn is_ours(&self) -> bool {
        self.deployed.iter().any(|deployed| deployed.namespace().is_some())
    }
}

impl Found {
    /// The route with exactly this pattern.
    pub(crate) fn route(&self, pattern: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.pattern == pattern)
    }

    /// The version that is being rolled out, where an earlier run has begun with it.
    pub(crate) fn new_version(&self, wanted: &Wanted, fingerprint: &str) -> Option<String> {
        let deployed = self.worker.iter().flat_map(|worker| &worker.deployed);
        let mut new = deployed.filter(|it| it.is_as_wanted(wanted, fingerprint, self));
        new.next().map(|it| it.version.clone())
    }

    /// The router's plain variables. A Pages project that is not there yet has no host, and what has its name may be a stranger's.
    pub(crate) fn variables<'a>(&self, wanted: &'a Wanted) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let pages = self.hosts.first().map(|host| format!("https://{host}").into());
        let default = wanted.origin.as_deref().map(Cow::from).or(pages);
        let known = wanted.variables.iter().map(|(name, value)| (*name, value.as_str().into()));
        known.chain(default.map(|default| ("DEFAULT_ORIGIN", default)))
    }

    /// The patterns of the zone's routes to this Worker.
    pub(crate) fn leading<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = &'a str> {
        let ours = self.routes.iter().filter(|route| route.script.as_ref() == Some(&wanted.worker));
        ours.map(|route| route.pattern.as_str())
    }

    /// Whether visitors are led to this Worker.
    pub(crate) fn is_live(&self, wanted: &Wanted) -> bool {
        let by_route = self.leading(wanted).any(|pattern| leads(pattern, &wanted.host) == Leads::All);
        by_route || self.domain.as_ref().is_some_and(|domain| domain.service == wanted.worker)
    }
}
