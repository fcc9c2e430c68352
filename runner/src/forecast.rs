//! What a release will do by a configuration, as people and programs read it. In: a configuration, and the site's traffic if
//! somebody says it. Out: the timeline, the way home, what is at risk, and what a runner costs.

use std::fmt;
use std::time::Duration;

use crossfade_core::rollout::{Forecast, Gate, OnTimeout, Shift, StepForecast, runner_minutes};
use serde_json::{Value, json};

use crate::config::{Config, EnvironmentConfig, Strategy};
use crate::error::Error;
use crate::report::{counted, seconds};

#[cfg(test)]
mod tests;

/// What a release will do.
#[derive(Clone, Debug)]
pub struct Outlook {
    environment: String,
    strategy: Strategy,
    /// What comes before the first visitor.
    before: Vec<String>,
    forecast: Forecast,
    settle: Vec<Gate>,
    requests_per_second: Option<f64>,
}

impl Outlook {
    /// Works it out for one environment.
    ///
    /// # Errors
    /// When the settings make no plan.
    pub fn of(
        config: &Config,
        (environment, settings): (&str, &EnvironmentConfig),
        requests_per_second: Option<f64>,
    ) -> Result<Self, Error> {
        let plan = config.plan(config.instances(settings).len(), false)?;
        Ok(Self {
            environment: environment.to_owned(),
            strategy: config.rollout.strategy,
            before: before(config),
            settle: plan.gates(plan.steps().len()).to_vec(),
            forecast: Forecast::of(&plan),
            requests_per_second,
        })
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let Self { forecast, requests_per_second, .. } = self;
        let risk = requests_per_second.map(|rate| {
            let of = |step: &StepForecast| {
                json!({ "requests": step.requests(rate), "at_risk": forecast.at_risk(step.share, rate) })
            };
            forecast.steps.iter().map(of).collect::<Vec<_>>()
        });
        let minutes = |duration| runner_minutes(duration);
        json!({
            "environment": self.environment, "strategy": self.strategy, "before": self.before, "forecast": forecast,
            "worst_way_home_seconds": forecast.home.worst().as_secs_f64(),
            "requests_per_second": requests_per_second, "requests": risk,
            "runner_minutes": {
                "shortest": minutes(forecast.shortest), "usual": minutes(forecast.usual), "longest": minutes(forecast.longest),
            },
        })
    }

    /// One step of the timeline.
    fn step(&self, step: &StepForecast) -> String {
        let what = match step.shift {
            Shift::Canary(weight) => weight.to_string(),
            Shift::Replace(batch) => format!("{} out", batch.count),
            Shift::Restore(batch) => format!("{} new", batch.count),
        };
        let held = match (step.shift, step.hold) {
            (Shift::Replace(_), drain) => format!("drained for {}, replaced", clock(drain)),
            (_, Duration::ZERO) => "until one measurement passes".to_owned(),
            (_, hold) => format!("held {}", clock(hold)),
        };
        let risk = self.requests_per_second.map_or_else(String::new, |rate| {
            let (gets, risk) = (step.requests(rate), self.forecast.at_risk(step.share, rate));
            // How many an unheld step gets is a matter of a moment.
            let gets = if gets > 0.0 { format!("{gets:.0} requests on it, ") } else { String::new() };
            format!("; {gets}{risk:.0} at risk")
        });
        let waits = step.gates.iter().map(|gate| format!("\n            first: {}", waits(*gate)));
        format!("  {:>8}  {what:>7}  {held}{risk}{}", clock(step.begins), waits.collect::<String>())
    }
}

/// What happens before any visitor meets the new version.
fn before(config: &Config) -> Vec<String> {
    let hooks = &config.hooks;
    let mut before = Vec::new();
    let mut add = |is: bool, what: String| {
        if is {
            before.push(what);
        }
    };
    add(hooks.build.is_some(), "build".to_owned());
    add(!hooks.confirm_rollout.is_empty(), "confirm-rollout".to_owned());
    add(!hooks.prepare.is_empty(), "prepare".to_owned());
    add(hooks.database.is_some(), "database".to_owned());
    add(true, "upload".to_owned());
    add(config.version.is_some(), "live".to_owned());
    add(!config.health.is_empty(), counted(config.health.len(), "health check"));
    add(!config.smoke.is_empty(), counted(config.smoke.len(), "smoke test"));
    add(!hooks.pre_rollout.is_empty(), "pre-rollout".to_owned());
    before
}

fn waits(gate: Gate) -> String {
    match gate {
        Gate::Approval { within, on_timeout } => {
            let then = match on_timeout {
                OnTimeout::Abort => "else it goes home",
                OnTimeout::Promote => "else it goes on",
            };
            format!("somebody approves within {}, {then}", clock(within))
        }
        Gate::Hook(hook) => format!("the hook {hook} passes"),
    }
}

/// `45 s`, `5 min`, `2 h 25 min`: a plan's times are whole minutes mostly.
fn clock(duration: Duration) -> String {
    let text = seconds(duration);
    let text = text.strip_suffix(" 0 s").unwrap_or(&text);
    text.strip_suffix(" 0 min").unwrap_or(text).replace("0.0 s", "0 s")
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { environment, strategy, before, forecast, settle, requests_per_second } = self;
        let Forecast { steps, shortest, usual, longest, home } = forecast;
        let strategy = match strategy {
            Strategy::BlueGreen => "blue-green",
            Strategy::Canary => "canary",
            Strategy::Rolling => "rolling",
        };
        let traffic =
            requests_per_second.map_or_else(String::new, |rate| format!(" at {rate} requests a second"));
        writeln!(f, "A release to {environment}, {strategy}{traffic}:")?;
        writeln!(f, "   before any visitor meets it: {}", before.join(", "))?;
        for step in steps {
            writeln!(f, "{}", self.step(step))?;
        }
        writeln!(f, "  {:>8}           it becomes stable", clock(*shortest))?;
        for gate in settle {
            writeln!(f, "            first: {}", waits(*gate))?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "It takes {} at least from the first visitor on, {} when every write takes the whole",
            clock(*shortest),
            clock(*usual)
        )?;
        writeln!(f, "propagation to be seen, {} at most (pauses not counted).", clock(*longest))?;
        writeln!(
            f,
            "A runner is busy for {} to {} minutes, build, upload and checks not counted.",
            runner_minutes(*shortest),
            runner_minutes(*longest)
        )?;
        writeln!(f)?;
        writeln!(f, "If it fails, everybody is home again at most")?;
        for (time, why) in [
            (home.while_held, "after it began to fail, while a step is held"),
            (
                home.from_the_start,
                "after a step began in which it fails at once and that the edge is slow to serve",
            ),
            (home.unmeasured, "after it became impossible to measure"),
            (home.lease, "after the runner died or could write no more: the lease runs out"),
        ] {
            writeln!(f, "  {:>11}  {why}", clock(time))?;
        }
        write!(f, "and by `crossfade rollback`, with one write, for as long as its deployment is kept.")?;
        if requests_per_second.is_none() {
            write!(f, "\nWith --requests-per-second it also says how many requests that puts at risk.")?;
        } else {
            write!(
                f,
                "\nAt risk is what a version that fails at everything could lose in the worst of these cases, before the router\nrescues any request or its breaker opens."
            )?;
        }
        Ok(())
    }
}
