//! When a release asks its hooks, and what their answers are good for then.

use std::time::Duration;

/// A phase that has hooks. Those from [`Phase::ConfirmRollout`] on which Flagger has too are called and mean the same
/// (<https://docs.flagger.app/usage/webhooks>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Makes the directory that is uploaded.
    Build,
    /// Lets the release begin: after the build, before anything outside this machine is changed.
    ConfirmRollout,
    /// Whatever the new version needs.
    Prepare,
    /// The database's schema.
    Database,
    /// After the smoke tests, before the first visitor meets the new version.
    PreRollout,
    /// At each measurement.
    Rollout,
    /// Lets the new version's share be raised.
    ConfirmTrafficIncrease,
    /// Lets the new version take all visitors.
    ConfirmPromotion,
    /// At each measurement: a pass means *roll back now*.
    Rollback,
    /// After the end, whatever it was.
    PostRollout,
    /// After the release has settled.
    Settled,
    /// After traffic went home.
    RolledBack,
    /// Is told of everything that happens.
    Event,
}

impl Phase {
    /// All of them, in the order of a release.
    pub const ALL: [Self; 13] = [
        Self::Build,
        Self::ConfirmRollout,
        Self::Prepare,
        Self::Database,
        Self::PreRollout,
        Self::Rollout,
        Self::ConfirmTrafficIncrease,
        Self::ConfirmPromotion,
        Self::Rollback,
        Self::PostRollout,
        Self::Settled,
        Self::RolledBack,
        Self::Event,
    ];

    /// As reports, payloads and records call it; in `crossfade.toml` with `_` for `-`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::ConfirmRollout => "confirm-rollout",
            Self::Prepare => "prepare",
            Self::Database => "database",
            Self::PreRollout => "pre-rollout",
            Self::Rollout => "rollout",
            Self::ConfirmTrafficIncrease => "confirm-traffic-increase",
            Self::ConfirmPromotion => "confirm-promotion",
            Self::Rollback => "rollback",
            Self::PostRollout => "post-rollout",
            Self::Settled => "settled",
            Self::RolledBack => "rolled-back",
            Self::Event => "event",
        }
    }

    /// Whether its hooks are only told something: nothing depends on what they answer.
    pub const fn only_tells(self) -> bool {
        match self {
            Self::PostRollout | Self::Settled | Self::RolledBack | Self::Event => true,
            Self::Build
            | Self::ConfirmRollout
            | Self::Prepare
            | Self::Database
            | Self::PreRollout
            | Self::Rollout
            | Self::ConfirmTrafficIncrease
            | Self::ConfirmPromotion
            | Self::Rollback => false,
        }
    }

    /// How long a command may take that does not say so itself. What is asked every half minute must not take ten.
    pub(crate) const fn command_timeout(self) -> Duration {
        match self {
            Self::Rollout | Self::Rollback | Self::Event => Duration::from_secs(30),
            Self::Build
            | Self::ConfirmRollout
            | Self::Prepare
            | Self::Database
            | Self::PreRollout
            | Self::ConfirmTrafficIncrease
            | Self::ConfirmPromotion
            | Self::PostRollout
            | Self::Settled
            | Self::RolledBack => Duration::from_secs(600),
        }
    }
}
