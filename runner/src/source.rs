//! Where the numbers come from that are judged. In: a time. Out: what was counted and measured since then, or why nobody knows.
//!
//! That it could not be measured is never a failure: the machine counts such looks in a row of their own, and so does every
//! metric.

use crossfade_core::Timestamp;
use crossfade_core::analysis::{Counts, Reading};
use crossfade_core::rollout::{Counted, Look};
use crossfade_core::table::{Environment, ReleaseId, VariantName, Version};

use crate::cancel::Cancel;
use crate::cloudflare::Cloudflare;
use crate::config::{AnalyticsEngine, Probe, Source};
use crate::context::Context;
use crate::probe::Target;
use crate::report;

mod ask;
mod edge;
mod engine;
mod number;
mod probes;

pub use ask::Patience;
pub use edge::{EdgeCounters, NoCounts};

use engine::{Engine, Rows};
use number::Asker;
use probes::Pair;

/// Who is compared.
#[derive(Clone, Debug)]
pub struct Who {
    /// Whose traffic.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
    /// Its new version.
    pub canary: (VariantName, Version),
    /// The version that it is compared with.
    pub stable: (VariantName, Version),
}

/// What is known of stable when a release begins.
#[derive(Clone, Debug)]
pub struct Past {
    /// What its visitors met lately.
    pub stable: Counts,
    /// How much its errors cluster.
    pub dispersion: Option<f64>,
    /// From when on the release is counted.
    pub until: Timestamp,
}

/// Who counts requests.
pub enum Counter {
    /// The router.
    Edge(EdgeCounters),
    /// Analytics Engine; `true`: rows count as what they stand for.
    Engine(AnalyticsEngine, bool),
    /// Probes, to the canary and to stable.
    Probes(Probe, Box<[Target; 2]>),
    /// Nobody: what is judged comes from elsewhere.
    Nobody,
}

/// All sources of one release.
pub struct Sources {
    /// Who is compared.
    pub who: Who,
    /// Who counts.
    pub counter: Counter,
    /// Numbers from elsewhere, by the metric's name.
    pub numbers: Vec<(String, Source)>,
    /// How they are asked.
    pub patience: Patience,
    /// What they are asked with.
    pub context: Context,
    /// Cloudflare's API.
    pub client: Cloudflare,
    /// Signals.
    pub cancel: Cancel,
}

impl Sources {
    /// What was counted since then, and what is measured now. All sources are asked at the same time.
    ///
    /// # Errors
    /// Why nobody can say what was counted. A number that nobody knows is a reading.
    pub fn look(&self, from: Timestamp) -> Result<Look, String> {
        std::thread::scope(|scope| {
            let reading: Vec<_> = self
                .numbers
                .iter()
                .map(|(name, source)| (name.clone(), scope.spawn(|| self.number(source))))
                .collect();
            let counted = self.count(from);
            let readings = reading.into_iter().map(|(name, thread)| {
                let panicked = |_| Reading::Error("internal error: the question panicked".into());
                (name, thread.join().unwrap_or_else(panicked))
            });
            let readings = readings.collect();
            let (until, counts) = counted.map_err(|why| self.context.redact(&why))?;
            Ok(Look { from, until, counts, readings })
        })
    }

    fn count(&self, from: Timestamp) -> Result<(Timestamp, Vec<Counted>), String> {
        match &self.counter {
            Counter::Edge(counters) => counters.look(&self.who, from),
            Counter::Engine(source, estimated) => {
                let rows = if *estimated { Rows::Estimated } else { Rows::Seen };
                self.engine(source).look(&self.who, from, rows)
            }
            Counter::Probes(probe, targets) => {
                let [canary, stable] = targets.as_ref();
                let pair = Pair { probe, canary, stable, patience: self.patience, context: &self.context };
                // They count no time in which nothing is asked; each look is a moment of its own.
                pair.ask().map(|counted| (report::now(), counted))
            }
            Counter::Nobody => Ok((report::now(), Vec::new())),
        }
    }

    fn number(&self, source: &Source) -> Reading {
        match source {
            Source::Prometheus(prometheus) => self.asker().prometheus(prometheus),
            Source::Json(json) => self.asker().json(json),
            Source::AnalyticsEngine(engine) => match &engine.query {
                Some(query) => self.engine(engine).number(query),
                None => Reading::NoData,
            },
            // The configuration refuses them as metrics.
            Source::Edge | Source::Probe(_) => Reading::NoData,
        }
    }

    fn engine<'a>(&'a self, source: &'a AnalyticsEngine) -> Engine<'a> {
        Engine { source, client: &self.client, asker: self.asker() }
    }

    fn asker(&self) -> Asker<'_> {
        Asker { patience: self.patience, context: &self.context, cancel: &self.cancel }
    }
}
