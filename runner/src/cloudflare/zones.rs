//! Zones over REST: which names there are, and which Worker they lead to.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::kv::encode;
use super::{Bearer, Body, Cloudflare, Error};

/// A zone.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Zone {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
}

/// A DNS record, as far as we use it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Record {
    /// `A`, `AAAA`, `CNAME`, …
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it names.
    #[serde(default)]
    pub(crate) content: String,
    /// Whether requests come to Cloudflare first, which is where Workers are.
    #[serde(default)]
    pub(crate) proxied: bool,
}

/// A Workers route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Route {
    /// Its id.
    pub(crate) id: String,
    /// Host and path, with `*`.
    #[serde(default)]
    pub(crate) pattern: String,
    /// Which Worker answers; `None` keeps Workers away.
    #[serde(default)]
    pub(crate) script: Option<String>,
}

/// A Worker's custom domain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Domain {
    /// Its id.
    pub(crate) id: String,
    /// The host.
    pub(crate) hostname: String,
    /// Which Worker answers.
    pub(crate) service: String,
}

impl Cloudflare {
    /// The zone that a host is in: its own name, or the nearest above it that the account has.
    pub(crate) fn zone_of(&self, host: &str, within: Duration) -> Result<Option<Zone>, Error> {
        let mut name = host;
        loop {
            let path = format!("/zones?name={}", encode(name));
            let found: Vec<Zone> = self.call("GET", &path, Bearer::Api, Body::None, within)?;
            if let Some(zone) = found.into_iter().find(|zone| zone.name == name) {
                return Ok(Some(zone));
            }
            match name.split_once('.') {
                Some((_, above)) if above.contains('.') => name = above,
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// The DNS records of a name.
    pub(crate) fn records(&self, zone: &str, name: &str, within: Duration) -> Result<Vec<Record>, Error> {
        let path = format!("/zones/{zone}/dns_records?name={}", encode(name));
        self.call("GET", &path, Bearer::Api, Body::None, within)
    }

    /// The zone's routes.
    pub(crate) fn routes(&self, zone: &str, within: Duration) -> Result<Vec<Route>, Error> {
        self.call("GET", &format!("/zones/{zone}/workers/routes"), Bearer::Api, Body::None, within)
    }

    /// Leads what fits a pattern to a Worker.
    pub(crate) fn add_route(
        &self,
        zone: &str,
        pattern: &str,
        script: &str,
        within: Duration,
    ) -> Result<(), Error> {
        let body = json!({ "pattern": pattern, "script": script });
        let path = format!("/zones/{zone}/workers/routes");
        self.call::<Value>("POST", &path, Bearer::Api, Body::Json(&body), within).map(drop)
    }

    /// Removes a route.
    pub(crate) fn delete_route(&self, zone: &str, id: &str, within: Duration) -> Result<(), Error> {
        let path = format!("/zones/{zone}/workers/routes/{id}");
        self.call::<Value>("DELETE", &path, Bearer::Api, Body::None, within).map(drop)
    }

    /// The Worker whose own a host is.
    pub(crate) fn domain(&self, hostname: &str, within: Duration) -> Result<Option<Domain>, Error> {
        let path = self.account_path(&format!("/workers/domains?hostname={}", encode(hostname)));
        let found: Vec<Domain> = self.call("GET", &path, Bearer::Api, Body::None, within)?;
        Ok(found.into_iter().find(|domain| domain.hostname == hostname))
    }

    /// Makes a host a Worker's own: Cloudflare makes its DNS record and its certificate.
    pub(crate) fn put_domain(
        &self,
        zone: &Zone,
        hostname: &str,
        script: &str,
        within: Duration,
    ) -> Result<(), Error> {
        let body =
            json!({ "hostname": hostname, "service": script, "zone_id": zone.id, "zone_name": zone.name });
        let path = self.account_path("/workers/domains");
        self.call::<Value>("PUT", &path, Bearer::Api, Body::Json(&body), within).map(drop)
    }

    /// Takes a host away from its Worker, with its DNS record.
    pub(crate) fn delete_domain(&self, id: &str, within: Duration) -> Result<(), Error> {
        let path = self.account_path(&format!("/workers/domains/{id}"));
        self.call::<Value>("DELETE", &path, Bearer::Api, Body::None, within).map(drop)
    }
}
