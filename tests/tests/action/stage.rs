//! Sites whose versions are there already, so that a release is a matter of seconds.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::{Site, origin::Origin};

use crate::executor::{Job, Step};

/// A quarter of the visitors go to the new version, and stay there.
pub(crate) const QUARTER: &str = r#"strategy = "canary"
steps = [{ weight = "25%", hold = "1h" }]"#;

/// A site on which 1.0.0 serves everybody, and 2.0.0 waits for a quarter of them.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) origins: Vec<Origin>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let (site, origins) = Site::serving(&[("blue", "1.0.0"), ("green", "2.0.0")]);
        site.write("crossfade.toml", &configuration(&[("production", &site)], QUARTER));
        Self { site, origins }
    }

    /// A job that releases 2.0.0, when a quarter of the visitors are there.
    pub(crate) fn shifted(&self) -> (Job<'_>, Step) {
        let command = format!("rollout --origin {} --as 2.0.0", self.origins[1].url());
        let job = Job::new(&self.site, &[("command", &command)]);
        let step = job.main();
        until("visitors are shifted", || shift(&self.site, "2.0.0") == (2_500, true));
        (job, step)
    }

    /// Fails unless everybody is served by 1.0.0, by the table and by the edge.
    #[track_caller]
    pub(crate) fn is_home(&self) {
        assert_eq!(shift(&self.site, "2.0.0"), (0, false));
        assert_eq!(self.site.served_version(), "1.0.0");
    }
}

/// A version's weight in basis points, and whether there is a lease.
pub(crate) fn shift(site: &Site, version: &str) -> (u16, bool) {
    let table = site.table();
    let its = table.variants().iter().find(|variant| variant.version.as_str() == version);
    (its.map_or(0, |variant| variant.weight.basis_points()), table.lease().is_some())
}

/// Environments with the sites that they are on, and lines of `[rollout]`.
pub(crate) fn configuration(environments: &[(&str, &Site)], rollout: &str) -> String {
    let mut text = "project = \"booking\"\n".to_owned();
    for (name, site) in environments {
        let url = site.sandbox.public_url().unwrap();
        writeln!(text, "[environments.{name}]\nurl = \"{url}\"\nkv_namespace = \"{NAMESPACE_ID}\"").unwrap();
    }
    text + &format!(
        r#"[version]
path = "/version.json"
json = "/version"

[rollout]
lease = "6s"
renew_every = "2s"
propagation = "2s"
confirm_within = "30s"
measure_every = "1s"
{rollout}

[[health]]
name = "basic"
path = "/api/health/basic"
"#
    )
}

#[track_caller]
pub(crate) fn until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !met() {
        assert!(Instant::now() < deadline, "it took too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
