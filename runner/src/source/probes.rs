//! Paired probes: the same request to the canary and to stable at the same time, through the edge, where nothing is rescued. What
//! disturbs one of them disturbs the other one too.

use crossfade_core::analysis::Counts;
use crossfade_core::probe::Place;
use crossfade_core::rollout::Counted;

use crate::config::Probe;
use crate::context::Context;
use crate::probe::{self, NoAnswer, Request, Target};

use super::ask::Patience;

/// Both sides, and what they are asked.
pub(super) struct Pair<'a> {
    pub(super) probe: &'a Probe,
    pub(super) canary: &'a Target,
    pub(super) stable: &'a Target,
    pub(super) patience: Patience,
    pub(super) context: &'a Context,
}

/// What one request came to: how long it took to an answer, and whether that is an error.
struct Met {
    micros: Option<u64>,
    failed: bool,
}

impl Pair<'_> {
    /// Asks both, so many times one after the other. A pair of which one could not be sent says nothing about either.
    pub(super) fn ask(&self) -> Result<Vec<Counted>, String> {
        let path =
            self.context.variables.fill(&self.probe.path, Place::Url).map_err(|error| error.to_string())?;
        let (mut canary, mut stable) = (Counts::default(), Counts::default());
        let mut trouble = None;
        for _ in 0..self.probe.requests {
            let (one, other) = std::thread::scope(|scope| {
                let other = scope.spawn(|| self.send(self.stable, &path));
                let one = self.send(self.canary, &path);
                (one, other.join().unwrap_or_else(|_| Err("internal error: the probe panicked".into())))
            });
            match (one, other) {
                (Ok(one), Ok(other)) => {
                    one.count(&mut canary);
                    other.count(&mut stable);
                }
                (Err(why), _) | (_, Err(why)) => trouble = Some(why),
            }
        }
        match trouble {
            Some(why) if canary.requests == 0 => Err(why),
            Some(_) | None => Ok(vec![Counted { revision: None, canary, stable }]),
        }
    }

    fn send(&self, target: &Target, path: &str) -> Result<Met, String> {
        let timeout = self.patience.within;
        let request = Request { method: "GET", path, headers: &[], body: None, timeout };
        match probe::send(&probe::agent(), target, request) {
            Ok(observed) => {
                let micros = u64::try_from(observed.elapsed.as_micros()).unwrap_or(u64::MAX);
                Ok(Met { micros: Some(micros), failed: observed.status >= 500 })
            }
            Err(NoAnswer::Failed(_)) => Ok(Met { micros: None, failed: true }),
            Err(NoAnswer::CouldNotMeasure(why)) => Err(why),
        }
    }
}

impl Met {
    fn count(&self, counts: &mut Counts) {
        counts.requests += 1;
        counts.errors += u64::from(self.failed);
        match self.micros {
            Some(micros) => counts.latency.record(micros),
            None => counts.unanswered += 1,
        }
    }
}
