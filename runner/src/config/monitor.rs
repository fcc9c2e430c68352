//! `[monitor]`: how often environments are looked at, and what is alarming.

use std::time::Duration;

use crossfade_core::Span;
use crossfade_core::alert::{BLIND, Rule};
use crossfade_core::analysis::threshold::Measure;
use schemars::JsonSchema;
use serde::Deserialize;

use super::requests::{check_name, check_not_zero};

/// So much the router tells by the second, and what was before it would be nobody's.
const EVERY_MAX: Duration = Duration::from_secs(60 * 60);

/// What `crossfade monitor` watches, and every release while it moves visitors.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// How often it looks. Default: `30s`.
    pub every: Span,
    /// How often it reports how releases went. Default: `1h`.
    pub report_every: Span,
    /// Over how long. Default: `24h`.
    pub report_over: Span,
    /// What is alarming, for each variant. Default: an error rate above 10 % and an availability below 95 %, both critical, and a
    /// mean response above 5 s, a warning.
    pub alerts: Vec<Rule>,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Self {
            every: seconds(30),
            report_every: seconds(HOUR),
            report_over: seconds(24 * HOUR),
            alerts: Rule::defaults(),
        }
    }
}

impl MonitorConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, span) in
            [("every", self.every), ("report_every", self.report_every), ("report_over", self.report_over)]
        {
            check_not_zero(&format!("`monitor.{name}`"), span)?;
        }
        if self.every.0 > EVERY_MAX {
            return Err(format!("`monitor.every` is {}: it must be at most {}", self.every, Span(EVERY_MAX)));
        }
        let mut names = vec![BLIND];
        for rule in &self.alerts {
            let at = format!("[[monitor.alerts]] `{}`", rule.name);
            check_name(&at, &rule.name)?;
            if names.contains(&rule.name.as_str()) {
                return Err(format!("{at} exists twice: reports need different names"));
            }
            names.push(&rule.name);
            match rule.measure {
                Measure::Reading => {
                    return Err(format!(
                        "{at}: `measure` is `reading`, which only an analysis has: use `error-rate`, \
                                        `availability`, `mean-seconds` or {{ quantile-seconds = 0.95 }}"
                    ));
                }
                Measure::QuantileSeconds(quantile) if !(0.0..=1.0).contains(&quantile) => {
                    return Err(format!("{at}: the quantile is {quantile}: it must be 0 to 1, such as 0.95"));
                }
                _ => {}
            }
            let limit = rule.when.limit();
            if !limit.is_finite() || limit < 0.0 {
                return Err(format!("{at}: `when` compares with {limit}: it must be 0 or more"));
            }
        }
        Ok(())
    }
}
