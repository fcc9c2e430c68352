//! The numbers of the sequential judge. Where none is cited, a number is the one whose simulated operating
//! characteristics the tests reproduce (`core/tests/analysis/sequential-vectors.json`).

use serde::{Deserialize, Serialize};

use crate::Span;

/// How the sequential judge judges.
///
/// ```
/// use crossfade_core::analysis::{Budget, Counting, Settings, SettingsError};
///
/// let settings = Settings { counting: Counting::Visitors, false_rollbacks: 0.01, ..Settings::default() };
/// settings.check()?;
/// let budget = Budget { errors_relative: 0.9, ..Budget::default() };
/// assert_eq!(
///     Settings { budget, ..settings }.check().unwrap_err().to_string(),
///     "`budget` must be divided into shares that sum to at most 1"
/// );
/// # Ok::<(), SettingsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many healthy releases may be rolled back by chance, as a share (0 to 0.5): 0.001 is one in a thousand. It holds
    /// for the whole release, however often one looks.
    pub false_rollbacks: f64,
    /// How the budget is divided.
    pub budget: Budget,
    /// The share of requests that may fail (0 to 1) before the canary is rolled back whatever stable does.
    pub error_rate: f64,
    /// The share of requests that get an answer at all (0 to 1), whatever stable does; with fewer the canary is rolled back.
    pub availability: f64,
    /// The time within which answers are expected (1 ms to 60 s); rounded to the nearest bucket's edge, at most 2.4 % away.
    pub response_time: Span,
    /// The share of answers that may take longer (0 to 1).
    pub slow_rate: f64,
    /// By how much a canary may be worse than stable and still pass, as a share of requests (0 to 1): 0.01 is one
    /// percentage point.
    pub margin: f64,
    /// How many canaries that are worse by more than the margin may ever pass, as a share (0 to 0.5).
    pub false_passes: f64,
    /// The odds of an error on the canary over those on stable that are still no regression (1 to 100).
    pub error_tolerance: f64,
    /// The same for slow answers: latency differs a little between any two deployments (caches, placement).
    pub latency_tolerance: f64,
    /// The share of failing requests (0 to 1) below which the canary is not rolled back for being worse than stable.
    /// 0 turns it off.
    pub error_floor: f64,
    /// By how much stable's own past rates, times this (1 to 100), lift the absolute limits: a service that always failed
    /// 3 % does not blame its canary for that.
    pub past_tolerance: f64,
    /// The factor (1 to 100) over stable's past error rate that counts once next to nobody is left on stable.
    pub history_tolerance: f64,
    /// Requests to stable from which its past is known (0 to 2⁶³).
    pub history_min: u64,
    /// Requests of both sides that are compared at once (1 to 10⁶). With fewer the side's share of a moment is mostly
    /// chance and says little.
    pub stratum: u64,
    /// How long after each change of the weight the sides are not compared: the time in which routers learn of it.
    pub settle: Span,
    /// Over how long stable is watched for an incident that the canary is not to blame for.
    pub incident_window: Span,
    /// How much more errors cluster than independent ones (1 to 1000); measured from stable, or else 2, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
    /// What is counted as an error of the relative judgement; when absent visitors, where they are told apart and assigned by the
    /// weight alone, else requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

/// The part of the budget that each kind of evidence has. Together at most 1: then the budget holds by the union bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// The canary fails more than stable.
    pub errors_relative: f64,
    /// The canary fails more than allowed.
    pub errors_absolute: f64,
    /// The canary leaves more requests without an answer than allowed.
    pub availability: f64,
    /// The canary fails more than stable ever did, when nobody is left on stable.
    pub errors_history: f64,
    /// The canary is slower than stable.
    pub latency_relative: f64,
    /// The canary is slower than allowed.
    pub latency_absolute: f64,
}

/// What is counted when the sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Each failed request.
    Requests,
    /// Each visitor who fails for the first time in this release. Where visitors stay on their side, a few of them who
    /// always fail would otherwise roll back up to 29 % of healthy releases.
    Visitors,
}

