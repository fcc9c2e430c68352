//! `[deploy]`: a command that brings a version to anything else than Cloudflare Pages.

use crossfade_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::requests::check_not_zero;
use super::{Command, Config, Strategy, ten_minutes};

/// Brings a version somewhere else than to Pages, instead of an upload: a Workers version, a bucket, a server. The last line that it
/// prints is where that is, as `https://1a2b3c4d-booking.example.workers.dev`; the version before stays where it was.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployConfig {
    /// The command, for `sh -c`. It is given CROSSFADE_VERSION, CROSSFADE_RELEASE, CROSSFADE_ENVIRONMENT and CROSSFADE_SLOT.
    pub run: String,
    /// How long it may take. Default: `10m`.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
    /// Whether it sees CLOUDFLARE_API_TOKEN. Default: false.
    #[serde(default)]
    pub secrets: bool,
}

impl DeployConfig {
    /// The command.
    pub fn command(&self) -> Command {
        Command { run: self.run.clone(), secrets: self.secrets }
    }
}

impl Config {
    /// Refuses what brings no version anywhere, or two ways at once.
    pub(super) fn check_deploy(&self) -> Result<(), String> {
        match (&self.project, &self.deploy) {
            (None, None) => {
                return Err("missing field `project`: name a Pages project, or say in [deploy] what brings a version elsewhere".into());
            }
            (_, Some(_)) if self.rollout.strategy == Strategy::Rolling => {
                return Err("[deploy] has no meaning with strategy = \"rolling\": each of `[[instances]]` has its own".into());
            }
            (_, Some(deploy)) if deploy.run.trim().is_empty() => {
                return Err(
                    "`deploy.run` is empty: it must be a command that prints where the version is".into()
                );
            }
            (_, Some(deploy)) => check_not_zero("`deploy.timeout`", deploy.timeout)?,
            (Some(_), None) => {}
        }
        Ok(())
    }
}
