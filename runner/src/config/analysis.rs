//! `[analysis]`: who judges what visitors meet, by what, and where it is counted.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::analysis::threshold::{Condition, Limits, Measure, NoData};
use crossfade_core::analysis::{Metric, Settings, Thresholds};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::requests::{check_limits, check_name, check_not_zero};
use super::{Source, from_environment};

/// Looking more often than this tells nothing more: counts are kept by the second.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// Who judges what visitors meet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnalysisConfig {
    /// Who judges. Default: `sequential`.
    pub judge: JudgeKind,
    /// Where requests are counted: `"edge"`, `{ analytics-engine = {…} }` or `{ probe = {…} }`. Default: `edge`, the
    /// router's own counters.
    pub source: Option<Source>,
    /// How often it is looked at. Default: `5s`.
    pub every: Span,
    /// The most one question to a source may take. Default: `5s`.
    pub timeout: Span,
    /// Further tries of one question. Default: 2.
    pub retries: u32,
    /// How far back stable's past is read when a release begins. Default: `2h`.
    pub baseline: Span,
    /// How the sequential judge judges.
    #[serde(deserialize_with = "checked")]
    pub sequential: Settings,
    /// What the threshold judge measures. Default: an error rate of at most 2 %, a mean time to first byte of at most 2 s and an
    /// availability of at least 99.5 %, each every 30 s.
    pub metrics: Vec<MetricConfig>,
}

/// Who judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JudgeKind {
    /// Evidence that holds however often one looks.
    #[default]
    Sequential,
    /// Plain thresholds.
    Threshold,
    /// Nobody: probes alone decide.
    None,
}

/// A metric with a threshold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricConfig {
    /// Its name.
    pub name: String,
    /// What is measured of the canary's counts: `error-rate`, `availability`, `mean-seconds` or `{ quantile-seconds = 0.95 }`.
    /// Not with `source`.
    #[serde(default)]
    pub measure: Option<Measure>,
    /// Where a number of its own comes from: `{ prometheus = {…} }`, `{ json = {…} }` or `{ analytics-engine = { query = … } }`.
    #[serde(default)]
    pub source: Option<Source>,
    /// Successful when this holds: `{ at-most = 0.02 }`, `at-least`, `above`, `below`.
    #[serde(default)]
    pub pass: Option<Condition>,
    /// Failed when this holds.
    #[serde(default)]
    pub fail: Option<Condition>,
    /// How long after the release's start nothing is measured. Default: `0s`.
    #[serde(default)]
    pub initial_delay: Option<Span>,
    /// Over how long counts are collected for a measurement. Default: `30s`.
    #[serde(default)]
    pub interval: Option<Span>,
    /// Requests below which there is no data. Default: 1.
    #[serde(default)]
    pub minimum_requests: Option<u64>,
    /// What no data is taken for. Default: `hold`.
    #[serde(default)]
    pub no_data: Option<NoData>,
    /// Failed measurements that are forgiven. Default: 0.
    #[serde(default)]
    pub failure_limit: Option<u32>,
    /// Inconclusive measurements that are forgiven. Default: 0.
    #[serde(default)]
    pub inconclusive_limit: Option<u32>,
    /// Errors in a row that are forgiven. Default: 4.
    #[serde(default)]
    pub error_limit: Option<u32>,
    /// Measured, shown, never counted. Default: false.
    #[serde(default)]
    pub dry_run: bool,
}

impl Default for AnalysisConfig {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Self {
            judge: JudgeKind::default(),
            source: None,
            every: seconds(5),
            timeout: seconds(5),
            retries: 2,
            baseline: seconds(2 * 3_600),
            sequential: Settings::default(),
            metrics: Vec::new(),
        }
    }
}

impl AnalysisConfig {
    /// The threshold judge's metrics.
    pub fn thresholds(&self) -> Vec<Metric> {
        if self.metrics.is_empty() {
            return Thresholds::canary();
        }
        self.metrics.iter().map(MetricConfig::metric).collect()
    }

    /// Whether somebody has to count for what is judged.
    pub fn needs_counts(&self) -> bool {
        match self.judge {
            JudgeKind::Sequential => true,
            JudgeKind::Threshold => {
                self.metrics.is_empty() || self.metrics.iter().any(|metric| metric.source.is_none())
            }
            JudgeKind::None => false,
        }
    }