/// Why settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be {range}")]
pub struct SettingsError {
    /// The setting.
    pub field: &'static str,
    /// What it may be.
    pub range: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = |seconds| Span(std::time::Duration::from_secs(seconds));
        Self {
            false_rollbacks: 0.001,
            budget: Budget::default(),
            error_rate: 0.02,
            availability: 0.995,
            response_time: seconds(2),
            slow_rate: 0.01,
            margin: 0.01,
            false_passes: 0.05,
            error_tolerance: 1.0,
            latency_tolerance: 1.5,
            error_floor: 0.001,
            past_tolerance: 1.25,
            history_tolerance: 2.0,
            history_min: 2000,
            stratum: 40,
            settle: seconds(30),
            incident_window: seconds(150),
            dispersion: None,
            counting: None,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            errors_relative: 0.35,
            errors_absolute: 0.25,
            availability: 0.05,
            errors_history: 0.10,
            latency_relative: 0.15,
            latency_absolute: 0.10,
        }
    }
}

impl Settings {
    /// Whether every number is in its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let shares = [
            ("budget.errors_relative", self.budget.errors_relative),
            ("budget.errors_absolute", self.budget.errors_absolute),
            ("budget.availability", self.budget.availability),
            ("budget.errors_history", self.budget.errors_history),
            ("budget.latency_relative", self.budget.latency_relative),
            ("budget.latency_absolute", self.budget.latency_absolute),
            ("error_floor", self.error_floor),
        ];
        for (field, share) in shares {
            within(field, (0.0..=1.0).contains(&share), "a share from 0 to 1")?;
        }
        let positive = [
            ("error_rate", self.error_rate),
            ("availability", self.availability),
            ("slow_rate", self.slow_rate),
            ("margin", self.margin),
            ("false_rollbacks", self.false_rollbacks * 2.0),
            ("false_passes", self.false_passes * 2.0),
        ];
        for (field, share) in positive {
            within(field, share > 0.0 && share < 1.0, "above 0 and below 1 (0.5 for false verdicts)")?;
        }
        let factors = [
            ("error_tolerance", self.error_tolerance),
            ("latency_tolerance", self.latency_tolerance),
            ("past_tolerance", self.past_tolerance),
            ("history_tolerance", self.history_tolerance),
        ];
        for (field, factor) in factors {
            within(field, (1.0..=100.0).contains(&factor), "a factor from 1 to 100")?;
        }
        let dispersion = self.dispersion.unwrap_or(1.0);
        within("dispersion", (1.0..=1000.0).contains(&dispersion), "a factor from 1 to 1000")?;
        within("stratum", (1..=1_000_000).contains(&self.stratum), "from 1 to 1000000 requests")?;
        let millis = self.response_time.0.as_millis();
        within("response_time", (1..=60_000).contains(&millis), "from 1ms to 60s")?;
        let budget: f64 = shares[..6].iter().map(|(_, share)| share).sum();
        within("budget", budget <= 1.0 + 1e-9, "divided into shares that sum to at most 1")
    }
}

fn within(field: &'static str, holds: bool, range: &'static str) -> Result<(), SettingsError> {
    if holds { Ok(()) } else { Err(SettingsError { field, range }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let named = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().unwrap_err().field
        };
        assert_eq!(Settings::default().check(), Ok(()));
        assert_eq!(named(|settings| settings.false_rollbacks = 0.5), "false_rollbacks");
        assert_eq!(named(|settings| settings.error_rate = f64::NAN), "error_rate");
        assert_eq!(named(|settings| settings.budget.latency_absolute = 0.2), "budget");
        assert_eq!(named(|settings| settings.error_tolerance = 0.9), "error_tolerance");
        assert_eq!(named(|settings| settings.dispersion = Some(0.5)), "dispersion");
        assert_eq!(
            named(|settings| settings.response_time = Span(std::time::Duration::ZERO)),
            "response_time"
        );
    }

    #[test]
    fn settings_are_read_with_defaults_and_unknown_ones_are_refused() {
        let read = |text| serde_json::from_str::<Settings>(text);
        let some = read(r#"{"error_rate": 0.005, "counting": "visitors", "settle": "1m"}"#).unwrap();
        assert_eq!((some.error_rate, some.counting, some.margin), (0.005, Some(Counting::Visitors), 0.01));
        assert!(read(r#"{"error_rat": 0.005}"#).unwrap_err().to_string().contains("error_rat"));
    }
}
