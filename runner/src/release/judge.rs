//! Who judges what a release's visitors meet: nobody, where the router has no counters and nobody asked for it.

use std::time::Duration;

use crossfade_core::RoutingTable;
use crossfade_core::analysis::{Judge, Start, Thresholds};
use crossfade_core::rollout::{Canary, Judging, Plan};

use super::charge::Charge;
use super::gates::context;
use crate::config::{AnalysisConfig, JudgeKind, Source};
use crate::error::Error;
use crate::report;
use crate::source::{Counter, NoCounts, Past, Patience, Sources, Who};

/// Where what is judged comes from, for a release of `canary` over `base`; `None` when nobody judges by its configuration.
pub(super) fn sources(
    charge: &Charge<'_>,
    canary: &Canary,
    base: Option<&RoutingTable>,
) -> Result<Option<Sources>, Error> {
    let (session, analysis) = (charge.session, analysis(charge));
    let Some(stable) = base.map(RoutingTable::stable).filter(|_| analysis.judge != JudgeKind::None) else {
        return Ok(None);
    };
    let patience = Patience { within: analysis.timeout.0, retries: analysis.retries };
    let estimated = analysis.judge == JudgeKind::Threshold;
    let counter = match &analysis.source {
        _ if !analysis.needs_counts() => Counter::Nobody,
        Some(Source::AnalyticsEngine(engine)) => Counter::Engine(engine.clone(), estimated),
        Some(Source::Probe(probe)) => {
            let canary = charge.edge.target(&canary.name, &canary.version);
            let targets = [canary, charge.edge.target(&stable.name, &stable.version)];
            Counter::Probes(probe.clone(), Box::new(targets))
        }
        Some(Source::Edge | Source::Prometheus(_) | Source::Json(_)) | None => {
            Counter::Edge(charge.edge.counters(patience, session.cancel.clone()))
        }
    };
    let who = Who {
        environment: session.environment.clone(),
        release: charge.release.clone(),
        canary: (canary.name.clone(), canary.version.clone()),
        stable: (stable.name.clone(), stable.version.clone()),
    };
    let numbers: Vec<(String, Source)> = (analysis.metrics.iter())
        .filter_map(|metric| Some((metric.name.clone(), metric.source.clone()?)))
        .collect();
    let context = context(&session.config, canary.version.as_str(), charge.release.as_str())
        .with_environment(analysis.templates(), |name| {
            std::env::var(name).ok().map(|value| value.trim().to_owned())
        })
        .with_secrets_of(&session.secrets);
    let (client, cancel) = (session.client.clone(), session.cancel.clone());
    Ok(Some(Sources { who, counter, numbers, patience, context, client, cancel }))
}

/// The judge of a release that begins, and what he judges by.
///
/// # Errors
/// When what the configuration asks for cannot be had: better now than with visitors on the new version.
pub(super) fn begin(
    charge: &Charge<'_>,
    plan: &Plan,
    canary: &Canary,
    base: Option<&RoutingTable>,
) -> Result<Option<(Judging, Sources)>, Error> {
    let Some(sources) = sources(charge, canary, base)? else { return Ok(None) };
    let (session, analysis) = (charge.session, analysis(charge));
    let nothing = || Past { stable: Default::default(), dispersion: None, until: report::now() };
    let past = match &sources.counter {
        Counter::Edge(counters) => match counters.past(&sources.who, analysis.baseline.0) {
            Ok(past) => past,
            Err(error) if session.config.analysis.is_some() => {
                let why = match error {
                    NoCounts::NotThere => {
                        "the router has no counters, which `[analysis]` asks for: bind COUNTERS, or name \
                                           another `source`, or say judge = \"none\""
                            .to_owned()
                    }
                    NoCounts::Trouble(why) => why,
                };
                return Err(Error::Gate { phase: "analysis", why });
            }
            Err(error) => {
                session.reporter.line(&format!("  {error}: health checks alone decide"));
                return Ok(None);
            }
        },
        Counter::Engine(..) | Counter::Probes(..) | Counter::Nobody => nothing(),
    };
    let planned: Duration = plan.steps().iter().map(|step| step.hold).sum();
    let judge = match analysis.judge {
        JudgeKind::Threshold => Judge::Thresholds(Thresholds::new(analysis.thresholds())),
        JudgeKind::Sequential | JudgeKind::None => {
            // A rule leads visitors to a side whatever the weight says.
            let visitors =
                matches!(sources.counter, Counter::Edge(_)) && session.config.router.rules.is_empty();
            let start = Start { planned, stable: past.stable, dispersion: past.dispersion, visitors };
            Judge::sequential(analysis.sequential.clone(), &start)
                .map_err(|error| Error::Usage(format!("`analysis.sequential`: {error}")))?
        }
    };
    Ok(Some((Judging::new(judge, past.until), sources)))
}

fn analysis(charge: &Charge<'_>) -> AnalysisConfig {
    charge.session.config.analysis.clone().unwrap_or_default()
}
