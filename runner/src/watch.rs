//! Watching: the router's counters are looked at again and again, figures and alerts are told. In: an edge, rules. Out: notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossfade_core::Timestamp;
use crossfade_core::alert::Alerts;
use crossfade_core::counters::Metrics;
use crossfade_core::table::Environment;

use crate::beside::Beside;
use crate::cancel::Cancel;
use crate::config::MonitorConfig;
use crate::edge::{Edge, MetricsError, by_variant};
use crate::notice::{self, Notice, VariantFigures};
use crate::report::{self, Reporter};

/// The most that one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(10);
/// How long a look in flight is waited for when nobody watches any more.
const LEAVE_AFTER: Duration = Duration::from_millis(500);

/// One environment, watched.
pub struct Watch {
    edge: Edge,
    environment: String,
    alerts: Alerts,
    every: Duration,
    /// Up to when everything has been told.
    told: Option<Timestamp>,
}

/// What came of a look.
#[derive(Debug)]
pub struct Look {
    /// What is to be told.
    pub notices: Vec<Notice>,
    /// Why there is nothing to look at.
    pub trouble: Option<MetricsError>,
}

impl Watch {
    /// Begins to watch an environment; nothing is asked yet.
    pub fn new(edge: &Edge, environment: &Environment, config: &MonitorConfig) -> Self {
        Self {
            edge: edge.clone(),
            environment: environment.to_string(),
            alerts: Alerts::new(config.alerts.clone()),
            every: config.every.0,
            told: None,
        }
    }

    /// Looks once.
    pub fn look(&mut self, now: Timestamp) -> Look {
        let from = self.told.unwrap_or_else(|| now.minus(self.every));
        match self.edge.metrics(from, LOOK_WITHIN) {
            Ok(metrics) => Look { notices: self.take(now, &metrics), trouble: None },
            // Who counts nothing has nothing to be blind for.
            Err(error @ MetricsError::NoCounters) => Look { notices: Vec::new(), trouble: Some(error) },
            Err(error) => {
                let blind = self.alerts.blind(now);
                let notices = blind.iter().map(|change| Notice::alert(&self.environment, change)).collect();
                Look { notices, trouble: Some(error) }
            }
        }
    }

    fn take(&mut self, now: Timestamp, metrics: &Metrics) -> Vec<Notice> {
        let until = metrics.until;
        let counted = by_variant(metrics);
        // Where its clock differs from ours, the first look sees less or more than it was to; from then on its clock counts.
        self.told = Some(until);
        let variants = counted.iter().map(|(subject, counts)| VariantFigures::of(subject, counts)).collect();
        let figures = notice::Metrics {
            environment: self.environment.clone(),
            // What it tells by the second is an hour; what was before that nobody gets.
            from: metrics.from.min(until),
            to: until,
            variants,
        };
        let changes = self.alerts.look(now, &counted);
        let alerts = changes.iter().map(|change| Notice::alert(&self.environment, change));
        [Notice::Metrics(figures)].into_iter().chain(alerts).collect()
    }

    /// Ends it: what is raised is no longer watched.
    pub fn end(self, now: Timestamp) -> Vec<Notice> {
        let changes = self.alerts.end(now);
        changes.iter().map(|change| Notice::alert(&self.environment, change)).collect()
    }
}

/// Watching while a release moves visitors, beside it: it is never waited for.
pub struct Watching {
    stop: Cancel,
    thread: Beside<()>,
}

impl Watching {
    /// Begins; the first look is taken after the time between two of them.
    pub fn start(
        edge: &Edge,
        environment: &Environment,
        config: &MonitorConfig,
        reporter: &Arc<Reporter>,
    ) -> Self {
        let (stop, reporter) = (Cancel::default(), Arc::clone(reporter));
        let mut watch = Watch::new(edge, environment, config);
        let stopped = stop.clone();
        let thread = Beside::start(move || {
            let mut tick = Tick::start(watch.every);
            while !tick.wait(&stopped) {
                let look = watch.look(report::now());
                look.notices.into_iter().for_each(|notice| reporter.notice(notice));
                // Without counters there is nothing to watch; whoever measures says so.
                if matches!(look.trouble, Some(MetricsError::NoCounters)) {
                    return;
                }
            }
            watch.end(report::now()).into_iter().for_each(|notice| reporter.notice(notice));
        });
        Self { stop, thread }
    }

    /// Ends it. A look in flight is left behind.
    pub fn end(self) {
        self.stop.cancel("the release has ended");
        let _ = self.thread.wait(&Cancel::default(), Some(LEAVE_AFTER));
    }
}

/// Comes again and again, however long what is done in between takes.
pub(crate) struct Tick {
    every: Duration,
    next: Instant,
}

impl Tick {
    pub(crate) fn start(every: Duration) -> Self {
        Self { every, next: Instant::now() + every }
    }

    /// Waits for the next one; whether somebody wants it to end. What was missed is not made up for.
    pub(crate) fn wait(&mut self, stop: &Cancel) -> bool {
        let now = Instant::now();
        let stopped = stop.wait(self.next.saturating_duration_since(now));
        let missed = Instant::now().saturating_duration_since(self.next);
        self.next += self.every;
        if missed >= self.every {
            self.next = Instant::now() + self.every;
        }
        stopped
    }
}
