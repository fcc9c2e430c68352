//! Whether visitors get what they should. In: the public URL, and what it said before anything was changed. Out: a sentence, good
//! or bad.

use std::time::{Duration, Instant};

use crossfade_core::RoutingTable;
use crossfade_core::table::Environment;

use crate::cancel::Cancel;
use crate::context::Context;
use crate::edge::Edge;
use crate::health::{self, HealthCheck, Verdict};
use crate::probe::{self, NoAnswer, Request, Target};

/// Good answers that must follow each other.
const IN_A_ROW: usize = 5;
/// Bad ones that are forgiven: an origin may fail once without anybody's doing.
const BAD_MAX: usize = 2;
/// While visitors are watched, so many good answers make up for a bad one: a new version may have a tenth of the requests only.
const ASKED_FOR_ONE_BAD: usize = 50;
/// The most one answer may take.
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// How the site is asked.
pub(crate) struct Checks {
    pub(crate) url: String,
    pub(crate) edge: Option<Edge>,
    pub(crate) worker: String,
    pub(crate) environment: Environment,
    pub(crate) health: Vec<HealthCheck>,
    pub(crate) context: Context,
    /// How long a change may take until it is seen everywhere.
    pub(crate) within: Duration,
    pub(crate) cancel: Cancel,
    /// What the site said before: its status, and which of its health checks held.
    pub(crate) before: Before,
}

/// What the site said before anything was changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    status: Option<u16>,
    held: Vec<String>,
}

/// Who must have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Router,
    Site,
}

type Said = Result<String, String>;

impl Checks {
    /// Asks the site as it is, at the public URL or, where nothing answers there, at its origin.
    pub(crate) fn look(&mut self, origin: Option<&str>) {
        let public = self.ask(None).ok().filter(|(status, _)| *status < 500);
        let direct = || {
            let target = Target::new(origin?);
            self.request(&target, &[]).ok().map(|(status, _)| (status, target))
        };
        let known = public.map(|(status, _)| (status, Target::new(&self.url))).or_else(direct);
        self.before = known.map_or_else(Before::default, |(status, target)| {
            let results = health::run_all(&self.health, &target, &self.context, &self.cancel);
            let held = results.into_iter().filter(|result| result.verdict == Verdict::Pass);
            Before { status: Some(status), held: held.map(|result| result.name).collect() }
        });
    }

    /// The router answers at its control endpoints, with the right secret, environment and table.
    pub(crate) fn door(&self, version: Option<&str>, table: Option<&RoutingTable>, within: Duration) -> Said {
        let Some(edge) = &self.edge else { return Err("CROSSFADE_TOKEN is not set".into()) };
        let edge = version.map_or_else(|| edge.clone(), |version| edge.asking_for(&self.overrides(version)));
        let wanted = table.map(|table| table.revision().number());
        let deadline = Instant::now() + within;
        loop {
            let seen = match edge.status(ASK_WITHIN) {
                Ok(status) if status.environment != self.environment.as_str() => {
                    return Err(format!("the router there is that of environment {}", status.environment));
                }
                Ok(status) if status.revision >= wanted => {
                    return Ok(match status.revision {
                        Some(revision) => format!("the router answers, with revision {revision}"),
                        None => "the router answers; there is no table yet".into(),
                    });
                }
                Ok(status) => status.served(),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(seen);
            }
            self.pause()?;
        }
    }

    /// Visitors get the site, as before, by whom they should.
    pub(crate) fn visitors(&self, by: By, version: Option<&str>) -> Said {
        let deadline = Instant::now() + self.within;
        let (mut good, mut bad) = (0, 0);
        loop {
            let seen = match self.ask(version) {
                Ok((status, answered)) if self.is_fine(status) && answered != by => {
                    good = 0;
                    match by {
                        By::Router => "the site without the router still answers".into(),
                        By::Site => "the router still answers".into(),
                    }
                }
                Ok((status, _)) if self.is_fine(status) => {
                    good += 1;
                    if good >= IN_A_ROW {
                        return self.healthy(version).map(|()| self.answers(status, by));
                    }
                    continue;
                }
                Ok((status, _)) => {
                    bad += 1;
                    self.unlike(status)
                }
                Err(why) => {
                    bad += 1;
                    why.to_string()
                }
            };
            if bad > BAD_MAX || Instant::now() >= deadline {
                return Err(seen);
            }
            self.pause()?;
        }
    }

