//! A plan, carried out step by step; when one fails, what was done is undone in reverse order.
//!
//! What Cloudflare may have done although it did not say so counts as done: its undoing is noted before anybody asks again.

use std::path::Path;
use std::time::{Duration, Instant};

use crossfade_core::RoutingTable;
use crossfade_core::table::{
    Affinity, AffinityBy, Draft, Origin, Policy, Revision, Variant, VariantName, Version, Weight,
};

use super::checks::{By, Checks};
use super::found::Found;
use super::{Bundle, Step, Wanted};
use crate::cancel::Cancel;
use crate::cloudflare::{Cloudflare, Error as ApiError, Fate};
use crate::error::Error;
use crate::release::new_release_id;
use crate::report::{self, Reporter};
use crate::retry::{Policy as Patience, jitter};
use crate::signing::Signer;

mod calls;

/// How long a host may wait for its certificate. Most have it within a minute; nobody promises when.
const CERTIFIED_WITHIN: Duration = Duration::from_secs(600);
/// The most one step may take, retries included.
const WITHIN: Duration = Duration::from_secs(60);
/// The most one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(20);
/// The least one call gets.
const LEAST: Duration = Duration::from_millis(100);

/// What a plan is carried out with.
pub(crate) struct Work<'a> {
    pub(crate) client: &'a Cloudflare,
    pub(crate) wanted: &'a Wanted,
    pub(crate) bundle: Option<&'a Bundle>,
    pub(crate) signer: &'a Signer,
    pub(crate) reporter: &'a Reporter,
    pub(crate) checks: &'a Checks,
    pub(crate) cancel: Cancel,
    pub(crate) config: &'a Path,
    /// What is known so far: ids of what is there and of what was made.
    pub(crate) found: Found,
    /// The version of the Worker that is being rolled out.
    pub(crate) version: Option<String>,
}

/// Why a plan was not carried out, and what became of it.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What failed, and why.
    pub(crate) why: String,
    /// Somebody wanted it to end.
    pub(crate) cancelled: Option<String>,
    /// Visitors may have noticed.
    pub(crate) moved: bool,
    /// What could not be undone, and why.
    pub(crate) left: Vec<String>,
}