    /// Texts that may hold `{{env.NAME}}`, and the names that sources are authenticated with as such texts.
    pub fn templates(&self) -> impl Iterator<Item = String> {
        let sources = self.metrics.iter().filter_map(|metric| metric.source.as_ref()).chain(&self.source);
        sources.flat_map(|source| {
            source
                .templates()
                .into_iter()
                .chain(source.secrets().iter().map(|name| from_environment(name)).collect::<Vec<_>>())
        })
    }

    /// Refuses what could never work.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.every.0 < EVERY_MIN {
            return Err(format!("`analysis.every` is {}: it must be at least 1s", self.every));
        }
        check_limits("`analysis`", self.timeout, self.retries)?;
        check_not_zero("`analysis.baseline`", self.baseline)?;
        if let Some(source) = &self.source {
            source.check("`analysis.source`")?;
            if !source.counts() {
                return Err(format!(
                    "`analysis.source` is {}, which counts no requests: it must be edge, analytics-engine without `query`, or \
                     probe; others belong to a metric",
                    source.name()
                ));
            }
        }
        if let (JudgeKind::Sequential | JudgeKind::None, Some(metric)) = (self.judge, self.metrics.first()) {
            return Err(format!(
                "[[analysis.metrics]] `{}` is for judge = \"threshold\": say so, or take it out",
                metric.name
            ));
        }
        let mut names: Vec<&str> = Vec::new();
        for metric in &self.metrics {
            metric.check()?;
            if names.contains(&metric.name.as_str()) {
                return Err(format!(
                    "[[analysis.metrics]] `{}` exists twice: reports need different names",
                    metric.name
                ));
            }
            names.push(&metric.name);
        }
        Ok(())
    }
}

impl MetricConfig {
    fn metric(&self) -> Metric {
        let limits = Limits::default();
        Metric {
            name: self.name.clone(),
            measure: self.measure.unwrap_or(Measure::Reading),
            pass: self.pass,
            fail: self.fail,
            limits: Limits {
                initial_delay: self.initial_delay.unwrap_or(limits.initial_delay),
                interval: self.interval.unwrap_or(limits.interval),
                minimum_requests: self.minimum_requests.unwrap_or(limits.minimum_requests),
                no_data: self.no_data.unwrap_or(limits.no_data),
                failure_limit: self.failure_limit.unwrap_or(limits.failure_limit),
                inconclusive_limit: self.inconclusive_limit.unwrap_or(limits.inconclusive_limit),
                error_limit: self.error_limit.unwrap_or(limits.error_limit),
                dry_run: self.dry_run,
            },
        }
    }

    fn check(&self) -> Result<(), String> {
        check_name("[[analysis.metrics]]", &self.name)?;
        let at = format!("[[analysis.metrics]] `{}`", self.name);
        match (self.measure, &self.source) {
            (Some(Measure::Reading), _) => {
                return Err(format!("{at}: `measure` is `reading`: say `source` instead"));
            }
            (Some(_), Some(_)) => {
                return Err(format!("{at} has both `measure` and `source`: keep one of them"));
            }
            (None, None) => {
                return Err(format!(
                    "{at} has neither `measure` nor `source`: add measure = \"error-rate\" or a source"
                ));
            }
            (Some(Measure::QuantileSeconds(quantile)), _) if !(0.0..=1.0).contains(&quantile) => {
                return Err(format!("{at}: `quantile-seconds` is {quantile}: it must be from 0 to 1"));
            }
            (Some(_), None) => {}
            (None, Some(source)) => {
                source.check(&at)?;
                if source.counts() {
                    return Err(format!(
                        "{at}: `source` is {}, which counts requests and gives no number: say `measure`, or give it a query",
                        source.name()
                    ));
                }
            }
        }
        let conditions = [self.pass, self.fail].map(|condition| condition.map(Condition::limit));
        if let Some(limit) = conditions.into_iter().flatten().find(|limit| !limit.is_finite()) {
            // The judge's state is JSON, which has no such number: nobody could read the release any more.
            return Err(format!("{at} compares with {limit}: it must be a number such as 0.02"));
        }
        match conditions {
            [None, None] => Err(format!(
                "{at} has neither `pass` nor `fail`: add one such as pass = {{ at-most = 0.02 }}"
            )),
            [Some(_), _] | [_, Some(_)] => Ok(()),
        }
    }
}

/// Settings in their ranges; what is not says its line.
fn checked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
    let settings = Settings::deserialize(deserializer)?;
    settings.check().map_err(de::Error::custom)?;
    Ok(settings)
}