    /// Visitors go on getting the site.
    pub(crate) fn watch(&self, hold: Duration) -> Said {
        let deadline = Instant::now() + hold;
        let (mut asked, mut bad) = (0, 0);
        while Instant::now() < deadline {
            asked += 1;
            let wrong = match self.ask(None) {
                Ok((status, _)) if self.is_fine(status) => None,
                Ok((status, _)) => Some(self.unlike(status)),
                Err(why) => Some(why.to_string()),
            };
            bad += usize::from(wrong.is_some());
            match wrong {
                Some(wrong) if bad > BAD_MAX && bad * ASKED_FOR_ONE_BAD > asked => {
                    return Err(format!("{wrong} ({bad} of {asked} requests)"));
                }
                Some(_) | None => self.pause()?,
            }
        }
        Ok(format!("{asked} requests were answered as before"))
    }

    /// A site answers, whoever asks.
    pub(crate) fn site(&self, origin: &str) -> Said {
        match self.request(&Target::new(origin), &[]) {
            Ok((status, _)) if self.is_fine(status) => Ok(format!("{origin} answers {status}")),
            Ok((status, _)) => Err(format!("{origin}: {}", self.unlike(status))),
            Err(why) => Err(format!("{origin}: {why}")),
        }
    }

    fn healthy(&self, version: Option<&str>) -> Result<(), String> {
        // What did not hold before says nothing about the router.
        let held: Vec<HealthCheck> = (self.health.iter())
            .filter(|check| self.before.held.contains(&check.name))
            .map(|check| self.for_version(check, version))
            .collect();
        let results = health::run_all(&held, &Target::new(&self.url), &self.context, &self.cancel);
        match results.iter().find(|result| result.verdict != Verdict::Pass) {
            Some(result) => Err(format!("health check {}", self.context.redact(&result.to_string()))),
            None => Ok(()),
        }
    }

    fn for_version(&self, check: &HealthCheck, version: Option<&str>) -> HealthCheck {
        let mut check = check.clone();
        check.headers.extend(version.map(|version| (OVERRIDES.to_owned(), self.overrides(version))));
        check
    }

    fn is_fine(&self, status: u16) -> bool {
        self.before.status.map_or(status < 500, |before| status == before)
    }

    fn answers(&self, status: u16, by: By) -> String {
        let checks = match self.before.held.len() {
            0 => String::new(),
            1 => ", and 1 health check holds".to_owned(),
            held => format!(", and {} hold", crate::report::counted(held, "health check")),
        };
        let by = if by == By::Router { "through the router" } else { "without the router" };
        format!("{} answers {status} {by}{checks}", self.url)
    }

    fn unlike(&self, status: u16) -> String {
        match self.before.status {
            Some(before) => format!("{} answers {status}, where it was {before} before", self.url),
            None => format!("{} answers {status}", self.url),
        }
    }

    fn ask(&self, version: Option<&str>) -> Result<(u16, By), NoAnswer> {
        let headers: Vec<(String, String)> =
            version.map(|version| (OVERRIDES.to_owned(), self.overrides(version))).into_iter().collect();
        self.request(&Target::new(&self.url), &headers)
    }

    fn request(&self, target: &Target, headers: &[(String, String)]) -> Result<(u16, By), NoAnswer> {
        // A connection of its own each time, so that several questions can meet several routers.
        let request = Request { method: "GET", path: "/", headers, body: None, timeout: ASK_WITHIN };
        let observed = probe::send(&probe::agent(), target, request)?;
        let by = if observed.header("crossfade").is_some() { By::Router } else { By::Site };
        Ok((observed.status, by))
    }

    /// Which version of the Worker is to answer, if it is deployed at all
    /// (<https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/#version-overrides>).
    fn overrides(&self, version: &str) -> String {
        format!("{}=\"{version}\"", self.worker)
    }

    fn pause(&self) -> Result<(), String> {
        if self.cancel.wait(ASK_EVERY) { Err("it was cancelled".into()) } else { Ok(()) }
    }
}

/// The header of that.
pub(crate) const OVERRIDES: &str = "cloudflare-workers-version-overrides";
