//! One zone: DNS records, Workers routes and custom domains, and where they lead. In: a host and a path. Out: who answers.
//!
//! As at Cloudflare, a route goes before a custom domain, and that before what the DNS record names
//! (<https://developers.cloudflare.com/workers/configuration/routing/routes/>).

use std::collections::BTreeMap;

/// The zone's state.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    pub(crate) records: Vec<Record>,
    pub(crate) routes: Vec<Route>,
    pub(crate) domains: Vec<Domain>,
    /// Hosts that records may name, and the loopback ports that stand for them.
    pub(crate) hosts: BTreeMap<String, u16>,
}

/// A DNS record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) proxied: bool,
}

/// A Workers route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) id: String,
    pub(crate) pattern: String,
    /// `None` keeps Workers away.
    pub(crate) script: Option<String>,
}

/// A custom domain of a Worker.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) service: String,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// A Worker, by its script.
    ToWorker(String),
    /// A host, by its name.
    ToHost(String),
    /// There is no such name.
    Nowhere,
}

impl Zone {
    /// Who answers a request.
    pub(crate) fn leads(&self, host: &str, path: &str) -> Leads {
        let matching = self.routes.iter().filter(|route| matches(&route.pattern, host, path));
        // The most specific one names the host, and then says most.
        let says = |pattern: &str| (!pattern.starts_with('*'), pattern.trim_end_matches('*').len());
        let route = matching.max_by_key(|route| says(&route.pattern));
        if let Some(script) = route.and_then(|route| route.script.clone()) {
            return Leads::ToWorker(script);
        }
        if let Some(domain) = self.domains.iter().find(|domain| domain.hostname == host) {
            return Leads::ToWorker(domain.service.clone());
        }
        let record = self.records.iter().find(|record| record.name == host);
        record.map_or(Leads::Nowhere, |record| Leads::ToHost(record.content.clone()))
    }

    /// A script is gone, and with it whatever led to it.
    pub(crate) fn forget(&mut self, script: &str) {
        self.routes.retain(|route| route.script.as_deref() != Some(script));
        self.domains.retain(|domain| domain.service != script);
    }
}

/// Whether a route's pattern fits: a `*` stands at the beginning of the host and at the end of the path.
fn matches(pattern: &str, host: &str, path: &str) -> bool {
    let (wanted_host, wanted_path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let host_fits = match wanted_host.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => host == wanted_host,
    };
    let path = path.trim_start_matches('/');
    host_fits
        && match wanted_path.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == wanted_path,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_route_goes_first_then_a_domain_then_the_record() {
        let route = |pattern: &str, script: Option<&str>| Route {
            id: String::new(),
            pattern: pattern.into(),
            script: script.map(str::to_owned),
        };
        let mut zone = Zone::default();
        assert_eq!(zone.leads("a.example", "/"), Leads::Nowhere);
        let (name, content) = ("a.example".to_owned(), "a.pages.dev".to_owned());
        zone.records.push(Record { id: String::new(), name: name.clone(), content, proxied: true });
        assert_eq!(zone.leads("a.example", "/"), Leads::ToHost("a.pages.dev".into()));
        zone.domains.push(Domain { id: String::new(), hostname: name, service: "domain".into() });
        assert_eq!(zone.leads("a.example", "/"), Leads::ToWorker("domain".into()));
        zone.routes.push(route("*.example/*", Some("wide")));
        zone.routes.push(route("*.example/deeper/than/*", Some("wide")));
        zone.routes.push(route("a.example/deep/*", Some("deep")));
        zone.routes.push(route("a.example/deep/none*", None));
        for (path, worker) in
            [("/", "wide"), ("/deep/x", "deep"), ("/deeper/than/x", "wide"), ("/deep/none/x", "domain")]
        {
            assert_eq!(zone.leads("a.example", path), Leads::ToWorker(worker.into()), "{path}");
        }
        zone.forget("wide");
        assert_eq!(zone.leads("a.example", "/"), Leads::ToWorker("domain".into()));
    }
}
