//! `[[instances]]`: the fleet that a rolling release replaces, a few at a time. In: the file's words. Out: what each instance is
//! and how it gets a version.

use std::collections::BTreeSet;

use crossfade_core::Span;
use crossfade_core::table::{Origin, VARIANTS_MAX, VariantName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::requests::check_not_zero;
use super::value::check_project;
use super::{Command, Config, EnvironmentConfig, Strategy, ten_minutes};

/// One instance of a fleet: a Pages project (`project`), or any origin with commands of its own (`origin`, `deploy` and
/// `rollback`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceConfig {
    /// What the routing table calls it: 1 to 32 of a-z, 0-9 and `-`.
    pub name: String,
    /// A Pages project of the same account. Each release uploads to it and serves the new deployment under its own URL, so that
    /// nothing is overwritten.
    #[serde(default)]
    pub project: Option<String>,
    /// Where the instance is, as `https://eu.booking.example.com`; what runs there is replaced in place.
    #[serde(default)]
    pub origin: Option<String>,
    /// The command that brings the new version to `origin`, for `sh -c`. It is given CROSSFADE_INSTANCE, CROSSFADE_ORIGIN,
    /// CROSSFADE_VERSION, CROSSFADE_RELEASE and CROSSFADE_ENVIRONMENT.
    #[serde(default)]
    pub deploy: Option<String>,
    /// The command that brings the version before back; CROSSFADE_VERSION says which that is.
    #[serde(default)]
    pub rollback: Option<String>,
    /// How long each command may take. Default: `10m`.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
    /// Whether the commands see CLOUDFLARE_API_TOKEN. Default: false.
    #[serde(default)]
    pub secrets: bool,
}

/// How an instance gets a version.
#[derive(Clone, Debug)]
pub enum Place {
    /// By an upload to a Pages project: the version before stays where it is.
    Project(String),
    /// By commands, in place.
    Origin(Box<Commands>),
}

/// An origin and the commands that replace what runs there.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Where.
    pub origin: Origin,
    /// Brings a new version.
    pub deploy: Command,
    /// Brings the version before back.
    pub rollback: Command,
    /// How long each may take.
    pub timeout: Span,
}

impl InstanceConfig {
    /// The instance's name in the table.
    ///
    /// # Errors
    /// When it can be none.
    pub fn variant(&self) -> Result<VariantName, String> {
        VariantName::new("name", self.name.as_str())
            .map_err(|error| format!("[[instances]]: `name` is {}: {}", error.value, error.problem))
    }

    /// How it gets a version.
    ///
    /// # Errors
    /// What is missing, or too much.
    pub fn place(&self) -> Result<Place, String> {
        let at = format!("[[instances]] `{}`", self.name);
        match self {
            Self { project: Some(project), origin: None, deploy: None, rollback: None, .. } => {
                check_project("project", project).map_err(|why| format!("{at}: {why}"))?;
                Ok(Place::Project(project.clone()))
            }
            Self { project: None, origin: Some(origin), deploy, rollback, .. } => {
                let command = |name: &str, run: &Option<String>| match run.as_deref().map(str::trim) {
                    Some(run) if !run.is_empty() => Ok(Command { run: run.into(), secrets: self.secrets }),
                    Some(_) | None => Err(format!(
                        "{at} has an `origin` and no `{name}`: add the command, such as {name} = \"./{name}.sh\""
                    )),
                };
                check_not_zero(&format!("{at}: `timeout`"), self.timeout)?;
                let origin = Origin::new("origin", origin)
                    .map_err(|error| format!("{at}: `origin` is {}: {}", error.value, error.problem))?;
                let (deploy, rollback) = (command("deploy", deploy)?, command("rollback", rollback)?);
                Ok(Place::Origin(Box::new(Commands { origin, deploy, rollback, timeout: self.timeout })))
            }
            Self { project: Some(project), .. } => Err(format!(
                "{at} has `project` (`{project}`) and what belongs to an `origin`: keep `project` alone, or `origin` with `deploy` \
                 and `rollback`"
            )),
            Self { project: None, origin: None, .. } => Err(format!(
                "{at} has neither `project` nor `origin`: say project = \"booking-eu\", or origin = \"https://…\" with `deploy` and \
                 `rollback`"
            )),
        }
    }
}

impl Config {
    /// The fleet of an environment: its own, else the file's. Empty unless the strategy is `rolling`.
    pub fn instances<'a>(&'a self, environment: &'a EnvironmentConfig) -> &'a [InstanceConfig] {
        environment.instances.as_deref().unwrap_or(&self.instances)
    }

    /// Refuses a fleet that could never be replaced.
    pub(super) fn check_instances(&self) -> Result<(), String> {
        for (name, environment) in &self.environments {
            let instances = self.instances(environment);
            match (self.rollout.strategy, instances) {
                (Strategy::Rolling, []) => {
                    return Err(format!(
                        "`rollout.strategy` is \"rolling\" and environment `{name}` has no instances: add [[instances]] with a \
                         `name` and a `project` or an `origin`"
                    ));
                }
                (Strategy::Rolling, instances) => self.check_fleet(instances)?,
                (Strategy::BlueGreen | Strategy::Canary, []) => {}
                (Strategy::BlueGreen | Strategy::Canary, [instance, ..]) => {
                    return Err(format!(
                        "[[instances]] `{}` has no meaning without strategy = \"rolling\" in [rollout]",
                        instance.name
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_fleet(&self, instances: &[InstanceConfig]) -> Result<(), String> {
        if instances.len() > VARIANTS_MAX {
            return Err(format!(
                "there are {} [[instances]]: a routing table lists at most {VARIANTS_MAX}",
                instances.len()
            ));
        }
        // What is deployed there would be deployed under the other one's visitors.
        let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
        for instance in instances {
            let name = instance.variant()?;
            if matches!(name.as_str(), "stable" | "canary") {
                return Err(format!(
                    "[[instances]] `{name}`: the name has a meaning of its own; take another one"
                ));
            }
            if !names.insert(instance.name.as_str()) {
                return Err(format!("[[instances]] `{name}` exists twice: the table needs different names"));
            }
            let place = match instance.place()? {
                Place::Project(project) => format!("`project` `{project}`"),
                Place::Origin(commands) => format!("`origin` `{}`", commands.origin),
            };
            if !places.insert(place.clone()) {
                return Err(format!(
                    "[[instances]] `{name}`: {place} is another instance's; each needs its own"
                ));
            }
        }
        let batch = self.rollout.rolling.batch;
        if batch == 0 || batch >= instances.len() {
            let most = instances.len() - 1;
            return Err(if most == 0 {
                format!(
                    "[[instances]] has `{}` alone: nobody would be left for the visitors while it is replaced; add another one, or \
                     take strategy = \"blue-green\"",
                    instances[0].name
                )
            } else {
                format!(
                    "`rollout.rolling.batch` is {batch} with {} instances: it must be 1 to {most}, so that somebody is left for \
                     the visitors",
                    instances.len()
                )
            });
        }
        self.router.fleet_parts(instances).map(drop)
    }
}
