//! Patterns of Workers routes. In: a pattern and a host. Out: how much of the host is led by it
//! (<https://developers.cloudflare.com/workers/configuration/routing/routes/>).

/// How much of a host a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// Each path.
    All,
    /// Some paths; where the host is named by a `*`, a route that names it takes precedence.
    Some {
        by_name: bool,
    },
    None,
}

/// What a pattern leads of a host.
pub(super) fn leads(pattern: &str, host: &str) -> Leads {
    let pattern = pattern.split_once("://").map_or(pattern, |(_, rest)| rest).to_ascii_lowercase();
    let (name, path) = pattern.split_once('/').unwrap_or((pattern.trim_end_matches('*'), "*"));
    let fits = match name.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => host == name,
    };
    match (fits, path) {
        (false, _) => Leads::None,
        (true, "*") => Leads::All,
        (true, _) => Leads::Some { by_name: !name.starts_with('*') },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_leads_a_host_by_its_name_or_by_a_star_and_all_of_it_or_some() {
        for (pattern, leads) in [
            ("www.example.com/*", Leads::All),
            ("https://WWW.example.com/*", Leads::All),
            ("*.example.com/*", Leads::All),
            ("*example.com/*", Leads::All),
            ("www.example.com*", Leads::All),
            ("www.example.com/api/*", Leads::Some { by_name: true }),
            ("*.example.com/api/*", Leads::Some { by_name: false }),
            ("example.com/*", Leads::None),
            ("*.other.com/*", Leads::None),
        ] {
            assert_eq!(super::leads(pattern, "www.example.com"), leads, "{pattern}");
        }
    }
}