impl Work<'_> {
    /// Carries a plan out, or undoes what was done of it.
    pub(crate) fn run(mut self, steps: &[Step]) -> Result<(), Failed> {
        let (mut done, mut gone): (Vec<Step>, Vec<String>) = (Vec::new(), Vec::new());
        for step in steps {
            if let Err(why) = self.take(step, &mut done) {
                let cancelled = self.cancel.reason();
                let moved = done.iter().any(Step::moves_visitors);
                // The first signal is obeyed by undoing; what hurries us now would leave it half.
                self.cancel = Cancel::default();
                let left = gone.into_iter().chain(self.undo(&done)).collect();
                return Err(Failed { why: format!("cannot {step}: {why}"), cancelled, moved, left });
            }
            // There is no way back from here: what led to it must not come back either.
            if matches!(step, Step::DeleteWorker { .. }) {
                done.clear();
                gone.push(step.to_string());
            }
        }
        Ok(())
    }

    /// One step; what has to be undone is noted even when it is not certain that it was done.
    fn take(&mut self, step: &Step, done: &mut Vec<Step>) -> Result<(), String> {
        if let Some(reason) = self.cancel.reason() {
            return Err(format!("cancelled ({reason})"));
        }
        let phase = self.reporter.phase(step.phase());
        phase.progress(step.to_string());
        if step.is_change() {
            let result = self.change(step);
            let surely_not = result.as_ref().is_err_and(|error| match error {
                Error::Cloudflare { source, .. } => source.fate() != Fate::Unknown,
                _ => false,
            });
            if !surely_not {
                done.push(step.clone());
            }
            match result {
                Ok(()) => phase.done(step.to_string()),
                Err(error) => {
                    let why = why(step, &error);
                    phase.failed_because(&step.to_string(), &why);
                    return Err(why);
                }
            }
        } else {
            match self.check(step) {
                Ok(said) => phase.done(said),
                Err(why) => {
                    phase.failed_because(&step.to_string(), &why);
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    fn undo(&mut self, done: &[Step]) -> Vec<String> {
        let mut left = Vec::new();
        let mut undoing: Vec<Step> = done.iter().rev().filter_map(Step::undo).collect();
        undoing.dedup();
        for step in undoing {
            // Visitors who are still led to the Worker need it, and its table.
            if !left.is_empty() {
                left.push(step.to_string());
                continue;
            }
            let phase = self.reporter.phase("undo");
            phase.progress(step.to_string());
            match self.change(&step) {
                Ok(()) => phase.done(step.to_string()),
                Err(error) => {
                    let why = why(&step, &error);
                    phase.failed_because(&step.to_string(), &why);
                    left.push(format!("{step}: {why}"));
                }
            }
        }
        left
    }

    fn check(&self, step: &Step) -> Result<String, String> {
        let version = self.version.as_deref();
        let table = self.found.table.as_ref();
        match step {
            Step::CheckDoor { fresh } => {
                let within =
                    if *fresh { self.checks.within.max(CERTIFIED_WITHIN) } else { self.checks.within };
                self.checks.door(None, table, within)
            }
            Step::CheckVersion { after } => {
                self.cancel.wait(after.0);
                self.checks.door(version, table, self.checks.within)?;
                self.checks.visitors(By::Router, version)
            }
            Step::CheckVisitors => self.checks.visitors(By::Router, None),
            Step::CheckGone => self.checks.visitors(By::Site, None),
            Step::CheckSite { origin } => self.checks.site(origin.as_str()),
            Step::Watch { hold } => self.checks.watch(hold.0),
            _ => Ok(String::new()),
        }
    }

    /// Makes a call until it is done, or surely will not be. What failed may have been done all the same: then `look` sees it. Once
    /// that was possible it stays so, whatever the next call says.
    fn sure<T>(
        &self,
        step: &Step,
        mut act: impl FnMut(Duration) -> Result<T, ApiError>,
        mut look: impl FnMut(Duration) -> Result<Option<T>, ApiError>,
    ) -> Result<T, Error> {
        let patience = Patience::within(WITHIN);
        let deadline = Instant::now() + WITHIN;
        let left = || deadline.saturating_duration_since(Instant::now()).clamp(LEAST, CALL_WITHIN);
        let (mut attempt, mut doubt) = (0, None);
        loop {
            let error = match act(left()) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            attempt += 1;
            let wait = patience.wait(attempt, error.retry_after(), jitter()).filter(|_| error.is_transient());
            if doubt.is_none() && error.fate() == Fate::Unknown {
                doubt = Some(error.clone());
            }
            if doubt.is_some()
                && let Ok(Some(done)) = look(left())
            {
                return Ok(done);
            }
            match wait {
                Some(wait) if Instant::now() + wait < deadline && !self.cancel.wait(wait) => {}
                Some(_) | None => return Err(Error::cloudflare(step.to_string())(doubt.unwrap_or(error))),
            }
        }
    }

    /// Everybody on the site as it is.
    fn first_table(&self, origin: &Origin, version: &Version) -> Result<RoutingTable, Error> {
        let release = new_release_id();
        let name = VariantName::new("rollout.slots", self.wanted.slot.as_str()).map_err(Error::Weights)?;
        let variant = Variant {
            name: name.clone(),
            origin: origin.clone(),
            version: version.clone(),
            weight: Weight::TOTAL,
        };
        RoutingTable::new(Draft {
            environment: self.wanted.environment.clone(),
            revision: self.found.table.as_ref().map_or(Revision::FIRST, |table| table.revision().next()),
            affinity: Affinity { by: AffinityBy::default(), salt: release.to_string() },
            release,
            owner: None,
            updated_at: report::now(),
            stable: name,
            variants: vec![variant],
            lease: None,
            previous: Vec::new(),
            policy: Policy::default(),
        })
        .map_err(Error::Weights)
    }
}

/// Why a step failed, for who knows which step it was, and what the token may lack.
fn why(step: &Step, error: &Error) -> String {
    let line = error.in_one_line();
    let line = line.strip_prefix(&format!("cannot {step}: ")).unwrap_or(&line);
    match error {
        Error::Cloudflare { source: source @ ApiError::Unauthorised { .. }, .. } => {
            format!("{line}; {}", source.hint().unwrap_or_default())
        }
        _ => line.to_owned(),
    }
}
