//! `[hooks]`: commands and webhooks around a release. In: the file's words. Out: what each phase asks.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::hooks::Phase;

mod hook;

pub use hook::{Action, Command, Hook, Webhook};
pub(crate) use hook::{check_hook_url, from_environment};

/// Commands and webhooks around a release: each `{ run = "command" }` or `{ url = "https://…" }`. Commands run in the file's
/// directory with `CROSSFADE_PHASE`, `CROSSFADE_VERSION`, `CROSSFADE_ENVIRONMENT`, `CROSSFADE_RELEASE` and
/// `CROSSFADE_SLOT` set; later ones also with `CROSSFADE_DEPLOYMENT_URL`, `CROSSFADE_STEP`, `CROSSFADE_WEIGHT`,
/// `CROSSFADE_OUTCOME` and `CROSSFADE_EVENT`. Webhooks get the same as JSON. Each answers pass, fail, or wait.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Makes the directory that is uploaded.
    pub build: Option<Hook>,
    /// Lets the release begin: after the build, before `prepare` and before anything is uploaded. Fails closed.
    pub confirm_rollout: Vec<Hook>,
    /// Before the upload, in order: caches, feature flags, whatever the new version needs.
    pub prepare: Vec<Hook>,
    /// Brings the database to a state that the old and the new version both work with; runs after `prepare`.
    pub database: Option<Hook>,
    /// After the smoke tests, before the first visitor meets the new version.
    pub pre_rollout: Vec<Hook>,
    /// At each measurement; a failure is the new version's.
    pub rollout: Vec<Hook>,
    /// Before each raise of the new version's share. Fails closed.
    pub confirm_traffic_increase: Vec<Hook>,
    /// Before the new version gets all visitors. Fails closed.
    pub confirm_promotion: Vec<Hook>,
    /// At each measurement; a pass means: roll back now.
    pub rollback: Vec<Hook>,
    /// After the end, whatever it was. A failure is reported and changes nothing.
    pub post_rollout: Vec<Hook>,
    /// After the release has settled. A failure is reported and changes nothing.
    pub settled: Vec<Hook>,
    /// After traffic went home. A failure is reported and changes nothing.
    pub rolled_back: Vec<Hook>,
    /// Is told of everything that happens, beside the release, which never waits for it.
    pub event: Vec<Hook>,
}

impl Hooks {
    /// The hooks of a phase, in their order.
    pub fn of(&self, phase: Phase) -> &[Hook] {
        match phase {
            Phase::Build => self.build.as_slice(),
            Phase::ConfirmRollout => &self.confirm_rollout,
            Phase::Prepare => &self.prepare,
            Phase::Database => self.database.as_slice(),
            Phase::PreRollout => &self.pre_rollout,
            Phase::Rollout => &self.rollout,
            Phase::ConfirmTrafficIncrease => &self.confirm_traffic_increase,
            Phase::ConfirmPromotion => &self.confirm_promotion,
            Phase::Rollback => &self.rollback,
            Phase::PostRollout => &self.post_rollout,
            Phase::Settled => &self.settled,
            Phase::RolledBack => &self.rolled_back,
            Phase::Event => &self.event,
        }
    }

    /// All of them, in the order of a release.
    pub fn all(&self) -> impl Iterator<Item = &Hook> {
        Phase::ALL.into_iter().flat_map(|phase| self.of(phase))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let mut all =
            Phase::ALL.into_iter().flat_map(|phase| self.of(phase).iter().map(move |hook| (phase, hook)));
        all.try_for_each(|(phase, hook)| hook.check(phase))
    }
}
