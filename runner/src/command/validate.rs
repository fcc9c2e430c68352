//! `crossfade validate`: whether the configuration is one, and what a release will do by it. Nobody is asked.

use serde_json::json;

use super::print;
use super::session::environment;
use crate::cli::{Global, Validate};
use crate::config::{Config, EnvironmentConfig};
use crate::error::Error;
use crate::forecast::Outlook;
use crate::init::placeholders;
use crate::report::{Mode, counted, now};

pub(super) fn run(global: &Global, arguments: &Validate) -> Result<(), Error> {
    let config = Config::read(&global.config)?;
    let [environments, health, smoke] = [config.environments.len(), config.health.len(), config.smoke.len()];
    let chosen = chosen(&config, global)?;
    let outlook = Outlook::of(&config, chosen, arguments.requests_per_second)?;
    let open: Vec<String> = config
        .environments
        .iter()
        .flat_map(|(name, it)| placeholders(name, &it.url, &it.kv_namespace))
        .collect();
    print(&match global.mode() {
        Mode::Json => json!({
            "version": 1, "type": "valid", "at": now(), "config": global.config, "environments": environments, "health": health,
            "smoke": smoke, "placeholders": open, "plan": outlook.to_json(),
        })
        .to_string(),
        Mode::Lines => {
            let valid = format!(
                "{} is valid: {}, {}, {}",
                global.config.display(),
                counted(environments, "environment"),
                counted(health, "health check"),
                counted(smoke, "smoke test")
            );
            let how = |field: &str| {
                if field.ends_with("kv_namespace") { ": `crossfade router deploy` fills it in" } else { "" }
            };
            let open = open.iter().map(|field| format!("  ! {field} is still a placeholder{}", how(field)));
            let lines = [valid].into_iter().chain(open).chain([String::new(), outlook.to_string()]);
            lines.collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

/// The environment that was named; where the file has but another one, nobody had to name it for a look at the file.
fn chosen<'a>(config: &'a Config, global: &'a Global) -> Result<(&'a str, &'a EnvironmentConfig), Error> {
    match config.environments.first_key_value() {
        Some((name, it)) if config.environments.len() == 1 => Ok((name.as_str(), it)),
        _ => Ok((&global.environment, environment(config, global)?)),
    }
}
