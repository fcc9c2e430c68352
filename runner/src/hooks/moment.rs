//! What a hook is told. In: where a release stands. Out: a webhook's JSON, a command's variables.

use crossfade_core::table::{Environment, ReleaseId, VariantName, Version, Weight};
use serde_json::{Value, json};

use super::Phase;

/// Where a release stands. What does not apply is absent.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Whose traffic.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
    /// What is released.
    pub version: Version,
    /// The slot it goes to.
    pub slot: VariantName,
    /// What served everybody when it began.
    pub stable_version: Option<String>,
    /// Where the new version is, once uploaded.
    pub deployment_url: Option<String>,
    /// The step that it is about, counted from 0 as the machine does. Hooks are told what reports say: from 1.
    pub step: Option<usize>,
    /// The new version's share: what it has, or what it would get.
    pub weight: Option<Weight>,
    /// How it ended.
    pub outcome: Option<Ending>,
    /// What happened, as `--json` prints it.
    pub event: Option<Value>,
}

/// How a release ended, for hooks that are told afterwards.
#[derive(Clone, Debug)]
pub struct Ending {
    /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`.
    pub outcome: &'static str,
    /// One sentence.
    pub text: String,
}

impl Moment {
    /// The beginning of a release.
    pub const fn new(
        environment: Environment,
        release: ReleaseId,
        version: Version,
        slot: VariantName,
        stable_version: Option<String>,
    ) -> Self {
        Self {
            environment,
            release,
            version,
            slot,
            stable_version,
            deployment_url: None,
            step: None,
            weight: None,
            outcome: None,
            event: None,
        }
    }

    /// A webhook's body without its metadata. The weight is in basis points, as in the routing table.
    pub(super) fn to_json(&self, phase: Phase) -> Value {
        let mut body = json!({
            "schema": 1,
            "phase": phase.name(),
            "environment": self.environment.as_str(),
            "release": self.release.as_str(),
            "version": self.version.as_str(),
            "slot": self.slot.as_str(),
        });
        let ending = self.outcome.as_ref();
        for (name, value) in [
            ("stable_version", self.stable_version.clone().map(Value::from)),
            ("deployment_url", self.deployment_url.clone().map(Value::from)),
            ("step", self.number().map(Value::from)),
            ("weight", self.weight.map(|weight| weight.basis_points().into())),
            ("outcome", ending.map(|ending| ending.outcome.into())),
            ("text", ending.map(|ending| ending.text.clone().into())),
            ("event", self.event.clone()),
        ] {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }

    /// A command's variables.
    pub(super) fn variables(&self, phase: Phase) -> Vec<(&'static str, String)> {
        let always = [
            ("CROSSFADE_PHASE", phase.name().to_owned()),
            ("CROSSFADE_ENVIRONMENT", self.environment.to_string()),
            ("CROSSFADE_RELEASE", self.release.to_string()),
            ("CROSSFADE_VERSION", self.version.to_string()),
            ("CROSSFADE_SLOT", self.slot.to_string()),
        ];
        let some = [
            ("CROSSFADE_DEPLOYMENT_URL", self.deployment_url.clone()),
            ("CROSSFADE_STEP", self.number().map(|number| number.to_string())),
            ("CROSSFADE_WEIGHT", self.weight.map(|weight| weight.basis_points().to_string())),
            ("CROSSFADE_OUTCOME", self.outcome.as_ref().map(|ending| ending.outcome.to_owned())),
            ("CROSSFADE_EVENT", self.event.as_ref().map(Value::to_string)),
        ];
        always.into_iter().chain(some.into_iter().filter_map(|(name, value)| Some((name, value?)))).collect()
    }

    fn number(&self) -> Option<usize> {
        self.step.map(|step| step + 1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::hooks) fn moment() -> Moment {
        Moment::new(
            Environment::new("environment", "production").unwrap(),
            ReleaseId::new("release", "rel-1").unwrap(),
            Version::new("version", "1.5.0").unwrap(),
            VariantName::new("slot", "green").unwrap(),
            Some("1.4.2".into()),
        )
    }

    #[test]
    fn a_webhook_and_a_command_are_told_the_same() {
        let moment = Moment { step: Some(0), weight: Weight::new(500), ..moment() };
        assert_eq!(
            moment.to_json(Phase::ConfirmTrafficIncrease),
            json!({
                "schema": 1, "phase": "confirm-traffic-increase", "environment": "production", "release": "rel-1",
                "version": "1.5.0", "slot": "green", "stable_version": "1.4.2", "step": 1, "weight": 500,
            })
        );
        let variables = moment.variables(Phase::ConfirmTrafficIncrease);
        let of = |name: &str| variables.iter().find(|(is, _)| *is == name).map(|(_, value)| value.as_str());
        assert_eq!(of("CROSSFADE_PHASE"), Some("confirm-traffic-increase"));
        assert_eq!((of("CROSSFADE_STEP"), of("CROSSFADE_WEIGHT")), (Some("1"), Some("500")));
        assert_eq!((of("CROSSFADE_OUTCOME"), of("CROSSFADE_EVENT")), (None, None));
    }
}
